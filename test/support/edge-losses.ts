import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import * as ops from './all-ops.ts';
import { firstOf, logSoftmaxOf, orderOf, softmaxOf } from './edge-rows.ts';
import { edgeLines, filler, type Kind, type Trial, type Values, withGradients } from './edges.ts';

const F32_MAX = 3.4028234663852886e38;
const held = (x: number) => (Math.abs(x) > F32_MAX ? Math.sign(x) * Number.POSITIVE_INFINITY : x);
const add = (values: readonly number[]) => held(values.reduce((a, b) => a + b, 0));
const sign = (x: number) => (Number.isNaN(x) ? x : Math.sign(x));
const list = (x: Values | undefined) => Array.from(x as Values);
const half = (kind: Kind) => (kind.dtype === 'f16' ? { slack: 2e-3 } : { slack: 1e-6 });

export function crossEntropyTrials(kind: Kind): Trial[] {
  const lines = edgeLines(kind, 5);
  // Rows of many lengths and their gradients; each row's loss is by itself, with one that is in order.
  const rows = [5, 8, 70].map((length): Trial => {
    const some = edgeLines(kind, length);
    const all = length === 70 ? [...some, ...some] : some;
    const classes = Uint32Array.from(all, (_, i) => i % length);
    return {
      what: `gradient of crossEntropy of ${length} classes`,
      inputs: [
        { shape: [all.length, length], data: all.flat() },
        { shape: [all.length], data: classes },
      ],
      op: (x, c) =>
        withGradients(
          (one) => ops.crossEntropy(one as Tensor, c as Tensor, { reduction: 'sum' }),
          [0],
        )(x as Tensor).slice(1),
      want: (x) => [
        all.flatMap((_, n) => {
          const line = list(x).slice(n * length, (n + 1) * length);
          return logSoftmaxOf(line).map((y, i) => Math.exp(y) - Number(i === classes[n]));
        }),
      ],
      ...half(kind),
    };
  });
  const losses = lines.flatMap((line, n) =>
    [n % 5, 5, 0xffffffff].map((wanted): Trial => {
      const good = [0.5, 1, -0.5, 0, 0.25];
      return {
        what: `crossEntropy of [${line}] and class ${wanted}`,
        inputs: [
          { shape: [2, 5], data: [...line, ...good] },
          { shape: [2], data: Uint32Array.of(wanted, 1) },
        ],
        op: (x, c) => [
          ops.crossEntropy(x as Tensor, c as Tensor),
          ops.crossEntropy(x as Tensor, c as Tensor, { ignoreIndex: wanted }),
        ],
        want: (x) => {
          const loss = (row: number, of: number) => {
            const y = logSoftmaxOf(list(x).slice(row * 5, row * 5 + 5))[of];
            return y === undefined ? Number.NaN : -y;
          };
          return [[held((loss(0, wanted) + loss(1, 1)) / 2)], [wanted === 1 ? 0 : loss(1, 1)]];
        },
        ...half(kind),
      };
    }),
  );
  const ignored: Trial = {
    what: 'gradients of crossEntropy at rows that do not count, or of no class',
    inputs: [
      { shape: [3, 2], data: [Number.NaN, Number.POSITIVE_INFINITY, 1, 1, 0.5, 1] },
      { shape: [3], data: Uint32Array.of(9, 7, 1) },
    ],
    op: (x, c) =>
      withGradients(
        (one) => ops.crossEntropy(one as Tensor, c as Tensor, { ignoreIndex: 9, reduction: 'sum' }),
        [0],
      )(x as Tensor),
    want: (x) => {
      const [a = 0, b = 0] = softmaxOf(list(x).slice(4));
      return [[Number.NaN], [0, 0, Number.NaN, Number.NaN, a, b - 1]];
    },
    ...half(kind),
  };
  return [...rows, ...losses, ignored];
}

/** One edge value against others, at places of a vec4 and behind. */
function differences(
  kind: Kind,
  name: string,
  op: (a: Tensor, b: Tensor) => Tensor,
  f: (d: number) => number,
  slope: (d: number) => number,
): Trial[] {
  return edgeLines(kind, 7).map((line) => ({
    what: `${name} of [${line}]`,
    inputs: [
      { shape: [7], data: line },
      { shape: [7], data: line.map((_, i) => filler(i + 3)) },
    ],
    op: withGradients((a, b) => op(a as Tensor, b as Tensor), [0, 1]),
    want: (a, b) => {
      const d = list(a).map((v, i) => held(v - ((b as Values)[i] as number)));
      return [[add(d.map((v) => held(f(v)))) / 7], d.map((v) => slope(v) / 7), d.map((v) => -slope(v) / 7)];
    },
  }));
}

/** Of one vector each; what overflows in squares is 0, or NaN. */
function edgeCosines(
  kind: Kind,
  name: string,
  op: (a: Tensor, b: Tensor) => Tensor,
  f: (cosine: number) => number,
): Trial[] {
  return edgeLines(kind, 5).map((line) => ({
    what: `${name} of [${line}]`,
    inputs: [
      { shape: [1, 5], data: line },
      { shape: [1, 5], data: line.map((_, i) => filler(i + 3)) },
    ],
    op: (a, b) => [op(a as Tensor, b as Tensor)],
    want: (a, b) => {
      const dot = (x: readonly number[], y: readonly number[]) => add(x.map((v, i) => held(v * (y[i] as number))));
      const [x, y] = [list(a), list(b)];
      const length = (v: readonly number[]) => {
        const norm = Math.sqrt(dot(v, v));
        return Number.isNaN(norm) ? norm : Math.max(norm, 1e-8);
      };
      return [[f(dot(x, y) / held(length(x) * length(y)))]];
    },
    ...half(kind),
  }));
}

export const lossTrials: Readonly<Record<string, (kind: Kind) => Trial[]>> = {
  crossEntropy: crossEntropyTrials,
  l1: (kind) => differences(kind, 'l1', (a, b) => ops.l1(a, b), Math.abs, sign),
  mse: (kind) =>
    differences(
      kind,
      'mse',
      (a, b) => ops.mse(a, b),
      (d) => d * d,
      (d) => 2 * d,
    ),
  huber: (kind) =>
    differences(
      kind,
      'huber',
      (a, b) => ops.huber(a, b),
      (d) => (Math.abs(d) <= 1 ? (d * d) / 2 : Math.abs(d) - 0.5),
      (d) => Math.max(-1, Math.min(1, d)),
    ),
  binaryCrossEntropyWithLogits: (kind) =>
    [0, 0.25, 1].map((t) => ({
      what: `binaryCrossEntropyWithLogits of ${t}`,
      inputs: [
        { shape: [kind.edges.length], data: kind.edges },
        { shape: [kind.edges.length], data: kind.edges.map(() => t) },
      ],
      op: (x, targets) => [
        ops.binaryCrossEntropyWithLogits(x as Tensor, targets as Tensor, { reduction: 'none' }),
        ...withGradients(
          (one) => ops.binaryCrossEntropyWithLogits(one as Tensor, targets as Tensor, { reduction: 'sum' }),
          [0],
        )(x as Tensor).slice(1),
      ],
      want: (x) => [
        list(x).map((v) => v * (Number(!(v < 0)) - t) + Math.log1p(Math.exp(-Math.abs(v)))),
        list(x).map((v) => 1 / (1 + Math.exp(-v)) - t),
      ],
      ...half(kind),
    })),
  klDivergence: (kind) => [
    {
      what: 'klDivergence',
      inputs: [
        { shape: [kind.edges.length], data: kind.edges },
        { shape: [kind.edges.length], data: kind.edges.map((_, i) => (i % 2 === 0 ? 0.25 : 0)) },
      ],
      op: withGradients((q, p) => ops.klDivergence(q as Tensor, p as Tensor, { reduction: 'none' }), [0]),
      want: (q, p) => {
        const pairs = list(q).map((v, i) => [v, (p as Values)[i] as number] as const);
        return [pairs.map(([v, of]) => (of > 0 ? of * (Math.log(of) - v) : 0)), pairs.map(([, of]) => -of)];
      },
      ...half(kind),
    },
  ],
  cosineSimilarity: (kind) =>
    edgeCosines(
      kind,
      'cosineSimilarity',
      (a, b) => ops.cosineSimilarity(a, b),
      (c) => c,
    ),
  cosineEmbeddingLoss: (kind) =>
    edgeCosines(
      kind,
      'cosineEmbeddingLoss',
      (a, b) => ops.cosineEmbeddingLoss(a, b, ops.fillLike(ops.sum(a, { axes: 1 }), 1)),
      (c) => 1 - c,
    ),
  distill: (kind) =>
    edgeLines(kind, 6).map((line) => ({
      what: `distill of [${line}]`,
      inputs: [
        { shape: [2, 3], data: line },
        { shape: [2, 2, 3], data: line.flatMap((_, i) => [filler(i), filler(i + 5)]) },
      ],
      op: withGradients((z, views) => ops.distill(z as Tensor, views as Tensor), [0, 1]),
      want: (z, views) => {
        const at = (i: number) =>
          held(((z as Values)[Math.floor(i / 6) * 3 + (i % 3)] as number) - ((views as Values)[i] as number));
        const d = list(views).map((_, i) => at(i));
        const slopes = list(z).map(
          (_, i) =>
            (sign(d[Math.floor(i / 3) * 6 + (i % 3)] as number) +
              sign(d[Math.floor(i / 3) * 6 + 3 + (i % 3)] as number)) /
            12,
        );
        return [[add(d.map(Math.abs)) / 12], slopes, d.map((v) => -sign(v) / 12)];
      },
    })),
  segmentMatch: (kind) =>
    [4, 5].flatMap((C) =>
      edgeLines(kind, C).flatMap((line) =>
        // In the segment, in the first view, in the last of more than the eight that CPUs compare side by side.
        [0, 1, 11].map((where): Trial => {
          const V = 11;
          const views = Array.from({ length: V * C }, (_, i) =>
            Math.floor(i / C) === where - 1 ? (line[i % C] as number) : filler(i),
          );
          const segment = where === 0 ? line : line.map((_, i) => filler(i + 20));
          return {
            what: `segmentMatch of [${line}] as ${where === 0 ? 'the segment' : `view ${where - 1}`}`,
            inputs: [
              { shape: [1, 1, C], data: segment },
              { shape: [1, V, C], data: views },
            ],
            op: (s, v) => {
              const { index, distance } = ops.segmentMatch(s as Tensor, v as Tensor, { distances: true });
              const [loss, back] = withGradients(
                (one) => ops.segmentMatch(one as Tensor, v as Tensor).loss,
                [0],
              )(s as Tensor);
              return [loss as Tensor, back as Tensor, index, distance as Tensor];
            },
            want: (s, v) => {
              const d = (view: number) => list(s).map((one, c) => held(one - ((v as Values)[view * C + c] as number)));
              const distances = Array.from({ length: V }, (_, view) => add(d(view).map(Math.abs)) / C);
              const index = firstOf(distances, Math.min);
              return [[distances[index] as number], d(index).map((one) => sign(one) / C), [index], distances];
            },
          };
        }),
      ),
    ),
  reconstruction: (kind) =>
    edgeLines(kind, 4).flatMap((line) =>
      [false, true].map((normPixels): Trial => {
        const eps = 1e-6;
        const target = [0.5, 1, -0.25, 2];
        const mean = add(target) / 4;
        const deviation = Math.sqrt(add(target.map((v) => (v - mean) ** 2)) / 3 + eps);
        return {
          what: `reconstruction of [${line}]${normPixels ? ', normalised' : ''}`,
          // The first patch is masked, the second is not and may hold anything.
          inputs: [{ shape: [1, 2, 4], data: [...line, Number.NaN, 1, Number.POSITIVE_INFINITY, 0] }],
          op: withGradients(
            (pred) => {
              const { device } = pred as Tensor;
              const image = tensor(device, [0.5, 1, 3, 4, -0.25, 2, 5, 6], [1, 1, 2, 4]);
              const held = ops.cast(image, (pred as Tensor).dtype as 'f32' | 'f16');
              return ops.reconstruction(held, pred as Tensor, tensor(device, [1, 0], [1, 2]), { patch: 2, normPixels });
            },
            [0],
          ),
          want: (pred) => {
            const d = target.map((v, i) => ((pred as Values)[i] as number) - (normPixels ? (v - mean) / deviation : v));
            return [[add(d.map((v) => held(v * v))) / 4], [...d.map((v) => v / 2), 0, 0, 0, 0]];
          },
        };
      }),
    ),
  medoids: (kind) =>
    edgeLines(kind, 9).map((line): Trial => {
      return {
        what: `medoids of [${line}]`,
        inputs: [{ shape: [1, 3, 3], data: line }],
        op: (s) => [ops.medoids(s as Tensor, 2)],
        want: (s) => {
          const at = (n: number, m: number) => (s as Values)[n * 3 + m] as number;
          const first = firstOf(
            [0, 1, 2].map((m) => add([0, 1, 2].map((n) => at(n, m)))),
            Math.max,
          );
          const gain = (m: number) => add([0, 1, 2].map((n) => Math.max(0, at(n, m) - at(n, first))));
          return [[first, firstOf([0, 1, 2].map(gain), Math.max)]];
        },
      };
    }),
  shuffleMask: (kind) =>
    [5, 70].map((length): Trial => {
      const lines = edgeLines(kind, length);
      return {
        what: `shuffleMask of ${length}`,
        inputs: [{ shape: [lines.length, length], data: lines.flat() }],
        op: (noise) => {
          const { idsShuffle, mask } = ops.shuffleMask(noise as Tensor, 2);
          return [idsShuffle, mask];
        },
        want: (noise) => {
          const order = lines.map((_, n) => orderOf(list(noise).slice(n * length, (n + 1) * length)));
          return [order.flat(), order.flatMap((one) => one.map((_, i) => Number(one.indexOf(i) >= 2)))];
        },
      };
    }),
  groupMembers: (kind) =>
    edgeLines(kind, 6).map((line): Trial => {
      const values = Array.from({ length: 6 }, (_, i) => filler(i));
      return {
        what: `groupMembers of [${line}]`,
        // Two groups, three members.
        inputs: [{ shape: [1, 2, 3], data: line }],
        op: (x) => [
          ops.groupMembers(
            x as Tensor,
            ops.cast(tensor((x as Tensor).device, values, [1, 3, 2]), (x as Tensor).dtype as 'f32'),
          ).grouped,
        ],
        want: (x) => {
          const chosen = [0, 1, 2].map((n) => {
            const both = [(x as Values)[n] as number, (x as Values)[n + 3] as number];
            if (softmaxOf(both).some(Number.isNaN)) return [Number.NaN, Number.NaN];
            return both.map((_, g) =>
              Number(Math.max(...both) > Number.NEGATIVE_INFINITY && g === firstOf(both, Math.max)),
            );
          });
          return [
            [0, 1].flatMap((g) => {
              const members = chosen.map((one) => one[g] as number);
              return [0, 1].map((c) =>
                add(members.map((a, n) => (a / (add(members) + 1)) * (values[n * 2 + c] as number))),
              );
            }),
          ];
        },
        ...half(kind),
      };
    }),
};
