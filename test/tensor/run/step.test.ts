import { describe, expect, it } from 'vitest';
import { KernelError } from '../../../src/gpu/errors.ts';
import { kernel } from '../../../src/gpu/kernel.ts';
import { div } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import type { MatmulEpilogue } from '../../../src/kernels/matmul/product.ts';
import { add, fill } from '../../../src/tensor/graph/fill.ts';
import { free, tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { evaluate } from '../../../src/tensor/run/evaluate.ts';
import { read, readAll, readU32 } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** A step's message without its stack. */
async function message(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'did not fail',
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

describe('reading outside of steps', () => {
  it('computes what the tensor depends on', async () => {
    const x = tensor(device.current, [1, 2, 3]);
    const y = add(x, add(x, x));
    expect([...(await read(y))]).toEqual([3, 6, 9]);
    expect([...(await read(y))]).toEqual([3, 6, 9]);
    const [a, b, c] = await readAll([x, y, add(y, y)]);
    expect([[...(a ?? [])], [...(b ?? [])], [...(c ?? [])]]).toEqual([
      [1, 2, 3],
      [3, 6, 9],
      [6, 12, 18],
    ]);
  });

  it('leaves nothing behind', async () => {
    const x = tensor(device.current, new Float32Array(1000).fill(2));
    await read(add(x, x));
    const before = device.current.bytes;
    for (let i = 0; i < 20; i++) await read(add(add(x, x), x));
    expect(device.current.bytes).toBeLessThan(before + 40_000);
  });

  it('refuses what is no tensor, and tensors that nothing writes', async () => {
    const x = tensor(device.current, [1, 2, 3]);
    expect(await message(read([1, 2] as never))).toBe(
      'ShapeError: read: x must be a tensor; it is a list; tensor(device, values) makes one',
    );
    expect(await message(readU32(undefined as never))).toMatch(
      /^ShapeError: readU32: x must be a tensor; it is undefined$/,
    );
    expect(await message(readAll(x as never))).toBe(
      'ShapeError: readAll: xs must be a list of tensors; it is a Tensor',
    );
    expect(await message(readAll([x, 5] as never))).toMatch(
      /^ShapeError: readAll: xs\[1\] must be a tensor; it is the number 5$/,
    );
    const nowhere = kernel({ name: 'nowhere', bind: { x: 'read T', y: 'write T' }, grid: () => [0], wgsl: '' });
    const unwritten = () => {
      const y = empty(x);
      dispatch(nowhere, { x, y }, {});
      return y;
    };
    const rule = /^StepError: a tensor \[3\] has no values: no launch writes it$/;
    expect(await message(read(unwritten()))).toMatch(rule);
    expect(await message(step(device.current, {}, () => ({ y: empty(x) })))).toMatch(rule);
    expect(await message(run(device.current, unwritten))).toMatch(rule);
  });

  it('handles tensors without elements', async () => {
    const x = tensor(device.current, new Float32Array(0), [0, 3]);
    expect((await read(add(x, x))).length).toBe(0);
  });
});

describe('steps', () => {
  it('fail for what only a promise could refuse in their bodies', async () => {
    const x = tensor(device.current, [1]);
    const rejected: unknown[] = [];
    const hear = (error: unknown) => void rejected.push(error);
    const bodies: [what: () => unknown, rule: RegExp][] = [
      [() => read(x), /^StepError: read: a step or scan has no values while it is recorded/],
      [() => readAll([x]), /^StepError: read: a step or scan has no values while it is recorded/],
      [() => step(device.current, {}, () => x), /^StepError: step: a step cannot be made inside the body of another$/],
      [() => run(device.current, () => x), /^StepError: step: a step cannot be made inside the body of another$/],
    ];
    const { process } = globalThis as { process?: NodeJS.Process };
    process?.on('unhandledRejection', hear);
    for (const [what, rule] of bodies) {
      const body = () => {
        what();
        return add(x, x);
      };
      expect(await message(step(device.current, {}, body))).toMatch(rule);
    }
    await new Promise((done) => setTimeout(done, 20));
    process?.off('unhandledRejection', hear);
    expect(rejected).toEqual([]);
    expect([...(await read(add(x, x)))]).toEqual([2]);
  });

  it('replays with other inputs and allocates nothing', async () => {
    const w = variable(device.current, [2], new Float32Array([10, 20]));
    const twice = await step(device.current, { x: [2] }, ({ x }) => add(add(x, x), w));
    let y = twice({ x: [1, 2] });
    expect([...(await read(y))]).toEqual([12, 24]);
    const made = device.current.buffersMade;
    for (let i = 0; i < 100; i++) y = twice({ x: [i, i] });
    expect([...(await read(y))]).toEqual([208, 218]);
    expect(device.current.buffersMade).toBe(made);
    twice.dispose();
  });

  it('makes no buffer and no bind group when it is replayed, whatever its inputs are', async () => {
    const w = variable(device.current, [2], new Float32Array([10, 20]));
    using other = await step(device.current, { x: [2] }, ({ x }) => add(x, x));
    const inputs = { x: [2], y: [2], z: [], ids: { shape: [2], dtype: 'u32' } } as const;
    using all = await step(device.current, inputs, ({ x, y, z, ids }) => [
      add(add(x, y), w),
      add(z, z),
      add(x, x),
      ids,
    ]);
    const prototype = Object.getPrototypeOf(device.current.gpu) as Record<string, (...args: unknown[]) => unknown>;
    const made: string[] = [];
    const names = ['createBuffer', 'createBindGroup', 'createBindGroupLayout', 'createComputePipeline'] as const;
    const originals = names.map((name) => prototype[name] as (...args: unknown[]) => unknown);
    names.forEach((name, i) => {
      prototype[name] = function (this: unknown, ...args) {
        made.push(name);
        return (originals[i] as (...args: unknown[]) => unknown).apply(this, args);
      };
    });
    try {
      for (let i = 0; i < 10; i++) {
        all({ x: [i, 1], y: other({ x: new Float32Array([i, i]) }), z: i, ids: new Uint32Array([i, i]) });
      }
      expect(made).toEqual([]);
      device.current.destroyBuffer(device.current.buffer(16, 'counted'));
      expect(made).toEqual(['createBuffer']);
    } finally {
      names.forEach((name, i) => {
        prototype[name] = originals[i] as (...args: unknown[]) => unknown;
      });
    }
    const [sum] = all({ x: [1, 2], y: [3, 4], z: 0, ids: [0, 0] }) as [Tensor, ...Tensor[]];
    expect([...(await read(sum))]).toEqual([14, 26]);
  });

  it('takes results of another step as inputs', async () => {
    using first = await step(device.current, { x: [2] }, ({ x }) => add(x, x));
    using second = await step(device.current, { x: [2] }, ({ x }) => ({ y: add(x, x) }));
    const { y } = second({ x: first({ x: [1, 2] }) });
    expect([...(await read(y))]).toEqual([4, 8]);
  });

  it('includes what was made outside of the body', async () => {
    const x = tensor(device.current, [1, 2]);
    const outside = add(x, x);
    using made = await step(device.current, {}, () => add(outside, x));
    expect([...(await read(made({})))]).toEqual([3, 6]);
  });

  it('leaves out what nobody needs', async () => {
    using made = await step(device.current, { x: [4] }, ({ x }) => {
      add(x, add(x, x));
      return add(x, x);
    });
    expect(made.launches.length).toBe(1);
  });

  it('says that a body does not repeat itself', async () => {
    let value = 0;
    const failing = step(device.current, { x: [4] }, ({ x }) => add(x, fill(device.current, [4], value++)));
    expect(await message(failing)).toMatchInlineSnapshot(
      `"StepError: step: the body does not repeat itself: launch 1 (fill): 'value' changed (0, then 1); pass what changes as an input"`,
    );
    const branching = step(device.current, { x: [4] }, ({ x }) => (value++ % 2 ? add(x, x) : add(add(x, x), x)));
    expect(await message(branching)).toMatchInlineSnapshot(
      `"StepError: step: the body does not repeat itself: launch 2 (accumulate): is there in one run only; pass what changes as an input"`,
    );
    const constants = step(device.current, {}, () =>
      add(tensor(device.current, [value++]), tensor(device.current, [1])),
    );
    expect(await message(constants)).toMatchInlineSnapshot(
      `"StepError: step: the body does not repeat itself: launch 1 (accumulate): the values of the constant 'a' changed; pass what changes as an input"`,
    );
  });

  it('says to make variables outside of the body', async () => {
    const made = step(device.current, {}, () =>
      add(variable(device.current, [4]), tensor(device.current, [1, 2, 3, 4])),
    );
    expect(await message(made)).toMatchInlineSnapshot(
      `"StepError: step: the body does not repeat itself: launch 1 (accumulate): 'a' is another variable: make it outside; pass what changes as an input"`,
    );
  });

  it('refuses options that there are not', async () => {
    const body = () => tensor(device.current, [1]);
    expect(await message(step(device.current, {}, body, { checks: true } as never))).toMatchInlineSnapshot(
      `"ShapeError: step: options come by name: { name, check, time, readEarly }; there is no 'checks'"`,
    );
    expect(await message(run(device.current, body, 'check' as never))).toMatch(
      /^ShapeError: run: options come by name/,
    );
  });

  describe('a result', () => {
    const STALE = 'was overwritten by the next call of its step; read it or keep it by evaluate() before';
    const double = () => step(device.current, { x: [] }, ({ x }) => add(x, x), { name: 'double' });

    it('is read as often as one likes until the next call, and by what is made of it', async () => {
      using twice = await double();
      for (const x of [1, 2, 3]) {
        const y = twice({ x });
        const made = add(y, y);
        for (let i = 0; i < 2; i++) expect([...(await read(y)), ...(await read(made))]).toEqual([2 * x, 4 * x]);
      }
      // What was asked for before the next call is of that moment.
      const before = twice({ x: 5 });
      const reading = Promise.all([read(before), read(add(before, before))]);
      twice({ x: 6 });
      expect((await reading).flatMap((values) => [...values])).toEqual([10, 20]);
    });

    it('is an error after the next call, in lists of results and in sums', async () => {
      using twice = await double();
      const all: Tensor[] = [];
      let total: Tensor = tensor(device.current, 0);
      for (let i = 0; i < 5; i++) all.push(twice({ x: i }));
      expect(await message(readAll(all))).toBe(`StepError: read: the memory of this tensor ${STALE}`);
      for (let i = 0; i < 3; i++) total = add(total, twice({ x: i }));
      expect(await message(read(total))).toBe(`StepError: accumulate: uses a tensor [] whose memory ${STALE}`);
      expect([...(await read(twice({ x: 4 })))]).toEqual([8]);
    });

    it('is an error as an input after the next call, of its own step and of others; not before', async () => {
      using twice = await double();
      using other = await step(device.current, { x: [] }, ({ x }) => add(x, x), { name: 'other' });
      const first = twice({ x: 1 });
      const second = twice({ x: first });
      expect([...(await read(second))]).toEqual([4]);
      for (const [call, name] of [
        [twice, 'double'],
        [other, 'other'],
      ] as const) {
        expect(() => call({ x: first })).toThrow(
          `${name}: input 'x' must be f32 []; got a tensor whose memory ${STALE}`,
        );
      }
      // A call that was refused has changed nothing.
      expect([...(await read(other({ x: second })))]).toEqual([8]);
    });

    it('is an error to a step that uses it without an input, once it is overwritten', async () => {
      using twice = await double();
      const first = twice({ x: 1 });
      using other = await step(device.current, {}, () => add(first, first), { name: 'other' });
      for (let i = 0; i < 2; i++) expect([...(await read(other({})))]).toEqual([4]);
      twice({ x: 2 });
      for (let i = 0; i < 2; i++) {
        expect(() => other({})).toThrow(`other: accumulate: the memory of a tensor [] ${STALE}`);
      }
      expect(await message(step(device.current, {}, () => add(first, first)))).toBe(
        `StepError: accumulate: uses a tensor [] whose memory ${STALE}`,
      );
    });

    it('is one tensor for each that the body returns; variables are the same in all calls', async () => {
      const w = variable(device.current, [], 3);
      using several = await step(device.current, { x: [] }, ({ x }) => {
        const y = add(x, x);
        return [y, w, x, y];
      });
      const [a, v, x] = several({ x: 1 }) as unknown as [Tensor, Tensor, Tensor];
      const [b, u, z, same] = several({ x: 2 }) as unknown as [Tensor, Tensor, Tensor, Tensor];
      expect([v, u]).toEqual([w, w]);
      expect(same).toBe(b);
      expect((await readAll([b, u, z, v])).map((values) => values[0])).toEqual([4, 3, 2, 3]);
      for (const t of [a, x])
        expect(await message(read(t))).toBe(`StepError: read: the memory of this tensor ${STALE}`);
      several.dispose();
      expect(await message(read(b))).toBe('StepError: read: the memory of this tensor was freed');
    });

    it('is not freed by its caller, as its memory is that of the step; what evaluate kept of it is', async () => {
      using twice = await step(device.current, { x: [2] }, ({ x }) => [add(x, x), x]);
      const [y, x] = twice({ x: [1, 2] });
      const kept = await evaluate(y as Tensor);
      for (const t of [y, x, kept]) free(t as Tensor);
      expect(await read(y as Tensor)).toEqual(new Float32Array([2, 4]));
      expect(await message(read(kept))).toBe('StepError: read: the memory of this tensor was freed');
      const [next] = twice({ x: [3, 4] });
      expect(await read(next as Tensor)).toEqual(new Float32Array([6, 8]));
    });

    it('is checked in check mode, and is an error after the next call', async () => {
      using divided = await step(device.current, { x: [] }, ({ x }) => div(x, x), { check: true });
      const good = divided({ x: 1 });
      expect([...(await read(good))]).toEqual([1]);
      const bad = divided({ x: 0 });
      expect(await message(read(good))).toBe(`StepError: read: the memory of this tensor ${STALE}`);
      expect(await message(read(bad))).toMatch(/^NotFiniteError: step: .*wrote NaN/);
    });
  });

  it('refuses wrong inputs', async () => {
    using made = await step(device.current, { x: [2, 3] }, ({ x }) => add(x, x));
    expect(() => made({} as never)).toThrowErrorMatchingInlineSnapshot(
      `[StepError: step: input 'x' is missing; expected f32 [2, 3]]`,
    );
    expect(() => made({ x: [1, 2] })).toThrowErrorMatchingInlineSnapshot(
      `[StepError: step: input 'x' must be f32 [2, 3] (6 values); got 2 values]`,
    );
    expect(() => made({ x: new Set([1]) as never })).toThrowErrorMatchingInlineSnapshot(
      `[StepError: step: input 'x' must be f32 [2, 3] (6 values); got a Set]`,
    );
    expect(() => made({ x: new Float32Array(6), y: 1 } as never)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: step: inputs come by name: { x }; there is no 'y']`,
    );
    const gone = await step(device.current, { x: [1] }, ({ x }) => x);
    gone.dispose();
    expect(() => gone({ x: 1 })).toThrowErrorMatchingInlineSnapshot(`[StepError: step: this step was disposed]`);
  });

  it('say what is missing of the device, the inputs and the body', async () => {
    const body = () => tensor(device.current, [1]);
    const wrong = step as (...given: unknown[]) => Promise<unknown>;
    const inputs = 'StepError: step: inputs come before the body, such as { x: [4, 2] }; got';
    expect(await message(wrong(device.current, body))).toBe(`${inputs} a function`);
    expect(await message(wrong(device.current, null, body))).toBe(`${inputs} null`);
    expect(await message(wrong(device.current, {}))).toBe(
      'StepError: step: the body must be a function; got undefined',
    );
    expect(await message(run(device.current, undefined as never))).toBe(
      'StepError: run: the body must be a function; got undefined',
    );
    const first = 'the device comes first, as await openDevice() gives it; got';
    expect(await message(wrong({ x: [2] }, body))).toBe(`StepError: step: ${first} an object`);
    expect(await message(run(body as never, undefined as never))).toBe(`StepError: run: ${first} a function`);
    expect(() => tensor([1, 2] as never, undefined as never)).toThrow(`tensor: ${first} a list`);
    expect(() => variable([1, 2] as never, undefined as never)).toThrow(`variable: ${first} a list`);
  });

  it('refuses what a body cannot return', async () => {
    const x = tensor(device.current, [1]);
    const wrong: [unknown, string][] = [
      [{ y: x, a: undefined }, "got undefined as 'a'"],
      [{ a: { b: x } }, "got an object as 'a'"],
      [[x, [x]], "got a list as '1'"],
      [[x, 3], "got the number 3 as '1'"],
      [3, 'got the number 3'],
      [null, 'got null'],
      ['x', "got the string 'x'"],
      [new Map([['x', x]]), 'got a Map'],
      [new Set([x]), 'got a Set'],
      [new Float32Array(2), 'got a Float32Array'],
    ];
    for (const [results, got] of wrong) {
      const text = await message(step(device.current, {}, () => results as Tensor));
      expect(text).toBe(
        `StepError: step: the body must return tensors: none, one, a list or an object of them; ${got}`,
      );
    }
    expect(await message(step(device.current, {}, (async () => x) as never))).toMatch(/the body must not be async/);
  });

  it('does not let JavaScript compute with tensors', () => {
    const x = tensor(device.current, [1, 2]);
    const any = x as unknown as number;
    for (const wrong of [() => any > 0, () => any + 1, () => 1 - any, () => +any, () => any * 2, () => -any]) {
      expect(wrong).toThrow(
        /^Tensor f32 \[2\]: operators and JSON do not reach its values; use ops, such as add\(a, b\), or await toArray/,
      );
    }
    expect([`${x}`, String(x), [x].join()]).toEqual(new Array(3).fill('Tensor f32 [2]'));
  });

  it('writes variables only inside steps and runs', async () => {
    const w = variable(device.current, [3], new Float32Array([1, 2, 3]));
    const increment = () => dispatch(incrementKernel, { w }, { n: 3 });
    expect(increment).toThrowErrorMatchingInlineSnapshot(
      `[StepError: increment: writes a variable; call it inside step() or run()]`,
    );
    await run(device.current, () => void increment());
    expect([...(await read(w))]).toEqual([2, 3, 4]);
  });

  it('adds to variables as soon as it can, and not sooner', async () => {
    const w = variable(device.current, [2], new Float32Array([1, 2]));
    using made = await step(device.current, { x: [2] }, ({ x }) => {
      const before = add(w, w);
      const a = add(x, x);
      const b = add(a, a);
      const c = add(b, b);
      dispatch(increaseKernel, { w, x: b }, {});
      dispatch(increaseKernel, { w, x: a }, {});
      return [before, c, add(w, w)];
    });
    const kernels = made.launches.map((launch) => launch.kernel.name);
    expect(kernels).toEqual([
      'accumulate',
      'accumulate',
      'accumulate',
      'increase',
      'increase',
      'accumulate',
      'accumulate',
    ]);
    const [before, c, after] = (await readAll(made({ x: [1, 1] }) as Tensor[])) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    expect([[...before], [...c], [...after]]).toEqual([
      [2, 4],
      [8, 8],
      [14, 16],
    ]);
  });

  it('prints itself', async () => {
    using made = await step(device.current, { x: [100] }, ({ x }) => add(add(x, x), x), { name: 'sum' });
    expect(String(made)).toMatchInlineSnapshot(`
      "sum: 2 launches, 800 bytes planned (800 bytes unplanned), 400 bytes results and constants, 512 bytes uniforms
         1  accumulate  1×1×1  a=s0[100] b=s0[100] y=s1[100]
         2  accumulate  1×1×1  a=s1[100] b=s0[100] y=s2[100]"
    `);
  });

  it('prints of a launch what it has: a bias and a residual where they are, no results that nobody needs', async () => {
    const weight = tensor(device.current, [[1, 2]]);
    const bias = tensor(device.current, [1]);
    const names = async (options: MatmulEpilogue) => {
      using made = await step(device.current, { x: [3, 2] }, ({ x }) => linear(x, weight, options));
      return Array.from(String(made).matchAll(/(\w+)=/g), ([, name]) => name);
    };
    expect(await names({})).toEqual(['a', 'b', 'y']);
    expect(await names({ bias })).toEqual(['a', 'b', 'bias', 'y']);
    expect(await names({ bias, residual: tensor(device.current, [[1], [2], [3]]) })).toEqual([
      ...['a', 'b', 'bias', 'residual', 'y'],
    ]);
  });
});

describe('check mode', () => {
  it('finds an element that a kernel forgets', async () => {
    using made = await step(
      device.current,
      { x: [8] },
      ({ x }) => {
        const y = empty(x);
        dispatch(forgetful, { x, y }, { n: 7 });
        return add(y, y);
      },
      { check: true },
    );
    const text = await message(read(made({ x: new Float32Array(8) })));
    expect(text.replace(/, recorded .*/, ', recorded …')).toMatchInlineSnapshot(
      `"NotFiniteError: step: forgetful wrote NaN to 'y' [8] at 7 (other tensors: [8]), recorded …"`,
    );
    expect(text).toMatch(/recorded .*step\.test/);
  });

  it('lets good steps through', async () => {
    using made = await step(device.current, { x: [8] }, ({ x }) => add(add(x, x), x), { check: true });
    expect((await read(made({ x: new Float32Array(8).fill(2) })))[7]).toBe(6);
  });
});

describe('failures of the GPU', () => {
  it('shows the compiler’s words and the line', async () => {
    const broken = kernel({
      name: 'broken',
      bind: { y: 'write f32' },
      grid: () => [1],
      wgsl: '@compute @workgroup_size(1)\nfn main() { y[0] = missing; }',
    });
    const y = empty(tensor(device.current, [1]));
    dispatch(broken, { y }, {});
    const text = await message(read(y));
    expect(text).toMatch(
      /^KernelError: kernel broken does not compile:\n {2}line \d+: .*missing[\s\S]*fn main\(\) \{ y\[0\] = missing; \}$/,
    );
  });

  it('says why a kernel did not load, and loads it the next time, once', async () => {
    let loads = 0;
    const late = kernel({
      name: 'late',
      bind: { y: 'write f32' },
      grid: () => [1],
      wgsl: async () => {
        if (loads++ === 0) throw new KernelError('late', 'late: its kernel could not be loaded', '');
        return '@compute @workgroup_size(1)\nfn main() { y[0] = 7.0; }';
      },
    });
    const launch = () => {
      const y = empty(tensor(device.current, [1]));
      dispatch(late, { y }, {});
      return read(y);
    };
    expect(await message(launch())).toBe('KernelError: late: its kernel could not be loaded');
    expect([...(await launch())]).toEqual([7]);
    expect([...(await launch())]).toEqual([7]);
    expect(loads).toBe(2);
  });

  it('times launches', async () => {
    if (!device.current.features.has('timestamp-query')) return;
    using made = await step(device.current, { x: [1000] }, ({ x }) => add(add(x, x), x), { time: true });
    made({ x: new Float32Array(1000) });
    const times = await made.times();
    expect(times.map((t) => t.kernel)).toEqual(['accumulate', 'accumulate']);
    expect(times.every((t) => t.ms >= 0 && t.ms < 1000)).toBe(true);
  });
});

describe('gradients', () => {
  it('need a scalar or dy, and give zeros for what is not reached', async () => {
    const x = tensor(device.current, [1, 2]);
    expect(() => gradients(add(x, x), [x])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: gradients: without dy, y must be a scalar; sum it first or give dy; got y [2]]`,
    );
    const [dx] = gradients(fill(device.current, [], 3), [x]);
    expect([...(await read(dx))]).toEqual([0, 0]);
  });
});

const incrementKernel = kernel({
  name: 'increment',
  bind: { w: 'update f32' },
  params: { n: 'u32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1)\nfn main() { for (var i = 0u; i < params.n; i++) { w[i] += 1.0; } }',
});

const increaseKernel = kernel({
  name: 'increase',
  bind: { w: 'update f32', x: 'read f32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1)\nfn main() { for (var i = 0u; i < 2u; i++) { w[i] += x[i]; } }',
});

const forgetful = kernel({
  name: 'forgetful',
  bind: { x: 'read f32', y: 'write f32' },
  params: { n: 'u32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1)\nfn main() { for (var i = 0u; i < params.n; i++) { y[i] = x[i]; } }',
});
