import { type Activity, activity, doing } from './state.ts';

interface ActivitiesOptions {
  readonly what: Activity;
  readonly title: string;
  readonly isPossible?: boolean;
  readonly isStrong?: boolean;
  readonly onStart: () => unknown;
  readonly onStop: () => unknown;
}

/** A button that starts something long, or stops it, and how far it is. */
export function Activities({ what, title, isPossible = true, isStrong, onStart, onStop }: ActivitiesOptions) {
  const isRunning = activity.value === what;
  const current = isRunning ? doing.value : undefined;
  return (
    <div class="activity">
      <button
        type="button"
        class={isStrong ? 'button button-strong' : 'button'}
        disabled={!isRunning && (activity.value !== undefined || !isPossible)}
        onClick={isRunning ? onStop : onStart}
      >
        {isRunning ? 'Stop' : title}
      </button>
      <p class="progress" role="status">
        {isRunning && <span class="spinner" aria-hidden="true" />}
        {current && (
          <span>
            {current.name}
            {current.total > 0 && ` (${Math.min(current.done + 1, current.total)} of ${current.total})`}
          </span>
        )}
      </p>
    </div>
  );
}
