import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import * as ops from './all-ops.ts';
import { activations } from './edge-pointwise.ts';
import { filler, type Input, type Kind, type Trial, type Values, withGradients } from './edges.ts';

const F32_MAX = 3.4028234663852886e38;
/** A number in f32, which overflows. */
const held = (x: number) => (Math.abs(x) > F32_MAX ? Math.sign(x) * Number.POSITIVE_INFINITY : x);
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const sumOver = (n: number, f: (i: number) => number) => range(n).reduce((sum, i) => held(sum + held(f(i))), 0);

/** Values that are small enough for products with the highest number, with some replaced. */
function mostly(shape: readonly number[], seed: number, replaced: ReadonlyMap<number, number>): Input {
  const count = shape.reduce((a, b) => a * b, 1);
  return { shape, data: range(count).map((i) => replaced.get(i) ?? filler(i + seed) / 2) };
}

/** Edge values one below the other in a column of a matrix that moves to the right: each row holds one. */
function oneInEachRow(edges: readonly number[], cols: number): Map<number, number> {
  return new Map(edges.map((edge, row) => [row * cols + ((row * 3 + 1) % cols), edge]));
}

/** x [n, K] and weight [M, K]: every edge value in a row of x of its own, then in a row of the weight. */
function operands({ edges }: Kind, inner: number, cols: number): [Input, Input][] {
  const n = edges.length + 1;
  return [
    [mostly([n, inner], 0, oneInEachRow(edges, inner)), mostly([cols, inner], 5, new Map())],
    [mostly([cols, inner], 3, new Map()), mostly([n, inner], 2, oneInEachRow(edges, inner))],
  ];
}

interface Sizes {
  readonly rows: number;
  readonly inner: number;
  readonly cols: number;
}

/** `x · weightᵀ`, then the activation; and the gradients of x, weight and bias. */
function layer(
  x: Values,
  weight: Values,
  { rows, inner, cols }: Sizes,
  form?: ops.Activation,
  bias: Values = [],
): number[][] {
  const at = (a: Values, row: number, k: number) => a[row * inner + k] as number;
  const scalar = form && activations[form];
  const pre = range(rows * cols).map((i) => {
    const row = Math.floor(i / cols);
    return held(sumOver(inner, (k) => at(x, row, k) * at(weight, i % cols, k)) + (bias[i % cols] ?? 0));
  });
  const d = pre.map((p) => (scalar ? (scalar.back?.(p, 1) as number) : 1));
  return [
    pre.map((p) => (scalar ? scalar.f(p) : p)),
    range(rows * inner).map((i) => {
      return sumOver(cols, (c) => (d[Math.floor(i / inner) * cols + c] as number) * at(weight, c, i % inner));
    }),
    range(cols * inner).map((i) => {
      return sumOver(rows, (r) => (d[r * cols + Math.floor(i / inner)] as number) * at(x, r, i % inner));
    }),
    range(cols).map((c) => sumOver(rows, (r) => d[r * cols + c] as number)),
  ];
}

const tolerance = (kind: Kind) => (kind.dtype === 'f16' ? { error: 4e-3, slack: 2e-2 } : { error: 1e-5, slack: 1e-5 });

function linearTrials(kind: Kind, forms: readonly (ops.Activation | undefined)[]): Trial[] {
  return forms.flatMap((activation) =>
    operands(kind, 8, 8).map(([x, weight]): Trial => {
      const sizes = { rows: x.shape[0] as number, inner: 8, cols: weight.shape[0] as number };
      const bias = mostly([sizes.cols], 1, new Map());
      return {
        what: `linear with ${activation}`,
        inputs: [x, weight, bias],
        op: withGradients(
          (...[a, b, c]) => ops.linear(a as Tensor, b as Tensor, { activation, bias: c as Tensor }),
          [0, 1, 2],
        ),
        want: (a, b, c) => layer(a as Values, b as Values, sizes, activation, c as Values),
        ...tolerance(kind),
      };
    }),
  );
}

function matmulTrials(kind: Kind): Trial[] {
  // An inner axis that is not in whole vec4s; that of the linear layers is.
  return operands(kind, 5, 6).map(([x, weight]): Trial => {
    const sizes = { rows: x.shape[0] as number, inner: 5, cols: weight.shape[0] as number };
    return {
      what: 'matmul',
      inputs: [x, weight],
      op: withGradients((a, b) => ops.matmul(a as Tensor, b as Tensor, { transposeB: true }), [0, 1]),
      want: (a, b) => layer(a as Values, b as Values, sizes).slice(0, 3),
      ...tolerance(kind),
    };
  });
}

function mlpTrials(kind: Kind): Trial[] {
  return operands(kind, 8, 8).map(([x, weight1]): Trial => {
    const [rows, hidden] = [x.shape[0] as number, weight1.shape[0] as number];
    const weight2 = mostly([4, hidden], 9, new Map());
    return {
      what: 'mlp',
      inputs: [x, weight1, weight2],
      op: withGradients(
        (...[a, b, c]) => ops.mlp(a as Tensor, { weight1: b as Tensor, weight2: c as Tensor }, { activation: 'relu' }),
        [0],
      ),
      want: (a, b, c) => {
        const [h = []] = layer(a as Values, b as Values, { rows, inner: 8, cols: hidden }, 'relu');
        const [y = [], dh = []] = layer(h, c as Values, { rows, inner: hidden, cols: 4 });
        const [pre = []] = layer(a as Values, b as Values, { rows, inner: 8, cols: hidden });
        const dp = pre.map((p, i) => (p <= 0 ? 0 : (dh[i] as number)));
        const turned = range(8 * hidden).map((i) => (b as Values)[(i % hidden) * 8 + Math.floor(i / hidden)] as number);
        return [y, layer(dp, turned, { rows, inner: hidden, cols: 8 })[0] as number[]];
      },
      ...tolerance(kind),
    };
  });
}

interface Heads {
  readonly images: number;
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
  readonly causal?: boolean;
}

/** One head to an image: the result, and the gradients of q, k and v when halves arrive. */
function attend([q, k, v]: readonly Values[], { images, queries, keys, width, causal = false }: Heads): number[][] {
  const scale = width ** -0.5;
  const y: number[] = [];
  const dq = new Array<number>(images * queries * width).fill(0);
  const dk = new Array<number>(images * keys * width).fill(0);
  const dv = new Array<number>(images * keys * width).fill(0);
  const at = (x: Values | undefined, row: number, c: number) => (x as Values)[row * width + c] as number;
  for (let image = 0; image < images; image++) {
    for (let n = 0; n < queries; n++) {
      const query = image * queries + n;
      const seen = range(causal ? n + 1 : keys).map((m) => image * keys + m);
      const scores = seen.map((key) => held(sumOver(width, (c) => at(q, query, c) * at(k, key, c)) * scale));
      const top = Math.max(...scores);
      const e = scores.map((s) => Math.exp(s - top));
      const p = e.map((x) => x / e.reduce((a, b) => a + b));
      for (let c = 0; c < width; c++)
        y.push(sumOver(seen.length, (m) => (p[m] as number) * at(v, seen[m] as number, c)));
      const mean = sumOver(width, (c) => (y[query * width + c] as number) / 2);
      seen.forEach((key, m) => {
        const error = held((p[m] as number) * held(sumOver(width, (c) => at(v, key, c) / 2) - mean) * scale);
        for (let c = 0; c < width; c++) {
          dq[query * width + c] = held((dq[query * width + c] as number) + error * at(k, key, c));
          dk[key * width + c] = held((dk[key * width + c] as number) + error * at(q, query, c));
          dv[key * width + c] = (dv[key * width + c] as number) + (p[m] as number) / 2;
        }
      });
    }
  }
  return [y, dq, dk, dv];
}

/** Every edge value at places of q, of k and of v, each in an image of its own; then keys that all score the same, far below 0. */
function images(
  edges: readonly number[],
  lows: readonly number[],
  size: Omit<Heads, 'images'>,
): { inputs: Input[]; heads: Heads } {
  const { queries, keys, width } = size;
  // What a query and a key that it does not see hold must be finite: see attention.
  const places = [
    ['q', (size.causal ? queries - 1 : 1) * width + 1],
    ['k', 0],
    ['k', (size.causal ? 0 : keys - 1) * width + width - 1],
    ['v', (size.causal ? 0 : 2) * width + 2],
  ] as const;
  const at = { q: new Map<number, number>(), k: new Map<number, number>(), v: new Map<number, number>() };
  let image = 0;
  for (const edge of edges) {
    for (const [of, place] of places) at[of].set(image++ * (of === 'q' ? queries : keys) * width + place, edge);
  }
  for (const low of lows) {
    for (let i = 0; i < queries * width; i++) at.q.set(image * queries * width + i, 1);
    for (let i = 0; i < keys * width; i++) at.k.set(image * keys * width + i, low / width);
    image++;
  }
  const shape = (n: number) => [image, 1, n, width];
  return {
    inputs: [mostly(shape(queries), 0, at.q), mostly(shape(keys), 4, at.k), mostly(shape(keys), 8, at.v)],
    heads: { ...size, images: image },
  };
}

const cases: readonly Omit<Heads, 'images'>[] = [
  { queries: 3, keys: 5, width: 4 },
  { queries: 3, keys: 5, width: 5 },
  // More than a block of keys, and more than a tile.
  { queries: 3, keys: 37, width: 4 },
  { queries: 4, keys: 4, width: 4, causal: true },
];

function attentionTrials(
  kind: Kind,
  name: string,
  sizes: readonly Omit<Heads, 'images'>[],
  shapeOf: (images: number, rows: number, width: number) => number[],
  op: (tensors: readonly Tensor[], causal: boolean) => Tensor,
): Trial[] {
  const half = kind.dtype === 'f16';
  return sizes.flatMap((size) => {
    const causal = size.causal ?? false;
    const what = `${name} of ${size.queries} queries, ${size.keys} keys, ${size.width} wide${causal ? ', causal' : ''}`;
    const trial = (
      edges: readonly number[],
      lows: readonly number[],
      wanted: (all: number[][]) => number[][],
      run: Trial['op'],
    ): Trial => {
      const { inputs, heads } = images(edges, lows, size);
      return {
        what,
        inputs: inputs.map(({ shape: [n = 0, , rows = 0, width = 0], data }) => ({
          shape: shapeOf(n, rows, width),
          data,
        })),
        op: run,
        want: (...xs) => wanted(attend(xs, heads)),
        error: half ? 4e-3 : 2e-5,
        slack: half ? 4e-3 : 1e-5,
      };
    };
    const run = (...xs: Tensor[]) => op(xs, causal);
    const forward = trial(
      kind.edges,
      [Number.NEGATIVE_INFINITY, -kind.highest / 4],
      ([y = []]) => [y],
      (...xs) => [run(...xs)],
    );
    // Gradients are differences: next to the highest number nothing is left of them, nor much in halves.
    const modest = kind.edges.filter((edge) => Math.abs(edge) !== kind.highest);
    const halves = withGradients(run, [0, 1, 2], (shape) => new Array(shape.reduce((a, b) => a * b, 1)).fill(0.5));
    return half ? [forward] : [forward, trial(modest, [Number.NEGATIVE_INFINITY], (all) => all, halves)];
  });
}

export const productTrials: Readonly<Record<string, (kind: Kind) => Trial[]>> = {
  linear: (kind) => linearTrials(kind, [undefined, 'relu', 'gelu', 'gelu-tanh', 'quick-gelu']),
  matmul: matmulTrials,
  mlp: mlpTrials,
  attention: (kind) =>
    attentionTrials(
      kind,
      'attention',
      cases,
      (n, rows, width) => [n, 1, rows, width],
      ([q, k, v], causal) => ops.attention(q as Tensor, k as Tensor, v as Tensor, { causal }),
    ),
  crossAttention: (kind) =>
    attentionTrials(
      kind,
      'crossAttention',
      cases.slice(0, 1),
      (...shape) => shape,
      ([q, k, v]) => ops.crossAttention(q as Tensor, k as Tensor, v as Tensor, 1),
    ),
  qkvAttention: (kind) =>
    attentionTrials(
      kind,
      'qkvAttention',
      [{ queries: 5, keys: 5, width: 4 }],
      (...shape) => shape,
      (qkv) => ops.qkvAttention(ops.concat(qkv, 2), 1),
    ),
};

/** A product by another kernel variant has the same activations. */
export const linearOfGpu = (kind: Kind): Trial[] => linearTrials(kind, ['relu']);
