import { useSignal } from '@preact/signals';
import { formatBytes, formatPercent } from './formats.ts';
import type { RunCard } from './messages.ts';
import { isWorking, last, openRun, removeRun, run, runs } from './state/open-run.ts';

/** The runs that this browser keeps. */
export function RunList() {
  const all = runs.value;
  if (all.length === 0) return null;
  const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
  return (
    <section class="card" aria-labelledby="runs">
      <h2 id="runs" class="card-title">
        Kept in this browser <span class="hint">{formatBytes(total)}</span>
      </h2>
      <ul class="runs">
        {all.map((one) => (
          <Row key={one.id} {...one} />
        ))}
      </ul>
    </section>
  );
}

function Row({ id, title, begun, steps, done, isEnded, accuracy, loss, bytes }: RunCard) {
  const isAsked = useSignal(false);
  const isOpen = run.value?.id === id;
  const when = new Date(begun).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
  const now = isOpen ? (last.value?.step ?? done) : done;
  const state = isEnded ? `${steps} steps` : `step ${now} of ${steps}`;
  const score =
    accuracy !== undefined
      ? `, ${formatPercent(accuracy)} right`
      : loss !== undefined
        ? `, loss ${loss.toPrecision(3)}`
        : '';
  return (
    <li class={isOpen ? 'run is-open' : 'run'}>
      <button
        type="button"
        class="run-open"
        aria-current={isOpen ? 'true' : undefined}
        disabled={isOpen}
        onClick={() => void openRun(id)}
      >
        <b>{title}</b>
        <span class="hint">
          {state}
          {score}
        </span>
        <span class="hint">
          {when}, {formatBytes(bytes)}
        </span>
      </button>
      {isAsked.value ? (
        <span class="run-sure">
          <button type="button" class="button" onClick={() => void removeRun(id)}>
            Delete for good
          </button>
          <button type="button" class="link" onClick={() => (isAsked.value = false)}>
            Keep
          </button>
        </span>
      ) : (
        <button
          type="button"
          class="link"
          aria-label={`Delete ${title} of ${when}`}
          disabled={isOpen && isWorking.value}
          onClick={() => (isAsked.value = true)}
        >
          Delete
        </button>
      )}
    </li>
  );
}
