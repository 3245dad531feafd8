import type { Support } from './support.ts';

/** Says what is missing and what helps. */
export function WithoutGpu({ support }: { support: Support & { isThere: false } }) {
  return (
    <section class="without" aria-labelledby="without">
      <h2 id="without">No WebGPU, so this is a recorded run</h2>
      <p>{support.why}</p>
      <p class="without-remedy">{support.remedy}</p>
      <p class="hint">
        Until then: the built-in model looked at these four scenes once, and what it saw is kept here. Other words name
        it anew in your browser; other pictures need the GPU.
      </p>
    </section>
  );
}
