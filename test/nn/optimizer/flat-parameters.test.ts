import { describe, expect, it } from 'vitest';
import { kernel } from '../../../src/gpu/kernel.ts';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { add, mul } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { flattenParameters, placeGradients } from '../../../src/nn/optimizer/flat-parameters.ts';
import { fill } from '../../../src/tensor/graph/fill.ts';
import { tensor, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

function weights(shapes: Readonly<Record<string, Shape>>): [string, Tensor][] {
  const random = seeded(3);
  return Object.entries(shapes).map(([name, shape]) => {
    const values = Float32Array.from({ length: size(shape) }, () => normal(random));
    return [name, variable(device.current, shape, values)];
  });
}

describe('flattenParameters', () => {
  it('keeps tensors and values, at offsets that can be bound', async () => {
    const named = weights({ a: [3, 5], b: [70], c: [], d: [0, 4], e: [8, 8] });
    const before = await Promise.all(named.map(([, t]) => read(t)));
    const bytes = device.current.bytes;
    const flat = flattenParameters(device.current, named);
    expect(flat.buffers.length).toBe(1);
    expect(flat.parameters.map(({ name, offset, decays }) => [name, offset, decays])).toEqual([
      ['a', 0, true],
      ['b', 512, false],
      ['c', 1024, false],
      ['d', 1536, true],
      ['e', 2048, true],
    ]);
    expect(await Promise.all(named.map(([, t]) => read(t)))).toEqual(before);
    // Pages instead of small buffers: nothing is there twice.
    expect(device.current.bytes - bytes).toBeLessThan(2560 + 40);

    const [, e] = named.at(-1) as [string, Tensor];
    write(e, new Float32Array(64).fill(7));
    expect(await read(sum(e))).toEqual(new Float32Array([448]));
    expect(await read((named[0] as [string, Tensor])[1])).toEqual(before[0]);
  });

  it('starts a new buffer where one is full', () => {
    const named = weights({ a: [64, 2], b: [64], c: [65], d: [1000], e: [1] });
    const flat = flattenParameters(device.current, named, { bufferBytes: 1024 });
    expect(flat.parameters.map(({ buffer, offset }) => [buffer, offset])).toEqual([
      [0, 0],
      [0, 512],
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
    expect(flat.buffers.map(({ parameters }) => parameters.size)).toEqual([256, 128, 1024, 128]);
  });

  it('says what cannot be flattened', () => {
    const [[, a], [, b]] = weights({ a: [2], b: [2] }) as [[string, Tensor], [string, Tensor]];
    const flat = (named: [string, Tensor][]) => () => flattenParameters(device.current, named);
    expect(
      flat([
        ['a', a],
        ['again', a],
      ]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[StepError: optimizer: 'again' and 'a' are the same parameter; give it once]`,
    );
    expect(flat([['a', tensor(device.current, [1])]])).toThrowErrorMatchingInlineSnapshot(
      `[StepError: optimizer: 'a' is no parameter; make it with parameter()]`,
    );
    expect(flat([['a', variable(device.current, [1], undefined, 'u32')]])).toThrowErrorMatchingInlineSnapshot(
      `[StepError: optimizer: 'a' is no parameter; make it with parameter()]`,
    );
    flat([['b', b]])();
    expect(flat([['b', b]])).toThrowErrorMatchingInlineSnapshot(`[StepError: optimizer: 'b' has an optimizer already]`);
  });
});

describe('placeGradients', () => {
  /** Runs a body in check mode, whose memory is full of NaN, and gives its gradients and how many were copied. */
  async function place(
    shapes: Readonly<Record<string, Shape>>,
    loss: (...w: Tensor[]) => Tensor | { grads: (w: readonly Tensor[]) => Tensor[] },
    bufferBytes?: number,
  ): Promise<{ placed: number[][]; wanted: number[][]; copies: number; launches: string[] }> {
    const named = weights(shapes);
    const ws = named.map(([, w]) => w);
    const gradientsOf = () => {
      const made = loss(...ws);
      return 'grads' in made ? made.grads(ws) : gradients(made, ws);
    };
    using plain = await step(device.current, {}, gradientsOf);
    const wanted = await Promise.all(plain({}).map(async (g) => [...(await read(g))]));
    const flat = flattenParameters(device.current, named, bufferBytes === undefined ? {} : { bufferBytes });
    using train = await step(device.current, {}, () => placeGradients(flat, gradientsOf()), { check: true });
    const buffers = train({});
    const values = await Promise.all(buffers.map((buffer) => read(buffer)));
    const placed = flat.parameters.map(({ buffer, offset, tensor }) => [
      ...(values[buffer] as Float32Array).subarray(offset / 4, offset / 4 + tensor.size),
    ]);
    const launches = train.launches.map((launch) => launch.label);
    return { placed, wanted, copies: launches.filter((l) => l === 'copy gradient').length, launches };
  }

  it('lets launches write into buffers', async () => {
    const { placed, wanted, copies } = await place({ w: [4, 3], b: [4], v: [2, 4] }, (w, b, v) => {
      const x = tensor(device.current, [1, 2, 3, 4, 5, 6], [2, 3]);
      return sum(square(linear(linear(x, w!, { bias: b! }), v!)));
    });
    expect(placed).toEqual(wanted);
    expect(copies).toBe(0);
  });

  it('uses several buffers', async () => {
    const { placed, wanted, copies } = await place(
      { w: [4, 3], b: [4], v: [2, 4] },
      (w, b, v) => {
        const x = tensor(device.current, [1, 2, 3, 4, 5, 6], [2, 3]);
        return sum(square(linear(linear(x, w!, { bias: b! }), v!)));
      },
      256,
    );
    expect(placed).toEqual(wanted);
    expect(copies).toBe(0);
  });

  it('copies where a launch would read one part of a buffer and write another', async () => {
    // The gradient of a is dy of the product; the product's backward reads it and writes that of w.
    const { placed, wanted, copies } = await place({ a: [2, 4], w: [4, 3] }, (a, w) => {
      const x = tensor(device.current, [1, 2, 3, 4, 5, 6], [2, 3]);
      return sum(square(add(linear(x, w!), a!)));
    });
    expect(placed).toEqual(wanted);
    expect(copies).toBe(1);
  });

  it('does not copy when the two are in different buffers', async () => {
    const { placed, wanted, copies } = await place(
      { a: [2, 4], w: [4, 3] },
      (a, w) => sum(square(add(linear(tensor(device.current, [1, 2, 3, 4, 5, 6], [2, 3]), w!), a!))),
      256,
    );
    expect(placed).toEqual(wanted);
    expect(copies).toBe(0);
  });

  it('copies a gradient that two parameters share', async () => {
    const { placed, wanted, copies } = await place({ a: [3], b: [3], c: [3] }, (a, b, c) =>
      sum(square(add(add(a!, b!), mul(c!, c!)))),
    );
    expect(placed).toEqual(wanted);
    expect(copies).toBe(2);
  });

  it('copies what the step does not make', async () => {
    const outside = tensor(device.current, [1, 2, 3]);
    const { placed, wanted, copies } = await place({ a: [3], b: [3] }, () => ({
      grads: () => [outside, square(outside)],
    }));
    expect(placed).toEqual(wanted);
    expect(copies).toBe(1);
    const before = square(outside);
    const again = await place({ a: [3] }, () => ({ grads: () => [before] }));
    expect(again.placed).toEqual(again.wanted);
    expect(again.copies).toBe(1);
  });

  it('places zeros, gradients that are written twice, and skips parameters without elements', async () => {
    const { placed, wanted, copies } = await place({ a: [70], none: [0], b: [2] }, () => ({
      grads: ([a, none, b]) => {
        const g = empty(b!);
        dispatch(half, { y: g }, { at: 0 });
        dispatch(half, { y: g }, { at: 1 });
        return [fill(a!.device, a!.shape, 0), fill(none!.device, none!.shape, 0), g];
      },
    }));
    expect(placed).toEqual(wanted);
    expect(copies).toBe(0);
  });

  it('gives back gradients that the body also returns', async () => {
    const named = weights({ w: [4] });
    const [[, w]] = named as [[string, Tensor]];
    const flat = flattenParameters(device.current, named);
    using made = await step(device.current, {}, () => {
      const [g] = gradients(sum(square(w)), [w]);
      const [buffer] = placeGradients(flat, [g]);
      return { g, buffer: buffer as Tensor };
    });
    const { g, buffer } = made({});
    expect([...(await read(g))]).toEqual([...(await read(buffer))].slice(0, 4));
    expect([...(await read(g))]).toEqual([...(await read(w))].map((v) => Math.fround(2 * v)));
  });

  it('says what is wrong', async () => {
    const named = weights({ w: [4], b: [2] });
    const flat = flattenParameters(device.current, named);
    expect(() => placeGradients(flat, [])).toThrowErrorMatchingInlineSnapshot(
      `[StepError: optimizer: gradients are placed inside step() or run()]`,
    );
    const failing = (body: () => Tensor[]) =>
      step(device.current, {}, body).then(
        () => 'did not fail',
        (error: Error) => `${error.name}: ${error.message}`,
      );
    expect(await failing(() => placeGradients(flat, []))).toMatchInlineSnapshot(
      `"StepError: optimizer: got 0 for the gradients of 2 parameters"`,
    );
    const x = tensor(device.current, [1, 2]);
    expect(await failing(() => placeGradients(flat, [square(x), square(x)]))).toMatchInlineSnapshot(
      `"ShapeError: optimizer: the gradient of 'w' must have its shape; got parameter [4], gradient [2]"`,
    );
  });
});

const half = kernel({
  name: 'half',
  bind: { y: 'update f32' },
  params: { at: 'u32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1)\nfn main() { y[0] = 5.0; if (params.at == 1u) { y[1] = 6.0; } else { y[1] = 0.0; } }',
});
