import { computed } from '@preact/signals';
import { PauseIcon, PlayIcon } from '../app/icons.tsx';
import { formatDuration, formatPercent, formatRate } from './formats.ts';
import type { Phase } from './messages.ts';
import { spaceProblem } from './state/next-run.ts';
import {
  begin,
  changeRate,
  goOn,
  isWorking,
  last,
  metrics,
  pace,
  pause,
  rate,
  run,
  standing,
} from './state/open-run.ts';

const texts: Readonly<Record<Phase, string>> = {
  gpu: 'Opening the GPU',
  looking: 'The teacher looks at the pictures',
  words: 'Reading the words that scores are given by',
  preparing: 'Compiling the training step',
  training: 'Training',
  paused: 'Paused, and saved',
  ended: 'Trained',
  failed: 'Stopped',
};

/** Of a slider: the least and the largest rate, as powers of ten. */
const RATE_POWERS = [-4, -0.5] as const;

/** Time that the steps that are left will take, in seconds. */
const left = computed(() => {
  const [first, now] = [pace.value[0], pace.value.at(-1)];
  const open = run.value;
  // The first ones compile.
  if (!open || !first || !now || now.step - first.step < 3) return undefined;
  return ((now.at - first.at) / 1000 / (now.step - first.step)) * (open.steps - now.step);
});

/** The button that trains and pauses, how far it has come, and the learning rate. */
export function Transport() {
  const open = run.value;
  const phase = standing.value?.phase;
  const isEnded = phase === 'ended';
  const action = !open ? 'Train' : isWorking.value ? 'Pause' : isEnded ? 'Trained' : 'Go on';
  const act = (): void => void (!open ? begin() : isWorking.value ? pause() : goOn());
  const cannotBegin = !open && spaceProblem.value !== undefined;
  return (
    <section class="transport" aria-label="Training">
      <button type="button" class="transport-button" disabled={isEnded || cannotBegin} onClick={act}>
        {action === 'Pause' ? <PauseIcon /> : <PlayIcon />}
        {action}
      </button>
      <div class="transport-state">
        <Progress />
        <p class="transport-line" role="status">
          {open ? <State /> : 'A small model learns to divide pictures, here in this tab: no label, no upload.'}
        </p>
      </div>
      <Numbers />
      <Rate />
    </section>
  );
}

function Progress() {
  const open = run.value;
  const { done, total } = standing.value ?? {};
  const isLooking = standing.value?.phase === 'looking';
  const [now, all] = isLooking ? [done ?? 0, total ?? 0] : [last.value?.step ?? 0, open?.steps ?? 0];
  const label = isLooking ? 'Pictures that the teacher has seen' : 'Steps';
  const isWaiting = ['gpu', 'words', 'preparing'].includes(standing.value?.phase ?? '');
  return (
    <progress
      class={isWaiting ? 'transport-progress is-waiting' : 'transport-progress'}
      max={Math.max(1, all)}
      value={all > 0 ? now : 0}
      aria-label={label}
    />
  );
}

function State() {
  const now = standing.value;
  if (!now) return null;
  const step = last.value?.step ?? 0;
  const steps = run.value?.steps ?? 0;
  if (now.phase === 'looking') {
    return (
      <>
        {texts.looking}: {now.done ?? 0} of {now.total ?? 0}
      </>
    );
  }
  if (now.phase === 'training') {
    return (
      <>
        Step {step} of {steps}
        {left.value !== undefined && step < steps ? `, about ${formatDuration(left.value)} left` : ''}
      </>
    );
  }
  const isStill = now.phase === 'paused' || now.phase === 'failed';
  return (
    <>
      {texts[now.phase]}
      {isStill ? ` after step ${step} of ${steps}` : now.phase === 'ended' ? ` in ${steps} steps` : ' …'}
    </>
  );
}

function Numbers() {
  const accuracy = metrics.value.findLast(({ probe }) => probe?.['accuracy'] !== undefined)?.probe?.['accuracy'];
  const loss = last.value?.loss;
  if (loss === undefined) return null;
  return (
    <dl class="numbers">
      <div>
        <dt>Loss</dt>
        <dd>{loss.toPrecision(3)}</dd>
      </div>
      {accuracy !== undefined && (
        <div>
          <dt>Named right</dt>
          <dd>{formatPercent(accuracy)}</dd>
        </div>
      )}
    </dl>
  );
}

/** The peak of the learning rate: of the run that is open, also while it trains. */
function Rate() {
  if (!run.value || standing.value?.phase === 'ended') return null;
  const [min, max] = RATE_POWERS;
  return (
    <label class="rate">
      <span>
        Learning rate <b>{formatRate(rate.value)}</b>
      </span>
      <input
        type="range"
        min={min}
        max={max}
        step={0.05}
        value={Math.log10(rate.value)}
        aria-valuetext={formatRate(rate.value)}
        onInput={(event) => (rate.value = powerOf(event.currentTarget.value))}
        onChange={(event) => void changeRate(powerOf(event.currentTarget.value))}
      />
    </label>
  );
}

function powerOf(text: string): number {
  return Number((10 ** Number(text)).toPrecision(2));
}
