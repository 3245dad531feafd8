import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { cdist } from '../../../src/kernels/statistics/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

/** The norm of each difference of two rows. */
function distances(a: Ref, b: Ref, of: (d: number[]) => number): Ref {
  const [P, M] = a.shape.slice(-2) as [number, number];
  const R = b.shape.at(-2) as number;
  const [A, B] = [a, b].map(({ shape }) => shape.slice(0, -2).reduce((p, q) => p * q, 1)) as [number, number];
  const batch = a.shape.length > b.shape.length ? a.shape.slice(0, -2) : b.shape.slice(0, -2);
  const data: number[] = [];
  for (let n = 0; n < Math.max(A, B); n++) {
    for (let i = 0; i < P; i++) {
      for (let j = 0; j < R; j++) {
        const own = ((n % A) * P + i) * M;
        const other = ((n % B) * R + j) * M;
        data.push(of(Array.from({ length: M }, (_, k) => (a.data[own + k] as number) - (b.data[other + k] as number))));
      }
    }
  }
  return ref([...batch, P, R], data);
}

const powers = (p: number) => (d: number[]) => d.reduce((sum, v) => sum + Math.abs(v) ** p, 0) ** (1 / p);
const orders: readonly (readonly [order: number, of: (d: number[]) => number])[] = [
  [2, (d) => Math.hypot(...d)],
  [1, powers(1)],
  [Number.POSITIVE_INFINITY, (d) => Math.max(0, ...d.map(Math.abs))],
  [3, powers(3)],
  [0.5, powers(0.5)],
];
for (const [order, of] of orders) {
  checkOp(`cdist of order ${order}`, (a, b) => cdist(a, b, { order }), {
    reference: ([a, b]) => distances(a as Ref, b as Ref, of),
    cases: [
      [
        [1, 1],
        [1, 1],
      ],
      [
        [5, 8],
        [7, 8],
      ],
      [
        [3, 19, 5],
        [41, 5],
      ],
      [
        [3, 0],
        [2, 0],
      ],
      [
        [0, 4],
        [2, 4],
      ],
    ],
    tolerance: { forward: 2e-6, gradient: 3e-5 },
  });
}
checkOp('cdist of long rows and many', (a, b) => cdist(a, b), {
  reference: ([a, b]) => distances(a as Ref, b as Ref, (d) => Math.hypot(...d)),
  cases: [
    [
      [1, 2, 700],
      [3, 700],
    ],
    [
      [3, 1],
      [700, 1],
    ],
  ],
});

describe('cdist', () => {
  const device = useDevice();
  const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);
  const zeros = [0, 0, 0, 0];

  it('has gradients of 0 where rows are equal, and second ones that are numbers', async () => {
    for (const order of [2, 1, 3, 0.5, 0, Number.POSITIVE_INFINITY]) {
      const x = f32([1, 2, 1, 2], [2, 2]);
      const y = cdist(x, x, { order });
      const dy = f32([1, 2, 3, 4], [2, 2]);
      const [dx] = gradients(y, [x], dy) as [Tensor];
      const all = order === 0 ? [y, dx] : [y, dx, ...gradients(dx, [x, dy], dy)];
      expect((await readAll(all)).map((one) => [...one].map((v) => v + 0))).toEqual(all.map(() => zeros));
    }
  });

  it('of ∞ gives the gradient to the first of the largest', async () => {
    const [a, b] = [f32([3, -3, 1], [1, 3]), f32([0, 0, 0], [1, 3])];
    const [da, db] = await readAll(gradients(cdist(a, b, { order: Number.POSITIVE_INFINITY }), [a, b]));
    expect([[...(da as Float32Array)], [...(db as Float32Array)]]).toEqual([
      [1, 0, 0],
      [-1, 0, 0],
    ]);
  });

  it('keeps the digits of near rows far out, and counts what differs', async () => {
    const [a, b] = [f32([10_000, 10_001], [1, 2]), f32([10_000, 10_001.5], [1, 2])];
    expect([...(await read(cdist(a, b)))]).toEqual([0.5]);
    expect([...(await read(cdist(a, b, { order: 0 })))]).toEqual([1]);
    // Powers that f32 does not hold.
    const far = f32([3e13, 4e13, 0, 3e-13, 4e-13, 0], [2, 3]);
    const got = await read(cdist(far, f32([0, 0, 0], [1, 3]), { order: 4 }));
    expect([...got].map((v, i) => v / ([1e13, 1e-13][i] as number))).toEqual(
      [337 ** 0.25, 337 ** 0.25].map((v) => expect.closeTo(v, 4)),
    );
  });

  it('of f16 is computed in f32', async ({ skip }) => {
    skip(!device.current.features.has('shader-f16'), 'the adapter has no f16');
    const half = (values: number[], shape: number[]) => tensor(device.current, values, shape, 'f16');
    const a = half([300, 0, 0, 400], [2, 2]);
    const y = cdist(a, half([0, 0], [1, 2]), { order: 3 });
    expect(y.dtype).toBe('f16');
    expect([...(await read(y))]).toEqual([300, 400]);
    expect([...(await read(gradients(y, [a], half([1, 1], [2, 1]))[0]))]).toEqual([1, 0, 0, 1]);
  });

  it('says what is wrong', () => {
    const x = f32([1, 2], [1, 2]);
    expect(() => cdist(x, f32([1], [1, 1]))).toThrow(
      'cdist: a must be […, P, M] and b […, R, M]; got a [1, 2], b [1, 1]',
    );
    expect(() => cdist(x, f32([1, 2]))).toThrow('cdist: a must be […, P, M] and b […, R, M]; got a [1, 2], b [2]');
    expect(() => cdist(x, x, { order: -1 })).toThrow(
      'cdist: the order must be 0 or more; it is -1; got a [1, 2], b [1, 2]',
    );
    expect(() => cdist(x, x, { order: Number.NaN })).toThrow('cdist: the order must be 0 or more; it is NaN');
    expect(() => cdist(x, x, { order: '2' as never })).toThrow('cdist: order must be a number');
    expect(() => cdist(f32(zeros, [2, 1, 2]), f32([1, 2, 3, 4, 5, 6], [3, 1, 2]))).toThrow(
      /^cdist: axes must be equal/,
    );
  });
});
