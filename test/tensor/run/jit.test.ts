import { describe, expect, it } from 'vitest';
import { assign } from '../../../src/kernels/elementwise/assign.ts';
import { mul } from '../../../src/kernels/elementwise/binary.ts';
import { dropout } from '../../../src/kernels/elementwise/dropout.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { scale } from '../../../src/kernels/elementwise/unary.ts';
import { reshape, slice } from '../../../src/kernels/layout/index.ts';
import { crossEntropy } from '../../../src/kernels/row-ops/cross-entropy.ts';
import { add, fill } from '../../../src/tensor/graph/fill.ts';
import { free, tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { evaluate } from '../../../src/tensor/run/evaluate.ts';
import { jit } from '../../../src/tensor/run/jit.ts';
import { read, readAll, readU32 } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import { ShapeError } from '../../../src/tensor/values/index.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

async function message(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'did not fail',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

describe('jit', () => {
  it('makes a step for each set of shapes, once', async () => {
    let recorded = 0;
    using twice = jit(device.current, (x) => {
      recorded++;
      return add(x, x);
    });
    expect([...(await read(await twice([1, 2, 3])))]).toEqual([2, 4, 6]);
    expect([...(await read(await twice(new Float32Array([5, 6, 7]))))]).toEqual([10, 12, 14]);
    expect(recorded).toBe(2);
    const matrix = await twice([
      [1, 2],
      [3, 4],
    ]);
    expect(matrix.shape).toEqual([2, 2]);
    expect([...(await read(matrix))]).toEqual([2, 4, 6, 8]);
    expect([...(await read(await twice(8)))]).toEqual([16]);
    expect(recorded).toBe(6);
    expect(twice.shapes()).toEqual(['[3]', '[2, 2]', '[]']);
  });

  it('takes tensors, and its own results', async () => {
    using sum = jit(device.current, (x, y) => add(x, y));
    const x = tensor(device.current, [1, 2]);
    let state = await sum(x, [10, 20]);
    for (let i = 0; i < 3; i++) state = await sum(state, x);
    expect([...(await read(state))]).toEqual([14, 28]);
  });

  it('lets the oldest step go beyond so many', async () => {
    using twice = jit(device.current, (x) => add(x, x), { keep: 2 });
    const first = await twice([1]);
    await twice([1, 2]);
    await twice([1, 2, 3]);
    expect(twice.shapes()).toEqual(['[2]', '[3]']);
    expect(await message(read(first))).toBe('StepError: read: the memory of this tensor was freed');
    expect([...(await read(await twice([1])))]).toEqual([2]);
  });

  it('fails where a result is read after the next call, instead of giving its values', async () => {
    using twice = jit(device.current, (x) => add(x, x));
    const [first, second] = await Promise.all([twice([1, 2]), twice([3, 4])]);
    expect([...(await read(second))]).toEqual([6, 8]);
    expect(await message(read(first))).toBe(
      'StepError: read: the memory of this tensor was overwritten by the next call of its step; read it or keep it by evaluate() before',
    );
  });

  it('updates variables, and gives lists and objects of results', async () => {
    const w = variable(device.current, [2], [1, 1]);
    using train = jit(device.current, (x) => {
      const loss = mul(w, x);
      const [dw] = gradients(loss, [w], fill(device.current, [2], 1));
      assign(w, add(w, scale(dw as Tensor, -0.5)));
      return { loss, dw: dw as Tensor };
    });
    const { dw } = await train([2, 4]);
    expect([...(await read(dw))]).toEqual([2, 4]);
    expect([...(await read(w))]).toEqual([0, -1]);
    free(w);
  });

  it('says what is missing, or cannot be an input', async () => {
    using sum = jit(device.current, (x, y) => add(x, y), { name: 'sum' });
    expect(await message(sum([1]))).toBe('StepError: sum: takes 2 inputs; got 1');
    expect(await message(sum([1], 'a' as never))).toMatch(/^StepError: sum: input '2' must be f32 \[1\]/);
    expect(await message(sum([1], undefined as never))).toBe('StepError: sum: takes 2 inputs; got 1');
    const x = tensor(device.current, [1]);
    expect(await message(sum([1], add(x, x)))).toMatch(/got an op result, which has no values yet/);
    expect(() => jit(device.current, (x) => x, { keep: 0 })).toThrow(/keep must be a whole number of steps/);
    expect(() => jit(((a: Tensor) => a) as never, undefined as never)).toThrow(
      'jit: the device comes first, as await openDevice() gives it; got a function',
    );
    expect(() => jit(device.current, undefined as never)).toThrow('jit: the body must be a function; got undefined');
    expect(() => jit(device.current, (x) => x, { checks: true } as never)).toThrow(
      "jit: options come by name: { keep, name, check, time }; there is no 'checks'",
    );
  });
});

describe('inputs of a jit', () => {
  const classes = (x: Tensor, ids: Tensor) => crossEntropy(x, ids);

  it('that are lists where an op wants whole numbers: the remedy is told, and works', async () => {
    using loss = jit(device.current, classes);
    const told = 'crossEntropy: classes must be u32 or i32; these are f32; got classes [1]';
    const hint = ' (a list is f32 to jit: give a Uint32Array or tensor(...))';
    const error = await loss([[1, 2]], [0]).catch((error: Error) => error);
    expect(error).toBeInstanceOf(ShapeError);
    expect((error as Error).message).toBe(told + hint);
    expect((error as Error).stack).toContain(told + hint);
    expect((await loss([[1, 2]], new Uint32Array([0]))).shape).toEqual([]);
    expect((await loss([[1, 2]], tensor(device.current, new Uint32Array([0])))).shape).toEqual([]);
    using noisy = jit(device.current, (x, key) => dropout(x, key, 0.5));
    const x = tensor(device.current, [1, 2]);
    expect(await message(noisy(x, [7, 1]))).toBe(
      `ShapeError: dropout: the key must be a tensor of two u32, the seed of the step; it is f32; got key [2]${hint}`,
    );
    // Where no list is the reason, nothing is added.
    expect(await message(loss(new Float32Array(2), new Float32Array(1)))).not.toContain(hint);
    expect(await message(loss(x, tensor(device.current, [0])))).not.toContain(hint);
    using product = jit(device.current, (a, b) => add(a, b));
    expect(await message(product([1, 2], [1, 2, 3]))).not.toContain(hint);
  });

  it('come one by one: what a step would take is refused', async () => {
    const told =
      "StepError: twice: inputs of a jit come one by one, as f(x, y), and its body takes them so; got { x } as '1'";
    using byName = jit(device.current, (({ x }: { x: Tensor }) => add(x, x)) as never, { name: 'twice' });
    expect(await message(byName({ x: [1] } as never))).toBe(told);
    using twice = jit(device.current, (x) => add(x, x), { name: 'twice' });
    expect(await message(twice({ x: [1] } as never))).toBe(told);
    expect(await message(twice(Promise.resolve([1]) as never))).toMatch(/got a promise; await it$/);
  });
});

describe('evaluate', () => {
  it('computes once what is used several times', async () => {
    const x = tensor(device.current, [1, 2, 3]);
    const y = await evaluate(add(x, x));
    expect([...(await read(y))]).toEqual([2, 4, 6]);
    const z = add(y, y);
    using program = await step(device.current, {}, () => z);
    expect(program.launches).toHaveLength(1);
    expect([...(await read(z))]).toEqual([4, 8, 12]);
    const before = device.current.bytes;
    free(y);
    expect(device.current.bytes).toBeLessThan(before);
    expect(await message(read(y))).toBe('StepError: read: the memory of this tensor was freed');
  });

  it('takes several, also views, constants and variables', async () => {
    const x = tensor(device.current, [1, 2]);
    const v = variable(device.current, [2], [3, 4]);
    const shared = add(x, v);
    const [a, b, c, d] = await evaluate([add(shared, x), add(shared, shared), x, v]);
    expect([...(await read(a as Tensor))]).toEqual([5, 8]);
    expect([...(await read(b as Tensor))]).toEqual([8, 12]);
    expect([c, d]).toEqual([x, v]);
    expect(await evaluate([])).toEqual([]);
    expect(await message(evaluate([5 as never]))).toBe(
      'ShapeError: evaluate: x[0] must be a tensor; it is the number 5',
    );
    free(v);
  });

  it('copies results of a step, and views of them, which outlive its next calls', async () => {
    using twice = await step(device.current, { x: [2] }, ({ x }) => ({ y: add(x, x), x, none: slice(x, 0, 0, 0) }));
    const first = twice({ x: [1, 2] });
    // The copies are made at once, whatever comes while they are waited for.
    const keeping = evaluate([first.y, reshape(first.y, [2, 1]), first.x, add(first.y, first.x), first.none]);
    const other = jit(device.current, (x) => add(x, x));
    const ofJit = await evaluate(await other([7]));
    const [y, view, x, sum, none] = (await keeping) as [Tensor, Tensor, Tensor, Tensor, Tensor];
    twice({ x: [10, 20] });
    await other([8]);
    const held = [y, view, x, sum, none, ofJit];
    const expected = [[2, 4], [2, 4], [1, 2], [3, 6], [], [14]];
    expect((await readAll(held)).map((values) => [...values])).toEqual(expected);
    expect(view.shape).toEqual([2, 1]);
    twice.dispose();
    other.dispose();
    expect((await readAll(held)).map((values) => [...values])).toEqual(expected);
    for (const t of held) free(t);
  });

  it('fails in the body of a step, and of what was overwritten', async () => {
    const x = tensor(device.current, [1]);
    const body = () => {
      void evaluate(add(x, x));
      return x;
    };
    expect(await message(step(device.current, {}, body))).toBe(
      'StepError: evaluate: the body of a step has no values: it only records; use the tensor itself, or make it an input',
    );
    using twice = await step(device.current, { x: [1] }, (given) => add(given.x, given.x));
    const stale = twice({ x: [1] });
    twice({ x: [2] });
    expect(await message(evaluate(stale))).toBe(
      'StepError: evaluate: the memory of this tensor was overwritten by the next call of its step; read it or keep it by evaluate() before',
    );
  });

  it('is a parameter to gradients that are asked for it', async () => {
    const x = await evaluate(add(tensor(device.current, [1]), tensor(device.current, [2])));
    const [dx] = gradients(mul(x, x), [x]);
    expect([...(await read(dx as Tensor))]).toEqual([6]);
  });
});

describe('assign', () => {
  it('writes a variable at every call: before it the old values are read, after it the new', async () => {
    const v = variable(device.current, [5], [1, 2, 3, 4, 5]);
    using next = await step(device.current, {}, () => {
      const before = scale(v, 10);
      assign(v, add(v, v));
      return { before, after: scale(v, 1) };
    });
    for (const factor of [1, 2, 4]) {
      const { before, after } = next({});
      expect([...(await read(before))]).toEqual([10, 20, 30, 40, 50].map((value) => value * factor));
      expect([...(await read(after))]).toEqual([2, 4, 6, 8, 10].map((value) => value * factor));
    }
    free(v);
  });

  it('takes u32 too', async () => {
    const v = variable(device.current, [6], new Uint32Array(6));
    const values = tensor(device.current, new Uint32Array([1, 2, 3, 4, 5, 2 ** 32 - 1]));
    await run(device.current, () => assign(v, values));
    expect([...(await readU32(v))]).toEqual([1, 2, 3, 4, 5, 2 ** 32 - 1]);
    free(v);
  });

  it('refuses other shapes, and what is no variable', async () => {
    const v = variable(device.current, [2]);
    const x = tensor(device.current, [1, 2, 3]);
    expect(() => assign(v, x)).toThrow(
      "assign: the value must have the variable's shape and dtype (f32); it is f32; got target [2], value [3]",
    );
    expect(() => assign(x, x)).toThrow(/the target must be a variable, as variable\(\) or parameter\(\) makes it/);
    expect(() => assign(v, [1, 2] as never)).toThrow(
      /the value must be a tensor; it is a list; from the host, use write\(\)/,
    );
    free(v);
  });
});
