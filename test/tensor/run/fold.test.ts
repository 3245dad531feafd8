import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { kernel } from '../../../src/gpu/kernel.ts';
import { mean, sum } from '../../../src/kernels/axis/reduce.ts';
import { assign } from '../../../src/kernels/elementwise/assign.ts';
import { add, mul, sub } from '../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { addScalar, exp, relu, scale, sigmoid, square } from '../../../src/kernels/elementwise/unary.ts';
import { permute } from '../../../src/kernels/layout/layout.ts';
import { distill } from '../../../src/kernels/zeroseg/segment-match.ts';
import {
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
} from '../../../src/tensor/graph/elementwise.ts';
import { add as accumulate, fill } from '../../../src/tensor/graph/fill.ts';
import { free, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { fusedLaunchesOf } from '../../../src/tensor/run/launches.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();

/** Short steps do without what is tested here. */
const MANY = 24;
/** So many, with one whose kernel has a rule, as in training: without any a CPU adapter does without, too. */
const others = () =>
  Array.from({ length: MANY }, (_, i) => fill(device.current, [1], i)).map((y, i) => (i === 0 ? accumulate(y, y) : y));

/**
 * What a body returns, with every op by itself and as a step runs it, which must be the same, and the kernels of both. It gets variables of
 * the shapes, with random values.
 */
async function run(
  shapes: readonly (readonly number[])[],
  body: (...xs: Tensor[]) => readonly Tensor[],
): Promise<{ values: Float32Array[]; xs: Float32Array[]; plain: string[]; folded: string[] }> {
  const random = seeded(3);
  const values = shapes.map((shape) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => normal(random)),
  );
  const once = async (check: boolean) => {
    const xs = shapes.map((shape, i) => variable(device.current, shape, values[i] as Float32Array));
    using one = await step(device.current, {}, () => [...body(...xs), ...others()], { check });
    const results = (await readAll(one({}).slice(0, -MANY))) as Float32Array[];
    const left = (await readAll(xs)) as Float32Array[];
    for (const x of xs) free(x);
    return {
      results,
      left,
      names: one.launches.map(({ kernel }) => kernel.name).filter((name) => name !== 'fill' && name !== 'accumulate'),
    };
  };
  const [plain, folded] = [await once(true), await once(false)];
  for (const [i, value] of [...folded.results, ...folded.left].entries()) {
    close(value, Float64Array.from([...plain.results, ...plain.left][i] as Float32Array), 1e-6, `result ${i}`);
  }
  return { values: folded.results, xs: values, plain: plain.names, folded: folded.names };
}

describe('a pointwise op is folded into the only launch that reads what it makes', () => {
  it.each([[[37, 9]], [[8, 12]], [[4]], [[1]], [[]]])('a loss and its gradients of %j', async (shape) => {
    const { values, xs, plain, folded } = await run([shape, shape], (x, y) => {
      const loss = mean(square(sub(exp(scale(x as Tensor, 0.5)), y as Tensor)));
      return [loss, ...gradients(loss, [x as Tensor])];
    });
    const [x, y] = xs as [Float32Array, Float32Array];
    const d = Float64Array.from(x, (value, i) => Math.exp(0.5 * value) - (y[i] as number));
    const loss = d.reduce((all, value) => all + value * value, 0) / d.length;
    close(values[0] as Float32Array, Float64Array.of(loss), 1e-5, 'loss');
    const slope = d.map((value, i) => (value * Math.exp(0.5 * (x[i] as number))) / d.length);
    close(values[1] as Float32Array, slope, 1e-5, 'gradient');
    expect(folded.length).toBeLessThan(plain.length - 2);
    expect(folded.includes('square in sum')).toBe(shape.length > 0);
  });

  it('sums along every axis, of rows and of columns', async () => {
    const { folded } = await run(
      [
        [10, 7],
        [10, 8],
      ],
      (x, y) => [x, y].flatMap((one) => [0, 1].map((axes) => sum(square(one as Tensor), { axes }))),
    );
    // Columns that are no multiple of four are read one by one.
    expect(folded.sort()).toEqual(['square', 'square in sum', 'square in sum', 'square in sum', 'sum']);
  });
});

/** A kernel of one's own: `y` from `x [n]` and a scalar `s`. */
const readerOf = (name: string, body: string) => {
  const reader = kernel({
    name,
    bind: { x: 'read vec4<f32>', s: 'read f32', y: 'write vec4<f32>' },
    params: elementParams,
    override: elementOverride,
    grid: elementGrid,
    wgsl: body,
  });
  return (x: Tensor, s: Tensor): Tensor => {
    const y = empty(x);
    dispatch(reader, { x, s, y }, elementsOf(x.device, x.size));
    return y;
  };
};
const main = (body: string) => `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  ${body}
}`;

it('a scalar is folded into the launch that alone reads it, but not where that is done in a loop', async () => {
  const each =
    'let i = (g.x * WG + l) * params.perThread; for (var k = i; k < min(params.vec4s, i + params.perThread); k++)';
  const once = readerOf('once', main(`let factor = s[0]; ${each} { y[k] = x[k] * factor; }`));
  const looped = readerOf('looped', main(`${each} { y[k] = x[k] * s[0]; }`));
  const { values, xs, folded } = await run([[12, 8], [5, 12], [5, 7, 12], []], (x, z, views, s) => {
    const loss = scale(distill(z as Tensor, views as Tensor), 3);
    return [
      once(x as Tensor, exp(s as Tensor)),
      looped(x as Tensor, sigmoid(s as Tensor)),
      ...gradients(loss, [z as Tensor]),
    ];
  });
  expect(folded).toContain('exp in once');
  expect(folded).toContain('sigmoid');
  expect(folded).toContain('scale in distill backward');
  const [x, , , [s]] = xs as [Float32Array, Float32Array, Float32Array, readonly [number]];
  close(
    values[0] as Float32Array,
    Float64Array.from(x, (value) => value * Math.exp(s)),
    1e-5,
    'once',
  );
  close(
    values[1] as Float32Array,
    Float64Array.from(x, (value) => value / (1 + Math.exp(-s))),
    1e-5,
    'looped',
  );
});

it('a step without rules is folded on GPUs alone, where each launch takes its time', async () => {
  const names = async () => {
    const x = fill(device.current, [8], 2);
    const body = () => Array.from({ length: MANY }, (_, i) => relu(scale(x, i)));
    return (await fusedLaunchesOf(device.current, body)).map(({ kernel }) => kernel.name);
  };
  expect(new Set(await names())).toEqual(new Set(['fill', 'scale', 'relu']));
  asOnGpu(device.current);
  onTestFinished(() => void vi.restoreAllMocks());
  expect(new Set(await names())).toEqual(new Set(['fill', 'scale in relu']));
});

it('chains end where a launch can bind no more, or take no more numbers', async () => {
  const xs = Array.from({ length: 12 }, () => [5, 4]);
  const { folded } = await run(xs, (...all) => [all.reduce(mul), all.reduce((y, x) => relu(sub(y, x)))]);
  expect(folded.length).toBeGreaterThan(4);
  expect(folded.length).toBeLessThan(22);
});

describe('an op stays by itself', () => {
  const shape = [6, 4];

  it('in f16, whose rounding compilers leave out where nothing is stored', async ({ skip }) => {
    skip(!device.current.features.has('shader-f16'), 'the adapter has no f16');
    const { values, folded } = await run([[8]], (x) => {
      const one = addScalar(scale(cast(x as Tensor, 'f16'), 0), 1);
      // 1 + 2⁻¹² is 1 in f16, so the difference is 0.
      return [cast(addScalar(addScalar(one, 2 ** -12), -1), 'f32')];
    });
    expect([...(values[0] as Float32Array)]).toEqual(new Array(8).fill(0));
    expect(folded).toHaveLength(6);
  });

  it.each([
    ['what is returned', (x: Tensor) => [square(x)].flatMap((y) => [y, relu(y)]), ['relu', 'square']],
    ['what two read', (x: Tensor) => [square(x)].flatMap((y) => [relu(y), sigmoid(y)]), ['relu', 'sigmoid', 'square']],
    ['what is read twice', (x: Tensor) => [square(x)].map((y) => mul(y, y)), ['mul', 'square']],
    ['what is read in another order', (x: Tensor) => [permute(square(x), [1, 0])], ['copy', 'square']],
    [
      'what is read again and again',
      (x: Tensor) => [add(square(x), sum(square(x), { axes: 1, keepDims: true }))],
      ['square in add', 'square in sum'],
    ],
  ])('%s', async (_, body, expected) => {
    const { folded } = await run([shape], (x) => body(x as Tensor));
    expect([...folded].sort()).toEqual(expected);
  });

  it('where its reader asks for more than its elements', async () => {
    const counts = readerOf('counts', elementLoop('y[i] = x[i] + vec4f(f32(arrayLength(&x)) * s[0]);'));
    const { folded } = await run([shape, []], (x, s) => [counts(square(x as Tensor), s as Tensor)]);
    expect([...folded].sort()).toEqual(['counts', 'square']);
  });

  it('where what it reads is written before its reader', async () => {
    const { folded } = await run([shape, shape], (x, y) => {
      const doubled = scale(x as Tensor, 2);
      assign(x as Tensor, square(y as Tensor));
      return [add(doubled, y as Tensor)];
    });
    expect(folded).toContain('scale');
  });

  it('where its reader would write what it reads', async () => {
    const { folded } = await run([shape], (x) => {
      assign(x as Tensor, scale(x as Tensor, 2));
      return [];
    });
    expect(folded).toHaveLength(2);
  });

  it('where more would be kept for longer', async () => {
    const { folded } = await run([shape, shape, shape], (x, y, z) => {
      const [a, b, c] = [x, y, z].map((one) => permute(one as Tensor, [1, 0])) as [Tensor, Tensor, Tensor];
      const both = add(a, b);
      return [add(both, permute(square(permute(c, [1, 0])), [1, 0]))];
    });
    expect(folded.filter((name) => name === 'add')).toHaveLength(2);
  });
});
