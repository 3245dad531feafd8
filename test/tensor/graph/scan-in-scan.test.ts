import { describe, expect, it } from 'vitest';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { add, mul } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { tanh } from '../../../src/kernels/elementwise/unary.ts';
import { stack } from '../../../src/kernels/layout/axes.ts';
import { reshape } from '../../../src/kernels/layout/layout.ts';
import { slice } from '../../../src/kernels/layout/slice.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { recompute } from '../../../src/tensor/graph/recompute.ts';
import { scan } from '../../../src/tensor/graph/scan.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
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
const near = (got: readonly ArrayLike<number>[], want: readonly ArrayLike<number>[]) => {
  expect(got.map(({ length }) => length)).toEqual(want.map(({ length }) => length));
  got.forEach((one, i) => {
    for (let k = 0; k < one.length; k++)
      expect(one[k], `${i}, ${k}`).toBeCloseTo((want[i] as ArrayLike<number>)[k] as number, 4);
  });
};

/** One recurrence: by `scan`, or turn after turn. */
type Scan = (
  body: (h: Tensor, x: Tensor) => readonly [Tensor, Tensor],
  h0: Tensor,
  xs: Tensor,
  reverse: boolean,
) => readonly [Tensor, Tensor];
const looped: Scan = (body, h0, xs, reverse) => scan(body, h0, xs, { reverse });
const unrolled: Scan = (body, h0, xs, reverse) => {
  const T = xs.shape[0] as number;
  const ys: Tensor[] = [];
  let h = h0;
  for (let k = 0; k < T; k++) {
    const t = reverse ? T - 1 - k : k;
    [h, ys[t] as Tensor] = body(h, reshape(slice(xs, 0, t, t + 1), xs.shape.slice(1)));
  }
  return [h, stack(ys)];
};

// A state goes down the rows; each row is a recurrence over its columns, which begins with that state and reads it in every turn.
const [R, K, C] = [3, 4, 2];
const inputs = () => [draw(1, [R, K, C]), draw(2, [C]), draw(3, [C, C]), draw(4, [C])] as const;
const grid = (over: Scan, [xs, h0, w, v]: ReturnType<typeof inputs>) => {
  const [last, ys] = over(
    (h, row) => {
      const inner = (s: Tensor, x: Tensor) => {
        const next = tanh(add(linear(s, w), mul(x, h)));
        return [next, mul(next, v)] as const;
      };
      const [s, line] = over(inner, mul(h, v), row, true);
      return [add(s, h), line];
    },
    h0,
    xs,
    false,
  );
  return add(sum(mul(last, draw(5, [C]))), sum(mul(ys, draw(6, [R, K, C]))));
};

it('sums in both directions: rows within columns', async () => {
  const xs = f32([1, 2, 3, 4, 5, 6], [2, 3]);
  const row = (total: Tensor, x: Tensor) => [add(total, x), add(total, x)] as const;
  const [last, sums] = scan((total, line) => scan(row, total, line), f32([0], []), xs);
  expect(await readAll([last, sums])).toEqual([Float32Array.of(21), Float32Array.of(1, 3, 6, 10, 15, 21)]);
  // Of rows that have nothing, and of none.
  const [none, nothing] = scan((total, line) => scan(row, total, line), f32([7], []), f32([], [2, 0]));
  expect([nothing.shape, ...(await read(none))]).toEqual([[2, 0], 7]);
  const [first] = scan((total, line) => scan(row, total, line), f32([8], []), f32([], [0, 2]));
  expect([...(await read(first))]).toEqual([8]);
});

it('three within each other, of which a turn of each reads the states of those around', async () => {
  const xs = f32(
    Array.from({ length: 24 }, (_, i) => i % 5),
    [2, 3, 4],
  );
  const deep = (over: Scan) =>
    over(
      (a, plane) =>
        over(
          (b, line) => over((c, x) => [add(mul(c, 0.5), add(x, a)), add(c, b)], add(b, a), line, false),
          a,
          plane,
          true,
        ),
      f32([1], []),
      xs,
      false,
    );
  near(await readAll([...deep(looped)]), await readAll([...deep(unrolled)]));
});

describe('gradients', () => {
  it('are those of the unrolled recurrence, in a step, too, and in check mode', async () => {
    const of = inputs();
    const all = (over: Scan) => {
      const y = grid(over, of);
      return [y, ...gradients(y, of)];
    };
    const want = await readAll(all(unrolled));
    near(await readAll(all(looped)), want);
    using recorded = await step(device.current, {}, () => all(looped));
    near(await readAll(recorded({})), want);
    near(await readAll(recorded({})), want);
    using checked = await step(device.current, {}, () => all(looped), { check: true });
    near(await readAll(checked({})), want);
    expect(String(recorded)).toContain('tanh (12 times)');
  });

  it('have gradients themselves', async () => {
    const of = inputs();
    const second = (over: Scan) => {
      const first = gradients(grid(over, of), of);
      const penalty = first.map((g, i) => sum(mul(mul(g, g), draw(7 + i, g.shape)))).reduce((a, b) => add(a, b));
      return gradients(penalty, of);
    };
    near(await readAll(second(looped)), await readAll(second(unrolled)));
  });

  it('are the same where the body computes its part again', async () => {
    const of = inputs();
    const again: Scan = (body, h0, xs, reverse) =>
      looped((h, x) => recompute((h, x) => body(h, x), h, x) as readonly [Tensor, Tensor], h0, xs, reverse);
    near(await readAll(gradients(grid(again, of), of)), await readAll(gradients(grid(unrolled, of), of)));
  });

  it('may be asked for in the body: a loop that learns, and the gradient of what it learnt', async () => {
    const [xs, w0, rate] = [draw(1, [4, C]), draw(2, [C]), f32([0.1], [])];
    const learnt = (over: Scan) => {
      const [w] = over(
        (w, x) => {
          const loss = sum(mul(tanh(mul(w, x)), w));
          const [dw] = gradients(loss, [w]);
          return [add(w, mul(dw, rate)), loss];
        },
        w0,
        xs,
        false,
      );
      return [w, ...gradients(sum(w), [w0, rate, xs])];
    };
    near(await readAll(learnt(looped)), await readAll(learnt(unrolled)));
  });
});

it('a step lists both bodies once, whatever the numbers of turns', async () => {
  const made = async (R: number, K: number) => {
    using s = await step(device.current, { xs: [R, K, C] }, ({ xs }) => {
      const inner = (s: Tensor, x: Tensor) => [tanh(add(s, x)), s] as const;
      const [last] = scan((h, row) => [scan(inner, h, row)[0], undefined], f32([0, 0]), xs);
      return last;
    });
    return String(s).split('\n').length;
  };
  expect(await made(40, 50)).toBe(await made(2, 3));
});
