import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import {
  binaryCrossEntropyWithLogits,
  cosineEmbeddingLoss,
  cosineSimilarity,
  huber,
  klDivergence,
  logSoftmax,
} from '../../../src/kernels/row-ops/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { checkOp, close, normal, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);

type How = 'mean' | 'sum' | 'none';
const reductions: readonly How[] = ['mean', 'sum', 'none'];
const reduce = (losses: readonly number[], shape: readonly number[], how: How): Ref => {
  if (how === 'none') return ref(shape, losses);
  const total = losses.reduce((a, b) => a + b, 0);
  return ref([], [how === 'mean' ? total / losses.length : total]);
};
/** Of two inputs of one shape, element by element. */
const pairwise = (f: (a: number, b: number) => number, how: How) => (inputs: readonly Ref[]) => {
  const [a, b] = inputs as [Ref, Ref];
  return reduce(
    [...a.data].map((v, i) => f(v, b.data[i] as number)),
    a.shape,
    how,
  );
};
const two = (shape: number[]) => [shape, shape];
/** Logits, and probabilities that are not at the ends. */
const withTargets = (input: number, _i: number, random: () => number) =>
  input === 0 ? 4 * normal(random) : 0.05 + 0.9 * random();
const bceOf = (x: number, t: number) => Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x)));

for (const reduction of reductions) {
  checkOp(`binaryCrossEntropyWithLogits ${reduction}`, (x, t) => binaryCrossEntropyWithLogits(x, t, { reduction }), {
    reference: pairwise(bceOf, reduction),
    cases: [two([]), two([3, 17])],
    values: withTargets,
  });
  checkOp(`huber ${reduction}`, (a, b) => huber(a, b, { delta: 0.7, reduction }), {
    reference: pairwise((a, b) => {
      const d = Math.abs(a - b);
      return d <= 0.7 ? (d * d) / 2 : 0.7 * (d - 0.35);
    }, reduction),
    // None near the joint, where differences of the reference have another curvature.
    values: (input, i, random) => (input === 0 ? 0 : (i % 2 ? -1 : 1) * (i % 3 ? 1 + random() : 0.5 * random())),
    cases: [two([1]), two([3, 17])],
  });
  checkOp(`klDivergence ${reduction}`, (q, p) => klDivergence(q, p, { reduction }), {
    reference: pairwise((q, p) => p * (Math.log(p) - q), reduction),
    // Terms of both signs nearly add up to nothing.
    tolerance: { forward: 1e-5 },
    cases: [two([3, 17])],
    values: withTargets,
  });
}
checkOp(
  'binaryCrossEntropyWithLogits with weights',
  (x, t, w) => binaryCrossEntropyWithLogits(x, t, { positiveWeight: w, weights: 2 }),
  {
    reference: ([x, t, w]) =>
      reduce(
        [...(x as Ref).data].map((v, i) => {
          const target = (t as Ref).data[i] as number;
          const negative = Math.log1p(Math.exp(-Math.abs(v))) + Math.max(-v, 0);
          return 2 * ((1 - target) * v + (1 - target + target * ((w as Ref).data[i % 3] as number)) * negative);
        }),
        [],
        'mean',
      ),
    cases: [[[5, 3], [5, 3], [3]]],
    values: withTargets,
  },
);
checkOp(
  'klDivergence of logarithms over the batch',
  (q, p) => klDivergence(q, p, { logTarget: true, reduction: 'batchMean' }),
  {
    reference: ([q, p]) =>
      ref(
        [],
        [[...(p as Ref).data].reduce((sum, v, i) => sum + Math.exp(v) * (v - ((q as Ref).data[i] as number)), 0) / 3],
      ),
    cases: [two([3, 5])],
  },
);

const cosine = (a: Ref, b: Ref, row: number, D: number) => {
  const at = (x: Ref, i: number) => x.data[((row * D) % x.data.length) + i] as number;
  const dot = (x: Ref, y: Ref) => Array.from({ length: D }, (_, i) => at(x, i) * at(y, i)).reduce((s, v) => s + v, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};
checkOp('cosineSimilarity of rows to one row', (a, b) => cosineSimilarity(a, b), {
  reference: ([a, b]) =>
    ref(
      [4],
      [0, 1, 2, 3].map((row) => cosine(a as Ref, b as Ref, row, 9)),
    ),
  cases: [
    [
      [4, 9],
      [1, 9],
    ],
  ],
});
const labels = [1, -1, 1, -1, -1];
checkOp('cosineEmbeddingLoss', (a, b) => cosineEmbeddingLoss(a, b, f32(labels), { margin: 0.1 }), {
  reference: ([a, b]) =>
    reduce(
      labels.map((label, row) => {
        const c = cosine(a as Ref, b as Ref, row, 3);
        return label > 0 ? 1 - c : Math.max(0, c - 0.1);
      }),
      [],
      'mean',
    ),
  cases: [two([5, 3])],
});

describe('losses between probabilities', () => {
  it('of logits that are far out is small, not lost', async () => {
    const x = f32([40, -40, 12]);
    const y = await read(binaryCrossEntropyWithLogits(x, f32([1, 0, 1]), { reduction: 'none' }));
    [Math.exp(-40), Math.exp(-40), Math.log1p(Math.exp(-12))].forEach((want, i) => {
      expect(Math.abs((y[i] as number) / want - 1)).toBeLessThan(1e-5);
    });
    const targets = tensor(device.current, new Uint32Array([1, 0, 1]));
    close(await read(binaryCrossEntropyWithLogits(x, targets, { reduction: 'none' })), y, 0, 'a mask as target');
  });

  it('a target of 0 counts for nothing, wherever q is', async () => {
    const low = Number.NEGATIVE_INFINITY;
    const [q, p] = [f32([low, Math.log(0.5)]), f32([0, 1])];
    const y = klDivergence(q, p, { reduction: 'sum' });
    const [value, dq, dp] = await readAll([y, ...gradients(y, [q, p])]);
    close(value as Float32Array, [Math.LN2], 1e-6, 'value');
    close(dq as Float32Array, [0, -1], 1e-6, 'gradient of q');
    close(dp as Float32Array, [0, 1 + Math.LN2], 1e-6, 'gradient of p');
    const sure = klDivergence(logSoftmax(f32([low, 3])), f32([low, 0]), { logTarget: true, reduction: 'sum' });
    expect([...(await read(sure))]).toEqual([0]);
  });

  it('a vector of zeros has a cosine of 0, and no gradient that is not a number', async () => {
    const [a, b] = [f32([0, 0], [1, 2]), f32([1, 2], [1, 2])];
    const y = cosineSimilarity(a, b);
    const read = await readAll([y, ...gradients(y, [a, b], f32([1]))]);
    expect([...(read[0] as Float32Array)]).toEqual([0]);
    expect(read.flatMap((one) => [...one]).every(Number.isFinite)).toBe(true);
  });

  it('the mean of nothing is 0', async () => {
    const none = f32([], [0, 3]);
    for (const y of [huber(none, none), binaryCrossEntropyWithLogits(none, none), klDivergence(none, none)]) {
      expect([...(await read(y))]).toEqual([0]);
    }
  });

  it('refuses what does not fit', () => {
    const [a, b] = [f32([1, 2]), f32([1, 2, 3])];
    const refused: [() => unknown, string][] = [
      [() => huber(a, b), 'huber: both tensors must have the same shape; got a [2], b [3]'],
      [() => huber(a, a, { delta: 0 }), 'huber: delta must be above 0; it is 0'],
      [
        () => binaryCrossEntropyWithLogits(a, b),
        'binaryCrossEntropyWithLogits: both must have one shape; got logits [2], targets [3]',
      ],
      [
        () => binaryCrossEntropyWithLogits(a, a, { weights: f32([1, 1], [2, 1]) }),
        'binaryCrossEntropyWithLogits: weights must broadcast to the shape of the losses; got logits [2], targets [2], weighted [2, 2]',
      ],
      [() => klDivergence(a, b), 'klDivergence: both must have one shape; got logQ [2], p [3]'],
      [
        () => klDivergence(f32([], [0, 2]), f32([], [0, 2]), { reduction: 'batchMean' }),
        'klDivergence: a mean over the batch needs a first axis that is not empty; got logQ [0, 2], p [0, 2]',
      ],
      [
        () => cosineSimilarity(a, b),
        'cosineSimilarity: both must have as many axes, and vectors of one length; got a [2], b [3]',
      ],
      [
        () => cosineEmbeddingLoss(f32([1, 2], [1, 2]), f32([1, 2], [1, 2]), a),
        'cosineEmbeddingLoss: there must be a label for each pair; got pairs [1], labels [2]',
      ],
    ];
    for (const [call, message] of refused) expect(call).toThrow(message);
  });
});
