import { Device, formatBytes } from '../../gpu/index.ts';
import { currentRecording, type Storage, Tensor } from '../graph/index.ts';
import { formatShape } from '../values/index.ts';
import { hostArray } from './read.ts';
import { textOf } from './show.ts';
import { inspection } from './step.ts';

// What `console.log(x)` prints in Node, and in other servers that follow it. A page's console asks nothing of an object; so nothing of this is in
// a page's bundle.
const PRINTED: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

/** What Node passes: how deep it still goes, and with what depth it began. */
interface InspectOptions {
  readonly depth?: number | null | undefined;
}

/** Elements of a tensor inside of something else that are printed with it. */
const SHOWN_INSIDE = 24;

// It cannot wait, so of values it has what the host holds: those of constants.
Object.defineProperty(Tensor.prototype, PRINTED, {
  configurable: true,
  value(this: Tensor, depth: number | null, options: InspectOptions = {}): string {
    if (this === Tensor.prototype) return 'Tensor {}';
    const { root } = this.storage;
    const isInside = typeof depth !== 'number' || depth < (options.depth ?? 0);
    if (root.data && !(isInside && this.size > SHOWN_INSIDE)) {
      const text = textOf(this, hostArray(this, root.data.slice().buffer));
      return isInside ? text.replace(/\s+/g, ' ') : text;
    }
    const { what, remedy } = whatIs(this, root);
    return `${this} (${isInside || !remedy ? what : `${what}; ${remedy}`})`;
  },
});

const READ = 'await toText(x) shows its values';

function whatIs({ size }: Tensor, root: Storage): { readonly what: string; readonly remedy?: string } {
  if (root.kind === 'constant') return { what: 'a constant' };
  if (root.kind === 'input') return { what: 'an input of a step', remedy: 'return it from the step to see its values' };
  if (root.kind === 'recorded') {
    const what = `made by ${root.writers.at(-1)?.label ?? 'empty'}`;
    return { what, remedy: currentRecording() ? 'return it from the step to see its values' : READ };
  }
  if (!root.memory && size > 0) return { what: `its memory ${root.lost}` };
  return { what: root.origin ? 'result of a step' : 'variable', ...(!currentRecording() && { remedy: READ }) };
}

Object.defineProperty(Device.prototype, PRINTED, {
  configurable: true,
  value(this: Device): string {
    const { vendor, architecture } = this.adapter;
    const kind = `${this.isSoftware ? 'on the CPU' : 'a GPU'}: ${[vendor, architecture].filter(Boolean).join(' ')}`;
    const features = ['shader-f16', 'subgroups', 'timestamp-query'].filter((name) => this.features.has(name));
    const state = this.disposed ? 'disposed' : `${formatBytes(this.bytes)} of buffers`;
    return `Device '${this.name}' (${[kind, ...features, state].join(', ')})`;
  },
});

inspection.step = (name, inputs, program, isDisposed) => ({
  [PRINTED]: () => {
    if (isDisposed()) return `Step '${name}' (disposed)`;
    const { memory, launches } = program;
    const given = Array.from(inputs, ([key, { dtype, shape }]) => `${key} ${dtype} ${formatShape(shape)}`);
    const counted = launches.length === 1 ? '1 launch' : `${launches.length} launches`;
    const bytes = formatBytes(memory.planned + memory.own + memory.uniforms);
    return `Step '${name}' (${given.length > 0 ? `inputs ${given.join(', ')}` : 'no inputs'}; ${counted}, ${bytes})`;
  },
});
