import type { Doing } from './messages.ts';
import { comparing, first, photo, problem, second } from './state.ts';

const texts: Readonly<Record<Doing['what'], string>> = {
  gpu: 'Opening the GPU',
  model: 'Loading the model',
  picture: 'Looking at the picture',
  words: 'Reading the words',
};

/** What is being waited for, in words; announced to screen readers when it ends. */
export function Progress() {
  const doing = first.doing.value ?? (comparing.value ? second.doing.value : undefined);
  const result = first.result.value;
  if (!doing) {
    return (
      <p class="progress progress-done" role="status">
        {result ? timing(result) : photo.value || problem.value ? '' : 'Loading a picture …'}
      </p>
    );
  }
  const { what, done, total } = doing;
  const fraction = done !== undefined && total ? done / total : undefined;
  return (
    <p class="progress" role="status">
      <span class="spinner" aria-hidden="true" />
      {texts[what]}
      {fraction !== undefined && total !== 1 ? ` … ${Math.round(100 * fraction)} %` : ' …'}
    </p>
  );
}

function timing({ looked, named }: { looked: number | undefined; named: number }): string {
  const naming = `named in ${duration(named)}`;
  return looked === undefined ? `${naming}, without looking again` : `looked at in ${duration(looked)}, ${naming}`;
}

function duration(milliseconds: number): string {
  if (milliseconds < 1) return '< 1 ms';
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
