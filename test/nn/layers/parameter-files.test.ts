import { describe, expect, it } from 'vitest';
import { Linear } from '../../../src/nn/layers/linear.ts';
import { parameters } from '../../../src/nn/layers/module.ts';
import { loadMatching, saveParameters } from '../../../src/nn/layers/parameter-files.ts';
import { random } from '../../../src/nn/layers/random.ts';
import { loadParameters, newWeights, readParameters, storedWeights } from '../../../src/nn/layers/weights.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';
import { LossScale } from '../../../src/nn/optimizer/precision.ts';
import { SGD } from '../../../src/nn/optimizer/sgd.ts';
import { WeightAverage } from '../../../src/nn/optimizer/weight-average.ts';
import { openWeights } from '../../../src/nn/safetensors/open-weights.ts';
import { readSafetensors } from '../../../src/nn/safetensors/safetensors.ts';
import { toFloat32 } from '../../../src/nn/safetensors/values.ts';
import { writeSafetensors } from '../../../src/nn/safetensors/write-safetensors.ts';
import { variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { StepError } from '../../../src/tensor/values/index.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const model = (seed: number, outputs = 3) => {
  const weights = newWeights(device.current, seed);
  return { body: new Linear(weights.in('body'), 4, 5), head: new Linear(weights.in('head'), 5, outputs) };
};
const valuesOf = (module: object) =>
  Promise.all([...parameters(module)].map(async ([name, t]) => [name, [...(await read(t))]] as const));

describe('saveParameters', () => {
  it('makes a file that brings another module to the same values', async () => {
    const [one, other] = [model(1), model(2)];
    const bytes = await saveParameters(one, { metadata: { note: 'x' } });
    const file = readSafetensors(bytes, 'model.safetensors');
    expect(file.metadata).toEqual({ note: 'x' });
    expect([...file.tensors.values()].map(({ dtype }) => dtype)).toEqual(['F32', 'F32', 'F32', 'F32']);
    expect(await valuesOf(other)).not.toEqual(await valuesOf(one));
    loadParameters(other, file.tensors, 'model.safetensors');
    expect(await valuesOf(other)).toEqual(await valuesOf(one));
  });

  it('rounds floats to halves where it is asked to, and keeps whole numbers', async () => {
    const named = new Map([
      ['w', variable(device.current, [2], [1, 0.1])],
      ['n', variable(device.current, [1], new Uint32Array([2 ** 32 - 1]))],
    ]);
    const { tensors } = readSafetensors(await saveParameters(named, { dtype: 'F16' }));
    expect([tensors.get('w')?.dtype, tensors.get('n')?.dtype]).toEqual(['F16', 'U32']);
    expect([...toFloat32(tensors.get('w')!)]).toEqual([1, 0.0999755859375]);
    expect([...(tensors.get('n')?.bytes ?? [])]).toEqual([255, 255, 255, 255]);
    await expect(saveParameters(named, { dtype: 'f16' as never })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: saveParameters: dtype must be 'F32' or 'F16'; it is the string 'f16']`,
    );
    const large = new Map([['w', variable(device.current, [1], [1e6])]]);
    await expect(saveParameters(large, { dtype: 'F16', name: 'half' })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: half: tensor "w": element 0, 1000000, is too large for F16, which ends at 65504; write F32 instead]`,
    );
  });

  it('keeps i32, u32 and bool as they are, and brings them back', async () => {
    const made = (fill: boolean) =>
      new Map([
        ['steps', variable(device.current, [2], fill ? new Int32Array([-(2 ** 31), 7]) : undefined, 'i32')],
        ['bits', variable(device.current, [2], fill ? new Uint32Array([2 ** 32 - 1, 3]) : undefined, 'u32')],
        ['kept', variable(device.current, [3], fill ? [true, false, true] : undefined, 'bool')],
        ['w', variable(device.current, [1], fill ? [0.5] : undefined)],
      ]);
    const { tensors } = readSafetensors(await saveParameters(made(true)));
    expect([...tensors].map(([name, { dtype }]) => `${name} ${dtype}`).sort()).toEqual([
      'bits U32',
      'kept BOOL',
      'steps I32',
      'w F32',
    ]);
    const want = [
      new Int32Array([-(2 ** 31), 7]),
      new Uint32Array([2 ** 32 - 1, 3]),
      new Uint8Array([1, 0, 1]),
      Float32Array.of(0.5),
    ];
    const [atOnce, oneByOne] = [made(false), made(false)];
    loadParameters(atOnce, tensors, 'state.safetensors');
    expect(await readAll([...atOnce.values()])).toEqual(want);
    await loadMatching(oneByOne, tensors, 'state.safetensors');
    expect(await readAll([...oneByOne.values()])).toEqual(want);
    const halves = readSafetensors(await saveParameters(new Map([['steps', variable(device.current, [2], [1, 0.5])]])));
    expect(() => loadParameters(new Map([['steps', made(false).get('steps')!]]), halves.tensors, 'halves')).toThrow(
      'tensor "steps" must hold integers; its type is F32',
    );
  });

  it('saves the state of an optimizer, also where it has none', async () => {
    const adam = new AdamW(device.current, parameters(model(1)));
    const { tensors } = readSafetensors(await saveParameters(adam.state()));
    expect(tensors.get('m.head.weight')?.shape).toEqual([3, 5]);
    const sgd = new SGD(device.current, parameters(model(1)));
    const empty = readSafetensors(await saveParameters(sgd.state())).tensors;
    expect(empty.size).toBe(0);
    loadParameters(sgd.state(), empty, 'sgd.safetensors');
    await readParameters(sgd.state(), empty, 'sgd.safetensors');
    expect(() => loadParameters(sgd.state(), tensors, 'adam.safetensors')).toThrowErrorMatchingInlineSnapshot(
      `[StepError: loadParameters: there are no parameters into which 'adam.safetensors' could be loaded]`,
    );
    expect(() => loadParameters({}, empty, 'sgd.safetensors')).toThrow(
      "loadParameters: there are no parameters into which 'sgd.safetensors' could be loaded",
    );
  });

  it('refuses what has a state of its own, which would be saved in part, at any depth; and so does loadParameters', async () => {
    const one = model(1);
    const optimizer = new AdamW(device.current, parameters(one));
    const average = new WeightAverage(optimizer);
    const scale = new LossScale();
    const told = 'optimizer is no module; leave it out, or give optimizer.state() to save it';
    const given: [object, string][] = [
      [{ one, optimizer, average }, told],
      [{ one, deep: [new Map([['of', { optimizer }]])] }, `deep.0.of.${told}`],
      [optimizer, 'this is no module; leave it out, or give optimizer.state() to save it'],
      [
        new SGD(device.current, parameters(model(2))),
        'this is no module; leave it out, or give optimizer.state() to save it',
      ],
      [{ one, average }, 'average is no module; leave it out, or give average.state() to save it'],
      [average, 'this is no module; leave it out, or give average.state() to save it'],
      [[one, scale], '1 is no module; leave it out, or give scale.state() in the metadata to save it'],
    ];
    const { tensors } = readSafetensors(await saveParameters(one));
    for (const [module, words] of given) {
      await expect(saveParameters(module)).rejects.toThrow(new StepError(`saveParameters: ${words}`));
      expect(() => loadParameters(module, tensors, 'model')).toThrow(new StepError(`loadParameters: ${words}`));
      expect(() => parameters(module)).toThrow(new StepError(`parameters: ${words}`));
    }
    for (const state of [optimizer.state(), average.state()]) {
      const saved = readSafetensors(await saveParameters(state)).tensors;
      expect([...saved.keys()].sort()).toEqual([...state.keys()].sort());
    }
    // What has no state may be a field of a module.
    const held = { ...one, device: device.current, generator: random(1), act: (x: Tensor) => x };
    expect([...parameters(held).keys()]).toEqual([...parameters(one).keys()]);
  });
});

it('a module is loaded as a whole, what is named as far as it is named', async () => {
  const [one, other] = [model(1), model(2)];
  const bytes = await saveParameters({ ...one, a: model(3), b: model(4) });
  const { tensors } = readSafetensors(bytes);
  expect(() => loadParameters(other, tensors, 'both')).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: both: has tensors that the module does not: 'a.body.weight', 'a.body.bias', 'a.head.weight', 5 more; loadMatching leaves them]`,
  );
  expect(await valuesOf(other)).not.toEqual(await valuesOf(one));
  loadParameters(parameters(other), tensors, 'both');
  expect(await valuesOf(other)).toEqual(await valuesOf(one));
  // PyTorch's batch norms count the batches.
  const counted = new Map([...readSafetensors(await saveParameters(one)).tensors]);
  counted.set('norm.num_batches_tracked', tensors.get('a.head.bias')!);
  loadParameters(model(5), counted, 'counted');
});

it('what is no file is told from the tensors of one', async () => {
  const bytes = await saveParameters(model(1));
  const file = readSafetensors(bytes);
  const load =
    (...given: unknown[]) =>
    () =>
      (loadParameters as (...given: unknown[]) => void)(model(1), ...given);
  expect(load(bytes, 'file')).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: loadParameters: a file's tensors come second, as readSafetensors(bytes).tensors gives them; got a Uint8Array]`,
  );
  expect(load(file, 'file')).toThrow('readSafetensors(bytes).tensors gives them; got an object');
  expect(load(file.tensors)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: loadParameters: the name of the file comes third, for messages; got undefined]`,
  );
  expect(load(file.tensors, (name: string) => name)).toThrow('for messages; got a function');
  await expect(loadMatching(model(1), bytes as never, 'file')).rejects.toThrow(
    "loadMatching: a file's tensors come second",
  );
  expect(() => storedWeights(device.current, file as never, 'file')).toThrow(
    "storedWeights: a file's tensors come second",
  );
  await expect(saveParameters({})).rejects.toThrowErrorMatchingInlineSnapshot(
    `[StepError: saveParameters: there are no parameters to save; parameters(model) finds variables in fields, arrays and maps]`,
  );
  await expect(saveParameters(model(1), 'F16' as never)).rejects.toThrow(
    'saveParameters: options come by name: { dtype, ',
  );
});

describe('loadMatching', () => {
  it('loads what fits, leaves the rest as it was, and says which is which', async () => {
    const [one, other] = [model(1, 3), model(2, 7)];
    const bytes = writeSafetensors([
      ['body.weight', { dtype: 'F32', shape: [5, 4], data: await read(one.body.weight) }],
      ['head.weight', { dtype: 'F32', shape: [3, 5], data: await read(one.head.weight) }],
      ['head.bias', { dtype: 'F32', shape: [3], data: new Float32Array(3) }],
      ['neck.weight', { dtype: 'I64', shape: [1], data: new BigInt64Array(1) }],
    ]);
    const before = await valuesOf(other);
    const report = await loadMatching(other, readSafetensors(bytes).tensors, 'model.safetensors');
    expect(report).toEqual({
      loaded: ['body.weight'],
      missing: ['body.bias'],
      otherShape: [
        { name: 'head.weight', shape: [7, 5], inFile: [3, 5] },
        { name: 'head.bias', shape: [7], inFile: [3] },
      ],
      unexpected: ['neck.weight'],
    });
    expect(await read(other.body.weight)).toEqual(await read(one.body.weight));
    expect((await valuesOf(other)).slice(1)).toEqual(before.slice(1));
  });

  it('prints counts first, then the names of what did not fit', async () => {
    const stored = readSafetensors(await saveParameters(model(1, 3))).tensors;
    const names = Array.from({ length: 11 }, (_, i) => [`extra.${i}`, stored.get('head.bias')] as const);
    const report = await loadMatching(
      model(2, 7),
      new Map([...stored, ...names] as never),
      'model.safetensors',
      (name) => (name === 'body.bias' ? 'absent' : name),
    );
    const text = [
      '1 loaded, 1 missing, 2 of another shape, 12 unexpected',
      '  missing: body.bias',
      '  another shape: head.weight [7, 5] ([3, 5] in the file), head.bias [7] ([3] in the file)',
      '  unexpected: body.bias, extra.0, extra.1, extra.2, extra.3, extra.4, extra.5, extra.6, and 4 more',
    ].join('\n');
    expect(String(report)).toBe(text);
    const inspect = (report as unknown as Record<symbol, () => string>)[Symbol.for('nodejs.util.inspect.custom')];
    expect(inspect?.call(report)).toBe(`LoadReport: ${text}`);
    const all = await loadMatching(model(2), stored, 'model.safetensors');
    expect(String(all)).toBe('4 loaded, 0 missing, 0 of another shape, 0 unexpected');
  });

  it('reads tensor by tensor, by the names of the file', async () => {
    const [one, other] = [model(1), model(2)];
    const bytes = await saveParameters(new Map([...parameters(one)].map(([name, t]) => [`module.${name}`, t])));
    const { tensors } = await openWeights(
      { size: bytes.length, readRange: async (start, end) => bytes.slice(start, end) },
      'model.safetensors',
    );
    const report = await loadMatching(other, tensors, 'model.safetensors', (name) => `module.${name}`);
    expect([report.loaded.length, report.missing, report.otherShape, report.unexpected]).toEqual([4, [], [], []]);
    expect(await valuesOf(other)).toEqual(await valuesOf(one));
  });

  it('says where nothing fits, and where there is nothing', async () => {
    const report = await loadMatching(model(1), new Map(), 'empty');
    expect([report.loaded, report.missing.length]).toEqual([[], 4]);
    await expect(loadMatching({}, new Map(), 'empty')).rejects.toThrowErrorMatchingInlineSnapshot(
      `[StepError: loadParameters: there are no parameters into which 'empty' could be loaded]`,
    );
  });
});
