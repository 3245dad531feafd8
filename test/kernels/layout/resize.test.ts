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

/** Where output `o` of `made` lies among `length` inputs. */
type Centre = (o: number, length: number, made: number) => number;
const halfPixel: Centre = (o, length, made) => ((o + 0.5) * length) / made - 0.5;
const corners: Centre = (o, length, made) => (made > 1 ? (o * (length - 1)) / (made - 1) : 0);
const offset: Centre = (o, length, made) => ((o + 0.5) * length) / (made + 0.1) - 0.5;

/** One line to `made` values, straight from the definition: every pixel of a long line, weighed by the filter. */
function resizeLine(line: number[], made: number, filter: Filter, antialias: boolean, centreOf: Centre): number[] {
  const stretch = antialias ? Math.max(1, line.length / made) : 1;
  return Array.from({ length: made }, (_, o) => {
    const centre = centreOf(o, line.length, made);
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
  centreOf = halfPixel,
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
          centreOf,
        ),
      );
      for (let j = 0; j < width; j++) {
        resizeLine(
          wide.map((row) => row[j] as number),
          height,
          filter,
          antialias,
          centreOf,
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
        (x) => interpolate(x, height, width, { mode, channels: 'first', antialias }),
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

for (const mode of ['bilinear', 'bicubic'] as const) {
  checkOp(`${mode} with channels last`, (x) => interpolate(x, 5, 9, { mode, channels: 'last' }), {
    reference: ([input]) => {
      const x = input as Ref;
      const [b, , , c] = x.shape as [number, number, number, number];
      return ref([b, 5, 9, c], resizeRef(x, x.shape, [5, 9], mode === 'bilinear' ? triangle : cubic(-0.75)));
    },
    cases: [[[2, 3, 4, 3]], [[1, 7, 12, 4]]],
  });
}

for (const [height, width] of [
  [7, 9],
  [4, 1],
] as const) {
  checkOp(
    `bilinear with aligned corners to ${height} × ${width}`,
    (x) => interpolate(x, height, width, { mode: 'bilinear', channels: 'first', alignCorners: true }),
    {
      reference: ([input]) => {
        const x = input as Ref;
        const [b, c, h, w] = x.shape as [number, number, number, number];
        return ref([b, c, height, width], resizeRef(x, [b * c, h, w, 1], [height, width], triangle, false, corners));
      },
      cases: shapes,
    },
  );
}

checkOp('interpolatePositions by the offset rule', (pos) => interpolatePositions(pos, 4, 11, 'offset'), {
  reference: ([input]) => {
    const pos = input as Ref;
    const [, n, d] = pos.shape as [number, number, number];
    const side = Math.sqrt(n);
    return ref([1, 44, d], resizeRef(pos, [1, side, side, d], [4, 11], cubic(-0.75), false, offset));
  },
  // A side that is the table's own is resampled all the same.
  cases: [[[1, 1, 2]], [[1, 16, 4]], [[1, 25, 65]]],
});

checkOp('interpolatePositions by the rule with antialiasing', (pos) => interpolatePositions(pos, 3, 11, 'antialias'), {
  reference: ([input]) => {
    const pos = input as Ref;
    const [, n, d] = pos.shape as [number, number, number];
    return ref([1, 33, d], resizeRef(pos, [1, Math.sqrt(n), Math.sqrt(n), d], [3, 11], cubic(-0.5), true));
  },
  cases: [[[1, 16, 4]], [[1, 49, 5]]],
});

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
    expect(interpolate(x, 3, 4, { mode: 'bicubic', channels: 'first', antialias: true })).toBe(x);
  });

  it('takes a table of as many positions as it is by the offset rule', () => {
    const pos = tensor(device.current, new Float32Array(48), [1, 16, 3]);
    expect(interpolatePositions(pos, 2, 8, 'offset')).toBe(pos);
    expect(interpolatePositions(pos, 4, 4, 'dino')).toBe(pos);
    expect(interpolatePositions(pos, 2, 8, 'dino').shape).toEqual([1, 16, 3]);
  });

  it('keeps what is constant', async () => {
    const x = tensor(device.current, new Float32Array(12).fill(3), [1, 1, 3, 4]);
    for (const value of await read(interpolate(x, 8, 3, { mode: 'bicubic', channels: 'first' })))
      expect(value).toBeCloseTo(3, 6);
  });

  it('says what is wrong', () => {
    const x = tensor(device.current, new Float32Array(12), [1, 3, 4]);
    expect(() => interpolate(x, 3, 3, { mode: 'bilinear', channels: 'first' })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: interpolate: x must be [B, C, H, W], with pixels; got x [1, 3, 4]]`,
    );
    const image = tensor(device.current, new Float32Array(12), [1, 1, 3, 4]);
    expect(() =>
      interpolate(image, 0, 2.5, { mode: 'bilinear', channels: 'first' }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: interpolate: cannot make 0 × 2.5; both must be whole numbers above 0; got x [1, 1, 3, 4]]`,
    );
    expect(() =>
      interpolate(image, 3, 3, { mode: 'bilinear', channels: 'first', alignCorners: true, antialias: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: interpolate: antialias and alignCorners exclude each other; got x [1, 1, 3, 4]]`,
    );
    expect(() => interpolatePositions(x, 3, 3)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: interpolatePositions: pos must be [1, R·R, D], the positions of a square; got pos [1, 3, 4]]`,
    );
  });
});
