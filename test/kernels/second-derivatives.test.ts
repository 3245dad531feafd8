import { describe, expect, it } from 'vitest';
import { attention } from '../../src/kernels/attention/attention.ts';
import { cast } from '../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import { square } from '../../src/kernels/elementwise/unary.ts';
import * as ops from '../../src/kernels/index.ts';
import { linear, matmul } from '../../src/kernels/matmul/matmul.ts';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { read } from '../../src/tensor/run/read.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const T = (
  values: readonly number[] | readonly boolean[],
  shape?: readonly number[],
  dtype?: 'f32' | 'f16' | 'u32' | 'i32',
) => tensor(device.current, values as number[], shape ?? [values.length], dtype as 'f32');

/** Gradients of the weighted sum of the gradients, where `dy` arrives. */
function seconds(y: Tensor, of: readonly Tensor[], dy: Tensor, directions: readonly Tensor[]): readonly Tensor[] {
  return gradients(gradients(y, of, dy), of, directions);
}

describe('attention with queries that see no key', () => {
  const [q, k, v] = [
    [0.5, -1],
    [0.3, 0.9],
    [2, -1],
  ] as const;
  const blind = Number.NEGATIVE_INFINITY;
  const masks = {
    'of bool': (dtype: 'f32' | 'f16') => ({ mask: cast(cast(T([1, 1, 0, 0], [1, 1, 2, 2]), 'bool'), 'u32'), dtype }),
    added: (dtype: 'f32' | 'f16') => ({ mask: T([0, 0, blind, blind], [1, 1, 2, 2]), dtype }),
  };
  const all = Object.entries(masks).flatMap(([name, make]) =>
    (['f32', 'f16'] as const).map((dtype) => [`${name}, ${dtype}`, make, dtype] as const),
  );
  it.for(all)('mask %s', async ([, make, dtype], { skip }) => {
    skip(dtype === 'f16' && !device.current.features.has('shader-f16'), 'the adapter has no f16');
    const of = (values: readonly number[]) => cast(T(values, [1, 1, 2, 1]), dtype);
    const xs = [of(q), of(k), of(v)] as const;
    const y = attention(...xs, { mask: make(dtype).mask });
    const found = seconds(y, xs, of([1, 2]), [of([1, 1]), of([1, 0.5]), of([1, 0.5])]);
    const read_ = await Promise.all(found.map((x) => read(cast(x, 'f32'))));
    // Of v: the first query's weights are p = σ(0.5 (0.3 - 0.9)) and 1 - p, and p changes by p (1 - p) (0.3 - 0.9 + 0.5 (1 - 0.5)).
    const digits = dtype === 'f16' ? 3 : 6;
    const weight = 1 / (1 + Math.exp(0.3));
    const change = weight * (1 - weight) * (0.3 - 0.9 + 0.5 * (1 - 0.5));
    expect(read_[2]?.[0]).toBeCloseTo(change, digits);
    expect(read_[2]?.[1]).toBeCloseTo(-change, digits);
    for (const values of read_) expect([...values].every(Number.isFinite)).toBe(true);
  });

  it('causal, and with heads that share a key', async () => {
    const of = (values: readonly number[], heads: number) => T(values, [1, heads, 2, 1]);
    const xs = [of([0.5, -1, 1, 0.25], 2), of(k, 1), of(v, 1)] as const;
    const y = attention(...xs, { causal: true, mask: cast(T([0, 1, 1, 1], [1, 1, 2, 2]), 'bool') });
    for (const x of seconds(y, xs, of([1, 2, 3, 4], 2), [of([1, 1, 1, 1], 2), of([1, 2], 1), of([1, 2], 1)])) {
      expect([...(await read(x))].every(Number.isFinite)).toBe(true);
    }
  });
});

describe('of statistics where they are 0, as in PyTorch', () => {
  it('std of equal numbers', async () => {
    const x = T([2, 2, 2]);
    const [dx] = gradients(ops.std(x), [x]) as [Tensor];
    const [ddx] = gradients(ops.sum(square(dx)), [x]) as [Tensor];
    expect([...(await read(ddx))].map(Math.abs)).toEqual([0, 0, 0]);
  });

  it.each([
    ['norm', (x: Tensor) => ops.norm(x)],
    ['variance', (x: Tensor) => ops.variance(x)],
    ['cdist', (x: Tensor) => ops.sum(ops.cdist(ops.reshape(x, [1, 3]), ops.reshape(x, [1, 3])))],
  ])('%s of zeros', async (_, op) => {
    const x = T([0, 0, 0]);
    const [dx] = gradients(op(x), [x]) as [Tensor];
    const [ddx] = gradients(ops.sum(square(dx)), [x]) as [Tensor];
    expect([...(await read(ddx))].every(Number.isFinite)).toBe(true);
  });
});

it('a residual of a product with an activation is no part of what goes into that', async () => {
  const [x, w, r] = [T([1, 2, 3, 4], [2, 2]), T([0.5, -0.25, 0.125, 1], [2, 2]), T([1, 1, 1, 1], [2, 2])];
  for (const activation of ['gelu', 'gelu-tanh', 'quick-gelu', 'relu'] as const) {
    const products = activation === 'gelu' ? [linear, matmul] : [linear];
    for (const product of products) {
      const y = product(x, w, { activation, residual: r });
      const firsts = gradients(ops.sum(y), [x, r]);
      const [dx, dr] = gradients(
        firsts.map((g) => ops.sum(square(g))),
        [x, r],
      ) as [Tensor, Tensor];
      expect([...(await read(dr))]).toEqual([0, 0, 0, 0]);
      expect([...(await read(dx))].some((one) => one !== 0)).toBe(activation !== 'relu');
    }
  }
});

describe('far out and in f16', () => {
  it('hardswish and prelu', async ({ skip }) => {
    skip(!device.current.features.has('shader-f16'), 'the adapter has no f16');
    const x = T([-4, -1, 2, 4], [4], 'f16');
    const [dx] = gradients(ops.hardswish(x), [x], ops.onesLike(x)) as [Tensor];
    const [ddx] = gradients(dx, [x], ops.onesLike(x)) as [Tensor];
    expect([...(await read(ddx))]).toEqual([0, 0.333251953125, 0.333251953125, 0]);
    const weight = T([0.5], [1], 'f16');
    const [dw] = gradients(ops.prelu(x, weight), [weight], ops.onesLike(x)) as [Tensor];
    const [mixed] = gradients(dw, [x]) as [Tensor];
    expect([...(await read(mixed))]).toEqual([1, 1, 0, 0]);
  });

  it('linear with gelu', async () => {
    for (const dtype of ['f32', 'f16'] as const) {
      if (dtype === 'f16' && !device.current.features.has('shader-f16')) continue;
      for (const activation of ['gelu', 'gelu-tanh', 'quick-gelu'] as const) {
        const x = T(dtype === 'f16' ? [300, -1000] : [1e20, -1e30], [2, 1], dtype);
        const w = T([1], [1, 1], dtype);
        const [dx] = gradients(linear(x, w, { activation }), [x], ops.onesLike(x)) as [Tensor];
        const [ddx] = gradients(dx, [x], ops.onesLike(x)) as [Tensor];
        expect([...(await read(ddx))].map(Math.abs), `${activation} ${dtype}`).toEqual([0, 0]);
      }
    }
  });

  it("atan2's near the origin", async ({ skip }) => {
    skip(!device.current.features.has('shader-f16'), 'the adapter has no f16');
    const at = [0.01, -0.02, 0.005];
    const [a, b] = [T(at, [3], 'f16'), T([0.02, 0.015, -0.01], [3], 'f16')];
    const [da] = gradients(ops.atan2(a, b), [a], ops.onesLike(a)) as [Tensor];
    const [daa] = gradients(da, [a], ops.onesLike(a)) as [Tensor];
    const [y, x, found] = await Promise.all([read(a), read(b), read(daa)]);
    y.forEach((one, i) => {
      const other = x[i] as number;
      const want = (-2 * one * other) / (one * one + other * other) ** 2;
      expect(Math.abs((found[i] as number) / want - 1)).toBeLessThan(2e-3);
    });
  });
});

describe('pointwise ops whose operands are of other dtypes', () => {
  const others = {
    bool: () => cast(T([1, 0, 1]), 'bool'),
    i32: () => T([1, 2, 3], [3], 'i32'),
    u32: () => T([1, 2, 3], [3], 'u32'),
  };
  const binary = {
    add: ops.add,
    atan2: ops.atan2,
    div: ops.div,
    hypot: ops.hypot,
    logaddexp: ops.logaddexp,
    maximum: ops.maximum,
    minimum: ops.minimum,
    mul: ops.mul,
    pow: ops.pow,
    prelu: ops.prelu,
    remainder: ops.remainder,
    sub: ops.sub,
    'lerp from': (a: Tensor, b: Tensor) => ops.lerp(a, b, 0.25),
    'lerp to the square': (a: Tensor, b: Tensor) => ops.lerp(square(a), b, 0.25),
    'lerp by': (a: Tensor, b: Tensor) => ops.lerp(a, square(a), b),
    'lerp of two by': (a: Tensor, b: Tensor) => ops.lerp(b, b, a),
    where: (a: Tensor, b: Tensor) => ops.where(b, a, 3),
  } satisfies Record<string, (a: Tensor, b: Tensor) => Tensor>;
  const floats = () => T([0.5, 1.5, 2.5]);
  it.each(Object.entries(binary))('%s', async (name, op) => {
    for (const other of [others.bool, others.i32, others.u32]) {
      for (const turned of [false, true]) {
        if (turned && ['where', 'lerp by', 'lerp to the square'].includes(name)) continue;
        // As with the same numbers as f32.
        const [got, want] = [other(), cast(other(), 'f32')].map((b) => {
          const x = floats();
          const y = turned ? op(b, x) : op(x, b);
          const [dx] = gradients(y, [x], ops.onesLike(y)) as [Tensor];
          const [ddx] = gradients(dx, [x], floats()) as [Tensor];
          return [y, dx, ddx];
        }) as [Tensor[], Tensor[]];
        for (const [i, one] of got.entries()) expect(await read(one)).toEqual(await read(want[i] as Tensor));
      }
    }
  });

  it('lerp by a mask: the gradients are the mask and what is left of 1', async () => {
    const [a, b] = [T([1, 2, 3]), T([4, 5, 6])];
    const [da, db] = gradients(ops.lerp(a, b, others.bool()), [a, b], ops.onesLike(a)) as [Tensor, Tensor];
    expect([...(await read(da))]).toEqual([0, 1, 0]);
    expect([...(await read(db))]).toEqual([1, 0, 1]);
  });
});

describe('where takes a condition of any dtype', () => {
  const dtypes = ['f32', 'f16', 'i32', 'u32', 'bool'] as const;
  it.for(dtypes)('%s', async (condition, { skip }) => {
    skip(condition === 'f16' && !device.current.features.has('shader-f16'), 'the adapter has no f16');
    for (const values of dtypes) {
      if (values === 'f16' && !device.current.features.has('shader-f16')) continue;
      const c = cast(T([1, 0, 1]), condition);
      const a = cast(T([1, 1, 0]), values);
      const y = ops.where(c, a, values === 'bool' ? 0 : 7);
      expect(y.dtype).toBe(values);
      expect([...(await read(cast(y, 'f32')))], values).toEqual([1, values === 'bool' ? 0 : 7, 0]);
    }
  });
});

it("pow's are numbers where a is 0 and their limits are", async () => {
  const [a, b] = [T([0, 0, 0, 2]), T([1, 2, 3, 3])];
  const [da, db] = gradients(ops.pow(a, b), [a, b], ops.onesLike(a)) as [Tensor, Tensor];
  const all = [...gradients(da, [a, b], ops.onesLike(a)), ...gradients(db, [a, b], ops.onesLike(a))];
  const [aa, ab, ba, bb] = await Promise.all(all.map(async (x) => [...(await read(x))]));
  // As in PyTorch, where that has numbers: 6 a, a^(b - 1) (b log(a) + 1), and a^b log²(a).
  expect(aa).toEqual([0, 2, 0, 12]);
  for (const mixed of [ab, ba]) {
    expect(mixed?.slice(0, 3)).toEqual([1, 0, 0]);
    expect(mixed?.[3]).toBeCloseTo(4 * (3 * Math.LN2 + 1), 4);
  }
  expect(bb?.slice(0, 3)).toEqual([0, 0, 0]);
  expect(bb?.[3]).toBeCloseTo(8 * Math.LN2 ** 2, 5);
});
