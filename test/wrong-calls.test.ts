import { describe, expect, it } from 'vitest';
import * as core from '../src/index.ts';
import * as ops from './support/all-ops.ts';
import { useDevice } from './support/device.ts';
import { b, dev, f, faultsOf, i, Thing } from './support/wrong-calls.ts';

// As test/kernels/wrong-calls.test.ts, which has the ops: everything else that `@zeroseg/core` exports.

const device = useDevice();
const options = {};
const x = f(2, 3);
const key = i(2);
const init = core.normal(0.02);
const body = () => undefined;

const none = [null, 'left', 5, true, () => 1, Promise.resolve(1), [1]];
const weights = new Thing('weights', (d) => core.newWeights(d, 1).in('a'), [...none, { nonsense: 0 }, f(2), dev]);
const linear = (d: core.Device) => new core.Linear(core.newWeights(d, 1), 2, 3);
const module = new Thing('a module', linear, [null, 'left', 5, true, () => 1, Promise.resolve(1), f(2), dev]);
const named = new Thing('parameters', (d) => core.parameters(linear(d)), [...none, { nonsense: 0 }, f(2), dev]);
const variable = new Thing('a variable', (d) => core.variable(d, [2, 3]), [...none, { nonsense: 0 }]);
const optimizer = new Thing('an optimizer', (d) => new core.SGD(d, core.parameters(linear(d))), [
  ...none,
  { nonsense: 0 },
  f(2),
  dev,
]);
const values = new Thing('values', () => [0.5, 1, 2, 3, 4, 5], [
  null,
  'left',
  { nonsense: 0 },
  () => 1,
  Promise.resolve(1),
  f(2, 3),
  [null],
  [1, 2],
]);
const bytes = new Thing(
  'bytes',
  () =>
    core.writeSafetensors([
      ['weight', { dtype: 'F32', shape: [3, 2], data: new Float32Array(6) }],
      ['bias', { dtype: 'F32', shape: [3], data: new Float32Array(3) }],
    ]),
  [...none, { nonsense: 0 }, f(2)],
);
const stored = new Thing('tensors of a file', (d) => core.readSafetensors(bytes.make(d) as Uint8Array).tensors, [
  ...none,
  { nonsense: 0 },
  f(2),
]);
const fileName = new Thing('the name of a file', () => 'file', [
  null,
  5,
  true,
  () => 1,
  Promise.resolve(1),
  [1],
  { nonsense: 0 },
]);
const rate = new Thing('a schedule', () => core.constantRate(1), [null, 'left', 5, true, Promise.resolve(1), [1]]);

type Args = readonly unknown[];
interface Case {
  readonly args: Args;
  /** A method: of what, which is made for each call. */
  readonly of?: (device: core.Device) => unknown;
  readonly taken?: readonly string[];
  readonly says?: RegExp;
  readonly isSafe?: boolean;
  readonly isVariadic?: boolean;
}
const layer = (make: (w: core.Weights) => object, args: Args, more: Omit<Case, 'args' | 'of'> = {}): Case => ({
  of: (d) => make(core.newWeights(d, 1)),
  args,
  ...more,
});

/** A right call of everything: of functions, of classes, which are constructed, and of methods. */
const calls: Readonly<Record<string, Args | Case>> = {
  // Tensors, and what is recorded.
  tensor: [dev, values, [2, 3], 'f32'],
  variable: [dev, [2, 3], values, 'f32'],
  write: [variable, values],
  free: [variable],
  fill: [dev, [2], 1, 'f32'],
  empty: [x, [2], 'f32'],
  // Its name may be anything that can be written.
  label: [new Thing('a name', () => 'name', []), body],
  // Its plain form is not called before a gradient of the gradient is asked for.
  differentiable: [x, [f(2, 3)], (dy: core.Tensor) => [dy], new Thing('a plain form', () => (y: core.Tensor) => y, [])],
  differentiableAll: { args: [[x], [f(2, 3)], (dys: core.Tensor[]) => dys], says: /^differentiable: / },
  gradients: { args: [f(), [x], f()], taken: ['1 f32 [2]'] },
  // What follows is handed on to the body.
  recompute: [() => core.fill(device.current, [2], 1)],
  scan: [(carry: core.Tensor, y: core.Tensor) => [carry, y], f(3), x, options],
  // Running it.
  step: [dev, { x: [2] }, ({ x }: { x: core.Tensor }) => x, options],
  run: [dev, () => core.fill(device.current, [2], 1), options],
  jit: [dev, (y: core.Tensor) => y, options],
  evaluate: [x],
  read: [x],
  readAll: [[x]],
  readBool: [b(2)],
  readI32: [new Thing('i32 [2]', (d) => core.tensor(d, new Int32Array(2)), [...none, { nonsense: 0 }])],
  readU32: [i(2)],
  toArray: [x],
  toText: [x],
  'step.call': {
    of: async (d) => ({ call: await core.step(d, { x: [2, 3] }, ({ x }) => x) }),
    args: [{ x: [0, 1, 2, 3, 4, 5] }],
  },
  'jit.call': { of: (d) => ({ call: core.jit(d, (y) => y) }), args: [values], taken: ['0 f32 [2,3]', '0 [1,2]'] },
  openDevice: [{ notice: null, tuning: false }],
  // The right call would keep what was tuned for other programs.
  saveTuning: { args: [dev], isSafe: false },
  // The right call would change the products of other tests.
  useHalfSums: { args: [dev], isSafe: false },
  useSubgroupMatrices: { args: [dev], isSafe: false },

  // Weights and modules.
  newWeights: [dev, 1],
  parameter: [dev, [2, 3], values],
  parameters: [module],
  trainable: [module],
  countParameters: [module],
  freeParameters: [module],
  withParameters: [module, new Thing('a Map', () => new Map(), [...none, { nonsense: 0 }, f(2)]), body],
  buildModule: [
    new Thing('weights', (d) => core.newWeights(d, 1), weights.wrong),
    (w: core.Weights) => new core.Linear(w, 2, 3),
  ],
  sharedWeights: [dev, module],
  storedWeights: [dev, stored, fileName, (name: string) => name],
  weightsFrom: [dev, () => new Float32Array(1)],
  saveParameters: [module, options],
  loadParameters: [module, stored, fileName, (name: string) => name],
  loadMatching: [module, stored, fileName, (name: string) => name],
  normal: [1],
  uniform: [1],
  truncatedNormal: [1, 2],
  permutation: [3, core.random(1)],
  // Its name may be anything that can be written.
  random: [1, new Thing('a name', () => 'name', [])],
  sinCosPositions: [4, 2, 2, false],

  // Layers.
  // An initializer may stand in the place of the options: one that gives no values is named by the parameter.
  Linear: { args: [weights, 3, 4, options], says: /^(Linear|parameter): / },
  'Linear.forward': layer((w) => new core.Linear(w, 3, 4), [x, options]),
  Embedding: { args: [weights, 3, 4, options], says: /^(Embedding|parameter): / },
  'Embedding.forward': layer((w) => new core.Embedding(w, 3, 4), [i(2)]),
  LayerNorm: [weights, 3, 1e-5],
  'LayerNorm.forward': layer((w) => new core.LayerNorm(w, 3), [x]),
  RMSNorm: [weights, 3, 1e-5],
  'RMSNorm.forward': layer((w) => new core.RMSNorm(w, 3), [x]),
  GroupNorm: [weights, 1, 3, 1e-5],
  'GroupNorm.forward': layer((w) => new core.GroupNorm(w, 1, 3), [x]),
  InstanceNorm: [weights, 3, options],
  'InstanceNorm.forward': layer((w) => new core.InstanceNorm(w, 3), [f(1, 2, 3)]),
  BatchNorm: [weights, 3, options],
  'BatchNorm.forward': layer((w) => new core.BatchNorm(w, 3), [x]),
  'BatchNorm.forwardInTraining': layer((w) => new core.BatchNorm(w, 3), [x], { isSafe: false }),
  Conv1d: [weights, 3, 4, { side: 1 }],
  'Conv1d.forward': layer((w) => new core.Conv1d(w, 3, 4, { side: 1 }), [f(1, 2, 3), 'last']),
  Conv2d: [weights, 3, 4, { side: 1 }],
  'Conv2d.forward': layer((w) => new core.Conv2d(w, 3, 4, { side: 1 }), [f(1, 2, 2, 3), 'last']),
  ConvTranspose2d: [weights, 3, 4, { side: 1 }],
  'ConvTranspose2d.forward': layer((w) => new core.ConvTranspose2d(w, 3, 4, { side: 1 }), [f(1, 2, 2, 3), options]),
  PatchEmbed: [weights, { channels: 3, patch: 2, dim: 4 }, init],
  'PatchEmbed.forward': layer((w) => new core.PatchEmbed(w, { channels: 3, patch: 2, dim: 4 }), [f(1, 3, 4, 4)]),
  ConvStem: [weights, { channels: 3, patch: 2, dim: 4 }],
  'ConvStem.forward': layer((w) => new core.ConvStem(w, { channels: 3, patch: 2, dim: 4 }), [f(1, 3, 4, 4)]),
  Mlp: [weights, 3, 4, 3, init, 'gelu'],
  'Mlp.forward': layer((w) => new core.Mlp(w, 3, 4, 3, init), [x, x], { taken: ['1 null'] }),
  TokenMlp: [weights, 2, 4, 2, init],
  'TokenMlp.forward': layer((w) => new core.TokenMlp(w, 2, 4, 2, init), [f(1, 2, 3)]),
  Attention: [weights, 4, 2, init],
  'Attention.forward': layer((w) => new core.Attention(w, 4, 2, init), [f(1, 3, 4), f(1, 3, 4), false], {
    taken: ['1 null'],
  }),
  CrossAttention: [weights, 4, 2, init],
  'CrossAttention.forward': layer((w) => new core.CrossAttention(w, 4, 2, init), [f(1, 3, 4), f(1, 2, 4), f(1, 3, 4)], {
    taken: ['2 null'],
  }),
  Block: [weights, { dim: 4, heads: 2, hidden: 8, eps: 1e-6, init }],
  'Block.forward': layer(
    (w) => new core.Block(w, { dim: 4, heads: 2, hidden: 8, eps: 1e-6, init }),
    [f(1, 3, 4), false],
  ),
  MultiHeadAttention: [weights, 4, 2, options],
  'MultiHeadAttention.forward': layer((w) => new core.MultiHeadAttention(w, 4, 2), [f(1, 3, 4), options]),
  'MultiHeadAttention.cache': layer((w) => new core.MultiHeadAttention(w, 4, 2), [1, 3, 'f32'], {
    says: /^KeyValueCache: /,
  }),
  KeyValueCache: [dev, { batch: 1, heads: 2, length: 3, width: 2 }, 'f32'],
  'KeyValueCache.places': layer(
    ({ device }) => new core.KeyValueCache(device, { batch: 1, heads: 2, length: 3, width: 2 }),
    [i(), 1],
  ),
  'KeyValueCache.put': layer(
    ({ device }) => new core.KeyValueCache(device, { batch: 1, heads: 2, length: 3, width: 2 }),
    [f(1, 2, 1, 2), f(1, 2, 1, 2), i()],
    { isSafe: false },
  ),
  GRU: [weights, 3, 4, options],
  'GRU.forward': layer((w) => new core.GRU(w, 3, 4), [f(2, 1, 3), f(1, 1, 4)]),
  'GRU.forwardInTraining': layer((w) => new core.GRU(w, 3, 4), [f(2, 1, 3), key, f(1, 1, 4)]),
  LSTM: [weights, 3, 4, options],
  'LSTM.forward': layer((w) => new core.LSTM(w, 3, 4), [f(2, 1, 3), [f(1, 1, 4), f(1, 1, 4)]]),
  'LSTM.forwardInTraining': layer((w) => new core.LSTM(w, 3, 4), [f(2, 1, 3), key, [f(1, 1, 4), f(1, 1, 4)]]),
  GRUCell: [weights, 3, 4, options],
  'GRUCell.forward': layer((w) => new core.GRUCell(w, 3, 4), [f(1, 3), f(1, 4)]),
  LSTMCell: [weights, 3, 4, options],
  'LSTMCell.forward': layer((w) => new core.LSTMCell(w, 3, 4), [f(1, 3), [f(1, 4), f(1, 4)]]),
  Dropout: [0.5, 1],
  'Dropout.forward': layer(() => new core.Dropout(0.5, 1), [x]),
  'Dropout.forwardInTraining': layer(() => new core.Dropout(0.5, 1), [x, key]),
  Dropout2d: [0.5, 1],
  'Dropout2d.forward': layer(() => new core.Dropout2d(0.5, 1), [f(1, 2, 3)]),
  'Dropout2d.forwardInTraining': layer(() => new core.Dropout2d(0.5, 1), [f(1, 2, 3), key]),
  Sequential: {
    args: [new Thing('a layer', linear, [null, 'left', 5, true, Promise.resolve(1), [1], f(2)]), core.relu],
    isVariadic: true,
    taken: ['nothing'],
  },
  'Sequential.forward': layer((w) => new core.Sequential(new core.Linear(w.in(0), 3, 4), core.relu), [x]),
  'Sequential.forwardInTraining': layer(
    (w) => new core.Sequential(new core.Linear(w.in(0), 3, 4), new core.Dropout(0.1, 0)),
    [x, key],
  ),

  // Training.
  ...Object.fromEntries(
    ['Adam', 'AdamW', 'Lion', 'RMSProp', 'SGD'].map((name) => [
      name,
      { args: [dev, named, options], says: /^(\w+|optimizer): / },
    ]),
  ),
  Muon: {
    args: [dev, new Thing('matrices', (d) => new Map([['w', core.variable(d, [2, 3])]]), named.wrong), options],
    says: /^(Muon|optimizer): /,
  },
  'SGD.hyperparameters': layer((w) => new core.SGD(w.device, core.parameters(new core.Linear(w, 2, 3))), [1, 0.1, 1]),
  'SGD.update': layer(
    (w) => new core.SGD(w.device, core.parameters(new core.Linear(w, 2, 3))),
    [[f(3, 2), f(3)], f(4)],
    { isSafe: false, says: /^(SGD|optimizer): / },
  ),
  'SGD.accumulate': layer(
    (w) => new core.SGD(w.device, core.parameters(new core.Linear(w, 2, 3))),
    [[f(3, 2), f(3)], 1],
    { isSafe: false, says: /^(SGD|optimizer): / },
  ),
  'SGD.apply': layer((w) => new core.SGD(w.device, core.parameters(new core.Linear(w, 2, 3))), [f(4)], {
    isSafe: false,
    says: /^(SGD|optimizer): /,
  }),
  constantRate: [1],
  linearRate: [0, 1, 5],
  cosineRate: [1, 0, 5],
  polynomialRate: [1, 5, 1],
  stepRate: [1, 5, 0.1],
  exponentialRate: [1, 0.9],
  oneCycleRate: [1, 10, options],
  sequence: {
    args: [
      [rate, 5],
      [rate, 5],
    ],
    isVariadic: true,
  },
  scaledRate: [1, 256],
  learningRate: [{ epoch: 1, base: 1, batch: 256, warmup: 1, epochs: 2 }],
  // Of that optimizer, on a device with f16.
  HalfPrecision: { args: [module, optimizer], isSafe: false },
  LossScale: [options],
  'LossScale.adjust': layer(() => new core.LossScale(), [1], { taken: ['nothing'] }),
  'LossScale.restore': layer(() => new core.LossScale(), [{ value: 1, good: 0, updates: 0 }]),
  WeightAverage: [optimizer, options],
  'WeightAverage.rest': layer(
    (w) => new core.WeightAverage(new core.SGD(w.device, core.parameters(new core.Linear(w, 2, 3)))),
    [1, false],
  ),
  'WeightAverage.update': layer(
    (w) => new core.WeightAverage(new core.SGD(w.device, core.parameters(new core.Linear(w, 2, 3)))),
    [f()],
    { isSafe: false },
  ),
  'WeightAverage.within': layer(
    (w) => new core.WeightAverage(new core.SGD(w.device, core.parameters(new core.Linear(w, 2, 3)))),
    [module, body],
    { isSafe: false },
  ),
};

/** What is made by the library itself, functions of shapes, what reads and writes files, kernels of one's own, and processes: they have tests of their own. */
const without = (
  'ArgumentError CheckpointError Device DeviceError KernelError NotFiniteError OutOfMemoryError ShapeError StepError Tensor ZeroSegError ' +
  'heNormal ones xavierUniform zeros blobRanges fetchRanges fromHalf headerSize openTorch openWeights parseHeader readSafetensors ' +
  'readTensor streamSafetensors toFloat32 toHalf writeSafetensors dispatch kernel allReduce broadcast'
).split(' ');

it('everything is here', () => {
  const classes = Object.keys(calls).map((name) => name.split('.')[0]);
  const all = Object.keys(core).filter((name) => !(name in ops));
  expect([...new Set([...classes, ...without])].sort()).toEqual(all.sort());
});

describe('what is given something else says so by its name', () => {
  it.each(Object.entries(calls))('%s', async (name, row) => {
    const { args, of, says, ...rest } = 'args' in row ? row : ({ args: row } as Case);
    const [owner = '', method] = name.split('.');
    // biome-ignore lint/suspicious/noExplicitAny: it is called wrongly
    const exported = (core as any)[owner];
    const call = async (...xs: never[]): Promise<unknown> => {
      if (of && method)
        return ((await of(device.current)) as Record<string, (...xs: never[]) => unknown>)[method]?.(...xs);
      return /^[A-Z]/.test(name) ? new exported(...xs) : exported(...xs);
    };
    const begins = says ?? new RegExp(`^${owner}: `, method ? 'i' : '');
    expect(await faultsOf(device.current, call, args, { says: begins, ...rest })).toEqual([]);
  });
});

describe('in these words', () => {
  const of = (...shape: number[]) => core.fill(device.current, shape, 1);
  const w = () => core.newWeights(device.current, 1);
  const attend = () => new core.MultiHeadAttention(w(), 4, 2);
  it.each<[name: string, call: () => unknown, message: string]>([
    [
      'channels',
      () => attend().forward(of(1, 3, 5)),
      'MultiHeadAttention: x must be [B, N, C] with 4 channels; got x [1, 3, 5]',
    ],
    [
      'a context',
      () => attend().forward(of(1, 3, 4), { context: of(2, 4) }),
      'MultiHeadAttention: context must be [B, M, C] with 4 channels; got context [2, 4]',
    ],
    [
      'a mask',
      () => attend().forward(of(1, 3, 4), { mask: of(5) }),
      'MultiHeadAttention: qkvAttention: the mask must broadcast to [B, H, N, M]; got qkv [1, 3, 12], mask [5]',
    ],
    [
      'layers in a row',
      () => new core.Sequential(core.relu, new core.Linear(w(), 3, 4)).forward(of(2, 5)),
      'Sequential: layer 1: linear: inner sizes must agree (5 and 3); got x [2, 5], weight [4, 3]',
    ],
    [
      'as in PyTorch',
      () => new core.Linear(3 as never, 4 as never, undefined as never),
      'Linear: its weights come first, as newWeights(device, 1) gives them; got the number 3',
    ],
    ['a list', () => core.free([of(2)] as never), 'free: target must be a tensor; it is a list'],
    [
      'a module that is not there yet',
      () =>
        core.parameters({
          head: core.buildModule(core.newWeights(device.current, 1), (own) => new core.Linear(own, 2, 3)),
        }),
      "parameters: 'head' is a promise; await it",
    ],
    [
      'options',
      () => core.jit(device.current, (x) => x, Promise.resolve({}) as never),
      'jit: options come by name: { keep, name, check, time }; got a promise; await it',
    ],
    [
      'a body alone',
      () => core.jit(((x: core.Tensor) => x) as never, undefined as never),
      'jit: the device comes first, as await openDevice() gives it; got a function',
    ],
    [
      'a norm',
      () => new core.LossScale().adjust(core.read(of()) as never),
      'LossScale: the norm is a number, as (await read(norm))[0]; got a promise; await it',
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(expect.objectContaining({ message }));
  });

  it('what prints an error, prints the layer', () => {
    const thrown = (): Error => {
      try {
        attend().forward(of(1, 3, 4), { mask: of(5) });
      } catch (error) {
        return error as Error;
      }
      throw new Error('nothing was thrown');
    };
    const error = thrown();
    expect(error).toBeInstanceOf(core.ShapeError);
    // Other engines than V8 keep messages out of it.
    expect(`${error.stack}`.includes('the mask must broadcast')).toBe(`${error.stack}`.includes(error.message));
  });
});
