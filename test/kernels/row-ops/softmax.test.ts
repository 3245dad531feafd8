import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { logSoftmax, softmax } from '../../../src/kernels/row-ops/softmax.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { checkOp, normal, type Ref, ref } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

/** Applies `f` to every line along the axis. */
function eachLine(x: Ref, axis: number, f: (line: Float64Array) => Float64Array): Ref {
  const length = x.shape[axis] as number;
  const inner = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const y = ref(x.shape, x.data);
  for (let outer = 0; outer < x.data.length; outer += length * inner) {
    for (let start = outer; start < outer + inner; start++) {
      const line = new Float64Array(length);
      for (let j = 0; j < length; j++) line[j] = x.data[start + j * inner] as number;
      const done = f(line);
      for (let j = 0; j < length; j++) y.data[start + j * inner] = done[j] as number;
    }
  }
  return y;
}

function softmaxOf(line: Float64Array): Float64Array {
  const top = Math.max(...line);
  const e = line.map((v) => Math.exp(v - top));
  const total = e.reduce((a, b) => a + b);
  return e.map((v) => v / total);
}

function logSoftmaxOf(line: Float64Array): Float64Array {
  const top = Math.max(...line);
  const total = line.map((v) => Math.exp(v - top)).reduce((a, b) => a + b);
  const shift = top + Math.log(total);
  return line.map((v) => v - shift);
}

const rows = [
  [[1]],
  [[5, 1]],
  [[3, 17]],
  [[2, 3, 65]],
  [[7, 197]],
  [[2, 1100]],
  [[300, 3]],
  [[300, 4]],
  [[131, 197]],
  [[0, 4]],
] as const;
const columns = [[[2, 1, 1]], [[2, 5, 3]], [[2, 17, 65]], [[3, 197, 9]], [[3, 197, 12]], [[2, 3, 0]]] as const;
const shifted = (_input: number, i: number, random: () => number) => 3 * normal(random) + (i % 2 ? 100 : 98);

function checkBoth(): void {
  for (const [name, op, of] of [
    ['softmax', softmax, softmaxOf],
    ['logSoftmax', logSoftmax, logSoftmaxOf],
  ] as const) {
    checkOp(name, (x) => op(x), {
      reference: ([x]) => eachLine(x as Ref, (x as Ref).shape.length - 1, of),
      cases: [...rows, { shapes: [[3, 33]], values: shifted }, { shapes: [[130, 33]], values: shifted }],
    });
    checkOp(`${name} along a middle axis`, (x) => op(x, 1), {
      reference: ([x]) => eachLine(x as Ref, 1, of),
      cases: columns,
    });
  }
}
checkBoth();

checkOp('softmax far from 0', (x) => softmax(x), {
  reference: ([x]) => eachLine(x as Ref, 1, softmaxOf),
  cases: [[[3, 33]]],
  values: (input, i, random) => 1e4 + shifted(input, i, random),
  constant: [0],
});

describe('softmax', () => {
  const device = useDevice();
  const none = Number.NEGATIVE_INFINITY;

  it('gives exactly 0 for -∞, and zeros for a line of nothing else', async () => {
    const x = tensor(device.current, [none, 0, none, 0, none, none, none, none], [2, 4]);
    const y = softmax(x);
    expect([...(await read(y))]).toEqual([0, 0.5, 0, 0.5, 0, 0, 0, 0]);
    const [dx] = gradients(y, [x], tensor(device.current, [5, 1, 5, 2, 1, 1, 1, 1], [2, 4]));
    expect([...(await read(dx))]).toEqual([0, -0.25, 0, 0.25, 0, 0, 0, 0]);
  });

  it('takes extreme values', async () => {
    const x = tensor(device.current, [1e30, 0, -1e30, 3e38, -3e38, 3e38], [2, 3]);
    expect([...(await read(softmax(x)))]).toEqual([1, 0, 0, 0.5, 0, 0.5]);
    const far = tensor(device.current, [0, 1000]);
    expect([...(await read(logSoftmax(far)))]).toEqual([-1000, 0]);
  });

  it('says what is wrong', () => {
    const x = tensor(device.current, new Float32Array(0), [2, 0]);
    expect(() => softmax(x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: softmax: axis -1 is empty; got x [2, 0]]`,
    );
    expect(() => logSoftmax(x, 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: logSoftmax: axis 2 does not exist; got x [2, 0]]`,
    );
    expect(() => softmax(tensor(device.current, 1))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: softmax: axis -1 does not exist; got x []]`,
    );
  });
});

// The adapters of this suite compute on the CPU. Launches of a GPU have other shapes, and sum over threads.
describe('as on a GPU', () => {
  const device = useDevice();
  beforeAll(() => void asOnGpu(device.current));
  afterAll(() => void vi.restoreAllMocks());
  checkBoth();
});
