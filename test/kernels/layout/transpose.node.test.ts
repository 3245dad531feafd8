import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { permute } from '../../../src/kernels/layout/layout.ts';
import { free, tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { launchesOf } from '../../../src/tensor/run/launches.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';
import { rearranged } from '../../support/rearranged.ts';

// The adapters of this suite compute on the CPU, for which tiles are not taken.
describe('a transpose by tiles, as on a GPU', () => {
  const device = useDevice();
  beforeAll(() => void asOnGpu(device.current));
  afterAll(() => void vi.restoreAllMocks());

  const permuted = (order: readonly number[], cases: number[][]) =>
    checkOp(`permute ${order}`, (x) => permute(x as Tensor, order), {
      reference: ([x]) =>
        rearranged(
          x as Ref,
          order.map((axis) => (x as Ref).shape[axis] as number),
          (at) => order.map((_, axis) => at[order.indexOf(axis)] as number),
        ),
      cases: cases.map((shape) => [shape]),
    });
  // Whole tiles, parts of them, as vec4s and element by element, and what is too short for them.
  permuted(
    [1, 0],
    [
      [32, 64],
      [36, 100],
      [33, 67],
      [16, 17],
      [15, 64],
      [8, 4],
    ],
  );
  permuted(
    [2, 0, 3, 1],
    [
      [2, 36, 3, 20],
      [3, 17, 2, 35],
    ],
  );
  permuted(
    [0, 2, 1],
    [
      [3, 44, 20],
      [2, 33, 31],
    ],
  );

  it('moves halves as they are', async ({ skip }) => {
    const gpu = device.current;
    skip(!gpu.features.has('shader-f16'), 'this device has no f16');
    for (const [rows, cols] of [
      [36, 20],
      [35, 21],
    ] as const) {
      const x = tensor(
        gpu,
        Float32Array.from({ length: rows * cols }, (_, i) => i - 300),
        [rows, cols],
      );
      const got = await read(cast(permute(cast(x, 'f16'), [1, 0]), 'f32'));
      const wanted = (i: number) => (i % rows) * cols + Math.floor(i / rows) - 300;
      expect(got).toEqual(Float32Array.from({ length: rows * cols }, (_, i) => wanted(i)));
    }
  });

  it('has a workgroup for each tile', () => {
    const gridOf = (...shape: number[]) => {
      const x = variable(device.current, shape);
      try {
        return launchesOf(device.current, () => permute(x, [0, 2, 1])).map(({ kernel, grid }) => [
          kernel.name,
          grid[0],
        ]);
      } finally {
        free(x);
      }
    };
    expect([gridOf(3, 64, 36), gridOf(3, 65, 37), gridOf(3, 65, 15)]).toEqual([
      [['transpose', 3 * 2 * 2]],
      [['transpose', 3 * 3 * 2]],
      [['copy', expect.any(Number)]],
    ]);
  });
});
