import type { Device } from '../../gpu/index.ts';
import { checkTensors, type Tensor } from '../graph/index.ts';
import { type DType, type HostArray, isFloat, type Shape, size } from '../values/index.ts';
import type { KeptReads } from './kept-reads.ts';
import { release, uniformsOf } from './memory-layout.ts';
import { earlier, rangesOf, readAll } from './read.ts';

/** What keeps the programs of a device's reads; before it is loaded, how many reads computed. */
const keepers = new WeakMap<Device, KeptReads | number>();

// Here, where people look at values: pages without these functions, the smallest ones and those that train, carry nothing of it.
earlier.find = (device, launches, wanted) => {
  const known = keepers.get(device) ?? 0;
  if (typeof known !== 'number') return known.find(launches, wanted);
  keepers.set(device, known + 1);
  if (known === 2) {
    // Where it does not load, reads are slower.
    import('./kept-reads.ts').then(
      ({ KeptReads }) => keepers.set(device, new KeptReads(device, { rangesOf, release, uniformsOf })),
      () => {},
    );
  }
  return undefined;
};

/** Values by their axes: a number of a scalar, a list of lists of a matrix; true and false of bool. */
export type NestedArray = number | boolean | NestedArray[];

/** Elements beyond which {@link toText} leaves out those between, and how many it shows at each end of an axis. */
const SHOWN = { all: 1000, ends: 3 };

/**
 * The values of a tensor as nested lists, a number of a scalar; true or false in the place of numbers where it holds bool.
 *
 * ```ts
 * const rows = await toArray(reshape(arange(device, 4), [2, 2])); // [[0, 1], [2, 3]]
 * rows[1][0]; // 2
 * ```
 *
 * A tensor's type does not say how many axes it has: the result is `any` unless you do, as in `toArray<number[][]>(x)`.
 */
// biome-ignore lint/suspicious/noExplicitAny: like JSON.parse, so that elements are reached by their indices.
export async function toArray<A extends NestedArray = any>(x: Tensor): Promise<A> {
  checkTensors('toArray', { x });
  const [values] = await readAll([x]);
  const all = values as HostArray;
  return nested(x.dtype === 'bool' ? Array.from(all, Boolean) : all, x.shape, 0, x.size) as A;
}

function nested(values: HostArray | boolean[], shape: Shape, from: number, to: number): NestedArray {
  const [count, ...inner] = shape;
  if (count === undefined) return values[from] as number | boolean;
  const each = (to - from) / Math.max(1, count);
  return Array.from({ length: count }, (_, i) => nested(values, inner, from + i * each, from + (i + 1) * each));
}

/**
 * A tensor as text, for people: dtype, shape, and values in columns, as NumPy prints them; of more than 1,000 the first three and last
 * three along each axis.
 *
 * ```ts
 * console.log(await toText(tensor(device, [[1, 2.5], [-3, 4]])));
 * // Tensor f32 [2, 2]
 * // [[ 1  2.5]
 * //  [-3  4  ]]
 * ```
 */
export async function toText(x: Tensor): Promise<string> {
  checkTensors('toText', { x });
  const [values] = await readAll([x]);
  return textOf(x, values as HostArray);
}

/** What {@link toText} makes of the values that a tensor has. */
export function textOf(x: Tensor, values: HostArray): string {
  const rows = x.size > SHOWN.all ? shortened(x.shape) : x.shape.map((n) => Array.from({ length: n }, (_, i) => i));
  const strides = x.shape.map((_, axis) => size(x.shape.slice(axis + 1)));
  const cell = (at: number): string => {
    const value = values[at] as number;
    return x.dtype === 'bool' ? String(value === 1) : formatNumber(value, x.dtype);
  };
  const cells: string[] = [];
  const visit = (axis: number, at: number): void => {
    if (axis === x.shape.length) cells.push(cell(at));
    else for (const i of rows[axis] as readonly number[]) if (i >= 0) visit(axis + 1, at + i * strides[axis]!);
  };
  visit(0, 0);
  const whole = Math.max(...cells.map((text) => (text.split('.')[0] as string).length));
  const fraction = Math.max(...cells.map((text) => text.length - (text.split('.')[0] as string).length));
  const aligned = (text: string): string => {
    const [head = ''] = text.split('.');
    return text.padStart(text.length + whole - head.length).padEnd(whole + fraction);
  };
  const draw = (axis: number, at: number): string => {
    if (axis === x.shape.length) return axis === 0 ? cell(at) : aligned(cell(at));
    const parts = (rows[axis] as readonly number[]).map((i) => (i < 0 ? '…' : draw(axis + 1, at + i * strides[axis]!)));
    const isLast = axis === x.shape.length - 1;
    const gap = isLast ? ' ' : `${'\n'.repeat(x.shape.length - 1 - axis)}${' '.repeat(axis + 1)}`;
    return `[${parts.join(gap)}]`;
  };
  return `${x}\n${draw(0, 0)}`;
}

/** Indices along each axis; -1 stands for those that are left out. */
function shortened(shape: Shape): number[][] {
  const { ends } = SHOWN;
  return shape.map((n) => {
    const all = Array.from({ length: n }, (_, i) => i);
    return n > 2 * ends + 1 ? [...all.slice(0, ends), -1, ...all.slice(-ends)] : all;
  });
}

/** Of floats six significant digits, or as many more as tell it from its neighbours where the six do not reach the decimal point. */
function formatNumber(value: number, dtype: DType): string {
  if (!isFloat(dtype) || !Number.isFinite(value)) return String(value);
  const shown = (digits: number): number => Number(value.toPrecision(digits));
  let digits = 6;
  if (Math.abs(value) >= 1e6) while (Math.fround(shown(digits)) !== value) digits++;
  return String(shown(digits));
}
