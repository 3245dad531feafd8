import { describe, expect, it } from 'vitest';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { less } from '../../../src/kernels/comparison/compare.ts';
import { logicalOr } from '../../../src/kernels/comparison/logic.ts';
import { add, mul, where } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { scale, tanh } from '../../../src/kernels/elementwise/unary.ts';
import { stack } from '../../../src/kernels/layout/axes.ts';
import { reshape } from '../../../src/kernels/layout/layout.ts';
import { slice } from '../../../src/kernels/layout/slice.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { label } from '../../../src/tensor/graph/record.ts';
import { type ScanOptions, scan } from '../../../src/tensor/graph/scan.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import type { Shape } from '../../../src/tensor/values/shape.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const f32 = (values: readonly number[], shape: Shape = [values.length]) => tensor(device.current, values, shape);
const draw = (seed: number, shape: Shape) => {
  const random = seeded(seed);
  return f32(
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => normal(random)),
    shape,
  );
};
const values = async (x: Tensor) => [...(await read(x))];
const total = (carry: Tensor, x: Tensor) => [add(carry, x), add(carry, x)] as const;

describe('values', () => {
  it('of running sums, forwards and backwards', async () => {
    const x = f32([1, 2, 3, 4]);
    const [last, sums] = scan(total, f32([10], []), x);
    expect(last.shape).toEqual([]);
    expect(await values(last)).toEqual([20]);
    expect(await values(sums)).toEqual([11, 13, 16, 20]);
    const [, back] = scan(total, f32([0], []), x, { reverse: true });
    expect(await values(back)).toEqual([10, 9, 7, 4]);
  });

  it('of carries that change places, without y', async () => {
    const [[a, b], none] = scan(
      ([a, b]) => [[b, add(a, b)], undefined],
      [f32([0]), f32([1])] as const,
      f32([0, 0, 0, 0, 0]),
    );
    expect(none).toBeUndefined();
    expect(await values(a)).toEqual([5]);
    expect(await values(b)).toEqual([8]);
    const swapped = scan(([a, b]) => [[b, a], [a]], [f32([1, 2]), f32([3, 4])] as const, f32([0, 0, 0]));
    expect(await values(swapped[0][0])).toEqual([3, 4]);
    expect(await values(swapped[0][1])).toEqual([1, 2]);
    expect(await values(swapped[1][0])).toEqual([1, 2, 3, 4, 1, 2]);
  });

  it('of no turn, one turn, whole numbers and several xs', async () => {
    const [same, nothing] = scan(total, f32([1, 2]), f32([], [0, 2]));
    expect(await values(same)).toEqual([1, 2]);
    expect(nothing.shape).toEqual([0, 2]);
    expect(await values(scan(total, f32([1, 2]), f32([3, 4], [1, 2]))[1])).toEqual([4, 6]);
    const ids = tensor(device.current, new Uint32Array([3, 1, 2]));
    const [dot] = scan((s, [k, w]) => [add(s, mul(cast(k, 'f32'), w)), undefined], f32([0], []), [
      ids,
      f32([1, 10, 100]),
    ] as const);
    expect(await values(dot)).toEqual([213]);
  });

  it('of carries and y of i32, u32 and bool beside floats, through which gradients go past them', async () => {
    const i32 = (values: number[], shape: Shape = [values.length]) =>
      tensor(device.current, Int32Array.from(values), shape);
    const xs = f32([1, -2, 3, -4, 5]);
    const first = [
      i32([1, 2, 3]),
      tensor(device.current, [false], [], 'bool'),
      tensor(device.current, Uint32Array.of(4e9)),
      f32([0, 0, 0]),
    ] as const;
    const [[count, seen, bits, s], [counts, seens, ys]] = scan(
      ([count, seen, bits, s], x) => {
        const next = [add(count, 1), logicalOr(seen, less(x, -1)), bits, add(s, mul(x, count))];
        return [next, [count, seen, where(seen, x, 0)]];
      },
      first,
      xs,
    );
    const all = [count, seen, bits, s, counts, seens, ys];
    expect(all.map(({ dtype, shape }) => `${dtype} ${shape}`)).toEqual([
      'i32 3',
      'bool ',
      'u32 1',
      'f32 3',
      'i32 5,3',
      'bool 5',
      'f32 5',
    ]);
    const [dxs] = gradients([sum(s), sum(ys)], [xs]);
    const read = await readAll([...all, dxs]);
    expect(read.map((one) => [...one])).toEqual([
      [6, 7, 8],
      [1],
      [4e9],
      [1 - 4 + 9 - 16 + 25, 2 - 6 + 12 - 20 + 30, 3 - 8 + 15 - 24 + 35],
      [1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6, 5, 6, 7],
      [0, 0, 1, 1, 1],
      [0, 0, 3, -4, 5],
      [6, 9, 13, 16, 19],
    ]);
  });

  it('of one scan over the results of another', async () => {
    const [, first] = scan(total, f32([0], []), f32([1, 1, 1]));
    const [, second] = scan(total, f32([0], []), scale(first, 2));
    expect(await readAll([first, second])).toEqual([new Float32Array([1, 2, 3]), new Float32Array([2, 6, 12])]);
  });
});

describe('gradients', () => {
  const [T, B, C] = [5, 2, 3];
  const inputs = () => [draw(1, [T, B, C]), draw(2, [B, C]), draw(3, [C, C]), draw(4, [C])] as const;
  const cell = (h: Tensor, x: Tensor, w: Tensor, b: Tensor) => tanh(add(linear(h, w, { bias: b }), x));
  type Inputs = ReturnType<typeof inputs>;
  const looped = ([xs, h0, w, b]: Inputs, options: ScanOptions = {}) => {
    const [last, ys] = scan(
      (h, x) => {
        const next = cell(h, x, w, b);
        return [next, scale(next, 2)];
      },
      h0,
      xs,
      options,
    );
    return { last, ys };
  };
  const unrolled = ([xs, h0, w, b]: Inputs, { reverse = false }: ScanOptions = {}) => {
    const ys: Tensor[] = [];
    let last: Tensor = h0;
    for (let k = 0; k < T; k++) {
      const t = reverse ? T - 1 - k : k;
      last = cell(last, reshape(slice(xs, 0, t, t + 1), [B, C]), w, b);
      ys[t] = scale(last, 2);
    }
    return { last, ys: stack(ys) };
  };
  const loss = ({ last, ys }: { last: Tensor; ys: Tensor }) =>
    add(sum(mul(last, draw(5, [B, C]))), sum(mul(ys, draw(6, [T, B, C]))));
  const near = (got: readonly ArrayLike<number>[], want: readonly ArrayLike<number>[]) =>
    got.forEach((one, i) => {
      Array.from(one).forEach((value, k) => {
        expect(value).toBeCloseTo((want[i] as ArrayLike<number>)[k] as number, 5);
      });
    });

  it.each([false, true])('are those of the unrolled recurrence, reverse: %s', async (reverse) => {
    const of = inputs();
    const all = (form: typeof looped) => {
      const y = loss(form(of, { reverse }));
      return [y, ...gradients(y, of)];
    };
    const want = await readAll(all(unrolled));
    near(await readAll(all(looped)), want);
    using recorded = await step(device.current, {}, () => all(looped));
    near(await readAll(recorded({})), want);
    near(await readAll(recorded({})), want);
    using checked = await step(device.current, {}, () => all(looped), { check: true });
    near(await readAll(checked({})), want);
  });

  it('flow through one of the results alone, and to what is asked for alone', async () => {
    const of = inputs();
    const [xs, , w] = of;
    const some = (form: typeof looped) => [gradients(sum(form(of).last), [w])[0], gradients(sum(form(of).ys), [xs])[0]];
    near(await readAll(some(looped)), await readAll(some(unrolled)));
  });

  it('of no turn are those of what goes through', async () => {
    const [h0, xs, w] = [f32([1, 2]), f32([], [0, 2]), f32([3, 4])];
    const [last, ys] = scan((h, x) => [add(mul(h, w), x), mul(h, h)], h0, xs);
    const found = gradients(add(sum(mul(last, f32([5, 6]))), sum(ys)), [h0, xs, w]);
    expect(await readAll(found)).toEqual([[5, 6], [], [0, 0]].map((one) => Float32Array.from(one)));
  });

  it('go on to what a captured tensor was computed from', async () => {
    const [a, xs] = [f32([2, 3]), f32([1, 2, 3, 4, 5, 6], [3, 2])];
    const w = mul(a, a);
    const [last] = scan((h, x) => [add(h, mul(w, x)), undefined], w, xs);
    // last = a² (1 + Σ x), and what w is used for outside adds up.
    const [da] = gradients(add(sum(last), sum(w)), [a]);
    expect(await values(da)).toEqual([2 * 2 * 11, 2 * 3 * 14]);
  });

  it('are added up in f32 where they are f16', async ({ skip }) => {
    skip(!device.current.features.has('shader-f16'), 'this device has no f16');
    const T = 33;
    const f16 = (values: number[], shape: Shape) => tensor(device.current, values, shape, 'f16');
    const w = f16([1], [1]);
    const [, ys] = scan((s, x) => [s, mul(w, x)], f16([0], [1]), f16(new Array(T).fill(1), [T, 1]));
    // From the last turn on: beyond 2048 f16 has no odd numbers, so ones that are added to it would change nothing.
    const [dw] = gradients(ys, [w], f16([...new Array(T - 1).fill(1), 2048], [T, 1]));
    expect(await values(dw)).toEqual([2048 + T - 1]);
  });
});

it('a step lists and plans the body once, whatever the number of turns', async () => {
  const w = variable(device.current, [8, 8]);
  const made = async (T: number) => {
    using s = await step(device.current, { xs: [T, 4, 8] }, ({ xs }) => {
      const [last] = scan((h, x) => [tanh(add(linear(h, w), x)), undefined], slice(xs, 0, 0, 1), xs);
      return gradients(sum(last), [w]);
    });
    return { rows: String(s).split('\n').length, launches: s.launches.length, planned: s.memory.planned };
  };
  const [few, many] = [await made(10), await made(1000)];
  expect(many.rows).toBe(few.rows);
  expect((many.launches - few.launches) % 990).toBe(0);
  expect(many.launches).toBeGreaterThan(10_000);
  // Beside xs and its carries, nothing grows.
  expect(many.planned - few.planned).toBeLessThanOrEqual(2 * 990 * 4 * 8 * 4 + 1024);
});

describe('errors', () => {
  it('say what the body may not do', async () => {
    const x = f32([1, 2]);
    const zero = f32([0], []);
    const start = variable(device.current, []);
    expect(() => scan((s) => [stack([s, s]), undefined], zero, x)).toThrow(
      'scan: the carry must keep its shape and dtype: number 0 is f32 [], and the body returned f32 [2]',
    );
    expect(() => scan((s) => s as never, zero, x)).toThrow(/^scan: the body must return \[carry, y\]; got a?/);
    expect(() => scan((s) => [s, 1 as never], zero, x)).toThrow(
      'scan: the y that the body returned must be a tensor; it is the number 1',
    );
    expect(() => scan(total, zero, x, { reversed: true } as never)).toThrow(
      "scan: options come by name: { reverse }; there is no 'reversed'",
    );
    expect(() => scan(total, zero, [x, f32([1])] as never)).toThrow(
      'scan: xs must have one first axis, along which it runs; got xs0 [2], xs1 [1]',
    );
    expect(() => scan((s) => [cast(s, 'i32'), undefined], zero, x)).toThrow(
      'scan: the carry must keep its shape and dtype: number 0 is f32 [], and the body returned i32 []',
    );
    const { assign } = await import('../../../src/kernels/elementwise/assign.ts');
    await expect(
      run(device.current, () => scan((s, t) => [add(s, assign(start, t)), undefined], zero, x)[0]),
    ).rejects.toThrow(/^scan: the body must not write variables \(\w/);
    // And the next one works.
    expect(await values(scan(total, zero, x)[1])).toEqual([1, 3]);
  });

  it('say that its tensors have no value outside of it, in whatever uses them', async () => {
    const x = f32([1, 2]);
    const zero = f32([0], []);
    const leaked = (): Tensor => {
      let inner: Tensor = zero;
      scan(
        (s, t) => {
          inner = mul(s, t);
          return [add(s, inner), undefined];
        },
        zero,
        x,
      );
      return inner;
    };
    const rule =
      'scan: a tensor [] of the body is used outside of it, where it has no value of its own; return it from the body, as carry or y';
    const leak = leaked();
    await expect(read(leak)).rejects.toThrow(rule);
    await expect(run(device.current, leaked)).rejects.toThrow(rule);
    expect(() => add(leak, x)).toThrow(rule);
    expect(() => scan((s) => [add(s, leak), undefined], zero, x)).toThrow(rule);
    expect(() => gradients(sum(leak), [zero])).toThrow(rule);
    // The same of an inner loop: neither in the outer one nor outside of both; inner results are of the outer body.
    let all: Tensor | undefined;
    const rows = (use: (inner: Tensor, ys: Tensor) => Tensor) =>
      scan(
        (s, row) => {
          let inner: Tensor = s;
          const [last, ys] = scan(
            (t, one) => {
              inner = mul(s, one);
              return [add(t, inner), inner];
            },
            s,
            row,
          );
          all = ys;
          return [add(last, use(inner, ys)), undefined];
        },
        f32([1], []),
        f32([1, 2, 3, 4], [2, 2]),
      );
    expect(() => rows((inner) => inner)).toThrow(rule);
    const [last] = rows((_, ys) => sum(ys));
    // s ← s + 2 s (a + b) for each row.
    expect(await values(last)).toEqual([7 * 15]);
    expect(() => add(all as Tensor, x)).toThrow(rule.replace('[]', '[2]'));
  });

  it('refuse what needs values in the body, in a step and outside of one, and keep labels', async () => {
    const x = f32([1, 2]);
    const zero = f32([0], []);
    const reading = () =>
      scan(
        (s, t) => {
          void read(t);
          return [add(s, t), undefined];
        },
        zero,
        x,
      )[0];
    const rule = 'read: a step or scan has no values while it is recorded; return the tensor from it';
    expect(reading).toThrow(rule);
    await expect(run(device.current, reading)).rejects.toThrow(rule);
    const found: string[] = [];
    using made = await step(device.current, {}, () =>
      label('outer', () => add(label('rows', () => scan(total, zero, x))[0], zero)),
    );
    for (const launch of made.launches) found.push(launch.label);
    expect(found.at(-1)).toMatch(/^outer /);
    expect(await values(scan(total, zero, x)[1])).toEqual([1, 3]);
  });
});
