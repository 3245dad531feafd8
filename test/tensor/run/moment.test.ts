import { describe, expect, it } from 'vitest';
import { type Kernel, kernel } from '../../../src/gpu/kernel.ts';
import { flattenParameters } from '../../../src/nn/optimizer/flat-parameters.ts';
import { add } from '../../../src/tensor/graph/fill.ts';
import { free, tensor, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll, readU32 } from '../../../src/tensor/run/read.ts';
import { run, type Step, step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** `x + x`, by a kernel that was compiled before, or by one that nobody has seen. */
function doubling(type: 'f32' | 'u32', known?: Kernel): (x: Tensor) => Tensor {
  const made = known ?? doublingKernel(type);
  return (x) => {
    const y = empty(x);
    dispatch(made, { x, y }, {});
    return y;
  };
}

function doublingKernel(type: 'f32' | 'u32'): Kernel {
  return kernel({
    name: 'doubling',
    bind: { x: `read ${type}`, y: `write ${type}` },
    grid: () => [1],
    wgsl: '@compute @workgroup_size(1)\nfn main() { for (var i = 0u; i < 3u; i++) { y[i] = x[i] + x[i]; } }',
  }) as unknown as Kernel;
}

const known = { f32: doublingKernel('f32'), u32: doublingKernel('u32') };

/** What a read may look at. */
interface Scene {
  readonly w: Tensor;
  readonly words: Tensor;
  readonly made: Step<'x', Tensor>;
  readonly checked: Step<'x', Tensor>;
  readonly result: Tensor;
  readonly array: Float32Array;
}

async function scene(): Promise<Scene> {
  const w = variable(device.current, [3], new Float32Array([1, 2, 3]));
  const words = variable(device.current, [3], new Uint32Array([1, 2, 3]));
  const made = await step(device.current, { x: [3] }, ({ x }) => add(x, w));
  const checked = await step(device.current, { x: [3] }, ({ x }) => add(x, w), { check: true });
  return { w, words, made, checked, result: made({ x: [10, 10, 10] }), array: new Float32Array([4, 5, 6]) };
}

const ones = { x: [10, 10, 10] };
const parts = async (xs: readonly Tensor[]) => (await readAll(xs)).flatMap((values) => [...values]);
const fresh = (x: Tensor) => doubling('f32')(x);
const old = (x: Tensor) => doubling('f32', known.f32)(x);

const reads: Record<string, readonly [(s: Scene) => Promise<ArrayLike<number>>, readonly number[]]> = {
  'a parameter': [({ w }) => read(w), [1, 2, 3]],
  words: [({ words }) => readU32(words), [1, 2, 3]],
  'a result': [({ result }) => read(result), [11, 12, 13]],
  'a result in check mode': [({ checked }) => read(checked(ones)), [11, 12, 13]],
  'a new op on a parameter': [({ w }) => read(fresh(w)), [2, 4, 6]],
  'a known op on a parameter': [({ w }) => read(old(w)), [2, 4, 6]],
  'a new op on words': [({ words }) => readU32(doubling('u32')(words)), [2, 4, 6]],
  'a known op on words': [({ words }) => readU32(doubling('u32', known.u32)(words)), [2, 4, 6]],
  'a new op on a result': [({ result }) => read(fresh(result)), [22, 24, 26]],
  'a known op on a result': [({ result }) => read(old(result)), [22, 24, 26]],
  'a new op on a result in check mode': [({ checked }) => read(fresh(checked(ones))), [22, 24, 26]],
  'two new ops, one after the other': [({ w }) => read(fresh(fresh(w))), [4, 8, 12]],
  'a new op on a constant': [({ array }) => read(fresh(tensor(device.current, array))), [8, 10, 12]],
  'several, computed and not': [
    ({ w, result }) => parts([w, fresh(w), result, fresh(result)]),
    [1, 2, 3, 2, 4, 6, 11, 12, 13, 22, 24, 26],
  ],
  'several with a constant': [({ w, array }) => parts([tensor(device.current, array), fresh(w)]), [4, 5, 6, 2, 4, 6]],
};

const seven = new Float32Array([7, 7, 7]);
const laterEvents: Record<string, (s: Scene) => unknown> = {
  'write()': ({ w, words }) => [write(w, seven), write(words, new Uint32Array([7, 7, 7]))],
  'the next call': ({ made, checked }) => [made({ x: [70, 70, 70] }), checked({ x: [70, 70, 70] })],
  'a step that writes': ({ w }) => run(device.current, () => void dispatch(increase, { w }, {})),
  'a step that writes, in check mode': ({ w }) =>
    run(device.current, () => void dispatch(increase, { w }, {}), { check: true }),
  'a known step that writes': async ({ w }) => {
    write(w, seven);
    for (let i = 0; i < 3; i++) await read(old(w));
  },
  'free()': ({ w, words }) => [free(w), free(words)],
  'an optimizer that moves parameters, and a write': ({ w }) => [
    flattenParameters(device.current, [['w', w]]),
    write(w, seven),
  ],
  'the end of the step': ({ made, checked }) => [made.dispose(), checked.dispose()],
  'a change of the array': ({ array }) => array.fill(7),
  'other reads': ({ made }) => [read(fresh(made({ x: [0, 0, 0] }))), read(old(made({ x: [1, 1, 1] })))],
};

const increase = kernel({
  name: 'increase',
  bind: { w: 'update f32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1)\nfn main() { for (var i = 0u; i < 3u; i++) { w[i] += 100.0; } }',
});

describe('a read sees the moment of its call', () => {
  for (const [what, [reading, wanted]] of Object.entries(reads)) {
    it(what, async () => {
      for (const type of ['f32', 'u32'] as const) {
        const x = tensor(device.current, type === 'f32' ? new Float32Array(3) : new Uint32Array(3));
        await readAll([doubling(type, known[type])(x)]);
      }
      for (const [later, happens] of Object.entries(laterEvents)) {
        const one = await scene();
        const promise = reading(one);
        await Promise.all([happens(one)].flat());
        expect([...Array.from(await promise)], `then ${later}`).toEqual(wanted);
        one.made.dispose();
        one.checked.dispose();
      }
    });
  }

  it('so do five losses that are read without waiting', async () => {
    const { w } = await scene();
    using train = await step(device.current, {}, () => {
      dispatch(increase, { w }, {});
      return old(w);
    });
    const logged: Promise<Float32Array>[] = [];
    for (let i = 0; i < 5; i++) logged.push(read(fresh(train({}))));
    expect((await Promise.all(logged)).map(([value]) => value)).toEqual([404, 804, 1204, 1604, 2004]);
  });

  it('so does a call in check mode: what is written after it is not seen, and what it writes is', async () => {
    const { w } = await scene();
    using checked = await step(
      device.current,
      {},
      () => {
        const before = old(w);
        dispatch(increase, { w }, {});
        return [before, old(w)];
      },
      { check: true },
    );
    const first = parts(checked({}));
    const between = read(w);
    write(w, seven);
    const second = parts(checked({}));
    expect(await first).toEqual([2, 4, 6, 202, 204, 206]);
    expect([...(await between)]).toEqual([101, 102, 103]);
    expect(await second).toEqual([14, 14, 14, 214, 214, 214]);
  });

  it('copies for a read only what is used, and gives it back', async () => {
    const buffer = variable(device.current, [1_000_000]);
    const flat = flattenParameters(device.current, [
      ['w', variable(device.current, [3], new Float32Array([1, 2, 3]))],
      ['large', variable(device.current, [1_000_000])],
    ]);
    await read(fresh(buffer));
    const before = device.current.bytes;
    const promise = read(fresh(flat.parameters[0]?.tensor as Tensor));
    expect(device.current.bytes - before).toBeLessThan(10_000);
    expect([...(await promise)]).toEqual([2, 4, 6]);
    expect(device.current.bytes - before).toBeLessThan(10_000);
  });
});
