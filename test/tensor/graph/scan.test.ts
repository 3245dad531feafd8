import { describe, expect, it } from 'vitest';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { add, mul } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { scale, tanh } from '../../../src/kernels/elementwise/unary.ts';
import { stack } from '../../../src/kernels/layout/axes.ts';
import { reshape } from '../../../src/kernels/layout/layout.ts';
import { slice } from '../../../src/kernels/layout/slice.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
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

  it('have none themselves, which is said', () => {
    const x = f32([1, 2]);
    const [g] = gradients(scan((s, t) => [mul(s, t), undefined], f32([1], []), x)[0], [x]);
    expect(() => gradients(sum(g), [x])).toThrow(/^gradients: a gradient of 'scan-\w+' has no gradient itself/);
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
      'scan: the y that the body returned must be a tensor or a list of tensors; got the number 1',
    );
    expect(() => scan(total, zero, [x, f32([1])] as never)).toThrow(
      'scan: xs must have one first axis, along which it runs; got xs0 [2], xs1 [1]',
    );
    expect(() => scan(total, tensor(device.current, new Uint32Array(1)), x)).toThrow(
      'scan: the carry must be f32 or f16; it is u32; got carry [1]',
    );
    expect(() => scan((s) => [scan(total, s, x)[0], undefined], zero, x)).toThrow(
      /^scan: the body of a scan cannot scan itself/,
    );
    const { assign } = await import('../../../src/kernels/elementwise/assign.ts');
    await expect(
      run(device.current, () => scan((s, t) => [add(s, assign(start, t)), undefined], zero, x)[0]),
    ).rejects.toThrow(/^scan: the body must not write variables \(\w/);
    // And the next one works.
    expect(await values(scan(total, zero, x)[1])).toEqual([1, 3]);
  });
});
