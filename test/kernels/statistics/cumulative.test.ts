import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { cummax, cummin, cumprod, cumsum, prod } from '../../../src/kernels/statistics/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll, readI32, readU32 } from '../../../src/tensor/run/read.ts';
import { checkOp, close, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

type Direction = { readonly reverse?: boolean; readonly exclusive?: boolean };

/** Running results along an axis, one line after the other. */
function runningOf(x: Ref, axis: number, start: number, join: (a: number, b: number) => number, by: Direction): Ref {
  const length = x.shape[axis] as number;
  const inner = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const y = new Float64Array(x.data.length);
  for (let line = 0; line < x.data.length / Math.max(1, length); line++) {
    const first = Math.floor(line / inner) * length * inner + (line % inner);
    let so_far = start;
    for (let k = 0; k < length; k++) {
      const at = first + (by.reverse ? length - 1 - k : k) * inner;
      const next = join(so_far, x.data[at] as number);
      y[at] = by.exclusive ? so_far : next;
      so_far = next;
    }
  }
  return ref(x.shape, y);
}
const added = (a: number, b: number) => a + b;
const times = (a: number, b: number) => a * b;
const directions: readonly Direction[] = [
  {},
  { reverse: true },
  { exclusive: true },
  { reverse: true, exclusive: true },
];
/** About 1, of both signs: products of hundreds of them stay in range. */
const nearOne = (_input: number, i: number, random: () => number) => (i % 3 === 0 ? -1 : 1) * (0.97 + 0.06 * random());

for (const by of directions) {
  const name = `${by.reverse ? 'from the end' : 'from the start'}${by.exclusive ? ', without the element itself' : ''}`;
  checkOp(`cumsum ${name}`, (x) => cumsum(x, 1, by), {
    reference: ([x]) => runningOf(x as Ref, 1, 0, added, by),
    cases: [[[1, 1]], [[2, 7, 3]], [[3, 0]]],
  });
  // One chunk, two levels of chunks.
  checkOp(`cumprod ${name}`, (x) => cumprod(x, -2, by), {
    reference: ([x]) => runningOf(x as Ref, (x as Ref).shape.length - 2, 1, times, by),
    cases: [[[5, 1]], [[2, 7, 3]], [[300, 2]]],
    values: nearOne,
  });
}
checkOp('cumsum of lines of many chunks', (x) => cumsum(x), {
  reference: ([x]) => runningOf(x as Ref, (x as Ref).shape.length - 1, 0, added, {}),
  cases: [[[2, 129]], [[9000]]],
});
for (const reverse of [false, true]) {
  checkOp(`cummax ${reverse ? 'from the end' : 'from the start'}`, (x) => cummax(x, 1, { reverse }), {
    reference: ([x]) => runningOf(x as Ref, 1, Number.NEGATIVE_INFINITY, Math.max, { reverse }),
    cases: [[[2, 7, 3]], [[1, 300]], [[3, 0]]],
  });
}
checkOp('cummin along the first axis', (x) => cummin(x, 0), {
  reference: ([x]) => runningOf(x as Ref, 0, Number.POSITIVE_INFINITY, Math.min, {}),
  cases: [[[300, 2]]],
});

checkOp('prod of everything', (x) => prod(x), {
  reference: ([x]) => ref([], [(x as Ref).data.reduce(times, 1)]),
  cases: [[[]], [[7]], [[65, 5]]],
  values: nearOne,
});
checkOp('prod over an axis in the middle', (x) => prod(x, { axes: 1, keepDims: true }), {
  reference: ([x]) => {
    const [outer = 0, length = 0, inner = 0] = (x as Ref).shape;
    const last = runningOf(x as Ref, 1, 1, times, {});
    const at = (o: number, i: number) => (length === 0 ? 1 : last.data[((o + 1) * length - 1) * inner + i]);
    return ref(
      [outer, 1, inner],
      Array.from({ length: outer * inner }, (_, n) => at(Math.floor(n / inner), n % inner) as number),
    );
  },
  cases: [[[2, 5, 3]], [[2, 70, 1]]],
  values: nearOne,
});
checkOp('prod over several axes', (x) => prod(x, { axes: [0, -1] }), {
  reference: ([x]) => {
    const [a = 0, b = 0, c = 0] = (x as Ref).shape;
    const y = new Float64Array(b).fill(1);
    for (let i = 0; i < a * b * c; i++) {
      const at = Math.floor(i / c) % b;
      y[at] = (y[at] as number) * ((x as Ref).data[i] as number);
    }
    return ref([b], y);
  },
  cases: [[[3, 5, 4]]],
});

describe('products with zeros', () => {
  const device = useDevice();
  const f32 = (values: number[], shape = [values.length]) => tensor(device.current, values, shape);
  /** Gradients of Σ w · y by the definition: the sum over i of w[i] times all factors but one. */
  const backOf = (x: number[], w: number[], factors: (i: number) => number[]) =>
    x.map((_, k) =>
      w.reduce((sum, v, i) => {
        const of = factors(i);
        return of.includes(k) ? sum + v * of.reduce((p, j) => (j === k ? p : p * (x[j] as number)), 1) : sum;
      }, 0),
    );

  it.each([[[2, 0, 3, -1, 0.5]], [[0, 2, 3, 0, 5]], [[0, 0, 0]], [[4]], [[1, 2, 0]]])(
    'gradients of prod and cumprod are right at %j',
    async (values) => {
      const x = f32(values);
      const w = values.map((_, i) => i + 1.5);
      const upTo = (i: number) => Array.from({ length: i + 1 }, (_, k) => k);
      const from = (i: number) => values.flatMap((_, k) => (k > i ? [k] : []));
      const got = await readAll([
        ...gradients(prod(x), [x]),
        ...gradients(cumprod(x), [x], f32(w)),
        ...gradients(cumprod(x, 0, { reverse: true, exclusive: true }), [x], f32(w)),
      ]);
      const want = [
        backOf(values, [1], () => upTo(values.length - 1)),
        backOf(values, w, upTo),
        backOf(values, w, from),
      ];
      got.forEach((one, i) => void close(one, want[i] as number[], 1e-6, `gradient ${i}`));
    },
  );

  it('the product of nothing is 1, its running sum nothing', async () => {
    expect([...(await read(prod(f32([], [2, 0]), { axes: 1 })))]).toEqual([1, 1]);
    expect([...(await read(prod(f32([]))))]).toEqual([1]);
    expect((await read(cumprod(f32([], [0, 3]), 0))).length).toBe(0);
  });

  it('f16 is rounded once', async ({ skip }) => {
    skip(!device.current.features.has('shader-f16'), 'the adapter has no f16');
    const half = tensor(device.current, new Float32Array(300).fill(0.1), [300], 'f16');
    const exact = 0.0999755859375;
    const running = await read(cumsum(half));
    expect(Math.abs((running[299] as number) - 300 * exact)).toBeLessThan(0.02);
    const x = tensor(device.current, [256, 256, 0.001], [3], 'f16');
    expect((await read(prod(x)))[0]).toBeCloseTo(65.5, 0);
  });

  it('refuses what it does not take', () => {
    for (const [name, op] of Object.entries({ cumsum, cumprod }) as [string, (x: Tensor, axis: number) => Tensor][]) {
      expect(() => op(f32([1]), 1)).toThrow(`${name}: axis 1 does not exist; got x [1]`);
    }
    expect(() => prod(f32([1]), { axes: 2 })).toThrow('prod: axis 2 does not exist; got x [1]');
    expect(() => cumsum(f32([1]), 0, { reversed: true } as never)).toThrow(
      "cumsum: options come by name: { reverse, exclusive }; there is no 'reversed'",
    );
  });
});

describe('running extremes', () => {
  const device = useDevice();

  it('stay NaN from the first one on, and have the dtype of whole numbers', async () => {
    const { NaN: none, POSITIVE_INFINITY: infinite } = Number;
    const x = tensor(device.current, [-infinite, 1, none, infinite]);
    expect([...(await read(cummax(x)))]).toEqual([-infinite, 1, none, none]);
    expect([...(await read(cummin(x)))]).toEqual([-infinite, -infinite, none, none]);
    const i32 = tensor(device.current, new Int32Array([-(2 ** 31), 3, 2 ** 31 - 1, -5]));
    expect([...(await readI32(cummax(i32)))]).toEqual([-(2 ** 31), 3, 2 ** 31 - 1, 2 ** 31 - 1]);
    expect([...(await readI32(cummin(i32, 0, { reverse: true })))]).toEqual([-(2 ** 31), -5, -5, -5]);
    const u32 = tensor(device.current, new Uint32Array([1, 4e9, 0]));
    expect([...(await readU32(cummax(u32)))]).toEqual([1, 4e9, 4e9]);
    expect([...(await readU32(cummin(u32)))]).toEqual([1, 1, 0]);
    expect(() => cummax(x, 0, { exclusive: true } as never)).toThrow(/^cummax: options come by name: \{ reverse \}/);
  });

  it('give the gradient of equal ones to the last', async () => {
    const x = tensor(device.current, [1, 3, 3, 2]);
    const [dx] = gradients(cummax(x), [x], tensor(device.current, [1, 10, 100, 1000]));
    expect([...(await read(dx))]).toEqual([1, 10, 1100, 0]);
  });
});
