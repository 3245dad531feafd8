import { describe, expect, it } from 'vitest';
import { pamr, pamrSteps, pamrWeights } from '../../../src/kernels/zeroseg/pamr.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { checkOp, normal, type Ref, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

type Shape4 = [number, number, number, number];
const pixel = (at: number, side: number) => Math.min(Math.max(at, 0), side - 1);

/** Bilinear with aligned corners. */
function resized({ shape, data }: Ref, H: number, W: number): Ref {
  const [B, K, h, w] = shape as Shape4;
  const out: number[] = [];
  for (let plane = 0; plane < B * K; plane++) {
    for (let y = 0; y < H; y++) {
      for (let x = 0; x < W; x++) {
        const [v, u] = [H > 1 ? (y * (h - 1)) / (H - 1) : 0, W > 1 ? (x * (w - 1)) / (W - 1) : 0];
        const [y0, x0] = [Math.floor(v), Math.floor(u)];
        const at = (r: number, c: number) => data[(plane * h + pixel(r, h)) * w + pixel(c, w)] as number;
        const above = at(y0, x0) * (1 - u + x0) + at(y0, x0 + 1) * (u - x0);
        const below = at(y0 + 1, x0) * (1 - u + x0) + at(y0 + 1, x0 + 1) * (u - x0);
        out.push(above * (1 - v + y0) + below * (v - y0));
      }
    }
  }
  return ref([B, K, H, W], out);
}

/** By the definition, pixel after pixel. */
function reference(image: Ref, given: Ref, steps: number, dilations: readonly number[]): Ref {
  const [B, C, H, W] = image.shape as Shape4;
  const mask = resized(given, H, W);
  const K = mask.shape[1] as number;
  let m = mask.data;
  const around = (y: number, x: number, withCentre: boolean) =>
    dilations.flatMap((d) =>
      [-d, 0, d].flatMap((dy) =>
        [-d, 0, d]
          .filter((dx) => withCentre || dx !== 0 || dy !== 0)
          .map((dx) => pixel(y + dy, H) * W + pixel(x + dx, W)),
      ),
    );
  for (let step = 0; step < steps; step++) {
    const next = new Float64Array(m.length);
    for (let b = 0; b < B; b++) {
      for (let y = 0; y < H; y++) {
        for (let x = 0; x < W; x++) {
          const at = y * W + x;
          const neighbours = around(y, x, false);
          const a = neighbours.map(() => 0);
          for (let c = 0; c < C; c++) {
            const plane = image.data.subarray((b * C + c) * H * W, (b * C + c + 1) * H * W);
            const values = around(y, x, true).map((place) => plane[place] as number);
            const mean = values.reduce((s, v) => s + v) / values.length;
            const std = Math.sqrt(values.reduce((s, v) => s + (v - mean) ** 2, 0) / (values.length - 1));
            for (const [p, place] of neighbours.entries()) {
              a[p]! -= Math.abs(plane[at]! - plane[place]!) / (1e-8 + 0.1 * std) / C;
            }
          }
          const top = Math.max(...a);
          const e = a.map((value) => Math.exp(value - top));
          const sum = e.reduce((s, v) => s + v);
          for (let k = 0; k < K; k++) {
            const start = (b * K + k) * H * W;
            next[start + at] = neighbours.reduce((s, place, p) => s + (e[p]! / sum) * m[start + place]!, 0);
          }
        }
      }
    }
    m = next;
  }
  return ref([B, K, H, W], m);
}

for (const [steps, dilations] of [
  [1, [1]],
  [3, [2, 5]],
  // Most neighbours lie beyond these images.
  [2, [1, 40, 3]],
  [0, [8]],
] as const) {
  checkOp(`pamr ${steps} × ${dilations.join(', ')}`, (image, mask) => pamr(image, mask, { steps, dilations }), {
    reference: ([image, mask]) => reference(image!, mask!, steps, dilations),
    constant: [0, 1],
    tolerance: { forward: 1e-5 },
    cases: [
      [
        [1, 3, 1, 1],
        [1, 1, 1, 1],
      ],
      [
        [2, 3, 7, 11],
        [2, 5, 7, 11],
      ],
      // One class, coarse.
      [
        [1, 3, 13, 9],
        [1, 1, 4, 3],
      ],
      // One channel; a row; more classes than a thread goes through twice.
      [
        [1, 1, 1, 70],
        [1, 9, 1, 7],
      ],
      // Flat, but for one pixel.
      {
        shapes: [
          [1, 3, 9, 10],
          [1, 2, 9, 10],
        ],
        values: (input, i, random) => (input === 0 ? (i === 44 ? 1 : 0.3) : normal(random)),
      },
    ],
  });
}

describe('pamr', () => {
  it('is the same when the dilations do not fit one buffer', async () => {
    const random = seeded(5);
    const values = (n: number) => Float32Array.from({ length: n }, () => normal(random));
    const image = tensor(device.current, values(3 * 12 * 15), [1, 3, 12, 15]);
    const mask = tensor(device.current, values(6 * 12 * 15), [1, 6, 12, 15]);
    const dilations = [1, 2, 4, 7];
    const parts = pamrWeights(image, dilations, 2 * 32 * 12 * 15 + 8);
    expect(parts.parts.map((part) => part.dilations)).toEqual([
      [1, 2],
      [4, 7],
    ]);
    const [inParts, whole] = await readAll([pamrSteps(parts, mask, 4), pamr(image, mask, { dilations, steps: 4 })]);
    (whole as Float32Array).forEach((value, i) => {
      expect((inParts as Float32Array)[i]).toBeCloseTo(value, 5);
    });
  });

  it('draws scores to an edge of the image', async () => {
    // The left half is dark; scores say so two columns too far.
    const [H, W] = [16, 16];
    const image = Float32Array.from({ length: 3 * H * W }, (_, i) => (i % W < 8 ? 0 : 1));
    const mask = Float32Array.from({ length: H * W }, (_, i) => (i % W < 10 ? 1 : 0));
    const of = (data: Float32Array, chans: number) => tensor(device.current, data, [1, chans, H, W]);
    const found = await read(pamr(of(image, 3), of(mask, 1), { dilations: [1, 2, 4] }));
    const row = [...(found as Float32Array).subarray(8 * W, 9 * W)].map((value) => value > 0.5);
    expect(row.lastIndexOf(true)).toBe(7);
  });

  it('says what does not fit', () => {
    const of = (...shape: number[]) => tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b)), shape);
    const [image, mask] = [of(1, 3, 4, 5), of(1, 2, 4, 5)];
    expect(() => pamr(of(3, 4, 5), mask)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pamr: image must be [B, C, H, W], with pixels; got image [3, 4, 5]]`,
    );
    expect(() => pamr(image, of(2, 2, 4, 5))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pamr: mask must be [B, K, h, w] of the images' B, with pixels; got image [1, 3, 4, 5], mask [2, 2, 4, 5]]`,
    );
    expect(() => pamr(image, mask, { steps: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pamr: steps must be a whole number from 0; got -1 for [1, 2, 4, 5]]`,
    );
    expect(() => pamr(image, mask, { dilations: [] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pamr: dilations must be whole numbers from 1; got []; got image [1, 3, 4, 5]]`,
    );
    expect(() => pamr(image, mask, { dilations: [2, 0.5] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pamr: dilations must be whole numbers from 1; got [2, 0.5]; got image [1, 3, 4, 5]]`,
    );
  });
});
