import type { Device } from '../../src/gpu/device.ts';
import { cast } from '../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { readAll } from '../../src/tensor/run/read.ts';
import type { Shape } from '../../src/tensor/values/shape.ts';
import { size } from '../../src/tensor/values/shape.ts';

/** What numbers of a dtype end in. */
export interface Kind {
  readonly dtype: 'f32' | 'f16';
  readonly highest: number;
  /** The least normal number: below it, adapters may take numbers for zero. */
  readonly min: number;
  /** Of a result, relative to it. */
  readonly error: number;
  /** Values where ops tend to go wrong. */
  readonly edges: readonly number[];
}

const common = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0];
const F32_MAX = 3.4028234663852886e38;
export const kinds: Readonly<Record<Kind['dtype'], Kind>> = {
  f32: {
    dtype: 'f32',
    highest: F32_MAX,
    min: 2 ** -126,
    error: 4e-6,
    edges: [...common, 1e-40, -1e-40, 2 ** -126, F32_MAX, -F32_MAX, 1.5, -1.5].map(Math.fround),
  },
  f16: {
    dtype: 'f16',
    highest: 65504,
    min: 2 ** -14,
    error: 2e-3,
    edges: [...common, 2 ** -24, -(2 ** -24), 2 ** -14, 65504, -65504, 1.5, -1.5],
  },
};

/** One input: numbers that the dtype holds exactly, or u32. */
export interface Input {
  readonly shape: Shape;
  readonly data: readonly number[] | Uint32Array;
}

export type Values = ArrayLike<number>;

/** Something done to inputs, and what float64 makes of it: as many lists as there are results, in the same order. */
export interface Trial {
  readonly what: string;
  readonly inputs: readonly Input[];
  readonly op: (...xs: Tensor[]) => readonly Tensor[];
  readonly want: (...xs: Values[]) => readonly Values[];
  /** Relative to each number, where it is not that of the kind; and what is added to it. */
  readonly error?: number;
  readonly slack?: number;
}

/** Results, and the gradients at inputs (by index) when `dy` (default: ones) arrives at the first result. */
export function withGradients(
  op: (...xs: Tensor[]) => Tensor,
  of: readonly number[],
  dy?: (shape: Shape) => readonly number[],
): Trial['op'] {
  return (...xs) => {
    const y = op(...xs);
    const seeds = tensor(y.device, Float32Array.from(dy?.(y.shape) ?? new Array(y.size).fill(1)), y.shape);
    const wrt = of.map((i) => xs[i] as Tensor);
    return [y, ...gradients(y, wrt, cast(seeds, y.dtype as 'f32' | 'f16'))];
  };
}

/** A result as it can be read, and the dtype that it had. */
interface Made {
  readonly y: Tensor;
  readonly dtype: Kind['dtype'];
}

/** What is wrong with each trial; nothing where nothing is. All trials are computed together. */
export async function faults(device: Device, kind: Kind, trials: readonly Trial[]): Promise<string[][]> {
  const results = trials.map(({ inputs, op }) => {
    const xs = inputs.map(({ shape, data }) => {
      if (data instanceof Uint32Array) return tensor(device, data, shape);
      return cast(tensor(device, bothNaNs(data), shape), kind.dtype);
    });
    return op(...xs).map((y): Made => {
      return y.dtype === 'f16' ? { y: cast(y, 'f32'), dtype: 'f16' } : { y, dtype: 'f32' };
    });
  });
  const read = await readAll(results.flat().map(({ y }) => y));
  let at = 0;
  return trials.map((trial, t) => {
    const got = (results[t] as Made[]).map(({ dtype }) => ({ values: read[at++] as Values, kind: kinds[dtype] }));
    return compare(kind, trial, got);
  });
}

/** Every second NaN is one whose sign is set, as that which x86 processors make: by its bits it lies below -∞. */
function bothNaNs(data: readonly number[]): Float32Array {
  const values = Float32Array.from(data);
  const bits = new Uint32Array(values.buffer);
  data.forEach((x, i) => {
    if (Number.isNaN(x) && i % 2 === 1) bits[i] = 0xffc00000;
  });
  return values;
}

function compare(kind: Kind, trial: Trial, got: readonly { readonly values: Values; readonly kind: Kind }[]): string[] {
  const { what, inputs, error = kind.error, slack = 0 } = trial;
  const plain = trial.want(...inputs.map(({ data }) => data));
  const flushed = trial.want(
    ...inputs.map(({ data }) => Array.from(data, (x) => (Math.abs(x) < kind.min ? 0 * Math.sign(x) : x))),
  );
  const wrong: string[] = [];
  plain.forEach((values, result) => {
    const { values: found, kind: made } = got[result] as (typeof got)[number];
    if (found.length !== values.length) wrong.push(`${what}: result ${result} has ${found.length} of ${values.length}`);
    for (let i = 0; i < values.length; i++) {
      const g = found[i] as number;
      const w = values[i] as number;
      const f = (flushed[result] as Values)[i] as number;
      if (isClose(made, g, w, error, slack) || isClose(made, g, f, error, slack)) continue;
      if (wrong.length < 8) wrong.push(`${what}: result ${result}, element ${i} is ${g}, expected ${w}`);
    }
  });
  return wrong;
}

function isClose({ highest, min }: Kind, got: number, want: number, error: number, slack: number): boolean {
  if (Number.isNaN(want)) return Number.isNaN(got);
  if (got === want) return true;
  // Rounded, the highest numbers may be infinite, and infinite the highest.
  if (Math.abs(want) > highest * (1 - error)) {
    return Math.sign(got) === Math.sign(want) && (Math.abs(want) <= highest * (1 + error) || !Number.isFinite(got));
  }
  return Math.abs(got - want) <= error * Math.abs(want) + slack + min;
}

/** Numbers between -2 and 2, none near 0, of few binary places: every dtype holds them. */
export function filler(i: number): number {
  return (((i * 37 + 11) % 29) - 14.5) / 8;
}

/** AxisRows with an edge value at the first, a middle and the last place, and the middle of the others; one of nothing else. */
export function edgeLines({ edges }: Kind, length: number): number[][] {
  const places = [...new Set([0, 1, Math.floor(length / 2), length - 2, length - 1])].filter(
    (p) => p >= 0 && p < length,
  );
  return edges.flatMap((edge, e) => [
    ...places.map((place) => Array.from({ length }, (_, i) => (i === place ? edge : filler(i + e + place)))),
    new Array<number>(length).fill(edge),
  ]);
}

/** AxisRows as the axis of a tensor: the last one, or one with `inner` neighbours that are other lines. */
export function layLines(lines: readonly (readonly number[])[], inner: number): { input: Input; axis: number } {
  const length = (lines[0] as readonly number[]).length;
  if (inner === 1) return { input: { shape: [lines.length, length], data: lines.flat() }, axis: 1 };
  const outer = Math.ceil(lines.length / inner);
  const data = new Array<number>(outer * inner * length).fill(1);
  lines.forEach((line, n) => {
    line.forEach((value, i) => {
      data[(Math.floor(n / inner) * length + i) * inner + (n % inner)] = value;
    });
  });
  return { input: { shape: [outer, length, inner], data }, axis: 1 };
}

/** A function of lines as one of a tensor that {@link layLines} made, for functions that keep the length or give one number. */
export function overLines(
  { shape }: Input,
  f: (line: number[], ...others: number[][]) => readonly number[] | number,
): (...xs: Values[]) => number[] {
  const length = shape[1] as number;
  const inner = shape[2] ?? 1;
  return (...xs) => {
    const rowOf = (x: Values, start: number) => Array.from({ length }, (_, i) => x[start + i * inner] as number);
    const y: number[] = [];
    for (let n = 0; n < size(shape) / length; n++) {
      const start = Math.floor(n / inner) * length * inner + (n % inner);
      const [line, ...others] = xs.map((x) => rowOf(x, start));
      const made = f(line as number[], ...others);
      if (typeof made === 'number') y[n] = made;
      else
        made.forEach((value, i) => {
          y[start + i * inner] = value;
        });
    }
    return y;
  };
}

/** The places of `x` that an op which only moves values takes its results from; -1 for zeros. */
export async function sourcesOf(
  device: Device,
  op: (x: Tensor) => readonly Tensor[],
  shape: Shape,
): Promise<Int32Array[]> {
  const count = Float32Array.from({ length: size(shape) }, (_, i) => i + 1);
  const moved = await readAll([...op(tensor(device, count, shape))]);
  return moved.map((values) => Int32Array.from(values as Float32Array, (v) => v - 1));
}

/** The matrix of an op that is linear in its input, as the rows of its results: places and weights that are not 0. */
export async function matrixOf(
  device: Device,
  op: (x: Tensor) => Tensor,
  shape: Shape,
): Promise<{ place: number; weight: number }[][]> {
  const n = size(shape);
  const columns = await readAll(
    Array.from({ length: n }, (_, i) => {
      const unit = new Float32Array(n);
      unit[i] = 1;
      return op(tensor(device, unit, shape));
    }),
  );
  return Array.from({ length: (columns[0] as Values).length }, (_, o) =>
    columns.flatMap((column, place) => {
      const weight = (column as Values)[o] as number;
      return weight === 0 ? [] : [{ place, weight }];
    }),
  );
}

/** Sum of products, where a place that is not named counts for nothing, whatever is there. */
export function product(row: readonly { place: number; weight: number }[], x: Values): number {
  return row.reduce((sum, { place, weight }) => sum + weight * (x[place] as number), 0);
}
