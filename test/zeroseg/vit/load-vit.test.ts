/** The same transformer under the names of everybody who publishes one. */
import { describe, expect, it } from 'vitest';
import { freeParameters } from '../../../src/nn/layers/module.ts';
import { readSafetensors, type StoredTensor, toFloat32 } from '../../../src/nn/safetensors/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { findVit } from '../../../src/zeroseg/checkpoints/vit-file.ts';
import { tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { Encoder } from '../../../src/zeroseg/model/encoder.ts';
import { checkEncoderFit } from '../../../src/zeroseg/model/encoder-fit.ts';
import { initialWeights } from '../../../src/zeroseg/model/pretrained-weights.ts';
import { loadVit, type VitOptions } from '../../../src/zeroseg/vit/index.ts';
import { close } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { loadFixtureFile } from '../../support/fixture.ts';

type File = Map<string, StoredTensor>;

const device = useDevice();
const DIM = 24;
const { tensors: deit } = readSafetensors(await loadFixtureFile('vit-tiny/deit-tiny'));
const { tensors: expected } = readSafetensors(await loadFixtureFile('vit-tiny/deit-tiny.expected'));
const image = expected.get('in/native')!;
const options: VitOptions = { heads: 3 };

const stored = (name: string, shape: readonly number[], data: Float32Array): [string, StoredTensor] => [
  name,
  { file: 'F', name, dtype: 'F32', shape, bytes: new Uint8Array(data.slice().buffer) },
];
/** The encoder of the fixture, with each tensor under the names that `rename` gives: three where q, k and v lie apart. */
function renamed(rename: (name: string) => string | readonly string[]): File {
  const out: File = new Map();
  for (const [name, tensor] of deit) {
    if (name.startsWith('head')) continue;
    const names = [rename(name)].flat();
    const data = toFloat32(tensor);
    const shape = [(tensor.shape[0] ?? 1) / names.length, ...tensor.shape.slice(1)];
    const part = data.length / names.length;
    for (const [i, one] of names.entries()) out.set(...stored(one, shape, data.slice(i * part, (i + 1) * part)));
  }
  return out;
}

async function tokensOf(file: File, more: VitOptions = {}): Promise<{ tokens: Float32Array; leading: number }> {
  const vit = await loadVit(device.current, file, 'F', { ...options, eps: 1e-6, activation: 'gelu', ...more });
  const tokens = vit.forward(tensor(device.current, toFloat32(image), image.shape));
  const values = await read(tokens);
  const { leading } = vit;
  freeParameters(vit);
  return { tokens: values as Float32Array, leading };
}

const huggingFace =
  (prefix: string, dinov2 = false) =>
  (name: string): string | readonly string[] => {
    const block = /^blocks\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
    const names: Record<string, string> = dinov2
      ? { 'attn.proj': 'attention.output.dense' }
      : {
          norm1: 'layernorm_before',
          norm2: 'layernorm_after',
          'attn.proj': 'attention.output.dense',
          'mlp.fc1': 'intermediate.dense',
          'mlp.fc2': 'output.dense',
        };
    if (block) {
      const [, i, inside = '', kind] = block;
      const at = `${prefix}encoder.layer.${i}`;
      if (inside === 'attn.qkv')
        return ['query', 'key', 'value'].map((part) => `${at}.attention.attention.${part}.${kind}`);
      return `${at}.${names[inside] ?? inside}.${kind}`;
    }
    const other = name
      .replace('pos_embed', 'embeddings.position_embeddings')
      .replace('cls_token', 'embeddings.cls_token')
      .replace('patch_embed.proj', 'embeddings.patch_embeddings.projection')
      .replace(/^norm/, 'layernorm');
    return `${prefix}${other}`;
  };

const layouts: readonly (readonly [string, string, (name: string) => string | readonly string[]])[] = [
  ['timm, DeiT, MAE', 'vision transformer', (name) => name],
  ['of many GPUs', 'vision transformer', (name) => `module.${name}`],
  ['DINO', 'DINO', (name) => `teacher.backbone.${name}`],
  ['DINO of many GPUs', 'DINO', (name) => `module.backbone.${name}`],
  ['MoCo v3', 'MoCo v3', (name) => `module.base_encoder.${name}`],
  ['of this package', 'vision transformer', (name) => `encoder.${name}`],
  ['blocks in chunks', 'vision transformer', (name) => name.replace(/^blocks\.(\d)/, 'blocks.0.$1')],
  ['ViT of Hugging Face', 'vision transformer of Hugging Face', huggingFace('vit.')],
  ['DINOv2 of Hugging Face', 'vision transformer of Hugging Face', huggingFace('', true)],
];

describe('the same tokens under the names of', () => {
  it.each(layouts)('%s', async (_, kind, rename) => {
    const file = renamed(rename);
    expect(findVit(file, 'F')?.kind).toBe(kind);
    const { tokens, leading } = await tokensOf(file);
    close(tokens, toFloat32(expected.get('out/tokens_native')!), 1e-5, 'tokens');
    expect(leading).toBe(1);
    // Training begins with the same weights.
    const config = {
      ...tinyConfig,
      image: 16,
      patch: 4,
      dim: DIM,
      depth: 2,
      heads: 3,
      mlp_ratio: 4,
      eps_mae: 1e-6,
      positions: 'learnt' as const,
    };
    checkEncoderFit(file, 'F', config);
    const encoder = new Encoder(initialWeights(device.current, 0, file, 'F', new Set()).in('encoder'), config);
    const latent = await read(encoder.forward(tensor(device.current, toFloat32(image), image.shape), () => {}));
    close(latent, tokens, 1e-5, 'latent');
    freeParameters(encoder);
  });
});

describe('what a file has beside', () => {
  it('a distillation token has a position of its own', async () => {
    const file = renamed((name) => name);
    const table = toFloat32(deit.get('pos_embed')!);
    const dist = Float32Array.from({ length: DIM }, (_, i) => Math.sin(i));
    // Class token and position, once more: then both tokens come out alike, as attention sees them alike.
    const cls = toFloat32(deit.get('cls_token')!);
    const rows = new Float32Array([
      ...table.slice(0, DIM),
      ...table.slice(0, DIM).map((v, i) => v + cls[i]! - dist[i]!),
      ...table.slice(DIM),
    ]);
    file.set(...stored('pos_embed', [1, 18, DIM], rows)).set(...stored('dist_token', [1, 1, DIM], dist));
    file.set(...stored('head_dist.weight', [10, DIM], new Float32Array(10 * DIM)));
    expect(findVit(file, 'F')).toMatchObject({ kind: 'distilled DeiT', ignored: ['head_dist.weight'] });
    const { tokens, leading } = await tokensOf(file);
    expect([leading, tokens.length]).toEqual([2, 2 * 18 * DIM]);
    close(tokens.slice(DIM, 2 * DIM), tokens.slice(0, DIM), 1e-5, 'distillation token');
  });

  it('layer scale is a factor of the products before it', async () => {
    const scaled = renamed((name) => name);
    const gamma = (seed: number) => Float32Array.from({ length: DIM }, (_, i) => 0.5 + Math.cos(seed + i) / 4);
    const by = (name: string, factors: Float32Array) => {
      const { shape } = scaled.get(name)!;
      const data = toFloat32(scaled.get(name)!).slice();
      const width = data.length / DIM;
      file.set(
        ...stored(
          name,
          shape,
          data.map((value, i) => value * factors[Math.floor(i / width)]!),
        ),
      );
    };
    const file: File = new Map(scaled);
    for (const i of [0, 1]) {
      for (const kind of ['weight', 'bias']) {
        by(`blocks.${i}.attn.proj.${kind}`, gamma(i));
        by(`blocks.${i}.mlp.fc2.${kind}`, gamma(i + 7));
      }
      scaled
        .set(...stored(`blocks.${i}.ls1.gamma`, [DIM], gamma(i)))
        .set(...stored(`blocks.${i}.ls2.gamma`, [DIM], gamma(i + 7)));
    }
    scaled.set(...stored('mask_token', [1, DIM], gamma(1)));
    expect(findVit(scaled, 'F')).toMatchObject({ kind: 'DINOv2', ignored: ['mask_token'] });
    close((await tokensOf(scaled)).tokens, (await tokensOf(file)).tokens, 1e-6, 'tokens');
  });

  it('registers stand behind the class token, without positions', async () => {
    const file = renamed((name) => name);
    file.set(
      ...stored(
        'register_tokens',
        [1, 4, DIM],
        Float32Array.from({ length: 4 * DIM }, (_, i) => Math.sin(i)),
      ),
    );
    const { tokens, leading } = await tokensOf(file);
    expect([leading, tokens.length]).toEqual([5, 2 * 21 * DIM]);
  });

  it.each([
    [
      'a table of no square',
      (file: File) => file.set(...stored('pos_embed', [1, 20, DIM], new Float32Array(20 * DIM))),
      /its positions are \[1, 20, 24\]; expected those of a square of patches, and of at most 1 tokens before them/,
    ],
    [
      'a gated MLP',
      (file: File) => file.set(...stored('blocks.0.mlp.w12.weight', [48, DIM], new Float32Array(48 * DIM))),
      /'blocks\.0\.mlp\.w12\.weight' \(a gated MLP, as in DINOv2’s largest\), which no vision transformer has/,
    ],
    [
      'biases of relative positions',
      (file: File) => file.set(...stored('blocks.0.attn.relative_position_bias_table', [9, 3], new Float32Array(27))),
      /relative_position_bias_table/,
    ],
    ['no last norm', (file: File) => file.delete('norm.weight'), /its vision transformer lacks 'norm\.weight'/],
    ['no encoder', (file: File) => file.clear(), /holds no vision transformer: neither patch_embed\.proj\.weight/],
  ])('%s is refused', async (_, change, message) => {
    const file = renamed((name) => name);
    change(file);
    await expect(tokensOf(file)).rejects.toThrow(message);
  });

  it('heads that no file says are asked for', async () => {
    await expect(loadVit(device.current, deit, 'F')).rejects.toThrow(/its width of 24 is none of the published ones/);
  });

  it('an encoder of other sizes is said in one sentence', () => {
    expect(() =>
      checkEncoderFit(deit, 'F', { ...tinyConfig, dim: 64, depth: 4, patch: 4 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: F: is a vision transformer, with a classifier of 10 classes (width 24, 2 blocks, patches of 4), and the model's encoder has width 64, 4 blocks, patches of 4; give --set dim=24 --set depth=2, or weights of its sizes]`,
    );
    expect(() => checkEncoderFit(new Map(), 'F', tinyConfig)).toThrow(
      /^F: has no vision transformer; initial weights are/,
    );
  });
});
