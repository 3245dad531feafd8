import { formatBytes, type GPUBuffer } from '../../gpu/index.ts';
import { formatShape } from '../values/index.ts';
import type { StepProgram } from './step-program.ts';

/**
 * The launches of a step as a table: label, grid, and where each tensor lies (`w`: variables, `s`: slots). Bindings of what is not there (a
 * bias that a launch does not add, a result that nobody needs) are left out.
 */
export function listing(name: string, program: StepProgram): string {
  const buffers = new Map<GPUBuffer, number>();
  const rows = [...new Set(program.bound)].map(({ launch }, i) => {
    const { names, paramNames } = launch.kernel;
    const slots = launch.tensors.flatMap((t, n) => {
      // What is not there is bound too, to another tensor or to one without elements: WebGPU wants something.
      const has = paramNames.findIndex((param) => param.toLowerCase() === `has${names[n]}`);
      if (launch.params[has] === 0 || t.size === 0) return [];
      const { buffer, offset } = program.memoryOf(t.storage);
      if (!buffers.has(buffer)) buffers.set(buffer, buffers.size);
      const kind = t.storage.root.kind === 'variable' ? 'w' : 's';
      const place = `${kind}${buffers.get(buffer)}${offset > 0 ? `+${offset}` : ''}`;
      return `${names[n]}=${place}${formatShape(t.shape)}`;
    });
    return `${String(i + 1).padStart(4)}  ${launch.label}${launch.loop ? ` (${launch.loop.runs} times)` : ''}  ${launch.grid.join('×')}  ${slots.join(' ')}`;
  });
  const { planned, own, uniforms, unplanned } = program.memory;
  const head =
    `${name}: ${program.launches.length} launches, ${formatBytes(planned)} planned (${formatBytes(unplanned)} unplanned), ` +
    `${formatBytes(own)} results and constants, ${formatBytes(uniforms)} uniforms`;
  return [head, ...rows].join('\n');
}
