import { DownloadIcon } from '../app/icons.tsx';
import { first } from './state.ts';

/** What can be taken along. */
export function Downloads() {
  if (!first.result.value) return null;
  return (
    <section class="card" aria-labelledby="downloads">
      <h2 id="downloads" class="card-title">
        Take along
      </h2>
      <button type="button" class="button">
        <DownloadIcon />
        Overlay
      </button>
    </section>
  );
}
