import { describe, expect, it } from 'vitest';
import { interpolate, interpolatePositions } from '../../../src/kernels/layout/resize.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

type Filter = (distance: number) => number;
const triangle: Filter = (d) => Math.max(0, 1 - Math.abs(d));
const cubic =
  (a: number): Filter =>
  (x) => {
    const d = Math.abs(x);
    if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
    return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
  };

/** One line to `made` values, straight from the definition: every pixel of a long line, weighed by the filter. */
function resizeLine(line: number[], made: number, filter: Filter, antialias: boolean): number[] {
  const step = line.length / made;
  const stretch = antialias ? Math.max(1, step) : 1;
  return Array.from({ length: made }, (_, o) => {
    const centre = (o + 0.5) * step - 0.5;
    let sum = 0;
    let total = 0;
    for (let i = -3; i < line.length + 3; i++) {
      if (antialias && (i < 0 || i >= line.length)) continue;
      const weight = filter((i - centre) / stretch);
      sum += weight * (line[Math.min(Math.max(i, 0), line.length - 1)] as number);
      total += weight;
    }
    return sum / total;
  });
}

/** Resizes the axes 1 and 2 of [outer, rows, cols, inner]. */
function resizeRef(
  x: Ref,
  view: readonly number[],
  size: readonly number[],
  filter: Filter,
  antialias = false,
): Float64Array {
  const [outer, rows, cols, inner] = view as [number, number, number, number];
  const [height, width] = size as [number, number];
  const y = new Float64Array(outer * height * width * inner);
  for (let b = 0; b < outer; b++) {
    for (let c = 0; c < inner; c++) {
      const at = (i: number, j: number) => x.data[((b * rows + i) * cols + j) * inner + c] as number;
      const wide = Array.from({ length: rows }, (_, i) =>
        resizeLine(
          Array.from({ length: cols }, (_, j) => at(i, j)),
          width,
          filter,
          antialias,
        ),
      );
      for (let j = 0; j < width; j++) {
        resizeLine(
          wide.map((row) => row[j] as number),
          height,
          filter,
          antialias,
        ).forEach((value, i) => {
          y[((b * height + i) * width + j) * inner + c] = value;
        });
      }
    }
  }
  return y;
}

const shapes = [[[1, 1, 1, 1]], [[1, 2, 3, 4]], [[2, 1, 9, 7]], [[1, 3, 17, 2]], [[0, 2, 3, 3]]] as const;

for (const mode of ['bilinear', 'bicubic'] as const) {
  for (const antialias of [false, true]) {
    const filter = mode === 'bilinear' ? triangle : cubic(antialias ? -0.5 : -0.75);
    for (const [height, width] of [
      [7, 9],
      [4, 3],
      [3, 20],
      [1, 1],
    ] as const) {
      checkOp(
        `${mode}${antialias ? ' antialias' : ''} to ${height} × ${width}`,
        (x) => interpolate(x, height, width, { mode, antialias }),
        {
          reference: ([input]) => {
            const x = input as Ref;
            const [b, c, h, w] = x.shape as [number, number, number, number];
            return ref([b, c, height, width], resizeRef(x, [b * c, h, w, 1], [height, width], filter, antialias));
          },
          cases: shapes,
        },
      );
    }
  }
}

checkOp('interpolatePositions', (pos) => interpolatePositions(pos, 5, 11), {
  reference: ([input]) => {
    const pos = input as Ref;
    const [, n, d] = pos.shape as [number, number, number];
    return ref([1, 55, d], resizeRef(pos, [1, Math.sqrt(n), Math.sqrt(n), d], [5, 11], cubic(-0.75)));
  },
  cases: [[[1, 1, 2]], [[1, 16, 4]], [[1, 25, 65]]],
});

describe('resize', () => {
  const device = useDevice();

  it('keeps what has the size already', () => {
    const x = tensor(device.current, new Float32Array(12), [1, 1, 3, 4]);
    expect(interpolate(x, 3, 4, { mode: 'bicubic', antialias: true })).toBe(x);
  });

  it('keeps what is constant', async () => {
    const x = tensor(device.current, new Float32Array(12).fill(3), [1, 1, 3, 4]);
    for (const value of await read(interpolate(x, 8, 3, { mode: 'bicubic' }))) expect(value).toBeCloseTo(3, 6);
  });

  it('says what is wrong', () => {
    const x = tensor(device.current, new Float32Array(12), [1, 3, 4]);
    expect(() => interpolate(x, 3, 3, { mode: 'bilinear' })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: interpolate: x must be [B, C, H, W], with pixels; got x [1, 3, 4]]`,
    );
    const image = tensor(device.current, new Float32Array(12), [1, 1, 3, 4]);
    expect(() => interpolate(image, 0, 2.5, { mode: 'bilinear' })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: interpolate: cannot make 0 × 2.5; both must be whole numbers above 0; got x [1, 1, 3, 4]]`,
    );
    expect(() => interpolatePositions(x, 3, 3)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: interpolatePositions: pos must be [1, R·R, D], the positions of a square; got pos [1, 3, 4]]`,
    );
  });
});
