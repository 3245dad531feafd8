import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { l1, mse, type Reduction } from '../../../src/kernels/row-ops/losses.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

function average(values: readonly number[], reduction: Reduction): Ref {
  const sum = values.reduce((a, b) => a + b, 0);
  return ref([], [reduction === 'mean' ? sum / values.length : sum]);
}

const pairs = ([a, b]: readonly Ref[]) => [...(a as Ref).data].map((x, i) => x - ((b as Ref).data[i] as number));

for (const reduction of ['mean', 'sum'] as const) {
  const cases = [
    [[], []],
    [[1], [1]],
    [
      [3, 17],
      [3, 17],
    ],
    [
      [2, 3, 197],
      [2, 3, 197],
    ],
    [[5003], [5003]],
  ];
  checkOp(`l1 ${reduction}`, (a, b) => l1(a, b, reduction), {
    reference: (inputs) => average(pairs(inputs).map(Math.abs), reduction),
    // Apart from each other, so that differences of the reference do not step over the kink.
    values: (input, i, random) => (input === 0 ? random() : (i % 2 ? 2 : -2) + random()),
    cases,
  });
  checkOp(`mse ${reduction}`, (a, b) => mse(a, b, reduction), {
    reference: (inputs) =>
      average(
        pairs(inputs).map((d) => d * d),
        reduction,
      ),
    cases,
  });
}

describe('losses', () => {
  it('have no slope where both are equal', async () => {
    const [a, b] = [tensor(device.current, [1, 2, 3]), tensor(device.current, [1, 5, 3])];
    const [da, db] = await readAll(gradients(l1(a, b, 'sum'), [a, b]));
    expect(Array.from(da ?? [], (v) => v + 0)).toEqual([0, -1, 0]);
    expect(Array.from(db ?? [], (v) => v + 0)).toEqual([0, 1, 0]);
  });

  it('add up more elements than the launch has invocations', async () => {
    const n = 1_100_003;
    const a = tensor(device.current, new Float32Array(n).fill(3));
    const b = tensor(device.current, new Float32Array(n).fill(1));
    expect([...(await read(l1(a, b, 'sum')))]).toEqual([2 * n]);
    expect((await read(mse(a, b)))[0]).toBeCloseTo(4, 5);
  });

  it('are 0 without elements', async () => {
    const nothing = tensor(device.current, [], [0, 3]);
    expect([...(await read(l1(nothing, nothing)))]).toEqual([0]);
    expect([...(await read(mse(nothing, nothing, 'sum')))]).toEqual([0]);
  });

  it('compare equal shapes only', () => {
    const [a, b] = [tensor(device.current, [1, 2]), tensor(device.current, [1, 2, 3])];
    expect(() => l1(a, b)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: l1: both tensors must have the same shape; got a [2], b [3]]`,
    );
    expect(() => mse(a, b)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: mse: both tensors must have the same shape; got a [2], b [3]]`,
    );
  });
});
