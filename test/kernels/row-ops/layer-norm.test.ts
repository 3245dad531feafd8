import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { l2Normalize } from '../../../src/kernels/row-ops/l2-normalize.ts';
import { batchNormEval, layerNorm, patchNormalize } from '../../../src/kernels/row-ops/layer-norm.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { checkOp, normal, type Ref, ref } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

/** Applies `f` to every row. */
function eachRow(x: Ref | undefined, f: (row: Float64Array) => Float64Array): Ref {
  if (!x) throw new Error('the case has no x');
  const cols = x.shape.at(-1) as number;
  const y = ref(x.shape, x.data);
  for (let at = 0; at < y.data.length; at += cols) y.data.set(f(x.data.subarray(at, at + cols)), at);
  return y;
}

function standard(row: Float64Array, divisor: number, eps: number): Float64Array {
  const y = new Float64Array(row.length);
  let mean = 0;
  for (let c = 0; c < row.length; c++) mean += (row[c] as number) / row.length;
  let variance = 0;
  for (let c = 0; c < row.length; c++) variance += ((row[c] as number) - mean) ** 2 / divisor;
  const deviation = Math.sqrt(variance + eps);
  for (let c = 0; c < row.length; c++) y[c] = ((row[c] as number) - mean) / deviation;
  return y;
}

const withVectors = (shape: readonly number[]) => [shape, [shape.at(-1) as number], [shape.at(-1) as number]];
const layerNormCase = {
  reference: ([x, weight, bias]: readonly Ref[]) =>
    eachRow(x, (row) => {
      const y = standard(row, row.length, 1e-5);
      for (let c = 0; c < y.length; c++) {
        y[c] = (y[c] as number) * (weight?.data[c] as number) + (bias?.data[c] as number);
      }
      return y;
    }),
};

function checkAll(): void {
  checkOp('layerNorm', (x, weight, bias) => layerNorm(x, weight, bias, 1e-5), {
    ...layerNormCase,
    cases: [
      [3, 7],
      [2, 4, 33],
      [1, 12],
      [5, 64],
      [17, 65],
      [3, 197],
      [7, 768],
      [2, 1000],
      [2, 5000],
      [300, 3],
      [131, 197],
      [4500, 20],
    ].map(withVectors),
  });
  checkOp('layerNorm of nothing', (x, weight, bias) => layerNorm(x, weight, bias, 1e-5), {
    ...layerNormCase,
    cases: [withVectors([0, 5])],
  });
  checkOp('layerNorm far from 0', (x, weight, bias) => layerNorm(x, weight, bias, 1e-5), {
    ...layerNormCase,
    cases: [withVectors([3, 16]), withVectors([2, 768])],
    values: (input, _i, random) => normal(random) + (input === 0 ? 1000 : 0),
    constant: [0],
  });
  checkOp('layerNorm of rows that begin far from the rest', (x, weight, bias) => layerNorm(x, weight, bias, 1e-5), {
    ...layerNormCase,
    cases: [withVectors([3, 768])],
    values: (input, i, random) => normal(random) + (input === 0 && i % 768 === 0 ? 1e4 : 0),
    constant: [0],
    tolerance: { forward: 1e-5 },
  });
  // Sums about the row's first element would lose what the others differ by.
  checkOp('layerNorm of a row whose first element is far from the rest', (x, w, bias) => layerNorm(x, w, bias, 1e-5), {
    ...layerNormCase,
    cases: [withVectors([2, 5000])],
    values: (input, i, random) => (input === 0 && i % 5000 === 0 ? 1e8 : normal(random)),
    constant: [0],
    tolerance: { forward: 5e-5 },
  });
  checkOp('l2Normalize', (x) => l2Normalize(x), {
    reference: ([x]) =>
      eachRow(x, (row) => {
        const length = Math.hypot(...row);
        return row.map((v) => v / length);
      }),
    cases: [[[1]], [[3, 17]], [[2, 3, 65]], [[7, 768]], [[300, 2]], [[131, 17]], [[0, 3]], [[2, 0]]],
  });
  checkOp('patchNormalize', (x) => patchNormalize(x), {
    reference: ([x]) => eachRow(x, (row) => standard(row, row.length - 1, 1e-6)),
    cases: [[[3, 3]], [[2, 4, 27]], [[131, 27]], [[5, 768]], [[0, 4]]],
    tolerance: { gradient: 3e-5 },
  });
}
checkAll();
checkOp('batchNormEval', (x, mean, variance, weight, bias) => batchNormEval(x, mean, variance, weight, bias, 1e-5), {
  reference: ([x, mean, variance, weight, bias]) => {
    const at = (vector: Ref | undefined, c: number) => vector?.data[c] as number;
    return eachRow(x, (row) =>
      row.map((v, c) => ((v - at(mean, c)) / Math.sqrt(at(variance, c) + 1e-5)) * at(weight, c) + at(bias, c)),
    );
  },
  cases: [
    [[2, 3, 5], [5], [5], [5], [5]],
    [[65, 17], [17], [17], [17], [17]],
  ],
  values: (input, _i, random) => (input === 2 ? 0.5 + random() : normal(random)),
});

describe('normalisation', () => {
  const device = useDevice();

  it('gives the bias where nothing varies', async () => {
    const x = tensor(device.current, new Float32Array(6).fill(123.456), [2, 3]);
    const y = layerNorm(x, tensor(device.current, [5, 6, 7]), tensor(device.current, [1, 2, 3]), 1e-5);
    expect([...(await read(y))]).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('leaves a row of zeros', async () => {
    const x = tensor(device.current, [0, 0, 3, 4], [2, 2]);
    const y = l2Normalize(x, 0.5);
    const expected = [0, 0, 0.6, 0.8];
    expect([...(await read(y))].map((v) => Math.round(v * 1e6) / 1e6)).toEqual(expected);
    const [dx] = gradients(y, [x], tensor(device.current, [1, 2, 4, -3], [2, 2]));
    expect([...(await read(dx))].map((v) => Math.round(v * 1e6) / 1e6)).toEqual([2, 4, 0.8, -0.6]);
  });

  it('says what is wrong', () => {
    const x = tensor(device.current, new Float32Array(6), [2, 3]);
    const three = tensor(device.current, [1, 2, 3]);
    const two = tensor(device.current, [1, 2]);
    expect(() => layerNorm(x, three, two, 1e-5)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: layerNorm: weight and bias must be as long as the last axis of x; got x [2, 3], weight [3], bias [2]]`,
    );
    expect(() =>
      layerNorm(tensor(device.current, new Float32Array(0), [3, 0]), two, two, 1),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: layerNorm: the last axis must hold at least one element; got x [3, 0], weight [2], bias [2]]`,
    );
    expect(() => batchNormEval(x, three, three, two, three, 1e-5)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: batchNormEval: all vectors must be as long as the last axis of x; got x [2, 3], mean [3], variance [3], weight [2], bias [3]]`,
    );
    expect(() => patchNormalize(tensor(device.current, [1, 2], [2, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: patchNormalize: the last axis must hold at least two elements; got x [2, 1]]`,
    );
    expect(() => l2Normalize(tensor(device.current, 1))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: l2Normalize: x needs an axis; got x []]`,
    );
  });
});

// The adapters of this suite compute on the CPU. Launches of a GPU have other shapes, and sum over threads.
describe('as on a GPU', () => {
  const device = useDevice();
  beforeAll(() => void asOnGpu(device.current));
  afterAll(() => void vi.restoreAllMocks());
  checkAll();
});
