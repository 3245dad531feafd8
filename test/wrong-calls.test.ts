import { describe, expect, it } from 'vitest';
import * as core from '../src/index.ts';
import * as ops from './support/all-ops.ts';
import { useDevice } from './support/device.ts';
import { b, dev, f, faultsOf, i, Thing } from './support/wrong-calls.ts';

// As test/kernels/wrong-calls.test.ts, which has the ops: everything else that `@zeroseg/core` exports.

const device = useDevice();
const options = {};
const x = f(2, 3);
const body = () => undefined;

const none = [null, 'left', 5, true, () => 1, Promise.resolve(1), [1]];
const variable = new Thing('a variable', (d) => core.variable(d, [2, 3]), [...none, { nonsense: 0 }]);
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
};

const without = (
  'Adam AdamW ArgumentError Attention BatchNorm Block CheckpointError Conv1d Conv2d ConvStem ConvTranspose2d CrossAttention ' +
  'Device DeviceError Dropout Embedding GRU GRUCell GroupNorm HalfPrecision KernelError KeyValueCache LSTM LSTMCell ' +
  'LayerNorm Linear Lion LossScale Mlp MultiHeadAttention Muon NotFiniteError OutOfMemoryError PatchEmbed RMSNorm RMSProp ' +
  'SGD Sequential ShapeError StepError Tensor TokenMlp WeightAverage ZeroSegError allReduce blobRanges broadcast ' +
  'buildModule constantRate cosineRate countParameters dispatch exponentialRate fetchRanges freeParameters fromHalf ' +
  'heNormal headerSize kernel learningRate linearRate loadMatching loadParameters newWeights normal oneCycleRate ones ' +
  'openTorch openWeights parameter parameters parseHeader permutation polynomialRate random readSafetensors readTensor ' +
  'saveParameters scaledRate sequence sharedWeights sinCosPositions stepRate storedWeights streamSafetensors toFloat32 ' +
  'toHalf trainable truncatedNormal uniform weightsFrom withParameters writeSafetensors xavierUniform zeros'
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
