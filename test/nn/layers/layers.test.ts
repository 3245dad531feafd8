import { describe, expect, it } from 'vitest';
import { crossAttention, qkvAttention } from '../../../src/kernels/attention/attention.ts';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { relu, scale } from '../../../src/kernels/elementwise/unary.ts';
import { permute, split } from '../../../src/kernels/layout/layout.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { conv1d, conv2d, convTranspose2d } from '../../../src/kernels/spatial/index.ts';
import { Attention, CrossAttention } from '../../../src/nn/layers/attention.ts';
import { BatchNorm } from '../../../src/nn/layers/batch-norm.ts';
import { Block } from '../../../src/nn/layers/block.ts';
import { ConvStem } from '../../../src/nn/layers/conv-stem.ts';
import { Conv1d } from '../../../src/nn/layers/conv1d.ts';
import { Conv2d, ConvTranspose2d } from '../../../src/nn/layers/conv2d.ts';
import { Dropout } from '../../../src/nn/layers/dropout.ts';
import { Embedding } from '../../../src/nn/layers/embedding.ts';
import { ones, zeros } from '../../../src/nn/layers/init.ts';
import { KeyValueCache } from '../../../src/nn/layers/key-value-cache.ts';
import { LayerNorm } from '../../../src/nn/layers/layer-norm.ts';
import { Linear } from '../../../src/nn/layers/linear.ts';
import { Mlp, TokenMlp } from '../../../src/nn/layers/mlp.ts';
import { parameters, replaceParameters } from '../../../src/nn/layers/module.ts';
import { MultiHeadAttention } from '../../../src/nn/layers/multi-head-attention.ts';
import { GroupNorm, RMSNorm } from '../../../src/nn/layers/norms.ts';
import { saveParameters } from '../../../src/nn/layers/parameter-files.ts';
import { PatchEmbed } from '../../../src/nn/layers/patch-embed.ts';
import { GRU, LSTM } from '../../../src/nn/layers/recurrent.ts';
import { GRUCell, LSTMCell } from '../../../src/nn/layers/recurrent-cells.ts';
import { Sequential } from '../../../src/nn/layers/sequential.ts';
import { buildModule, newWeights, storedWeights } from '../../../src/nn/layers/weights.ts';
import { readSafetensors } from '../../../src/nn/safetensors/safetensors.ts';
import { tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const weights = () => newWeights(device.current, 1);
const floats = (...shape: number[]) => {
  const random = seeded(size(shape));
  return tensor(
    device.current,
    Float32Array.from({ length: size(shape) }, () => normal(random)),
    shape,
  );
};

describe('Embedding', () => {
  it('takes rows, and gives rows that were taken twice both gradients', async () => {
    const layer = new Embedding(weights(), 5, 3);
    const table = await read(layer.weight);
    const ids = tensor(device.current, new Uint32Array([4, 0, 4, 2]), [2, 2]);
    const y = layer.forward(ids);
    expect(y.shape).toEqual([2, 2, 3]);
    expect([...(await read(y))]).toEqual([4, 0, 4, 2].flatMap((id) => [...table.subarray(3 * id, 3 * id + 3)]));
    const [dweight] = gradients(sum(y), [layer.weight]);
    expect([...(await read(dweight!))]).toEqual([1, 0, 1, 0, 2].flatMap((n) => [n, n, n]));
  });

  it('starts normal', async () => {
    const values = await read(new Embedding(weights(), 100, 100).weight);
    const mean = values.reduce((a, v) => a + v, 0) / values.length;
    const square = values.reduce((a, v) => a + v * v, 0) / values.length;
    expect([Math.abs(mean) < 0.05, Math.abs(square - 1) < 0.07]).toEqual([true, true]);
  });
});

describe('Sequential', () => {
  it('is one layer after the other, of layers and functions, named by places', async () => {
    const w = weights();
    const [first, last] = [new Linear(w.in(0), 3, 8), new Linear(w.in(2), 8, 2)];
    const model = new Sequential(first, relu, last);
    expect([...parameters({ model }).keys()]).toEqual([
      'model.0.weight',
      'model.0.bias',
      'model.2.weight',
      'model.2.bias',
    ]);
    const x = floats(4, 3);
    expect(await read(model.forward(x))).toEqual(await read(last.forward(relu(first.forward(x)))));
    expect([model.length, model[1]]).toEqual([3, relu]);
    expect([...model]).toEqual([first, relu, last]);
    expect(await read(model.forwardInTraining(x))).toEqual(await read(model.forward(x)));
    expect(new Sequential().forward(x)).toBe(x);
  });

  it('trains the layers that are another thing in training, in each other too', async () => {
    const drop = new Dropout(0.5, 9);
    const model = new Sequential((x) => scale(x, 2), new Sequential(drop, relu));
    const [x, key] = [floats(6, 7), tensor(device.current, new Uint32Array([4, 2]))];
    expect(await read(model.forward(x))).toEqual(await read(relu(scale(x, 2))));
    expect(await read(model.forwardInTraining(x, key))).toEqual(
      await read(relu(drop.forwardInTraining(scale(x, 2), key))),
    );
  });

  it('says what is no layer', () => {
    const make =
      (...layers: unknown[]) =>
      () =>
        new Sequential(...(layers as never[]));
    const linear = new Linear(weights(), 3, 2);
    expect(make([linear, relu])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Sequential: layer 0 must be a function, or have a forward(x); it is a list: give the layers one by one, new Sequential(...layers)]`,
    );
    expect(make(linear, undefined)).toThrow(
      'Sequential: layer 1 must be a function, or have a forward(x); it is undefined',
    );
    const pair = new Sequential((x) => x, ((x: Tensor) => ({ y: x })) as never);
    expect(() => pair.forward(floats(2, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Sequential: layer 1 must give a tensor; it gave an object]`,
    );
    expect(() =>
      new Sequential(new Dropout(0.5, 1)).forwardInTraining(floats(2, 3)),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: Sequential: layer 0: Dropout: key must be a tensor; it is undefined; in training it is the seed of the step, u32 [2]: forwardInTraining(x, key)]`,
    );
  });

  it('is computed with the parameters that stand in for its own', async () => {
    const model = new Sequential(new Linear(weights().in(0), 2, 2));
    const others = new Map(
      [...parameters(model).values()].map((t) => [
        t,
        variable(device.current, t.shape, new Float32Array(t.size).fill(1)),
      ]),
    );
    const x = tensor(device.current, [1, 2], [1, 2]);
    const undo = replaceParameters(model, others);
    expect([...(await read(model.forward(x)))]).toEqual([4, 4]);
    undo();
    expect([...(await read(model.forward(x)))]).not.toEqual([4, 4]);
  });
});

describe('Conv2d and ConvTranspose2d', () => {
  it('hand their settings to the ops', async () => {
    const settings = { side: [3, 2], stride: [2, 1], padding: [0, 1], dilation: [1, 2], groups: 2 } as const;
    const conv = new Conv2d(weights(), 4, 6, settings);
    expect(conv.weight.shape).toEqual([6, 2, 3, 2]);
    const x = floats(1, 5, 4, 4);
    const { side: _, ...options } = settings;
    expect(await read(conv.forward(x))).toEqual(await read(conv2d(x, conv.weight, { ...options, bias: conv.bias })));
    const same = new Conv2d(weights(), 5, 2, { side: 3, padding: 'same', bias: false });
    expect([...parameters(same).keys()]).toEqual(['weight']);
    expect(same.forward(x, 'first').shape).toEqual([1, 2, 4, 4]);

    const up = new ConvTranspose2d(weights(), 4, 3, { side: 3, stride: [2, 1], padding: 1, outputPadding: [1, 0] });
    expect([...parameters(up)].map(([name, { shape }]) => [name, ...shape])).toEqual([
      ['weight', 4, 3, 3, 3],
      ['bias', 3],
    ]);
    expect(await read(up.forward(x))).toEqual(
      await read(convTranspose2d(x, up.weight, { bias: up.bias, stride: [2, 1], padding: 1, outputPadding: [1, 0] })),
    );
  });

  it('make images of the size that was halved, in groups, and channels first', async () => {
    const up = new ConvTranspose2d(weights(), 4, 6, { side: 3, stride: 2, padding: 1, outputPadding: 1, groups: 2 });
    expect(up.weight.shape).toEqual([4, 3, 3, 3]);
    const x = floats(1, 3, 2, 4);
    const given = { bias: up.bias, stride: 2, padding: 1, groups: 2 };
    const [own, odd, first] = [
      up.forward(x),
      up.forward(x, { outputSize: [5, 4] }),
      up.forward(permute(x, [0, 3, 1, 2]), 'first'),
    ];
    expect([own.shape, odd.shape, first.shape]).toEqual([
      [1, 6, 4, 6],
      [1, 5, 4, 6],
      [1, 6, 6, 4],
    ]);
    expect(await read(odd)).toEqual(await read(convTranspose2d(x, up.weight, { ...given, outputPadding: [0, 1] })));
    expect(await read(permute(first, [0, 2, 3, 1]))).toEqual(await read(own));
    expect(() => up.forward(x, { outputSize: [7, 4] })).toThrow('the outputSize must be from [5, 3] to [6, 4]');
    expect(() => up.forward(x, { size: [5, 4] } as never)).toThrow(/there is no 'size'/);
    expect(() => new ConvTranspose2d(weights(), 4, 6, { side: 3, groups: 4 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: ConvTranspose2d: the groups must divide inputs and outputs (4, 4 and 6)]`,
    );
  });

  it('have a sibling along one axis', async () => {
    const settings = { side: 3, stride: 2, padding: 1, dilation: 2, groups: 2 } as const;
    const conv = new Conv1d(weights(), 4, 6, settings);
    expect([...parameters(conv)].map(([name, { shape }]) => [name, ...shape])).toEqual([
      ['weight', 6, 2, 3],
      ['bias', 6],
    ]);
    const x = floats(2, 9, 4);
    const { side: _, ...options } = settings;
    expect(await read(conv.forward(x))).toEqual(await read(conv1d(x, conv.weight, { ...options, bias: conv.bias })));
    const same = new Conv1d(weights(), 9, 2, { side: 3, padding: 'same', bias: false, init: ones });
    expect([...parameters(same).keys()]).toEqual(['weight']);
    expect(same.forward(x, 'first').shape).toEqual([2, 2, 4]);
    expect(() => new Conv1d(weights(), 4, 6, { padding: 1 } as never)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: Conv1d: the side must be a whole number above 0 (undefined)]`,
    );
    expect(() => new Conv1d(weights(), 4, 6, { side: 3, stride: [1, 2] } as never)).toThrow(
      'Conv1d: the stride must be',
    );
    expect(() => new Conv1d(weights(), 4, 6, { side: 3, kernel: 3 } as never)).toThrow(/there is no 'kernel'/);
  });

  it('refuse groups that do not divide, and settings that they do not have', () => {
    expect(() => new Conv2d(weights(), 4, 6, { side: 3, groups: 4 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: Conv2d: the groups must divide inputs and outputs (4, 4 and 6)]`,
    );
    expect(() => new ConvTranspose2d(weights(), 4, 6, { side: 3, group: 2 } as never)).toThrow(/there is no 'group'/);
    const of = (settings: object) => () => new Conv2d(weights(), 4, 6, settings as never);
    expect(of({ padding: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: Conv2d: the side must be a whole number above 0 (undefined)]`,
    );
    expect(of({ side: 2.5 })).toThrow('Conv2d: the side must be a whole number above 0 (2.5)');
    expect(of({ side: [3, 0] })).toThrow(
      'the side must be a whole number above 0, or two of them, [down, across] ([3, 0])',
    );
    expect(of({ side: 3, stride: 0 })).toThrow('Conv2d: the stride must be a whole number above 0 (0)');
    expect(of({ side: 3, padding: -1 })).toThrow('Conv2d: the padding must be a whole number, 0 or more (-1)');
    expect(of({ side: 3, groups: 0.5 })).toThrow('Conv2d: the groups must divide inputs and outputs (0.5, 4 and 6)');
    expect(of({ side: 3, init: 0.02 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv2d: init must be an initializer, as normal(0.02); it is the number 0.02]`,
    );
  });
});

describe('MultiHeadAttention', () => {
  /** Softmax attention of heads, in float64. */
  function reference(
    { q, k, v }: { q: Float64Array; k: Float64Array; v: Float64Array },
    {
      B,
      N,
      M,
      C,
      heads,
      causal = false,
    }: { B: number; N: number; M: number; C: number; heads: number; causal?: boolean },
  ): Float64Array {
    const y = new Float64Array(B * N * C);
    const D = C / heads;
    for (let b = 0; b < B; b++) {
      for (let h = 0; h < heads; h++) {
        for (let n = 0; n < N; n++) {
          const seen = causal ? n + 1 : M;
          const e = Array.from({ length: seen }, (_, m) => {
            let dot = 0;
            for (let d = 0; d < D; d++) dot += q[(b * N + n) * C + h * D + d]! * k[(b * M + m) * C + h * D + d]!;
            return Math.exp(dot / Math.sqrt(D));
          });
          const total = e.reduce((a, x) => a + x, 0);
          for (let d = 0; d < D; d++) {
            for (let m = 0; m < seen; m++)
              y[(b * N + n) * C + h * D + d]! += (e[m]! / total) * v[(b * M + m) * C + h * D + d]!;
          }
        }
      }
    }
    return y;
  }
  /** `x·Wᵀ + b`, with rows `from` to `to` of the weight. */
  function project(
    x: ArrayLike<number>,
    weight: Float32Array,
    bias: Float32Array,
    C: number,
    from: number,
    to: number,
  ) {
    const y = new Float64Array((x.length / C) * (to - from));
    for (let i = 0; i < y.length; i++) {
      const [row, o] = [Math.floor(i / (to - from)), from + (i % (to - from))];
      y[i] = bias[o]!;
      for (let c = 0; c < C; c++) y[i]! += x[row * C + c]! * weight[o * C + c]!;
    }
    return y;
  }

  it.each([
    ['of rows to themselves', {}],
    ['of rows to those before', { causal: true }],
    ['of rows to others', { other: true }],
  ])('%s, as PyTorch has it', async (_, { causal = false, other = false }: { causal?: boolean; other?: boolean }) => {
    const [B, N, M, C, heads] = [2, 5, other ? 7 : 5, 12, 3];
    const layer = new MultiHeadAttention(weights(), C, heads);
    Object.assign(layer, { in_proj_bias: floats(3 * C) });
    Object.assign(layer.out_proj, { bias: floats(C) });
    const [x, context] = [floats(B, N, C), floats(B, M, C)];
    const y = layer.forward(x, other ? { context } : { causal });
    const [w, b, w2, b2, xs, cs] = (await readAll([
      layer.in_proj_weight,
      layer.in_proj_bias as Tensor,
      layer.out_proj.weight,
      layer.out_proj.bias as Tensor,
      x,
      other ? context : x,
    ])) as Float32Array[];
    const q = project(xs!, w!, b!, C, 0, C);
    const k = project(cs!, w!, b!, C, C, 2 * C);
    const v = project(cs!, w!, b!, C, 2 * C, 3 * C);
    const want = project(reference({ q, k, v }, { B, N, M, C, heads, causal }), w2!, b2!, C, 0, C);
    expect(y.shape).toEqual([B, N, C]);
    close(await read(y), want, 3e-6, 'y');
  });

  it('has the gradients of its parts, through all that it was given', async () => {
    const [C, heads] = [8, 2];
    const layer = new MultiHeadAttention(weights(), C, heads);
    const [x, context] = [floats(2, 3, C), floats(2, 4, C)];
    const given = [x, context, layer.in_proj_weight, layer.in_proj_bias as Tensor];
    const [wq, wk, wv] = split(layer.in_proj_weight, 0, [C, C, C]) as [Tensor, Tensor, Tensor];
    const [bq, bk, bv] = split(layer.in_proj_bias as Tensor, 0, [C, C, C]) as [Tensor, Tensor, Tensor];
    const plain = layer.out_proj.forward(
      crossAttention(
        linear(x, wq, { bias: bq }),
        linear(context, wk, { bias: bk }),
        linear(context, wv, { bias: bv }),
        heads,
      ),
    );
    const dy = floats(2, 3, C);
    const got = await readAll(gradients(layer.forward(x, { context }), given, dy));
    const want = await readAll(gradients(plain, given, dy));
    want.forEach((w, i) => void close(got[i]!, w, 1e-5, `gradient ${i}`));
    const own = qkvAttention(linear(x, layer.in_proj_weight, { bias: layer.in_proj_bias as Tensor }), heads);
    close(await read(layer.forward(x)), await read(layer.out_proj.forward(own)), 1e-6, 'packed');
  });

  it('starts as in PyTorch, and may have no biases', async () => {
    const layer = new MultiHeadAttention(weights(), 64, 4);
    const top = async (t: Tensor) => (await read(t)).reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    const within = async (t: Tensor, bound: number) => [(await top(t)) <= bound, (await top(t)) > 0.9 * bound];
    expect(await within(layer.in_proj_weight, Math.sqrt(6 / (4 * 64)))).toEqual([true, true]);
    expect(await within(layer.out_proj.weight, 1 / 8)).toEqual([true, true]);
    expect([await top(layer.in_proj_bias as Tensor), await top(layer.out_proj.bias as Tensor)]).toEqual([0, 0]);
    expect([...parameters(new MultiHeadAttention(weights(), 8, 2, { bias: false })).keys()]).toEqual([
      'in_proj_weight',
      'out_proj.weight',
    ]);
    expect([...parameters(layer).keys()]).toEqual([
      'in_proj_weight',
      'in_proj_bias',
      'out_proj.weight',
      'out_proj.bias',
    ]);
  });

  it('refuses heads that do not fit, and causal attention to others', () => {
    expect(() => new MultiHeadAttention(weights(), 10, 4)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: MultiHeadAttention: 10 channels do not divide into 4 heads]`,
    );
    const layer = new MultiHeadAttention(weights(), 4, 2);
    const x = floats(1, 2, 4);
    expect(() => layer.forward(x, { context: x, causal: true })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: MultiHeadAttention: only the attention of rows to themselves can be causal from the first row on; for the last, 'end']`,
    );
  });
});

it('layers say which argument is missing, and where it comes from', () => {
  const w = weights();
  /** As in JavaScript, where nobody checks. */
  const make = (Layer: unknown, ...given: unknown[]) => {
    return () => new (Layer as new (...given: unknown[]) => object)(...given);
  };
  expect(make(Linear, 2, 32)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: Linear: its weights come first, as newWeights(device, 1) gives them; got the number 2]`,
  );
  expect(make(Linear, device.current, 2, 32)).toThrow('as newWeights(device, 1) gives them; got a Device');
  expect(make(Linear, w, 2)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: Linear: outputs must be a whole number, 0 or more; it is undefined]`,
  );
  expect(make(Linear, w, [2], 32)).toThrow('Linear: inputs must be a whole number, 0 or more; it is a list');
  expect(make(Linear, w, 2.5, 32)).toThrow('Linear: inputs must be a whole number, 0 or more; it is the number 2.5');
  const settings = { channels: 3, patch: 4, dim: 8, heads: 2, hidden: 8 };
  const all: [layer: unknown, last: string, ...sizes: unknown[]][] = [
    [Attention, 'heads', 8],
    [BatchNorm, 'channels'],
    [Block, 'hidden', { ...settings, hidden: undefined }],
    [Conv1d, 'outputs', 3],
    [Conv2d, 'outputs', 3],
    [ConvStem, 'dim', { ...settings, dim: '8' }],
    [ConvTranspose2d, 'outputs', 3],
    [CrossAttention, 'heads', 8],
    [Embedding, 'dim', 9],
    [GroupNorm, 'channels', 2],
    [GRU, 'hidden', 3],
    [GRUCell, 'hidden', 3],
    [LayerNorm, 'dim'],
    [LSTM, 'hidden', 3],
    [LSTMCell, 'hidden', 3],
    [Mlp, 'outputs', 2, 3],
    [MultiHeadAttention, 'heads', 8],
    [PatchEmbed, 'dim', { ...settings, dim: Number.NaN }],
    [RMSNorm, 'dim'],
    [TokenMlp, 'outputs', 2, 3],
  ];
  for (const [Layer, last, ...sizes] of all) {
    const { name } = Layer as { name: string };
    expect(make(Layer), name).toThrow(
      `${name}: its weights come first, as newWeights(device, 1) gives them; got undefined`,
    );
    expect(make(Layer, ...sizes), name).toThrow(`${name}: its weights come first`);
    expect(make(Layer, w, ...sizes), name).toThrow(`${name}: ${last} must be a whole number, 0 or more; it is `);
  }
  expect(make(GRU, w, 3, 4, { layers: 0 })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: GRU: layers must be a whole number above 0; it is the number 0]`,
  );
  expect(make(KeyValueCache, { batch: 1, heads: 1, length: 1, width: 1 })).toThrow(/^KeyValueCache: /);
  expect(() => newWeights(1 as never, undefined as never)).toThrow(
    'newWeights: the device comes first, as await openDevice() gives it; got the number 1',
  );
  expect(() => newWeights(device.current, undefined as never)).toThrow(
    'newWeights: seed must be a number; it is undefined',
  );
});

it('layers refuse options that they do not have, and numbers in the place of options', () => {
  const given: [Layer: unknown, last: readonly unknown[], message: string][] = [
    [
      GRU,
      [{ numLayers: 2 }],
      "GRU: options come by name: { layers, bias, batchFirst, bidirectional, dropout, stream }; there is no 'numLayers'",
    ],
    [
      LSTM,
      [2],
      'LSTM: options come by name: { layers, bias, batchFirst, bidirectional, dropout, stream }; got the number 2',
    ],
    [GRUCell, [{ layers: 2 }], "GRUCell: options come by name: { bias }; there is no 'layers'"],
    [GRU, [{ dropout: 1.5 }], 'GRU: dropout must be from 0 to 1; it is the number 1.5'],
    [LSTM, [{ dropout: 0.5 }], 'LSTM: dropout is between layers, of which there is one'],
    [
      LSTM,
      [{ dropout: 0.5, layers: 2 }],
      'LSTM: dropout needs a stream of its own, as Dropout: { dropout: 0.5, stream: 0 }',
    ],
    [Linear, [{ biass: false }], "Linear: options come by name: { bias, init }; there is no 'biass'"],
    [Linear, [{ init: 1 }], 'Linear: init must be an initializer, as normal(0.02); it is the number 1'],
    [Embedding, [{ paddingIdx: 0 }], "Embedding: options come by name: { init }; there is no 'paddingIdx'"],
    [BatchNorm, [{ affine: false }], "BatchNorm: options come by name: { eps, momentum }; there is no 'affine'"],
    [BatchNorm, [0.1], 'BatchNorm: options come by name: { eps, momentum }; got the number 0.1'],
    [BatchNorm, [{ momentum: 2 }], 'BatchNorm: momentum must be from 0 to 1; it is 2'],
    [BatchNorm, [{ eps: '1e-5' }], "BatchNorm: eps must be a number, 0 or more; it is the string '1e-5'"],
    [LayerNorm, [{ eps: 1e-6 }], 'LayerNorm: eps must be a number, 0 or more; it is an object'],
    [RMSNorm, [-1], 'RMSNorm: eps must be a number, 0 or more; it is the number -1'],
    [GroupNorm, [Number.NaN], 'GroupNorm: eps must be a number, 0 or more; it is the number NaN'],
  ];
  for (const [Layer, last, message] of given) {
    const sizes = [BatchNorm, LayerNorm, RMSNorm].includes(Layer as typeof RMSNorm) ? [4] : [4, 4];
    const make = () => new (Layer as new (...given: unknown[]) => object)(weights(), ...sizes, ...last);
    expect(make).toThrow(message);
  }
});

it('layers refuse an argument too many, which would change nothing', () => {
  const all: [Layer: unknown, ...given: unknown[]][] = [
    [Attention, 8, 2, zeros],
    [BatchNorm, 4, {}],
    [Block, { dim: 8, heads: 2, hidden: 8 }],
    [Conv1d, 4, 4, { side: 3 }],
    [Conv2d, 4, 4, { side: 3 }],
    [ConvStem, { channels: 3, patch: 4, dim: 8 }],
    [ConvTranspose2d, 4, 4, { side: 3 }],
    [CrossAttention, 8, 2, zeros],
    [Embedding, 4, 4, zeros],
    [GroupNorm, 2, 4, 1e-5],
    [GRU, 4, 4, {}],
    [GRUCell, 4, 4, {}],
    [LayerNorm, 4, 1e-5],
    [Linear, 4, 4, zeros],
    [LSTM, 4, 4, {}],
    [LSTMCell, 4, 4, {}],
    [Mlp, 4, 4, 4, zeros, 'gelu'],
    [MultiHeadAttention, 8, 2, {}],
    [PatchEmbed, { channels: 3, patch: 4, dim: 8 }, zeros],
    [RMSNorm, 4, 1e-5],
    [TokenMlp, 4, 4, 4, zeros],
  ];
  for (const [Layer, ...given] of all) {
    const { name } = Layer as { name: string };
    expect(() => new (Layer as new (...given: unknown[]) => object)(weights(), ...given, false), name).toThrow(
      `${name}: options come by name, not as false`,
    );
  }
});

describe('Linear', () => {
  it('may have no bias, and other first values', async () => {
    const x = floats(3, 4);
    const plain = new Linear(weights(), 4, 2, { bias: false, init: ones });
    expect([...parameters(plain).keys()]).toEqual(['weight']);
    const sums = Array.from(await read(sum(x, { axes: 1 })), (total) => [total, total]).flat();
    close(await read(plain.forward(x)), sums, 1e-6, 'y');
    const short = new Linear(weights(), 4, 2, ones);
    expect([...parameters(short).keys()]).toEqual(['weight', 'bias']);
    expect(await read(short.weight)).toEqual(await read(plain.weight));
    expect(await read(new Embedding(weights(), 2, 4, { init: ones }).weight)).toEqual(await read(plain.weight));
  });

  it('refuses what its launch does not do', () => {
    const layer = new Linear(weights(), 3, 2);
    expect(() => layer.forward(floats(2, 3), { activaton: 'gelu' } as never)).toThrow(/there is no 'activaton'/);
    expect(() => layer.forward(floats(2, 3), { activation: 'gelu', residual: undefined })).not.toThrow();
  });
});

describe('new weights', () => {
  it('are given once by each name', () => {
    const w = weights();
    new Linear(w, 3, 2);
    expect(() => new Linear(w, 3, 2)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: newWeights: 'weight' is asked for twice; give each layer its own weights.in('a')]`,
    );
    expect([...parameters(new Linear(w.in('other'), 3, 2)).keys()]).toEqual(['weight', 'bias']);
  });

  it('are held by the names by which they are asked for', async () => {
    await expect(
      buildModule(weights(), (w) => ({ enc: new Linear(w.in('encoder'), 3, 2) })),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: buildModule: 'encoder.weight' would be saved as 'enc.weight', and not be found again; name the field and weights.in(…) alike]`,
    );
    await expect(
      buildModule(weights().in('a'), (w) => new Sequential(relu, relu, new Linear(w.in(1), 3, 2))),
    ).rejects.toThrow("buildModule: '1.weight' would be saved as '2.weight'");
    const part = await buildModule(weights(), (w) => new Linear(w.in('body').in('head'), 3, 2));
    const whole = await buildModule(weights(), (w) => ({ part, model: new Linear(w, 3, 2) }));
    expect([...parameters(whole).keys()]).toEqual(['part.weight', 'part.bias', 'model.weight', 'model.bias']);
    // Names of another's file are its own.
    const { tensors } = readSafetensors(await saveParameters({ encoder: part }));
    const from = storedWeights(device.current, tensors, 'encoder');
    const read = await buildModule(from, (w) => ({ enc: new Linear(w.in('encoder'), 3, 2) }));
    expect([...parameters(read).keys()]).toEqual(['enc.weight', 'enc.bias']);
  });
});
