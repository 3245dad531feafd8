import { useSignal } from '@preact/signals';
import { DownloadIcon, LinkIcon } from '../app/icons.tsx';
import { save as saveFile } from '../app/save.ts';
import { formatPercent, formatRate } from './formats.ts';
import { linkOf } from './plan.ts';
import { FolderButtons } from './setup.tsx';
import { problem } from './state/asking.ts';
import {
  before,
  goOn,
  isWorking,
  leaveRun,
  metrics,
  modelOf,
  NOT_SAVED,
  run,
  segmentWith,
  standing,
  unread,
} from './state/open-run.ts';

const starts = {
  teacher: 'head start: the teacher’s eyes',
  names: 'head start: all but the names',
  student: 'head start: the built-in student',
  new: 'from scratch',
} as const;

/** The run that is open: what it is, and what can be done with it. */
export function ThisRun() {
  const copied = useSignal(false);
  const open = run.value;
  if (!open) return null;
  const { plan, title } = open;
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(`${location.href.replace(/#.*$/, '')}#${linkOf(plan)}`);
    copied.value = true;
    setTimeout(() => (copied.value = false), 2000);
  };
  return (
    <section class="card" aria-labelledby="this-run">
      <h2 id="this-run" class="card-title">
        {plan.source === 'photos' ? `“${title}”` : title}
      </h2>
      <p class="hint">
        {plan.batch} pictures a step, learning rate {formatRate(plan.rate)}, {formatPercent(plan.mask)} hidden,{' '}
        {starts[plan.start]}.
      </p>
      <Learnt />
      {unread.value && <p class="hint">{unread}</p>}
      <Trouble />
      <div class="buttons">
        <ModelButtons id={open.id} name={`zeroseg-${title.replace(/\W+/g, '-')}.safetensors`} />
        <button
          type="button"
          class="button"
          onClick={() => void copy().catch(() => (problem.value = 'The browser gave no access to the clipboard.'))}
        >
          <LinkIcon />
          {copied.value ? 'Copied' : 'Copy link to settings'}
        </button>
        <button type="button" class="button" onClick={() => void leaveRun()}>
          {isWorking.value ? 'Pause, and begin another' : 'Begin another'}
        </button>
      </div>
    </section>
  );
}

/** What was learnt, in a sentence. */
function Learnt() {
  const all = metrics.value;
  const score = all.findLast(({ probe }) => probe?.['accuracy'] !== undefined)?.probe?.['accuracy'];
  const [first, last] = [all[0], all.at(-1)];
  if (!first || !last || last.step < 2) return null;
  const losses = `The loss went from ${first.loss.toPrecision(3)} to ${last.loss.toPrecision(3)}`;
  return (
    <p>
      {losses}
      {score !== undefined && before.value
        ? `, and of the pixels of scenes that it never learns from it names ${formatPercent(score)} right; before, ${formatPercent(before.value.accuracy)}.`
        : '.'}
    </p>
  );
}

function Trouble() {
  const now = standing.value;
  if (now?.problem === undefined) return null;
  return (
    <div class="notice notice-problem" role="alert">
      <p>{now.problem}</p>
      {now.needsPhotos && <FolderButtons title="Choose the folder again" />}
      {now.needsPhotos && (
        <button type="button" class="link" onClick={() => void goOn()}>
          Go on with these photos
        </button>
      )}
    </div>
  );
}

/** Takes the model along, or to the tool that segments. */
function ModelButtons({ id, name }: { id: string; name: string }) {
  const isBusy = useSignal(false);
  const save = async (): Promise<void> => {
    isBusy.value = true;
    const model = await modelOf(id);
    isBusy.value = false;
    if (model) saveFile(model, name);
    else problem.value = NOT_SAVED;
  };
  const isNothing = isBusy.value || metrics.value.length === 0;
  return (
    <>
      <button type="button" class="button button-strong" disabled={isNothing} onClick={() => void segmentWith(id)}>
        Segment with it
      </button>
      <button
        type="button"
        class="button"
        title="A .safetensors file, which `zeroseg segment --model` reads"
        disabled={isNothing}
        onClick={() => void save()}
      >
        <DownloadIcon />
        Save the model
      </button>
    </>
  );
}
