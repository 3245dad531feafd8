import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import * as ops from '../../../src/kernels/index.ts';
import { flattenParameters } from '../../../src/nn/optimizer/flat-parameters.ts';
import { free, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { evaluate } from '../../../src/tensor/run/evaluate.ts';
import { jit } from '../../../src/tensor/run/jit.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

const VALUES = [1, 2, 3, 4];
const NEW = [10, 20, 30, 40];
const make = () => variable(device.current, [4], VALUES);

/** Ops that change nothing, of `[4]`; what they give is `[4]` again. */
const flat = (y: Tensor) => ops.reshape(y, [4]);
const square = (v: Tensor) => ops.reshape(v, [2, 2]);
const image = (v: Tensor) => ops.reshape(v, [1, 2, 2, 1]);
const identities: Record<string, (v: Tensor) => Tensor> = {
  roll: (v) => ops.roll(v, 0, 0),
  'roll by the length': (v) => ops.roll(v, 4, 0),
  slice: (v) => ops.slice(v, 0, 0),
  pad: (v) => ops.pad(v, [[0, 0]]),
  flip: (v) => flat(ops.flip(ops.reshape(v, [1, 4]), 0)),
  tile: (v) => ops.tile(v, [1]),
  repeat: (v) => ops.repeat(v, 1, 0),
  permute: (v) => ops.permute(v, [0]),
  'permute beside an axis of 1': (v) => flat(ops.permute(ops.reshape(v, [1, 4]), [1, 0])),
  swapAxes: (v) => flat(ops.swapAxes(ops.reshape(v, [4, 1]), 0, 1)),
  moveAxis: (v) => flat(ops.moveAxis(ops.reshape(v, [4, 1]), 0, 1)),
  einsum: (v) => flat(ops.einsum('ij->ji', ops.reshape(v, [4, 1]))),
  broadcastTo: (v) => ops.broadcastTo(v, [4]),
  cast: (v) => ops.cast(v, 'f32'),
  interpolate: (v) => flat(ops.interpolate(image(v), 2, 2, { mode: 'bilinear' })),
  interpolatePositions: (v) => flat(ops.interpolatePositions(ops.reshape(v, [1, 4, 1]), 2, 2)),
  diff: (v) => ops.diff(v, 0),
  'max over no axes': (v) => ops.max(v, { axes: [] }),
  'min over no axes': (v) => ops.min(v, { axes: [] }),
  sum: (v) => ops.sum(v, { axes: [] }),
  mean: (v) => ops.mean(v, { axes: [] }),
  prod: (v) => ops.prod(v, { axes: [] }),
  concat: (v) => ops.concat([v]),
  stack: (v) => flat(ops.stack([v])),
  chunk: (v) => ops.chunk(v, 1)[0] as Tensor,
  split: (v) => ops.split(v, 0, [4])[0] as Tensor,
  'split beside nothing': (v) => ops.split(v, 0, [0, 4])[1] as Tensor,
  unbind: (v) => ops.unbind(ops.reshape(v, [1, 4]))[0] as Tensor,
  meshgrid: (v) => ops.meshgrid([v])[0] as Tensor,
  pixelShuffle: (v) => flat(ops.pixelShuffle(image(v), 1)),
  unfold: (v) => flat(ops.unfold(image(v), 1)),
  fold: (v) => flat(ops.fold(ops.unfold(image(v), 1), [2, 2], 1)),
  straightThrough: (v) => ops.straightThrough(v, v),
  stopGradient: (v) => ops.stopGradient(v),
  reshape: (v) => flat(square(v)),
  'a slice of a reshape of a roll': (v) => flat(ops.slice(square(ops.roll(v, 0, 0)), 0, 0)),
};

describe.each(Object.entries(identities))('%s of a variable', (_, op) => {
  it('has the values of its place in a step and in jit, whatever is assigned then', async () => {
    const v = make();
    const body = ({ x }: { x: Tensor }) => {
      const before = op(v);
      ops.assign(v, x);
      const between = op(v);
      ops.assign(v, ops.scale(x, 2));
      return [before, ops.add(before, 1), between, ops.scale(between, 10), op(v), v];
    };
    const wanted = [VALUES, [2, 3, 4, 5], NEW, [100, 200, 300, 400], [20, 40, 60, 80], [20, 40, 60, 80]];
    using made = await step(device.current, { x: [4] }, body);
    const results = made({ x: NEW });
    expect((await readAll(results)).map((values) => [...values])).toEqual(wanted);
    write(v, [0, 0, 0, 0]);
    wanted[5] = [0, 0, 0, 0];
    expect((await readAll(results)).map((values) => [...values])).toEqual(wanted);

    write(v, VALUES);
    using compiled = jit(device.current, (x) => body({ x }));
    wanted[5] = [20, 40, 60, 80];
    expect((await readAll(await compiled(NEW))).map((values) => [...values])).toEqual(wanted);
    free(v);
  });

  it('is a result of a step, and a value of evaluate and read, of its own', async () => {
    const v = make();
    using made = await step(device.current, {}, () => op(v));
    const result = made({});
    const kept = await evaluate(op(v));
    const reading = read(op(v));
    write(v, NEW);
    expect([...(await read(result))]).toEqual(VALUES);
    expect([...(await read(kept))]).toEqual(VALUES);
    expect([...(await reading)]).toEqual(VALUES);
    write(kept, [5, 6, 7, 8]);
    free(result);
    expect([...(await read(v))]).toEqual(NEW);
    free(kept);
    expect([...(await read(v))]).toEqual(NEW);
    free(v);
  });

  it('has gradients with the values of its place, also when they are asked for later', async () => {
    const v = make();
    using made = await step(device.current, { x: [4] }, ({ x }) => {
      const y = ops.sum(ops.mul(op(v), x));
      ops.assign(v, x);
      return [y, ...gradients(y, [x])];
    });
    const [y, dx] = (await readAll(made({ x: NEW }))).map((values) => [...values]);
    expect([y, dx]).toEqual([[300], VALUES]);
    free(v);
  });

  it('is assigned to its own variable', async () => {
    const v = make();
    using made = await step(device.current, { x: [4] }, ({ x }) => {
      const old = op(v);
      ops.assign(v, op(v));
      ops.assign(v, x);
      return ops.assign(v, old);
    });
    made({ x: NEW });
    expect([...(await read(v))]).toEqual(VALUES);
    free(v);
  });
});

describe('assign', () => {
  it('of a variable to itself changes nothing', async () => {
    const v = make();
    await run(device.current, () => ops.assign(v, v));
    expect([...(await read(v))]).toEqual(VALUES);
    free(v);
  });

  it('of a variable to another in the same buffer', async () => {
    const [a, b] = [make(), variable(device.current, [4], NEW)];
    flattenParameters(device.current, [
      ['a', a],
      ['b', b],
    ]);
    await run(device.current, () => ops.assign(a, b));
    expect([...(await read(a)), ...(await read(b))]).toEqual([...NEW, ...NEW]);
  });

  it('through a reshaped variable is what that has then', async () => {
    const v = make();
    const rows = square(v);
    const [added, values] = (await run(device.current, () => {
      ops.assign(rows, ops.scale(rows, 2));
      return [ops.add(rows, 1), v];
    })) as Float32Array[];
    expect([...(added as Float32Array)]).toEqual([3, 5, 7, 9]);
    expect([...(values as Float32Array)]).toEqual([2, 4, 6, 8]);
    free(v);
  });

  it('through a reshaped variable is seen by what is taken of that, which then stays', async () => {
    const v = make();
    const taken: readonly [string, (w: Tensor) => Tensor][] = [
      ['reshape', flat],
      ['stopGradient', (w) => flat(ops.stopGradient(w))],
      ['roll', (w) => flat(ops.roll(w, 0, 0))],
    ];
    for (const [name, of] of taken) {
      write(v, VALUES);
      const values = await run(device.current, () => {
        const w = square(v);
        ops.assign(w, ops.add(w, 1));
        const [y, squares] = [of(w), ops.square(of(w))];
        ops.assign(v, ops.scale(v, 10));
        return [y, squares, of(w)];
      });
      const [y, squares, later] = values.map((list) => [...(list as Float32Array)]);
      expect([name, y, squares, later]).toEqual([name, [2, 3, 4, 5], [4, 9, 16, 25], [2, 3, 4, 5]]);
    }
    free(v);
  });

  it.each(['i32', 'u32'] as const)('of %s, whose reductions over nothing keep its values', async (dtype) => {
    const v = variable(device.current, [], [5], dtype);
    const reduced = [ops.max, ops.min, ops.sum, ops.prod];
    const values = await run(device.current, () => {
      const ys = reduced.map((op) => op(v));
      ops.assign(v, ops.add(v, 1));
      return [...ys, v];
    });
    expect(values.map((list) => [...(list as Int32Array)])).toEqual([[5], [5], [5], [5], [6]]);
    free(v);
  });

  it.for([
    ['f16', [1.5, -2, 3]],
    ['i32', [1, -2, 3]],
    ['u32', [1, 2, 3]],
    ['bool', [1, 0, 1]],
  ] as const)('of %s, of a length that is no multiple of 4', async ([dtype, values], { skip }) => {
    skip(dtype === 'f16' && !device.current.features.has('shader-f16'), 'the adapter has no f16');
    const v = variable(device.current, [3], values, dtype);
    const [x, old, now] = await run(device.current, () => {
      const before = ops.roll(v, 0, 0);
      ops.assign(v, ops.flip(v));
      ops.assign(v, ops.roll(v, 1, 0));
      return [before, ops.slice(before, 0, 1), v];
    });
    expect([x, old, now].map((list) => [...(list as Float32Array)])).toEqual([
      values,
      values.slice(1),
      [values[0], values[2], values[1]],
    ]);
    free(v);
  });

  it('costs nothing where nothing is used after it', async () => {
    const v = make();
    using made = await step(device.current, { x: [4] }, ({ x }) => {
      const y = ops.mul(square(v), square(x));
      ops.assign(v, x);
      return y;
    });
    expect(made.launches.map(({ kernel }) => kernel.name)).toEqual(['mul', 'assign']);
    free(v);
  });
});
