/** Small things to run commands on: photos, a CLIP of 8 pixel views, a data set, a configuration. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll } from 'vitest';
import { commandLine } from '../../cli/src/command-line.ts';
import { nodeFileSystem } from '../../cli/src/files/node-file-system.ts';
import { writeLabelPng } from '../../cli/src/photos/image-files.ts';
import { type WritableTensor, writeSafetensors } from '../../src/nn/safetensors/index.ts';
import { openCache } from '../../src/zeroseg/features/cache.ts';
import { pascalPalette } from '../../src/zeroseg/image/palette.ts';
import { normal, seeded } from './check-op.ts';
import { useDevice } from './device.ts';

/** A folder that is removed after the file's tests. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'zeroseg-cli-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export type Zeroseg = (...args: string[]) => Promise<{ code: number; out: string; err: string }>;

/** Runs commands in this process, on the device of `useDevice`. */
export function useCommandLine(): Zeroseg {
  const device = useDevice();
  return async (...args) => {
    const [out, err]: [string[], string[]] = [[], []];
    const terminal = { out: (line: string) => void out.push(line), note: (line: string) => void err.push(line) };
    const code = await commandLine(args, terminal, device.current);
    // Which GPU there is, is not what is tested.
    const notes = err.filter((line) => !line.startsWith('no GPU found'));
    return { code, out: out.join('\n'), err: notes.join('\n') };
  };
}

/** Photos of two colours, left and right. */
export async function writePhotos(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let i = 0; i < count; i++) {
    await sharp(twoColours(48, 40, i), { raw: { width: 48, height: 40, channels: 3 } })
      .png()
      .toFile(join(folder, `photo-${i}.png`));
  }
}

function twoColours(width: number, height: number, number: number): Uint8Array {
  const random = seeded(number);
  const colours = Array.from({ length: 6 }, () => Math.floor(random() * 256));
  return Uint8Array.from({ length: 3 * width * height }, (_, at) => {
    const x = Math.floor(at / 3) % width;
    return (colours[(x < width / 2 ? 0 : 3) + (at % 3)] as number) ^ (Math.floor(random() * 8) as number);
  });
}

/** A data set in PASCAL's folders. */
export async function writeVoc(root: string, count: number): Promise<void> {
  await writePhotos(join(root, 'JPEGImages'), count);
  await mkdir(join(root, 'ImageSets/Segmentation'), { recursive: true });
  const ids = Array.from({ length: count }, (_, i) => `photo-${i}`);
  await writeFile(join(root, 'ImageSets/Segmentation/val.txt'), `${ids.join('\n')}\n`);
  for (const [i, id] of ids.entries()) {
    const data = Uint8Array.from({ length: 48 * 40 }, (_, at) => (at % 48 < 24 ? 0 : 1 + i));
    await writeLabelPng(join(root, 'SegmentationClass', `${id}.png`), { width: 48, height: 40, data }, pascalPalette());
  }
}

/** Tensors of a CLIP under Hugging Face's names: width 16, 1 layer, 8 pixel views in 4 pixel patches, 8 joint values. */
export function clipTensors(seed = 1, joint = 8): [string, WritableTensor][] {
  const random = seeded(seed);
  const make = (name: string, ...shape: number[]): [string, WritableTensor] => {
    const isNorm = /norm.*\.weight$/.test(name);
    const data = Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      () => (isNorm ? 1 : 0) + 0.3 * normal(random),
    );
    return [name, { dtype: 'F32', shape, data }];
  };
  const layer = (prefix: string) => [
    ...['q', 'k', 'v', 'out'].flatMap((part) => [
      make(`${prefix}.self_attn.${part}_proj.weight`, 16, 16),
      make(`${prefix}.self_attn.${part}_proj.bias`, 16),
    ]),
    ...['layer_norm1', 'layer_norm2'].flatMap((norm) => [
      make(`${prefix}.${norm}.weight`, 16),
      make(`${prefix}.${norm}.bias`, 16),
    ]),
    make(`${prefix}.mlp.fc1.weight`, 64, 16),
    make(`${prefix}.mlp.fc1.bias`, 64),
    make(`${prefix}.mlp.fc2.weight`, 16, 64),
    make(`${prefix}.mlp.fc2.bias`, 16),
  ];
  return [
    make('logit_scale'),
    make('visual_projection.weight', joint, 16),
    make('text_projection.weight', joint, 16),
    make('vision_model.embeddings.class_embedding', 16),
    make('vision_model.embeddings.patch_embedding.weight', 16, 3, 4, 4),
    make('vision_model.embeddings.position_embedding.weight', 5, 16),
    ...['pre_layrnorm', 'post_layernorm'].flatMap((norm) => [
      make(`vision_model.${norm}.weight`, 16),
      make(`vision_model.${norm}.bias`, 16),
    ]),
    ...layer('vision_model.encoder.layers.0'),
    make('text_model.embeddings.token_embedding.weight', 50, 16),
    make('text_model.embeddings.position_embedding.weight', 12, 16),
    ...layer('text_model.encoder.layers.0'),
    make('text_model.final_layer_norm.weight', 16),
    make('text_model.final_layer_norm.bias', 16),
  ];
}

export const clipSettings = {
  vision_config: { num_attention_heads: 2, hidden_act: 'quick_gelu' },
  text_config: { num_attention_heads: 2 },
};

/** A CLIP folder as Hugging Face has it, without a tokenizer. */
export async function writeClip(folder: string, seed = 1, joint = 8): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'model.safetensors'), writeSafetensors(clipTensors(seed, joint)));
  await writeFile(join(folder, 'config.json'), JSON.stringify(clipSettings));
}

/** A cache of squares of 16 pixels, with features of 5 views that a teacher might have found; it takes no GPU. */
export async function writeCache(folder: string, photos = 8): Promise<void> {
  const [views, dim, side] = [5, 8, 16];
  const [mean, std] = [
    [0.5, 0.5, 0.5],
    [0.25, 0.25, 0.25],
  ] as const;
  const cache = await openCache(nodeFileSystem(folder), {
    ...{ teacher: 'made-up', weights: 'none', grids: [1, 2], viewSource: 'native', teacherSize: 8, mean, std },
    ...{ views, dim, studentSize: side },
  });
  const random = seeded(photos);
  const sha = '0'.repeat(16);
  for (let i = 0; i < photos; i++) {
    const features = Float32Array.from({ length: views * dim }, () => normal(random));
    const data = Uint8Array.from({ length: side * side * 3 }, () => random() * 256);
    await cache.add({ path: `${i}.jpg`, size: 1, mtime: i, hash: sha }, features, { width: side, height: side, data });
  }
  await cache.close();
}

/** The smallest model that has every part. */
export async function writeConfig(file: string): Promise<void> {
  const config = {
    image: 16,
    patch: 4,
    dim: 16,
    depth: 1,
    heads: 2,
    dec_dim: 16,
    dec_depth: 1,
    dec_heads: 2,
    seg_depths: [1, 1, 1],
    group_tokens: [4, 2],
    output_groups: [4, 2],
    seg_heads: 2,
    proj_hidden: 16,
    batch: 4,
    micro: 2,
    base_lr: 0.1,
  };
  await writeFile(file, JSON.stringify(config));
}
