import type { Support } from './support.ts';
import type { Tool } from './tools.ts';

/** Says what is missing and what helps. */
export function WithoutGpu({ support, tool }: { support: Support & { isThere: false }; tool: Tool }) {
  return (
    <section class="without" aria-labelledby="without">
      <h2 id="without">
        {tool.id === 'segment' ? 'No WebGPU, so this is a recorded run' : `${tool.title} needs WebGPU`}
      </h2>
      <p>{support.why}</p>
      <p class="without-remedy">{support.remedy}</p>
      {tool.id === 'segment' && (
        <p class="hint">
          Until then: the built-in model looked at these four scenes once, and what it saw is kept here. Other words
          name it anew in your browser; other pictures need the GPU.
        </p>
      )}
    </section>
  );
}
