import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openDevice } from '../../../src/gpu/index.ts';
import { add, greater, matmul, relu } from '../../../src/kernels/index.ts';
import { AdamW, BatchNorm, Linear, newWeights, parameters, Sequential } from '../../../src/nn/index.ts';
import { free, label, tensor, variable } from '../../../src/tensor/graph/index.ts';
import { evaluate, jit, step } from '../../../src/tensor/run/index.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

describe('console.log in Node prints of a tensor what the host knows', () => {
  it('a constant with its values, those of long ones shortened', () => {
    const rows = tensor(device.current, [
      [1, 2.5],
      [-3, 4],
    ]);
    expect(inspect(rows)).toBe('Tensor f32 [2, 2]\n[[ 1    2.5]\n [-3    4  ]]');
    expect(inspect(tensor(device.current, 7))).toBe('Tensor f32 []\n7');
    expect(inspect(tensor(device.current, [true, false]))).toBe('Tensor bool [2]\n[ true false]');
    expect(inspect(tensor(device.current, [1, 0.5, -2], [3], 'f16'))).toBe('Tensor f16 [3]\n[ 1    0.5 -2  ]');
    expect(inspect(tensor(device.current, [], [0, 3]))).toBe('Tensor f32 [0, 3]\n[]');
    const long = tensor(
      device.current,
      Int32Array.from({ length: 2000 }, (_, i) => i),
    );
    expect(inspect(long)).toBe('Tensor i32 [2000]\n[   0    1    2 … 1997 1998 1999]');
  });

  it('what is on the GPU by shape, dtype and op, with the way to its values', () => {
    const x = tensor(device.current, [[1, 2]]);
    const y = variable(device.current, [2, 3]);
    expect(inspect(y)).toBe('Tensor f32 [2, 3] (variable; await toText(x) shows its values)');
    expect(inspect(add(x, 1))).toBe('Tensor f32 [1, 2] (made by add; await toText(x) shows its values)');
    expect(inspect(greater(x, 1))).toMatch(/^Tensor bool \[1, 2\] \(made by greater; /);
    expect(inspect(label('head', () => matmul(x, y)))).toMatch(
      /^Tensor f32 \[1, 3\] \(made by head \/ matmul.*; await/,
    );
    free(y);
    expect(inspect(y)).toBe('Tensor f32 [2, 3] (its memory was freed)');
    expect(inspect(variable(device.current, [0, 3]))).toMatch(/\(variable; /);
  });

  it('inputs, results and what is made in the body of a step', async () => {
    const seen: string[] = [];
    const w = variable(device.current, [2]);
    const twice = await step(device.current, { x: [2] }, ({ x }) => {
      const y = add(x, x);
      seen.push(inspect(x), inspect(y), inspect(w));
      return y;
    });
    expect(seen.slice(0, 3)).toEqual([
      'Tensor f32 [2] (an input of a step; return it from the step to see its values)',
      'Tensor f32 [2] (made by add; return it from the step to see its values)',
      'Tensor f32 [2] (variable)', // which cannot be read here
    ]);
    free(w);
    const first = twice({ x: [1, 2] });
    expect(inspect(first)).toBe('Tensor f32 [2] (result of a step; await toText(x) shows its values)');
    const kept = await evaluate(first);
    twice({ x: [3, 4] });
    expect(inspect(first)).toMatch(/^Tensor f32 \[2\] \(its memory was overwritten by the next call of its step; /);
    expect(inspect(kept)).toMatch(/; await toText\(x\) shows its values\)$/);
    twice.dispose();
    free(kept);
  });

  it('a line for each tensor in lists, objects and modules', () => {
    const x = tensor(device.current, [1, 2]);
    expect(inspect({ x, deep: [[[add(x, x)]]] })).toMatch(
      /^\{ x: Tensor f32 \[2\] \[1 2\], deep: \[ \[ \[Array\] \] \] \}$/,
    );
    expect(inspect({ deep: [[[add(x, x), tensor(device.current, new Float32Array(99))]]] }, { depth: null })).toMatch(
      /Tensor f32 \[2\] \(made by add\),\s+Tensor f32 \[99\] \(a constant\)/,
    );
    const w = newWeights(device.current, 1);
    const model = new Sequential(new Linear(w.in(0), 2, 3), relu, new BatchNorm(w.in(2), 3));
    expect(inspect(model)).toMatchInlineSnapshot(`
      "Sequential {
        '0': Linear {
          weight: Tensor f32 [3, 2] (variable),
          bias: Tensor f32 [3] (variable)
        },
        '1': [Function: relu],
        '2': BatchNorm {
          weight: Tensor f32 [3] (variable),
          bias: Tensor f32 [3] (variable),
          running_mean: Tensor f32 [3] (variable),
          running_var: Tensor f32 [3] (variable),
          eps: 0.00001,
          momentum: 0.1
        },
        length: 3
      }"
    `);
    expect(inspect(parameters(model))).toMatchInlineSnapshot(`
      "Map(6) {
        '0.weight' => Tensor f32 [3, 2] (variable),
        '0.bias' => Tensor f32 [3] (variable),
        '2.weight' => Tensor f32 [3] (variable),
        '2.bias' => Tensor f32 [3] (variable),
        '2.running_mean' => Tensor f32 [3] (variable),
        '2.running_var' => Tensor f32 [3] (variable)
      }"
    `);
    for (const t of parameters(model).values()) free(t);
  });

  it('a line for a device, an optimizer, a step and a jit', async () => {
    const { name } = device.current;
    expect(inspect(device.current)).toMatch(/^Device '.+' \((on the CPU|a GPU): \w.*, \d.* of buffers\)$/);
    expect(inspect(device.current)).toContain(`Device '${name}'`);
    for (const feature of ['shader-f16', 'subgroups', 'timestamp-query']) {
      expect(inspect(device.current).includes(feature)).toBe(device.current.features.has(feature));
    }
    const other = await openDevice({ notice: null });
    other.dispose();
    expect(inspect(other)).toMatch(/, disposed\)$/);
    const model = new Linear(newWeights(device.current, 1), 2, 3);
    expect(inspect(new AdamW(device.current, parameters(model), { maxNorm: 1, decays: () => true }))).toBe(
      'AdamW { maxNorm: 1, decays: a function, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05 } (2 parameters, 9 weights)',
    );
    const inputs = { x: [4, 2], ids: { shape: [4], dtype: 'u32' } } as const;
    using twice = await step(device.current, inputs, ({ x }) => add(x, x), { name: 'twice' });
    expect(inspect(twice)).toMatch(
      /^Step 'twice' \(inputs x f32 \[4, 2\], ids u32 \[4\]; 1 launch, [\d.]+ (bytes|kB)\)$/,
    );
    expect(inspect({ twice }, { breakLength: Number.POSITIVE_INFINITY })).toBe(`{ twice: ${inspect(twice)} }`);
    using none = await step(device.current, {}, () => add(add(tensor(device.current, 1), 1), 2));
    expect(inspect(none)).toMatch(/^Step 'step' \(no inputs; \d launch(es)?, /);
    none.dispose();
    expect(inspect(none)).toBe("Step 'step' (disposed)");
    using lazy = jit(device.current, (x) => add(x, x), { name: 'lazy' });
    expect(inspect(lazy)).toBe("Jit 'lazy' (no steps yet)");
    await lazy([1, 2]);
    await lazy(new Int32Array(3));
    expect(inspect(lazy)).toBe("Jit 'lazy' (steps for [2]; i32 [3])");
    for (const t of parameters(model).values()) free(t);
  });

  it('and JSON, which cannot wait either, says so', () => {
    const x = tensor(device.current, [1, 2]);
    expect(() => JSON.stringify({ loss: x })).toThrow(
      'Tensor f32 [2]: operators and JSON do not reach its values; use ops, such as add(a, b), or await toArray(x)',
    );
  });
});
