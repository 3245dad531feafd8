import { describe, expect, it } from 'vitest';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { add, mul, sub } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { sqrt, square, tanh } from '../../../src/kernels/elementwise/unary.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { scan } from '../../../src/tensor/graph/scan.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

// A network h' = tanh(W h + x + b) over [T, C], whose loss weighs the last state and every one of them.
const [T, C] = [5, 3];
const shapes = { xs: [T, C], h0: [C], w: [C, C], b: [C] };
type Points = readonly Float64Array[];
const drawn = (seed: number): Points => {
  const random = seeded(seed);
  return Object.values(shapes).map((shape) => Float64Array.from({ length: size(shape) }, () => normal(random)));
};
const tensors = (points: Points) => points.map((x, i) => tensor(device.current, x, Object.values(shapes)[i] as Shape));
const weights = drawn(9);

/** The loss in float64. */
function reference([xs, h0, w, b]: Points, reverse: boolean): number {
  let h = [...(h0 as Float64Array)];
  let loss = 0;
  for (let k = 0; k < T; k++) {
    const t = reverse ? T - 1 - k : k;
    const before = h;
    h = h.map((_, i) => {
      let sum = (xs?.[t * C + i] as number) + (b?.[i] as number);
      for (let j = 0; j < C; j++) sum += (w?.[i * C + j] as number) * (before[j] as number);
      return Math.tanh(sum);
    });
    for (let i = 0; i < C; i++) loss += (h[i] as number) ** 2 * (weights[0]?.[t * C + i] as number);
  }
  for (let i = 0; i < C; i++) loss += (h[i] as number) * (weights[1]?.[i] as number);
  return loss;
}

function loss([xs, h0, w, b]: readonly Tensor[], reverse: boolean): Tensor {
  const [ofAll, ofLast] = tensors(weights) as [Tensor, Tensor];
  const [last, ys] = scan(
    (h, x) => {
      const next = tanh(add(linear(h, w as Tensor, { bias: b }), x));
      return [next, square(next)];
    },
    h0 as Tensor,
    xs as Tensor,
    { reverse },
  );
  return add(sum(mul(last, ofLast)), sum(mul(ys, ofAll)));
}

const moved = (points: Points, along: Points, by: number): Points =>
  points.map((x, i) => x.map((v, k) => v + by * (along[i]?.[k] as number)));
const dot = (a: readonly ArrayLike<number>[], b: Points) =>
  b.reduce((sum, one, i) => one.reduce((total, v, k) => total + v * (a[i]?.[k] as number), sum), 0);

describe.each([false, true])('of a small network, reverse: %s', (reverse) => {
  const [at, u, v] = [drawn(1), drawn(2), drawn(3)];
  const step_ = 1e-3;
  const f = (a: number, b: number) => reference(moved(moved(at, u, a * step_), v, b * step_), reverse);

  it('a product with the Hessian is that by differences in float64', async () => {
    const product = () => {
      const of = tensors(at);
      const first = gradients(loss(of, reverse), of);
      return [...first, ...gradients(first, of, tensors(v))];
    };
    const found = (await readAll(product())) as Float32Array[];
    const slope = (f(1, 0) - f(-1, 0)) / (2 * step_);
    expect(dot(found.slice(0, 4), u)).toBeCloseTo(slope, 3);
    const curvature = (f(1, 1) - f(1, -1) - f(-1, 1) + f(-1, -1)) / (4 * step_ * step_);
    expect(Math.abs(curvature)).toBeGreaterThan(0.1);
    expect(dot(found.slice(4), u) / curvature).toBeCloseTo(1, 3);
    using recorded = await step(device.current, {}, product, { check: true });
    for (const [i, one] of (await readAll(recorded({}))).entries()) {
      for (const [k, value] of one.entries()) expect(value).toBeCloseTo(found[i]?.[k] as number, 4);
    }
  });

  it('a penalty on the gradient has the gradient that differences in float64 give', async () => {
    // (|dxs| - 1)², where dxs is the gradient of the loss along xs.
    const penalty = (points: Points) => {
      const along = (i: number): Points => points.map((x, p) => x.map((_, k) => (p === 0 && k === i ? 1 : 0)));
      let squares = 0;
      for (let i = 0; i < T * C; i++) {
        const [up, down] = [1e-4, -1e-4].map((by) => reference(moved(points, along(i), by), reverse)) as [
          number,
          number,
        ];
        squares += ((up - down) / 2e-4) ** 2;
      }
      return (Math.sqrt(squares) - 1) ** 2;
    };
    const of = tensors(at);
    const [dxs] = gradients(loss(of, reverse), [of[0] as Tensor]);
    const y = square(sub(sqrt(sum(square(dxs))), 1));
    const found = (await readAll([y, ...gradients(y, of)])) as Float32Array[];
    expect(found[0]?.[0]).toBeCloseTo(penalty(at), 3);
    const slope = (penalty(moved(at, u, step_)) - penalty(moved(at, u, -step_))) / (2 * step_);
    expect(dot(found.slice(1), u) / slope).toBeCloseTo(1, 3);
  });
});

it('of every order: of a product', async () => {
  const xs = tensor(device.current, [1, 2, 3, 4]);
  const [product] = scan((s, x) => [mul(s, x), undefined], tensor(device.current, 1), xs);
  const orders: Tensor[] = [];
  for (let y = product; orders.length < 4; y = sum(orders.at(-1) as Tensor)) orders.push(gradients(y, [xs])[0]);
  expect((await readAll(orders)).map((one) => [...one])).toEqual([
    [24, 12, 8, 6],
    [26, 19, 14, 11],
    [18, 16, 14, 12],
    [6, 6, 6, 6],
  ]);
});

it('of states that are only seen through what they become, of no turn, and past whole numbers', async () => {
  const [h0, w] = [tensor(device.current, [2]), tensor(device.current, [3])];
  // After one turn h = w h², after two w³ h⁴.
  const twice = (xs: Tensor) => {
    const [[h]] = scan(
      ([h, n], _x) => [[mul(mul(h, h), w), add(n, 1)], undefined],
      [h0, tensor(device.current, new Int32Array(1))] as const,
      xs,
    );
    const [dh, dw] = gradients(h, [h0, w]);
    return [dh, dw, ...gradients([dh, dw], [h0, w])];
  };
  const all = await readAll([...twice(tensor(device.current, [0, 0])), ...twice(tensor(device.current, [], [0]))]);
  // w³ h⁴: 4 w³ h³ = 864, 3 w² h⁴ = 432; then 12 w³ h² + 12 w² h³ = 1296 + 864, and 12 w² h³ + 6 w h⁴ = 864 + 288.
  expect(all.map(([value]) => value)).toEqual([864, 432, 2160, 1152, 1, 0, 0, 0]);
});

it('a step plans them once, whatever the number of turns', async () => {
  const w = variable(device.current, [8, 8]);
  const made = async (T: number) => {
    using s = await step(device.current, { xs: [T, 2, 8] }, ({ xs }) => {
      const h0 = tensor(device.current, new Float32Array(16), [2, 8]);
      const [last] = scan((h, x) => [tanh(add(linear(h, w), x)), undefined], h0, xs);
      const [dw] = gradients(sum(last), [w]);
      return gradients(sum(square(dw)), [w]);
    });
    return { rows: String(s).split('\n').length, planned: s.memory.planned };
  };
  const [few, many] = [await made(4), await made(64)];
  expect(many.rows).toBe(few.rows);
  // Five lists of states, of theirs gradients and of what arrives at them, at most.
  expect(many.planned - few.planned).toBeLessThanOrEqual(5 * 60 * 2 * 8 * 4 + 1024);
  expect(await read(w)).toHaveLength(64);
});
