import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { size } from '../../src/tensor/values/shape.ts';
import * as ops from './all-ops.ts';
import { edgeLines, filler, type Kind, layLines, overLines, type Trial, type Values, withGradients } from './edges.ts';

/** Lengths of lines, and how many neighbours each element has that are of other lines. */
export type Lengths = readonly (readonly [length: number, inner: number])[];

/** As CPUs take them: element by element, in whole vec4s, four ragged rows at a time, columns. */
export const onCpu: Lengths = [
  [1, 1],
  [3, 1],
  [4, 1],
  [5, 1],
  [8, 1],
  [70, 1],
  [257, 1],
  [5, 5],
  [3, 8],
];
/** With several threads to a line. */
export const onGpu: Lengths = [
  [70, 1],
  [20, 32],
];

const F32_MAX = 3.4028234663852886e38;
const add = (line: readonly number[]) => line.reduce((a, b) => a + b, 0);
/** A sum in f32, which overflows. */
const sumOf = (line: readonly number[]) => {
  const sum = add(line);
  return Math.abs(sum) > F32_MAX ? Math.sign(sum) * Number.POSITIVE_INFINITY : sum;
};

export function softmaxOf(line: readonly number[]): number[] {
  const top = Math.max(...line);
  if (top === Number.NEGATIVE_INFINITY) return line.map(() => 0);
  const e = line.map((x) => Math.exp(x - top));
  return e.map((x) => x / add(e));
}

export function logSoftmaxOf(line: readonly number[]): number[] {
  const top = Math.max(...line);
  const total = add(line.map((x) => Math.exp(x - top)));
  return line.map((x) => x - top - Math.log(total));
}

/** 1 at the first maximum; NaN where the softmax is, 0 where there is nothing to choose. */
function hardOf(line: readonly number[]): number[] {
  const soft = softmaxOf(line);
  if (Number.isNaN(soft[0])) return soft;
  const top = Math.max(...line);
  return line.map((_, i) => Number(top > Number.NEGATIVE_INFINITY && i === line.indexOf(top)));
}

/** Index of the first NaN, or of the first of the most extreme. */
export function firstOf(line: readonly number[], choose: (...values: number[]) => number): number {
  const best = choose(...line);
  return Number.isNaN(best) ? line.findIndex(Number.isNaN) : line.indexOf(best);
}

/** Less the mean, over √(variance + eps); NaN where f32's differences or squares overflow. */
function standardized(line: readonly number[], divisor: number, eps: number): { h: number[]; deviation: number } {
  const first = line[0] as number;
  const moved = line.map((x) => (Math.abs(x - first) > F32_MAX ? Number.NaN : x - first));
  const mean = sumOf(moved) / line.length;
  const squares = sumOf(moved.map((x) => (x - mean) ** 2));
  const deviation = Number.isFinite(squares) ? Math.sqrt(squares / divisor + eps) : Number.NaN;
  return { h: moved.map((x) => (x - mean) / deviation), deviation };
}

function standardizedBack(line: readonly number[], g: readonly number[], divisor: number, eps: number): number[] {
  const { h, deviation } = standardized(line, divisor, eps);
  const mean = add(g) / g.length;
  const along = add(g.map((v, i) => v * (h[i] as number))) / divisor;
  return g.map((v, i) => (v - mean - (h[i] as number) * along) / deviation);
}

function unitOf(line: readonly number[], eps: number): { y: number[]; norm: number } {
  const norm = Math.sqrt(add(line.map((x) => x * x)));
  return { y: line.map((x) => x / Math.max(norm, eps)), norm };
}

interface LineOp {
  readonly op: (x: Tensor, axis: number) => Tensor;
  readonly of: (line: number[]) => readonly number[] | number;
  /** What arrives at the line when `dy` arrives at the result: ones, where that is one number. */
  readonly back?: (line: number[], dy: number[]) => readonly number[];
  /** The shortest lines that it takes, the longest that do not leave the range, and whether it takes the last axis only. */
  readonly from?: number;
  readonly to?: number;
  readonly lastOnly?: boolean;
  readonly slack?: number;
  /** The gradient is found from the result, and so is far off where that is a rounded half. */
  readonly backInF32?: boolean;
}

/** Trials of an op on lines of all lengths. */
function lineTrials(kind: Kind, lengths: Lengths, what: string, line: LineOp): Trial[] {
  const { op, of, from = 1, to = 1000, lastOnly = false, slack = 1e-6 } = line;
  const back = line.backInF32 && kind.dtype === 'f16' ? undefined : line.back;
  const allowed = lengths.filter(([length, inner]) => length >= from && length <= to && (!lastOnly || inner === 1));
  return allowed.map(([length, inner]) => {
    const some = edgeLines(kind, length);
    // Ragged lines are taken four at a time where there are many.
    const { input, axis } = layLines(length > 8 ? [...some, ...some] : some, inner);
    const reduces = typeof of(some[0] as number[]) === 'number';
    const dy = Array.from(input.data, (_, i) => (reduces ? 1 : filler(3 * i + 1)));
    const run = (x?: Tensor) => op(x as Tensor, axis);
    return {
      what: `${what} of lines of ${length}, ${inner} apart`,
      inputs: [input],
      op: back ? withGradients(run, [0], (shape) => dy.slice(0, size(shape))) : (x) => [run(x)],
      want: (x) => [
        overLines(input, of)(x as Values),
        ...(back ? [overLines(input, (one, arrived) => back(one, arrived as number[]))(x as Values, dy)] : []),
      ],
      slack: kind.dtype === 'f16' ? Math.max(slack, 4e-3) : slack,
    };
  });
}

/** In f32, whose sums and squares overflow. */
function varianceOf(line: readonly number[]): number {
  const mean = sumOf(line) / line.length;
  return sumOf(line.map((v) => (v - mean) ** 2)) / (line.length - 1);
}

function logsumexpOf(line: readonly number[]): number {
  const top = Math.max(...line);
  return Number.isFinite(top) ? top + Math.log(add(line.map((v) => Math.exp(v - top)))) : top;
}

const heldOf = (x: number) => (Math.abs(x) > F32_MAX ? Math.sign(x) * Number.POSITIVE_INFINITY : x);
/** Running sums or products in f32, which overflow. */
function runningOf(line: readonly number[], start: number, join: (a: number, b: number) => number): number[] {
  let so_far = start;
  return line.map((v) => (so_far = heldOf(join(so_far, v))));
}
const sumsOf = (line: readonly number[]) => runningOf(line, 0, (a, b) => a + b);
const productsOf = (line: readonly number[]) => runningOf(line, 1, (a, b) => a * b);

const extreme = (op: typeof ops.max, choose: (...values: number[]) => number): LineOp => ({
  op: (x, axes) => op(x, { axes }),
  of: (line) => choose(...line),
  back: (line) => line.map((_, i) => Number(i === firstOf(line, choose))),
});

const weights = (length: number) => Array.from({ length }, (_, i) => filler(i));
const biases = (length: number) => Array.from({ length }, (_, i) => filler(i + 7));
const constant = (x: Tensor, values: readonly number[]) =>
  ops.cast(tensor(x.device, Float32Array.from(values)), x.dtype as 'f32' | 'f16');

const fromOrigin = (x: Tensor, order = 2) => {
  const [lines = 0, length = 0] = x.shape;
  return ops.reshape(ops.cdist(x, ops.unsqueeze(constant(x, new Array(length).fill(0)), 0), { order }), [lines]);
};

const lineOps: Readonly<Record<string, readonly LineOp[]>> = {
  softmax: [
    {
      op: ops.softmax,
      of: softmaxOf,
      back: (line, dy) => {
        const y = softmaxOf(line);
        const total = add(y.map((v, i) => v * (dy[i] as number)));
        return y.map((v, i) => v * ((dy[i] as number) - total));
      },
    },
  ],
  logSoftmax: [
    {
      op: ops.logSoftmax,
      of: logSoftmaxOf,
      back: (line, dy) => logSoftmaxOf(line).map((v, i) => (dy[i] as number) - Math.exp(v) * add(dy)),
      slack: 2e-5,
    },
  ],
  gumbelSoftmax: [
    {
      op: (x, axis) => ops.gumbelSoftmax(x, { axis, tau: 0.5 }).soft,
      of: (line) =>
        softmaxOf(line.map((v) => v / 0.5).map((v) => (Math.abs(v) > F32_MAX ? v * Number.POSITIVE_INFINITY : v))),
    },
    {
      op: (x, axis) => ops.gumbelSoftmax(x, { axis }).hard,
      of: hardOf,
      back: (line, dy) => {
        const y = softmaxOf(line);
        const total = add(y.map((v, i) => v * (dy[i] as number)));
        return y.map((v, i) => v * ((dy[i] as number) - total));
      },
    },
    {
      op: (x, axis) => ops.gumbelSoftmax(x, { axis, noise: tensor(x.device, new Float32Array(x.size), x.shape) }).hard,
      of: hardOf,
    },
  ],
  assignNormalise: [
    {
      op: (x) => ops.assignNormalise(ops.abs(x)),
      of: (line) => {
        const sum = sumOf(line.map(Math.abs)) + 1;
        return line.map((v) => (Number.isFinite(sum) ? Math.abs(v) / sum : Number.NaN));
      },
      lastOnly: true,
    },
  ],
  layerNorm: [
    {
      op: (x) => {
        const length = x.shape.at(-1) as number;
        return ops.layerNorm(x, constant(x, weights(length)), constant(x, biases(length)), 1e-3);
      },
      of: (line) => {
        const { h } = standardized(line, line.length, 1e-3);
        return h.map((v, i) => v * filler(i) + filler(i + 7));
      },
      back: (line, dy) =>
        standardizedBack(
          line,
          dy.map((v, i) => v * filler(i)),
          line.length,
          1e-3,
        ),
      lastOnly: true,
      slack: 2e-4,
    },
  ],
  patchNormalize: [
    {
      op: (x) => ops.patchNormalize(x, 1e-3),
      of: (line) => standardized(line, line.length - 1, 1e-3).h,
      back: (line, dy) => standardizedBack(line, dy, line.length - 1, 1e-3),
      from: 2,
      lastOnly: true,
      slack: 2e-4,
    },
  ],
  l2Normalize: [
    {
      op: (x) => ops.l2Normalize(x, 1e-12),
      of: (line) => unitOf(line, 1e-12).y,
      back: (line, dy) => {
        const { y, norm } = unitOf(line, 1e-12);
        const along = norm < 1e-12 ? 0 : add(y.map((v, i) => v * (dy[i] as number)));
        return y.map((v, i) => ((dy[i] as number) - v * along) / Math.max(norm, 1e-12));
      },
      lastOnly: true,
      backInF32: true,
    },
  ],
  max: [extreme(ops.max, Math.max)],
  min: [extreme(ops.min, Math.min)],
  argmax: [{ op: ops.argmax, of: (line) => firstOf(line, Math.max) }],
  argmin: [{ op: ops.argmin, of: (line) => firstOf(line, Math.min) }],
  sum: [{ op: (x, axes) => ops.sum(x, { axes }), of: sumOf, back: (_, dy) => dy, slack: 1e-4 }],
  mean: [
    {
      op: (x, axes) => ops.mean(x, { axes }),
      of: (line) => sumOf(line) / line.length,
      back: (_, dy) => dy.map((v) => v / dy.length),
      slack: 1e-5,
    },
  ],
  cumsum: [{ op: ops.cumsum, of: sumsOf, back: (_, dy) => sumsOf([...dy].reverse()).reverse(), slack: 1e-4 }],
  cumprod: [{ op: ops.cumprod, of: productsOf, to: 8 }],
  prod: [
    {
      op: (x, axes) => ops.prod(x, { axes }),
      of: (line) => productsOf(line).at(-1) as number,
      back: (line) => {
        const before = [1, ...productsOf(line)];
        const after = [...productsOf([...line].reverse()).reverse(), 1];
        return line.map((_, i) => heldOf((before[i] as number) * (after[i + 1] as number)));
      },
      to: 8,
    },
  ],
  variance: [{ op: (x, axes) => ops.variance(x, { axes }), of: varianceOf, slack: 1e-5 }],
  std: [{ op: (x, axes) => ops.std(x, { axes }), of: (line) => Math.sqrt(varianceOf(line)), slack: 1e-5 }],
  norm: [
    { op: (x, axes) => ops.norm(x, { axes }), of: (line) => Math.sqrt(sumOf(line.map((v) => v * v))), slack: 1e-5 },
    { op: (x, axes) => ops.norm(x, { axes, order: 1 }), of: (line) => sumOf(line.map(Math.abs)), slack: 1e-4 },
    { op: (x, axes) => ops.norm(x, { axes, order: 0 }), of: (line) => line.filter((v) => v !== 0).length },
    {
      op: (x, axes) => ops.norm(x, { axes, order: Number.NEGATIVE_INFINITY }),
      of: (line) => Math.min(...line.map(Math.abs)),
    },
    {
      op: (x, axes) => ops.norm(x, { axes, order: Number.POSITIVE_INFINITY }),
      of: (line) => Math.max(...line.map(Math.abs)),
    },
  ],
  // Of each line from the origin.
  cdist: [
    {
      op: (x) => fromOrigin(x),
      of: (line) => Math.sqrt(sumOf(line.map((v) => v * v))),
      back: (line) => {
        // Squares that vanish in f32 leave no distance.
        const y = Math.sqrt(sumOf(line.map((v) => (v * v < 2 ** -126 ? 0 : v * v))));
        return line.map((v) => (y === 0 ? 0 : v / y));
      },
      lastOnly: true,
      slack: 1e-5,
    },
    { op: (x) => fromOrigin(x, 1), of: (line) => sumOf(line.map(Math.abs)), lastOnly: true, slack: 1e-4 },
    { op: (x) => fromOrigin(x, 0), of: (line) => line.filter((v) => v !== 0).length, lastOnly: true },
    {
      op: (x) => fromOrigin(x, 3),
      of: (line) => {
        const top = Math.max(...line.map(Math.abs));
        const unit = top > 0 && Number.isFinite(top) ? top : 1;
        return heldOf(unit * Math.cbrt(add(line.map((v) => (Math.abs(v) / unit) ** 3))));
      },
      lastOnly: true,
      slack: 1e-5,
    },
    {
      op: (x) => fromOrigin(x, Number.POSITIVE_INFINITY),
      of: (line) => Math.max(...line.map(Math.abs)),
      back: (line) => {
        const at = firstOf(line.map(Math.abs), Math.max);
        return line.map((v, i) => (i === at ? Math.sign(v) : 0));
      },
      lastOnly: true,
    },
  ],
  logsumexp: [
    {
      op: (x, axes) => ops.logsumexp(x, { axes }),
      of: logsumexpOf,
      back: (line) => {
        const y = logsumexpOf(line);
        return line.map((v) => (y === Number.NEGATIVE_INFINITY ? 0 : Math.exp(v - y)));
      },
      slack: 1e-5,
    },
  ],
  any: [{ op: (x, axes) => ops.cast(ops.any(x, { axes }), 'f32'), of: (line) => Number(line.some((v) => v !== 0)) }],
  all: [{ op: (x, axes) => ops.cast(ops.all(x, { axes }), 'f32'), of: (line) => Number(line.every((v) => v !== 0)) }],
  countNonzero: [
    {
      op: (x, axes) => ops.cast(ops.countNonzero(x, { axes }), 'f32'),
      of: (line) => line.filter((v) => v !== 0).length,
    },
  ],
  cummax: [{ op: ops.cummax, of: (line) => runningOf(line, Number.NEGATIVE_INFINITY, Math.max) }],
  cummin: [{ op: ops.cummin, of: (line) => runningOf(line, Number.POSITIVE_INFINITY, Math.min) }],
  median: [{ op: (x, axes) => ops.median(x, { axes }), of: (line) => quantileOf(line, 0.5) }],
  quantile: [
    { op: (x, axes) => ops.quantile(x, 1, { axes }), of: (line) => quantileOf(line, 1) },
    { op: (x, axes) => ops.quantile(x, 0, { axes }), of: (line) => quantileOf(line, 0) },
  ],
  searchSorted: [
    {
      op: (x) => ops.cast(ops.searchSorted(ops.sort(x).values, x), 'f32'),
      of: (line) => line.map((v) => line.filter((w) => w < v || (Number.isNaN(v) && !Number.isNaN(w))).length),
      lastOnly: true,
    },
  ],
  argsort: [{ op: (x) => ops.argsort(x), of: orderOf, lastOnly: true }],
  sort: [
    { op: (x) => ops.sort(x).values, of: sorted, lastOnly: true },
    { op: (x) => ops.sort(x, { descending: true }).values, of: (line) => sorted(line).reverse(), lastOnly: true },
  ],
  topK: [
    { op: (x) => ops.topK(x, x.shape.at(-1) as number).values, of: (line) => sorted(line).reverse(), lastOnly: true },
  ],
};

/** Between two places from the nearer one, in f32, whose differences overflow. */
function quantileOf(line: readonly number[], q: number): number {
  if (line.some(Number.isNaN)) return Number.NaN;
  const place = q * (line.length - 1);
  const [a, b] = [Math.floor(place), Math.ceil(place)].map((at) => sorted(line)[at] as number) as [number, number];
  const part = place % 1;
  if (a === b || part === 0) return a;
  return Math.abs(b - a) > F32_MAX ? a * (1 - part) + b * part : b - (b - a) * (1 - part);
}

function sorted(line: readonly number[]): number[] {
  return orderOf(line).map((place) => line[place] as number);
}

/** Places by rising value, NaN last, equal ones in their order. */
export function orderOf(line: readonly number[]): number[] {
  const at = (i: number) => line[i] as number;
  return line
    .map((_, i) => i)
    .sort((a, b) => {
      if (Number.isNaN(at(a)) || Number.isNaN(at(b))) return Number(Number.isNaN(at(a))) - Number(Number.isNaN(at(b)));
      return at(a) < at(b) ? -1 : at(a) > at(b) ? 1 : 0;
    });
}

export const rowTrials: Readonly<Record<string, (kind: Kind, lengths: Lengths) => Trial[]>> = Object.fromEntries(
  Object.entries(lineOps).map(([name, forms]) => [
    name,
    (kind, lengths) => forms.flatMap((one, form) => lineTrials(kind, lengths, `${name} ${form}`, one)),
  ]),
);
