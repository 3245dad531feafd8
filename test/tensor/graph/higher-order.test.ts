import { describe, expect, it, vi } from 'vitest';
import { mean, sum } from '../../../src/kernels/axis/reduce.ts';
import { mul, sub } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { scale, sqrt, square } from '../../../src/kernels/elementwise/unary.ts';
import { leakyRelu, silu } from '../../../src/kernels/functions/activations.ts';
import { pow } from '../../../src/kernels/functions/powers.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { crossEntropy } from '../../../src/kernels/row-ops/cross-entropy.ts';
import { softmax } from '../../../src/kernels/row-ops/softmax.ts';
import { conv2d } from '../../../src/kernels/spatial/conv2d.ts';
import { differentiable } from '../../../src/tensor/graph/grad.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { recompute } from '../../../src/tensor/graph/recompute.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { launchesOf } from '../../../src/tensor/run/launches.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import type { Shape } from '../../../src/tensor/values/shape.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const f32 = (values: ArrayLike<number>, shape: Shape = [values.length]) =>
  tensor(device.current, Float64Array.from(values), shape);
const draw = (seed: number, n: number) => {
  const random = seeded(seed);
  return Float64Array.from({ length: n }, () => normal(random));
};
const close = (got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number) => {
  const size = Math.max(...Array.from(want, Math.abs), 1e-30);
  expect(got.length).toBe(want.length);
  Array.from(got).forEach((value, i) => {
    expect(Math.abs(value - (want[i] as number)) / size, `${i}: ${value}, not ${want[i]}`).toBeLessThan(tolerance);
  });
};
/** Central differences of a float64 function. */
const slopes = (f: (x: Float64Array) => number, x: Float64Array) =>
  x.map((value, i) => (f(x.with(i, value + 1e-5)) - f(x.with(i, value - 1e-5))) / 2e-5);

it.each([
  ['products', (x: Tensor) => mul(x, mul(x, x))],
  ['a power', (x: Tensor) => pow(x, 3)],
  ['a square', (x: Tensor) => mul(square(x), x)],
  ['what is computed again', (x: Tensor) => recompute((y) => mul(y, square(y)), x)],
])('x³ is 6 x twice, 6 three times, and 0 from then on, as %s', async (_, cube) => {
  const x = f32([-1.5, 0, 2]);
  const all: Tensor[] = [];
  let y = cube(x);
  for (let k = 0; k < 4; k++) {
    [y] = gradients(sum(y), [x]) as [Tensor];
    all.push(y);
  }
  const [first, second, third, fourth] = (await readAll(all)) as Float32Array[];
  close(first as Float32Array, [6.75, 0, 12], 1e-6);
  close(second as Float32Array, [-9, 0, 12], 1e-6);
  close(third as Float32Array, [6, 6, 6], 1e-6);
  expect([...(fourth as Float32Array)].map(Math.abs)).toEqual([0, 0, 0]);
});

const activations = {
  silu: {
    op: (x: Tensor) => silu(x),
    value: (v: number) => v / (1 + Math.exp(-v)),
    slope: (v: number) => {
      const s = 1 / (1 + Math.exp(-v));
      return s + v * s * (1 - s);
    },
  },
  leakyRelu: {
    op: (x: Tensor) => leakyRelu(x, 0.2),
    value: (v: number) => (v > 0 ? v : 0.2 * v),
    slope: (v: number) => (v > 0 ? 1 : 0.2),
  },
} as const;

describe.each(['silu', 'leakyRelu'] as const)('the gradient penalty of a discriminator with %s', (name) => {
  const { op, value, slope } = activations[name];
  const penalty = (score: Tensor, x: Tensor) => {
    const [dx] = gradients(score, [x]) as [Tensor];
    const axes = x.shape.map((_, i) => i).slice(1);
    return mean(square(sub(sqrt(sum(square(dx), { axes })), 1)));
  };

  it('of three linear layers', async () => {
    const [B, I, H] = [3, 4, 5];
    const x = draw(1, B * I);
    const weights = draw(2, H * I + H * H + H);
    const host = (w: Float64Array) => {
      const w1 = (h: number, i: number) => w[h * I + i] as number;
      const w2 = (g: number, h: number) => w[H * I + g * H + h] as number;
      const w3 = (g: number) => w[H * I + H * H + g] as number;
      let total = 0;
      for (let b = 0; b < B; b++) {
        const p = Array.from({ length: H }, (_, h) => {
          let sumOf = 0;
          for (let i = 0; i < I; i++) sumOf += w1(h, i) * (x[b * I + i] as number);
          return sumOf;
        });
        const r = Array.from({ length: H }, (_, g) => p.reduce((acc, v, h) => acc + w2(g, h) * value(v), 0));
        const dp = p.map((v, h) => slope(v) * r.reduce((acc, u, g) => acc + w3(g) * slope(u) * w2(g, h), 0));
        let squares = 0;
        for (let i = 0; i < I; i++) squares += dp.reduce((acc, d, h) => acc + d * w1(h, i), 0) ** 2;
        total += (Math.sqrt(squares) - 1) ** 2 / B;
      }
      return total;
    };
    const w1 = f32(weights.slice(0, H * I), [H, I]);
    const w2 = f32(weights.slice(H * I, H * I + H * H), [H, H]);
    const w3 = f32(weights.slice(H * I + H * H), [1, H]);
    const image = f32(x, [B, I]);
    const y = penalty(sum(linear(op(linear(op(linear(image, w1)), w2)), w3)), image);
    const [got, ...dw] = (await readAll([y, ...gradients(y, [w1, w2, w3])])) as Float32Array[];
    close(got as Float32Array, [host(weights)], 1e-5);
    close(
      dw.flatMap((d) => [...d]),
      slopes(host, weights),
      1e-4,
    );
  });

  it('of a convolution', async () => {
    const [B, side, D, k] = [2, 4, 2, 3];
    const n = side - k + 1;
    const x = draw(3, B * side * side);
    const weights = draw(4, D * k * k);
    const host = (w: Float64Array) => {
      let total = 0;
      for (let b = 0; b < B; b++) {
        const dx = new Float64Array(side * side);
        for (let d = 0; d < D; d++)
          for (let i = 0; i < n; i++)
            for (let j = 0; j < n; j++) {
              let p = 0;
              for (let t = 0; t < k * k; t++) {
                const at = (i + Math.floor(t / k)) * side + j + (t % k);
                p += (w[d * k * k + t] as number) * (x[b * side * side + at] as number);
              }
              for (let t = 0; t < k * k; t++) {
                const at = (i + Math.floor(t / k)) * side + j + (t % k);
                dx[at] = (dx[at] as number) + slope(p) * (w[d * k * k + t] as number);
              }
            }
        total += (Math.hypot(...dx) - 1) ** 2 / B;
      }
      return total;
    };
    const w = f32(weights, [D, 1, k, k]);
    const image = f32(x, [B, side, side, 1]);
    const y = penalty(sum(op(conv2d(image, w))), image);
    const [got, dw] = (await readAll([y, ...gradients(y, [w])])) as [Float32Array, Float32Array];
    close(got, [host(weights)], 1e-5);
    close(dw, slopes(host, weights), 1e-4);
  });
});

it('the Hessian of cross-entropy times a vector is that of softmax regression', async () => {
  const [N, I, C] = [4, 3, 5];
  const [x, w, v] = [draw(5, N * I), draw(6, C * I), draw(7, C * I)];
  const want = new Float64Array(C * I);
  for (let n = 0; n < N; n++) {
    const row = (of: Float64Array) =>
      Array.from({ length: C }, (_, c) => {
        let total = 0;
        for (let i = 0; i < I; i++) total += (of[c * I + i] as number) * (x[n * I + i] as number);
        return total;
      });
    const e = row(w).map(Math.exp);
    const p = e.map((value) => value / e.reduce((a, b) => a + b));
    const u = row(v);
    const middle = p.reduce((total, one, c) => total + one * (u[c] as number), 0);
    for (let c = 0; c < C; c++)
      for (let i = 0; i < I; i++)
        want[c * I + i] =
          (want[c * I + i] as number) + ((p[c] as number) * ((u[c] as number) - middle) * (x[n * I + i] as number)) / N;
  }
  const weight = f32(w, [C, I]);
  const classes = tensor(device.current, new Uint32Array([4, 0, 2, 2]));
  const [g] = gradients(crossEntropy(linear(f32(x, [N, I]), weight), classes), [weight]) as [Tensor];
  const [product] = gradients(sum(mul(g, f32(v, [C, I]))), [weight]) as [Tensor];
  close(await read(product), want, 1e-5);
});

describe('the plain form of an op', () => {
  /** `2 x`, whose gradient says so, and whose plain form is a square. */
  const odd = (x: Tensor, plain: (x: Tensor) => Tensor) =>
    differentiable(scale(x, 2), [x], (dy) => [scale(dy, 2)], plain);

  it('is not asked for by first gradients, which launch what they did', async () => {
    const plain = vi.fn(square);
    const x = f32([1, 2, 3]);
    expect(await read(gradients(sum(odd(x, plain)), [x])[0])).toEqual(new Float32Array([2, 2, 2]));
    expect(plain).not.toHaveBeenCalled();
    const launches = launchesOf(device.current, () => gradients(sum(softmax(x)), [x]));
    expect(launches.map(({ label }) => label)).toEqual(['softmax', 'sum-backward', 'softmax-backward']);
  });

  it('is what gradients of gradients are those of', async () => {
    const x = f32([1, 2, 3]);
    const [first] = gradients(sum(odd(x, square)), [x]);
    expect(await read(gradients(sum(mul(first, x)), [x])[0])).toEqual(new Float32Array([4, 6, 8]));
  });

  it('gives every input its own gradient where several are one tensor', async () => {
    const x = f32([1, 2, 3]);
    // a² b, with a = b = x: dx = 3 x², and 6 x. The backward sees 2 a b and a².
    const op = (a: Tensor, b: Tensor) =>
      differentiable(
        f32([1, 8, 27]),
        [a, b],
        (dy) => [mul(dy, scale(mul(a, b), 2)), mul(dy, square(a))],
        (c, d) => mul(square(c as Tensor), d as Tensor),
      );
    const [first] = gradients(sum(op(x, x)), [x]);
    const [second] = gradients(sum(first), [x]);
    const [got, twice] = (await readAll([first, second])) as Float32Array[];
    expect(got).toEqual(new Float32Array([3, 12, 27]));
    expect(twice).toEqual(new Float32Array([6, 12, 18]));
  });
});
