import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { reconstruction } from '../../../src/kernels/zeroseg/reconstruction.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { checkOp, normal, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Patches `[B·N][K]` of an image, values in the order row, column, channel. */
function patches({ shape, data }: Ref, p: number): number[][] {
  const [B, C, H, W] = shape as [number, number, number, number];
  const result: number[][] = [];
  for (let b = 0; b < B; b++) {
    for (let y = 0; y + p <= H; y += p) {
      for (let x = 0; x + p <= W; x += p) {
        const one: number[] = [];
        for (let py = 0; py < p; py++)
          for (let px = 0; px < p; px++)
            for (let c = 0; c < C; c++) one.push(data[((b * C + c) * H + y + py) * W + x + px] as number);
        result.push(one);
      }
    }
  }
  return result;
}

function standardised(values: number[]): number[] {
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1);
  return values.map((v) => (v - mean) / Math.sqrt(variance + 1e-6));
}

for (const normPixels of [false, true]) {
  const patchOf = new Map([
    [6, 2],
    [7, 3],
    [9, 3],
    [32, 16],
    [33, 16],
  ]);
  checkOp(
    normPixels ? 'reconstruction of standardised pixels' : 'reconstruction',
    (image, pred, mask) =>
      reconstruction(image, pred, mask, {
        patch: patchOf.get(image.shape[2] as number) as number,
        normPixels,
      }),
    {
      reference: ([image, pred, mask]) => {
        const targets = patches(image!, patchOf.get(image!.shape[2] as number) as number);
        const K = pred!.shape[2] as number;
        let sum = 0;
        targets.forEach((pixels, row) => {
          const wanted = normPixels ? standardised(pixels) : pixels;
          const squares = wanted.map((t, k) => ((pred!.data[row * K + k] as number) - t) ** 2);
          sum += ((mask!.data[row] as number) * squares.reduce((a, b) => a + b)) / K;
        });
        return ref([], [sum / mask!.data.reduce((a, b) => a + b)]);
      },
      values: (input, i, random) => (input === 2 ? Number(i % 3 !== 1) : normal(random)),
      constant: [0, 2],
      cases: [
        [
          [2, 3, 6, 6],
          [2, 9, 12],
          [2, 9],
        ],
        // Pixels at the edges that fill no patch; one channel.
        [
          [1, 1, 7, 11],
          [1, 6, 9],
          [1, 6],
        ],
        [
          [3, 4, 9, 3],
          [3, 3, 36],
          [3, 3],
        ],
        [
          [2, 3, 32, 48],
          [2, 6, 768],
          [2, 6],
        ],
        // Standardising must not be upset by a large mean.
        {
          shapes: [
            [1, 3, 33, 16],
            [1, 2, 768],
            [1, 2],
          ],
          values: (input, _i, random) => (input === 2 ? 1 : normal(random) + (input === 0 && normPixels ? 1000 : 0)),
        },
      ],
      // Inputs near 1000 hold their deviations to 6e-5.
      tolerance: { forward: 2e-6 },
    },
  );
}

describe('reconstruction', () => {
  it('is 0 with gradient 0 where nothing is masked', async () => {
    const image = tensor(device.current, new Float32Array(48).fill(1), [1, 3, 4, 4]);
    const pred = tensor(device.current, new Float32Array(48), [1, 4, 12]);
    const loss = reconstruction(image, pred, tensor(device.current, [0, 0, 0, 0], [1, 4]), { patch: 2 });
    const [y, d] = await readAll([loss, ...gradients(loss, [pred])]);
    expect([...(y ?? [])]).toEqual([0]);
    expect(d).toEqual(new Float32Array(48));
  });

  it('does not let values of kept patches in', async () => {
    const image = tensor(device.current, new Float32Array(8).fill(1), [1, 1, 2, 4]);
    const pred = tensor(device.current, [0, 0, 0, 0, Number.NaN, 1, 1, 1], [1, 2, 4]);
    const loss = reconstruction(image, pred, tensor(device.current, [1, 0], [1, 2]), { patch: 2 });
    const [y, d] = await readAll([loss, ...gradients(loss, [pred])]);
    expect([...(y ?? [])]).toEqual([1]);
    expect([...(d ?? [])]).toEqual([-0.5, -0.5, -0.5, -0.5, 0, 0, 0, 0]);
  });

  it('is 0 for an empty batch', async () => {
    const [image, pred, mask] = [
      [0, 3, 4, 4],
      [0, 4, 12],
      [0, 4],
    ].map((shape) => tensor(device.current, [], shape));
    const [y] = await readAll([reconstruction(image!, pred!, mask!, { patch: 2, normPixels: true })]);
    expect([...(y ?? [])]).toEqual([0]);
  });

  it('says which shapes it wants', () => {
    const [image, pred, mask] = [
      [1, 3, 4, 4],
      [1, 4, 16],
      [1, 4],
    ].map((shape) => tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b)), shape));
    expect(() => reconstruction(image!, pred!, mask!, { patch: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: reconstruction: for patches of 2 the shapes must be [B, C, H, W], [B, h·w, 12], [B, h·w]; got image [1, 3, 4, 4], pred [1, 4, 16], mask [1, 4]]`,
    );
    const dot = tensor(device.current, [1], [1, 1, 1, 1]);
    expect(() =>
      reconstruction(dot, tensor(device.current, [1], [1, 1, 1]), tensor(device.current, [1], [1, 1]), {
        patch: 1,
        normPixels: true,
      }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: reconstruction: normPixels needs patches of at least two values; got pred [1, 1, 1]]`,
    );
  });
});
