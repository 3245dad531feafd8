import { describe, expect, it } from 'vitest';
import { kernel } from '../../../src/gpu/kernel.ts';
import { openDevice } from '../../../src/gpu/open-device.ts';
import { argmax } from '../../../src/kernels/axis/extreme.ts';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { add, mul, where } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { stopGradient, straightThrough } from '../../../src/kernels/elementwise/stop-gradient.ts';
import { addScalar, scale, sign, sqrt, square } from '../../../src/kernels/elementwise/unary.ts';
import { reshape } from '../../../src/kernels/layout/layout.ts';
import { slice } from '../../../src/kernels/layout/slice.ts';
import { matmul } from '../../../src/kernels/matmul/matmul.ts';
import { softmax } from '../../../src/kernels/row-ops/softmax.ts';
import { gumbelSoftmax } from '../../../src/kernels/zeroseg/grouping.ts';
import { reconstruction } from '../../../src/kernels/zeroseg/reconstruction.ts';
import { parameter } from '../../../src/nn/layers/module.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';
import { parametersInF16 } from '../../../src/nn/optimizer/precision.ts';
import { differentiable, differentiableAll } from '../../../src/tensor/graph/grad.ts';
import { tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { recompute } from '../../../src/tensor/graph/recompute.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { evaluate } from '../../../src/tensor/run/evaluate.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const vector = (...values: number[]) => tensor(device.current, values);
const values = async (x: Tensor) => [...(await read(x))];

/** `a + b`, by a launch that says nothing of gradients. */
const mine = kernel({
  name: 'mine',
  bind: { a: 'read T', b: 'read T', y: 'write T' },
  params: { n: 'u32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1) fn main() { for (var i = 0u; i < params.n; i++) { y[i] = a[i] + b[i]; } }',
});
const raw = (a: Tensor, b: Tensor = a) => {
  const y = empty(a);
  // One buffer cannot be bound under two names where it is written only; read twice it can.
  dispatch(mine, { a, b, y }, { n: a.size });
  return y;
};
/** Adds `b` to a tensor in place. */
const increase = kernel({
  name: 'increase',
  bind: { a: 'update T', b: 'read T' },
  params: { n: 'u32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1) fn main() { for (var i = 0u; i < params.n; i++) { a[i] += b[i]; } }',
});
const gradientOf = (y: Tensor, ...of: Tensor[]) => gradients(sum(y), of);

describe('a gradient that does not exist is an error', () => {
  it('through a launch without differentiable()', async () => {
    const [x, z] = [vector(1, 2), vector(3, 4)];
    const why =
      /^gradients: 'mine' has no gradient for 'b' \[2\], on which y depends; give it one by differentiable\(\)/;
    expect(() => gradientOf(raw(z, x), x)).toThrow(why);
    expect(() => gradientOf(square(raw(z, x)), x)).toThrow(why);
    expect(() => gradientOf(square(raw(z, softmax(square(x)))), x)).toThrow(why);
    expect(() => gradientOf(mul(x, raw(z, x)), x)).toThrow(why);
    expect(() => gradientOf(reshape(raw(raw(z, z), x), [2, 1]), x)).toThrow(why);
    // Deep below launches of its kind.
    expect(() => gradientOf(raw(raw(z, square(x))), x)).toThrow(/'mine' has no gradient for/);
    // What x does not reach has zeros.
    expect(await values(gradientOf(mul(x, raw(z)), x)[0] as Tensor)).toEqual([6, 8]);
    expect(await values(gradientOf(raw(z), x)[0] as Tensor)).toEqual([0, 0]);
  });

  it('through an input that an op says nothing of', () => {
    const [x, z] = [vector(1, 2), vector(3, 4)];
    const half = (a: Tensor, b: Tensor) => differentiable(raw(a, b), [a], (dy) => [dy]);
    expect(() => gradientOf(half(z, x), x)).toThrow(/^gradients: 'mine' has no gradient for 'b' \[2\]/);
    expect(() => gradientOf(half(x, z), x)).not.toThrow();
    expect(() => gradientOf(half(x, reshape(x, [2, 1])), x)).not.toThrow();

    const image = tensor(device.current, new Float32Array(16), [1, 1, 4, 4]);
    const mask = tensor(device.current, [1, 1, 0, 0], [1, 4]);
    const pred = tensor(device.current, new Float32Array(16), [1, 4, 4]);
    const loss = (target: Tensor, m = mask) => reconstruction(target, pred, m, { patch: 2 });
    expect(() => gradients(loss(image), [image])).toThrow(/has no gradient for 'image' \[1, 1, 4, 4\]/);
    expect(() => gradients(loss(image), [mask])).toThrow(/has no gradient for 'weights' \[4, 1\]/);
    expect(() => gradients(loss(stopGradient(square(image))), [image, pred])).not.toThrow();
    expect(() => gradientOf(gumbelSoftmax(vector(1, 2), { noise: x }).soft, x)).toThrow(/has no gradient for 'noise'/);
  });

  it('through a gradient', async () => {
    const x = vector(1, 2);
    const twice = (t: Tensor) => differentiable(raw(t), [t], (dy) => [raw(dy, mul(t, 0))]);
    const [g] = gradients(sum(twice(square(x))), [x]) as [Tensor];
    const why =
      /^gradients: a gradient of 'mine' has no gradient itself \('mine' is not differentiable\); give its differentiable\(\) a plain form of ops/;
    expect(() => gradientOf(g, x)).toThrow(why);
    expect(() => gradientOf(add(x, sqrt(square(g))), x)).toThrow(why);
    expect(() =>
      gradientOf(
        recompute((y) => mul(y, g), x),
        x,
      ),
    ).toThrow(why);
    // As a constant it may be used.
    expect(await values(gradientOf(mul(x, stopGradient(g)), x)[0] as Tensor)).toEqual([2, 4]);
    expect(await values(gradientOf(g, g)[0] as Tensor)).toEqual([1, 1]);
  });

  it('through the result of a step', async () => {
    const w = parameter(device.current, [2], [2, 3]);
    using f = await step(device.current, { x: [2] }, ({ x }) => ({
      y: mul(x, w),
      index: argmax(w),
      other: scale(x, 2),
    }));
    const why = /through the result of a step, \[2\]; compute it in the same step as its gradients/;
    const { y, other } = f({ x: [1, 1] });
    expect(() => gradientOf(y, w)).toThrow(why);
    expect(() => gradientOf(square(add(y, w)), w)).toThrow(why);
    expect(await values(gradientOf(square(y), y)[0] as Tensor)).toEqual([4, 6]);
    expect(await values(gradientOf(mul(other, w), w)[0] as Tensor)).toEqual([2, 2]);
    expect(await values(gradientOf(mul(stopGradient(y), w), w)[0] as Tensor)).toEqual([2, 3]);
    // And of a copy that is kept.
    const kept = await evaluate(y);
    expect(() => gradientOf(square(kept), w)).toThrow(why);
    expect(await values(gradientOf(square(kept), kept)[0] as Tensor)).toEqual([4, 6]);
    // By way of an input of the step.
    const x = vector(1, 2);
    expect(() => gradientOf(f({ x }).other, x)).toThrow(why);
    expect(await values(gradientOf(f({ x: [1, 2] }).other, x)[0] as Tensor)).toEqual([0, 0]);
    // And of another step.
    using twice = await step(device.current, { x: [2] }, ({ x }) => square(x));
    expect(() => gradientOf(twice({ x: f({ x: [1, 1] }).y }), w)).toThrow(why);
  });

  it('through another tensor over the same bytes', () => {
    const w = parameter(device.current, [2], [2, 3]);
    const optimizer = new AdamW(device.current, [['w', w]]);
    const [half] = parametersInF16(optimizer) as [Tensor];
    expect(() => gradientOf(cast(half, 'f32'), w)).toThrow(/^gradients: .* has no gradient for/);
    expect(() => gradientOf(half, half)).not.toThrow();
  });

  it('of u32, and of what is no tensor', () => {
    const [x, ids] = [vector(1, 2), tensor(device.current, [1, 0], [2], 'u32')];
    expect(() => gradients(sum(x), [ids])).toThrow('gradients: u32 has no gradient; got of [2]');
    expect(() => gradients(argmax(x), [x])).toThrow('gradients: u32 has no gradient; got y []');
    expect(() => gradients(sum(x), [undefined as unknown as Tensor])).toThrow(
      'of[0] must be a tensor; it is undefined',
    );
    expect(() => gradients(3 as unknown as Tensor, [x])).toThrow('y must be a tensor; it is the number 3');
    expect(() => gradients(x, [x], vector(1, 2, 3))).toThrow(/dy must have the shape and dtype of y/);
    expect(() => gradients(x, [x], tensor(device.current, [1, 1], [2], 'f16'))).toThrow(/\(f16 and f32\)/);
    expect(() => gradients([x, x], [x], [x])).toThrow('gradients: there must be a dy for each y; got 1 for 2');
  });
});

it('a gradient of another device is an error', async () => {
  const other = await openDevice({ notice: null, tuning: false });
  const [here, there] = [tensor(device.current, [1, 2]), tensor(other, [1, 2])];
  expect(() => gradients(sum(here), [here, there])).toThrow("gradients: 'of' is on another device");
  expect(() => gradients([sum(here), sum(there)], [here])).toThrow("gradients: 'y' is on another device");
  expect(gradients([], [here])[0].shape).toEqual([2]);
  other.dispose();
});

describe('a gradient of zero by rule', () => {
  it('flows through what documents that none does', async () => {
    const x = vector(1, -2);
    const one = tensor(device.current, [1, 1]);
    const zero: Record<string, Tensor> = {
      stopGradient: stopGradient(square(x)),
      'a view of it': reshape(stopGradient(square(x)), [2, 1]),
      sign: sign(x),
      'a condition': where(square(x), one, scale(one, 2)),
      'a value of straightThrough': straightThrough(square(x), one),
      'what was read': tensor(device.current, await read(square(x))),
    };
    for (const [name, y] of Object.entries(zero))
      expect(await values(gradientOf(y, x)[0] as Tensor), name).toEqual([0, 0]);
    const index = argmax(x);
    expect(await values(gradientOf(where(index, x, scale(x, 3)), x)[0] as Tensor)).toEqual([3, 3]);
  });

  it('undefined of a backward is one', async () => {
    const [x, z] = [vector(1, 2), vector(3, 4)];
    const half = (a: Tensor, b: Tensor) => differentiable(raw(a, b), [a, b], (dy) => [dy, undefined]);
    expect(await values(gradientOf(half(z, raw(x)), x)[0] as Tensor)).toEqual([0, 0]);
  });

  it('a variable is where gradients end, whoever wrote it', async () => {
    const w = parameter(device.current, [2], [2, 3]);
    const state = variable(device.current, [2]);
    const got = await run(device.current, () => {
      dispatch(increase, { a: state, b: square(w) }, { n: 2 });
      return gradientOf(mul(w, state), w)[0] as Tensor;
    });
    expect([...got]).toEqual([4, 9]);
  });
});

describe('a backward gives what it must', () => {
  const [x, y] = [() => vector(1, 2), (a: Tensor) => raw(a)];
  const wrong: [string, (dy: Tensor) => unknown, RegExp][] = [
    ['too few', () => [], /^mine: its backward must return a list of 1 gradients; got 0$/],
    ['too many', (dy) => [dy, dy], /; got 2$/],
    ['no list', (dy) => dy, /; got a Tensor$/],
    ['nothing', () => undefined, /; got undefined$/],
    [
      'another shape',
      (dy) => [sum(dy)],
      /^mine: the gradient of input 0 must have its shape and dtype .*; got input \[2\], gradient \[\]$/,
    ],
    ['as many in another shape', (dy) => [reshape(dy, [2, 1])], /got input \[2\], gradient \[2, 1\]$/],
    ['another dtype', () => [tensor(device.current, [1, 2], [2], 'u32')], /\(f32; the gradient is u32\)/],
    ['a number', () => [1], /^mine: the gradient of input 0 must be a tensor; it is the number 1$/],
    ['null', () => [null], /must be a tensor; it is null$/],
  ];
  it.each(wrong)('%s', (_, backward, why) => {
    const a = x();
    expect(() => gradientOf(differentiable(y(a), [a], backward as () => Tensor[]), a)).toThrow(why);
    const all = y(a);
    differentiableAll([all], [a], ([dy]) => backward(dy as Tensor) as Tensor[]);
    expect(() => gradientOf(all, a)).toThrow(why);
  });

  it('for tensors only', () => {
    const a = x();
    const wrong: [() => unknown, RegExp][] = [
      [
        () => differentiable(y(a), [a, undefined as never], () => []),
        /^differentiable: inputs\[1\] must be a tensor; it is undefined$/,
      ],
      [
        () => differentiable(3 as never, [a], () => []),
        /^differentiable: results\[0\] must be a tensor; it is the number 3$/,
      ],
      [
        () => recompute((_: Tensor) => undefined as never, a),
        /^recompute: the body must return a tensor, .*; got undefined$/,
      ],
      [() => recompute((v: Tensor) => ({ v, other: 1 }) as never, a), /^recompute: .*; got the number 1$/],
    ];
    for (const [make, why] of wrong) expect(make).toThrow(why);
  });

  it('to itself is none', () => {
    const a = x();
    expect(() => differentiable(a, [a], (dy) => [dy])).toThrow(/cannot be one of its inputs/);
  });
});

describe('recompute', () => {
  it('see through to what has no gradient', async () => {
    const [x, z] = [vector(1, 2), vector(3, 4)];
    const inside = (body: (y: Tensor) => Tensor) => gradientOf(recompute(body, square(x)), x);
    expect(() => inside((y) => square(raw(z, y)))).toThrow(/mine' has no gradient for 'b'/);
    expect(() => inside((y) => mul(y, raw(z, x)))).toThrow(/mine' has no gradient for/);
    expect(() => inside((y) => differentiable(raw(y, x), [y], (dy) => [dy]))).toThrow(/mine' has no gradient for 'b'/);
    expect(() => inside((y) => recompute((v) => square(raw(z, v)), y))).toThrow(/mine' has no gradient for/);
    const fine = inside((y) => add(mul(where(sign(y), y, z), stopGradient(y)), sign(x)));
    expect(await values(fine[0] as Tensor)).toEqual([2, 16]);
    const constant = inside((y) =>
      mul(
        y,
        recompute((v) => mul(v, raw(z)), raw(z)),
      ),
    );
    expect(await values(constant[0] as Tensor)).toEqual([72, 256]);
  });
});

describe('values that a backward needs', () => {
  it('must not have been overwritten since', async () => {
    const w = parameter(device.current, [2], [2, 3]);
    const bump = () => dispatch(increase, { a: w, b: vector(1, 1) }, { n: 2 });
    const why = /^gradients: the backward of 'square' needs \[2\] as it was, but 'increase' has written there since/;
    const late = run(device.current, () => {
      const y = square(w);
      bump();
      return gradientOf(y, w)[0] as Tensor;
    });
    await expect(late).rejects.toThrow(why);
    const again = run(device.current, () => {
      const y = recompute((v) => square(v), w);
      bump();
      return gradientOf(y, w)[0] as Tensor;
    });
    // The second run reads what the first has read.
    expect([...(await again)]).toEqual([4, 6]);
    const inPlace = () => {
      const t = scale(vector(1, 2), 1);
      const y = square(t);
      dispatch(increase, { a: t, b: vector(1, 1) }, { n: 2 });
      return gradientOf(y, t);
    };
    expect(inPlace).toThrow(why);
  });

  it('may be written before and after', async () => {
    const w = parameter(device.current, [2], [2, 3]);
    const b = parameter(device.current, [2], [1, 1]);
    const bump = (t: Tensor) => dispatch(increase, { a: t, b: vector(1, 1) }, { n: 2 });
    const got = await run(device.current, () => {
      bump(w);
      const y = add(square(w), b);
      // Not needed by any backward.
      bump(b);
      const [dw] = gradientOf(y, w) as [Tensor];
      bump(w);
      const [later] = gradientOf(square(w), w) as [Tensor];
      return { dw, later };
    });
    expect([[...got.dw], [...got.later]]).toEqual([
      [6, 8],
      [8, 10],
    ]);
  });

  it('an optimizer updates between two gradients', async () => {
    const w = parameter(device.current, [2, 1], [2, 3]);
    const optimizer = new AdamW(device.current, [['w', w]]);
    const train = (late: boolean) =>
      step(device.current, { hyper: [4], x: [2, 2] }, ({ hyper, x }) => {
        const loss = sum(square(matmul(x, w)));
        const { norm } = optimizer.update(gradients(loss, [w]), hyper);
        // The norm is for the log, and for no gradient.
        return { loss, norm, ...(late ? { g: gradients(loss, [w])[0] } : {}) };
      });
    await expect(train(true)).rejects.toThrow(/but 'optimizer \/ adamw' has written there since/);
    using good = await train(false);
    const { norm } = good({ hyper: optimizer.hyperparameters(1, 0.1), x: [1, 0, 0, 1] });
    expect((await values(norm))[0]).toBeCloseTo(Math.hypot(4, 6), 4);
  });
});

it('a long chain is no matter', async () => {
  const x = vector(1);
  let y = x;
  for (let i = 0; i < 10_000; i++) y = addScalar(y, 0);
  expect(gradients(y, [x])[0].shape).toEqual([1]);
  expect(gradients(slice(y, 0, 0), [stopGradient(x)])[0].shape).toEqual([1]);
});
