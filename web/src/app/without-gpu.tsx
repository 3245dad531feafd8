import type { Support } from './support.ts';

/** Says what is missing and what helps. */
export function WithoutGpu({ support }: { support: Support & { isThere: false } }) {
  return (
    <section class="without" aria-labelledby="without">
      <h2 id="without">This page needs WebGPU</h2>
      <p>{support.why}</p>
      <p class="without-remedy">{support.remedy}</p>
    </section>
  );
}
