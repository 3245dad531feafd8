import { describe, expect, it } from 'vitest';
import { patchEmbed, patchify, unpatchify } from '../../../src/kernels/matmul/patchify.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

type Four = [number, number, number, number];

/** Calls `visit` for every pixel that lies in a patch: its index in the image, and in `[B, h · w, patch, patch, C]`. */
function eachPixel([batch, channels, height, width]: Four, patch: number, visit: (i: number, j: number) => void): void {
  const [rows, cols] = [Math.floor(height / patch), Math.floor(width / patch)];
  let j = 0;
  for (let b = 0; b < batch; b++)
    for (let row = 0; row < rows; row++)
      for (let col = 0; col < cols; col++)
        for (let y = 0; y < patch; y++)
          for (let x = 0; x < patch; x++)
            for (let c = 0; c < channels; c++)
              visit(((b * channels + c) * height + row * patch + y) * width + col * patch + x, j++);
}

function refPatchify(image: Ref, patch: number): Ref {
  const [batch, channels, height, width] = image.shape as Four;
  const shape = [batch, Math.floor(height / patch) * Math.floor(width / patch), patch * patch * channels];
  const y = ref(shape, new Float64Array(size(shape)));
  eachPixel(image.shape as Four, patch, (i, j) => {
    y.data[j] = image.data[i] as number;
  });
  return y;
}

for (const patch of [1, 3, 4]) {
  checkOp(`patchify ${patch}`, (image) => patchify(image as Tensor, patch), {
    reference: ([image]) => refPatchify(image as Ref, patch),
    cases: [[[1, 1, patch, patch]], [[2, 3, 6, 9]], [[1, 2, 13, 17]], [[3, 4, 8, 12]], [[2, 3, 2, 1]], [[0, 3, 8, 8]]],
  });
}

for (const [patch, rows, cols] of [
  [1, 1, 1],
  [3, 2, 2],
  [2, 3, 5],
  [4, 0, 2],
] as const) {
  checkOp(`unpatchify ${patch} ${rows} × ${cols}`, (x) => unpatchify(x as Tensor, patch, rows, cols), {
    reference: ([x]) => {
      const [batch, , last] = (x as Ref).shape as [number, number, number];
      const shape: Four = [batch, last / patch ** 2, rows * patch, cols * patch];
      const image = ref(shape, new Float64Array(size(shape)));
      eachPixel(shape, patch, (i, j) => {
        image.data[i] = (x as Ref).data[j] as number;
      });
      return image;
    },
    cases: [[[1, rows * cols, patch ** 2]], [[3, rows * cols, patch ** 2 * 3]], [[2, rows * cols, 0]]],
  });
}

function refPatchEmbed(x: Ref, weight: Ref, bias: Ref | undefined): Ref {
  const [out, channels, patch] = weight.shape as Four;
  const patches = refPatchify(x, patch);
  const [batch, count, width] = patches.shape as [number, number, number];
  const y = ref([batch, count, out], new Float64Array(batch * count * out));
  for (let n = 0; n < batch * count; n++)
    for (let d = 0; d < out; d++) {
      let sum = bias?.data[d] ?? 0;
      for (let pixel = 0; pixel < patch ** 2; pixel++)
        for (let c = 0; c < channels; c++)
          sum +=
            (patches.data[n * width + pixel * channels + c] as number) *
            (weight.data[(d * channels + c) * patch ** 2 + pixel] as number);
      y.data[n * out + d] = sum;
    }
  return y;
}

checkOp('patchEmbed', (x, weight, bias) => patchEmbed(x as Tensor, weight as Tensor, bias), {
  reference: ([x, weight, bias]) => refPatchEmbed(x as Ref, weight as Ref, bias),
  cases: [
    [[1, 1, 1, 1], [1, 1, 1, 1], [1]],
    [[2, 3, 8, 8], [5, 3, 4, 4], [5]],
    [[2, 3, 10, 7], [17, 3, 3, 3], [17]],
    [
      [2, 3, 32, 48],
      [70, 3, 16, 16],
    ],
  ],
  tolerance: { forward: 2e-6, gradient: 2e-5 },
});

describe('errors of patches', () => {
  const x = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);

  it('say what does not fit', () => {
    expect(() => patchify(x(3, 8, 8), 4)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: patchify: the image must be [B, C, H, W]; got image [3, 8, 8]]`,
    );
    expect(() => patchify(x(1, 3, 8, 8), 0)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: patchify: 0 is no size of a patch; got x [1, 3, 8, 8]]`,
    );
    expect(() => unpatchify(x(1, 4, 12), 2, 3, 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unpatchify: 3 × 2 patches were announced; got x [1, 4, 12]]`,
    );
    expect(() => unpatchify(x(1, 4, 13), 2, 2, 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unpatchify: the last axis must be a multiple of 2²; got x [1, 4, 13]]`,
    );
    expect(() => unpatchify(x(4, 12), 2, 2, 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: unpatchify: x must be [B, N, patch² · C]; got x [4, 12]]`,
    );
    expect(() => patchEmbed(x(1, 3, 8, 8), x(5, 3, 4, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: patchEmbed: the weight must be [D, C, p, p]; got x [1, 3, 8, 8], weight [5, 3, 4, 2]]`,
    );
    expect(() => patchEmbed(x(1, 3, 8, 8), x(5, 4, 4, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: patchEmbed: x must be [B, C, H, W] with the C of the weight; got x [1, 3, 8, 8], weight [5, 4, 4, 4]]`,
    );
    expect(() => patchEmbed(x(1, 3, 8, 8), x(5, 3, 4, 4), x(4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: patchEmbed: the bias must be [D]; got x [1, 3, 8, 8], weight [5, 3, 4, 4], bias [4]]`,
    );
  });
});
