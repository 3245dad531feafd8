import { describe, expect, it } from 'vitest';
import { mean } from '../../../src/kernels/axis/reduce.ts';
import { sub } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { ConvStem } from '../../../src/nn/layers/conv-stem.ts';
import { parameters } from '../../../src/nn/layers/module.ts';
import { newWeights, weightsFrom } from '../../../src/nn/layers/weights.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';
import type { StoredTensor } from '../../../src/nn/safetensors/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { type ClipConfig, ClipVision } from '../../../src/zeroseg/clip/towers.ts';
import { loadClipVision } from '../../../src/zeroseg/clip-files/load.ts';
import { clipConfig } from '../../../src/zeroseg/clip-files/tensor-sizes.ts';
import { resolveConfig, tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { Encoder } from '../../../src/zeroseg/model/encoder.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

const some = (seed: number, ...shape: number[]): Float32Array => {
  const random = seeded(seed);
  return Float32Array.from({ length: size(shape) }, () => normal(random));
};
const image = (seed: number, ...shape: number[]) => tensor(device.current, some(seed, ...shape), shape);
const shapes = (module: object) =>
  Object.fromEntries([...parameters(module)].map(([name, { shape }]) => [name, `[${shape}]`]));

/** Pixels `[c][i][j]`, from pixels, in float64: convolution, LayerNorm over the channels, GELU. */
function stage(x: number[][][], weight: Float32Array, bias: Float32Array, scale: Float32Array, shift: Float32Array) {
  const [rows, cols] = [x[0]!.length / 2, x[0]![0]!.length / 2];
  const y = Array.from(bias, () => Array.from({ length: rows }, () => new Array<number>(cols).fill(0)));
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) {
      const sums = Array.from(bias, (b, d) => {
        let sum = b;
        x.forEach((plane, c) => {
          for (let u = 0; u < 3; u++)
            for (let v = 0; v < 3; v++)
              sum += weight[((d * x.length + c) * 3 + u) * 3 + v]! * (plane[2 * i + u - 1]?.[2 * j + v - 1] ?? 0);
        });
        return sum;
      });
      const middle = sums.reduce((a, b) => a + b) / sums.length;
      const deviation = Math.sqrt(sums.reduce((a, b) => a + (b - middle) ** 2, 0) / sums.length + 1e-6);
      sums.forEach((sum, d) => {
        y[d]![i]![j] = gelu(((sum - middle) / deviation) * scale[d]! + shift[d]!);
      });
    }
  return y;
}

function gelu(x: number): number {
  let term = x / Math.SQRT2;
  let erf = term;
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / 2 / n;
    erf += term / (2 * n + 1);
  }
  return (x / 2) * (1 + (2 / Math.sqrt(Math.PI)) * erf);
}

describe('ConvStem', () => {
  it('doubles its widths up to that of the tokens', () => {
    const stem = new ConvStem(newWeights(device.current, 1), { channels: 3, patch: 8, dim: 96 });
    expect(shapes(stem)).toMatchInlineSnapshot(`
      {
        "convs.0.bias": "[24]",
        "convs.0.weight": "[24,3,3,3]",
        "convs.1.bias": "[48]",
        "convs.1.weight": "[48,24,3,3]",
        "convs.2.bias": "[96]",
        "convs.2.weight": "[96,48,3,3]",
        "norms.0.bias": "[24]",
        "norms.0.weight": "[24]",
        "norms.1.bias": "[48]",
        "norms.1.weight": "[48]",
        "norms.2.bias": "[96]",
        "norms.2.weight": "[96]",
        "proj.bias": "[96]",
        "proj.weight": "[96,96]",
      }
    `);
    const narrow = new ConvStem(newWeights(device.current, 1), { channels: 1, patch: 16, dim: 20 });
    expect(narrow.convs.map(({ weight }) => weight.shape.slice(0, 2))).toEqual([
      [16, 1],
      [16, 16],
      [16, 16],
      [20, 16],
    ]);
  });

  it('is convolutions, norms and GELU, and a linear layer; drops what fills no patch', async () => {
    const values = weightsFrom(device.current, (name, shape) =>
      some(name.length * 31 + name.charCodeAt(6), ...shape).map(
        (v) => v / Math.sqrt(Math.max(1, size(shape.slice(1)))),
      ),
    );
    const stem = new ConvStem(values, { channels: 3, patch: 4, dim: 24 });
    const pixels = some(9, 2, 3, 9, 15);
    const [y, ...all] = await readAll([
      stem.forward(tensor(device.current, pixels, [2, 3, 9, 15])),
      ...parameters(stem).values(),
    ]);
    const named = new Map([...parameters(stem).keys()].map((name, i) => [name, all[i] as Float32Array]));
    const get = (name: string) => named.get(name) as Float32Array;
    const wanted: number[] = [];
    for (let b = 0; b < 2; b++) {
      let x = Array.from({ length: 3 }, (_, c) =>
        Array.from({ length: 8 }, (_, i) => [...pixels.subarray(((b * 3 + c) * 9 + i) * 15).subarray(0, 12)]),
      );
      for (const i of [0, 1]) {
        const weights = ['convs.*.weight', 'convs.*.bias', 'norms.*.weight', 'norms.*.bias'];
        const [w, bias, scale, shift] = weights.map((name) => get(name.replace('*', String(i))));
        x = stage(x, w!, bias!, scale!, shift!);
      }
      for (let i = 0; i < 2; i++)
        for (let j = 0; j < 3; j++)
          for (let d = 0; d < 24; d++)
            wanted.push(
              x.reduce(
                (sum, plane, c) => sum + plane[i]![j]! * get('proj.weight')[d * x.length + c]!,
                get('proj.bias')[d]!,
              ),
            );
    }
    close(y as Float32Array, wanted, 1e-5, 'tokens');
  });

  it('learns: every weight has its gradient', async () => {
    const stem = new ConvStem(newWeights(device.current, 2), { channels: 3, patch: 4, dim: 16 });
    const optimizer = new AdamW(device.current, parameters(stem), { weightDecay: 0 });
    const x = image(3, 4, 3, 8, 8);
    const wanted = image(4, 4, 4, 16);
    using train = await step(
      device.current,
      { hyper: [optimizer.hyperparameterCount] },
      ({ hyper }) => {
        const loss = mean(square(sub(stem.forward(x), wanted)));
        const found = gradients(loss, optimizer.parameters);
        optimizer.update(found, hyper);
        return [loss, ...found];
      },
      { check: true },
    );
    const [first, ...found] = await readAll(train({ hyper: optimizer.hyperparameters(1, 3e-3) }));
    expect(found.every((one) => one.some((v) => v !== 0))).toBe(true);
    let loss = first as Float32Array;
    for (let t = 2; t <= 150; t++) loss = await read(train({ hyper: optimizer.hyperparameters(t, 3e-3) })[0]!);
    expect(loss[0]).toBeLessThan((first as Float32Array)[0]! / 10);
  });

  it('wants patches of a power of two', () => {
    expect(
      () => new ConvStem(newWeights(device.current, 1), { channels: 3, patch: 6, dim: 16 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: ConvStem: a patch must be a power of two, at least 2 (6); each convolution halves]`,
    );
    expect(() => resolveConfig({ patch: 12, image: 48, stem: 'conv' })).toThrowErrorMatchingInlineSnapshot(
      `[ConfigError: configuration: 'patch' must be a power of two, at least 2, with 'stem' conv; got 12]`,
    );
    expect(() => resolveConfig({ stem: 'other' })).toThrowErrorMatchingInlineSnapshot(
      `[ConfigError: configuration: 'stem' must be one of patch, conv; got "other"]`,
    );
    expect(resolveConfig({}).stem).toBe('patch');
  });
});

describe('a model with a convolutional stem', () => {
  it('encodes images', async () => {
    const config = { ...tinyConfig, image: 16, depth: 1, stem: 'conv' } as const;
    const encoder = new Encoder(newWeights(device.current, 1), config);
    const names = [...parameters(encoder).keys()];
    expect(names.filter((name) => /stem|patch/.test(name)).slice(0, 3)).toEqual([
      'stem.convs.0.weight',
      'stem.convs.0.bias',
      'stem.convs.1.weight',
    ]);
    expect(names.some((name) => name.startsWith('patch_embed'))).toBe(false);
    const latent = encoder.forward(image(1, 2, 3, 16, 16), () => {});
    expect(latent.shape).toEqual([2, 5, 96]);
    expect((await read(latent)).every(Number.isFinite)).toBe(true);
  });

  const clip: ClipConfig = {
    vision: { width: 32, heads: 2, layers: 1, patch: 4, image: 8, stem: 'conv' },
    text: { width: 0, heads: 1, layers: 0, vocab: 0, context: 0 },
    projection: 6,
    activation: 'quick_gelu',
    layer_norm_eps: 1e-5,
  };

  it('looks at views, of other sizes too, and is read from its checkpoint', async () => {
    const vision = new ClipVision(newWeights(device.current, 5), clip);
    const published = (name: string): string => {
      const at = 'vision_model.';
      if (name.startsWith('stem.')) return `${at}embeddings.${name}`;
      if (name === 'class_embedding') return `${at}embeddings.class_embedding`;
      if (name === 'positions') return `${at}embeddings.position_embedding.weight`;
      if (name === 'projection.weight') return 'visual_projection.weight';
      const direct = name.replace('norm_pre', `${at}pre_layrnorm`).replace('norm_post', `${at}post_layernorm`);
      return direct
        .replace('blocks.0.', `${at}encoder.layers.0.`)
        .replace(/\.norm(\d)/, '.layer_norm$1')
        .replace('attn.proj', 'self_attn.out_proj');
    };
    const stored = new Map<string, StoredTensor>();
    const put = (name: string, shape: readonly number[], data: Float32Array) =>
      stored.set(name, { file: 'file', name, dtype: 'F32', shape, bytes: new Uint8Array(data.slice().buffer) });
    for (const [name, weight] of parameters(vision)) {
      const data = await read(weight);
      if (!name.includes('attn.qkv')) {
        put(published(name), weight.shape, data);
        continue;
      }
      const part = data.length / 3;
      ['q', 'k', 'v'].forEach((one, i) => {
        const theirs = published(name).replace('attn.qkv', `self_attn.${one}_proj`);
        put(theirs, [32, ...weight.shape.slice(1)], data.subarray(i * part, (i + 1) * part));
      });
    }
    const config = clipConfig(stored, 'file', { vision: { heads: 2 } });
    expect(config).toEqual(clip);
    const loaded = await loadClipVision(device.current, stored, 'file', config);
    for (const side of [8, 13]) {
      const x = image(7, 2, 3, side, side);
      const [want, got, dense] = await readAll([vision.forward(x), loaded.forward(x), loaded.dense(x, 'maskclip')]);
      expect(got).toEqual(want);
      expect(dense).toHaveLength(2 * Math.floor(side / 4) ** 2 * 6);
    }
  });
});
