import { describe, expect, it } from 'vitest';
import {
  crossEntropy,
  gaussianNll,
  logSoftmax,
  nllLoss,
  tripletMarginLoss,
} from '../../../src/kernels/row-ops/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const classes = [2, 0, 1, 2, 4];
const weights = [1, 0.5, 2, 0, 3];
const ids = (x: { device: Parameters<typeof tensor>[0] }) => tensor(x.device, classes, [5], 'u32');
const dataOf = (x: Ref | undefined) => (x as Ref).data;

checkOp('nllLoss', (x) => nllLoss(x, ids(x)), {
  reference: ([x]) => ref([], [-classes.reduce((sum, c, i) => sum + dataOf(x)[5 * i + c]!, 0) / 5]),
  cases: [[[5, 5]]],
});
checkOp('nllLoss with weights', (x) => nllLoss(x, ids(x), { weights: tensor(x.device, weights), ignoreIndex: 4 }), {
  reference: ([x]) => {
    const counts = classes.map((c) => (c === 4 ? 0 : weights[c]!));
    const sum = classes.reduce((all, c, i) => all - counts[i]! * dataOf(x)[5 * i + c]!, 0);
    return ref([], [sum / counts.reduce((a, b) => a + b)]);
  },
  cases: [[[5, 5]]],
});
checkOp('gaussianNll', (m, t, v) => gaussianNll(m, t, v, { full: true, reduction: 'sum' }), {
  reference: ([m, t, v]) =>
    ref(
      [],
      [
        dataOf(m).reduce((sum, one, i) => {
          const variance = dataOf(v)[i]!;
          return sum + 0.5 * (Math.log(2 * Math.PI * variance) + (one - dataOf(t)[i]!) ** 2 / variance);
        }, 0),
      ],
    ),
  cases: [
    [
      [3, 17],
      [3, 17],
      [3, 17],
    ],
  ],
  values: (_input, _i, random) => 0.2 + random(),
});
checkOp('tripletMarginLoss', (a, p, n) => tripletMarginLoss(a, p, n, { margin: 0.5, reduction: 'none' }), {
  reference: ([a, p, n]) => {
    const [, width = 0] = (a as Ref).shape;
    const distance = (x: Ref | undefined, y: Ref | undefined, row: number) =>
      Math.hypot(...Array.from({ length: width }, (_, k) => dataOf(x)[row * width + k]! - dataOf(y)[row * width + k]!));
    return ref(
      [7],
      Array.from({ length: 7 }, (_, row) => Math.max(0, distance(a, p, row) - distance(a, n, row) + 0.5)),
    );
  },
  cases: [
    [
      [7, 5],
      [7, 5],
      [7, 5],
    ],
  ],
  tolerance: { forward: 1e-5, gradient: 1e-4 },
});

describe('likelihoods', () => {
  const device = useDevice();
  const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);
  const u32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape, 'u32');

  it('of logSoftmax are the cross entropy', async () => {
    const logits = f32([1, 2, 3, -1, 0, 5], [2, 3]);
    const options = { ignoreIndex: 1 };
    const [a] = await read(nllLoss(logSoftmax(logits), u32([1, 0]), options));
    const [b] = await read(crossEntropy(logits, u32([1, 0]), options));
    expect(a).toBeCloseTo(b as number, 5);
    // Where nothing counts; what is left out may hold anything.
    expect([...(await read(nllLoss(f32([Number.NaN, 0], [1, 2]), u32([0]), { ignoreIndex: 0 })))]).toEqual([0]);
  });

  it('hold a variance of 0', async () => {
    const y = await read(gaussianNll(f32([1]), f32([1]), f32([0])));
    expect(y[0]).toBeCloseTo(0.5 * Math.log(1e-6), 4);
  });

  it('say what is wrong', () => {
    expect(() => nllLoss(f32([1, 2], [1, 2]), u32([0, 1]))).toThrow(
      'nllLoss: logP must be […, C], and classes […]; got logP [1, 2], classes [2]',
    );
    expect(() => nllLoss(f32([1, 2], [1, 2]), u32([0]), { weights: f32([1]) })).toThrow(
      'nllLoss: the weights must be [C], of 2 classes; got logP [1, 2], classes [1], weights [1]',
    );
    expect(() => nllLoss(f32([1, 2], [1, 2]), f32([0]))).toThrow('nllLoss: classes must be u32 or i32; these are f32');
    expect(() => nllLoss(f32([1, 2], [1, 2]), u32([0]), { ignoreIndex: -100 })).toThrow(
      'nllLoss: -100 is no class: ignoreIndex must be a u32',
    );
    expect(() => gaussianNll(f32([1, 2, 3]), f32([1, 2, 3]), f32([1, 2]))).toThrow(
      'gaussianNll: mean and target must have one shape, to which the variance broadcasts; got mean [3], target [3], variance [2]',
    );
    expect(() => gaussianNll(f32([1]), f32([1]), f32([1, 2]))).toThrow(/^gaussianNll: mean and target/);
    expect(() => tripletMarginLoss(f32([1]), f32([1]), f32([1]), { order: '1' as never })).toThrow(
      'tripletMarginLoss: order must be a number',
    );
    expect(() => gaussianNll(f32([1]), f32([1, 2]), f32([1]))).toThrow(
      'gaussianNll: mean and target must have one shape, to which the variance broadcasts; got mean [1], target [2], variance [1]',
    );
    expect(() => tripletMarginLoss(f32([1]), f32([1, 2]), f32([1]))).toThrow(
      'tripletMarginLoss: all three must have one shape, with vectors on the last axis; got anchor [1], positive [2], negative [1]',
    );
  });
});
