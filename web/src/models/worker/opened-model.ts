/** A model that was found in a folder, opened: what it says of itself, and what the library takes. Weights are read later. */
import {
  type ClipSource,
  groupVitConfig,
  isGroupVit,
  isSegClip,
  modelInfo,
  openClipFolder,
  openWeightSource,
  segClipConfig,
  segClipText,
  type WeightFile,
  type WeightFolder,
} from '@zeroseg/core/zeroseg';
import type { ModelFacts } from '../messages.ts';

/** `bytes` of a model whose weights are in memory as they are: the page's own. */
export type OpenedModel = { readonly facts: ModelFacts; readonly bytes?: number } & (
  | { readonly kind: 'zeroseg'; readonly file: WeightFile; readonly teacher: string }
  | { readonly kind: 'groupvit'; readonly file: WeightFile; readonly settings: unknown }
  | { readonly kind: 'segclip'; readonly file: WeightFile }
  | { readonly kind: 'clip'; readonly clip: ClipSource }
);

/** What a safetensors file holds, by its header; undefined for what belongs to training and segments nothing. */
export function kindOf({ metadata, tensors }: WeightFile): OpenedModel['kind'] | undefined {
  if (metadata['format'] === 'zeroseg-model-1') return 'zeroseg';
  if (metadata['format']?.startsWith('zeroseg-')) return undefined;
  if (isGroupVit(tensors)) return 'groupvit';
  return isSegClip(tensors) ? 'segclip' : 'clip';
}

export async function openFile(folder: WeightFolder, name: string): Promise<WeightFile> {
  const source = await folder.open(name);
  return { ...(await openWeightSource(source, folder.describe(name))), name: folder.describe(name) };
}

/** Opens a ZeroSeg, GroupViT or SegCLIP in a file, or the CLIP of a folder. */
export async function openModelOf(
  folder: WeightFolder,
  file: string | undefined,
  clip: { readonly name: string; readonly hash?: string | undefined },
): Promise<OpenedModel> {
  if (file !== undefined) {
    const opened = await openFile(folder, file);
    const kind = kindOf(opened);
    if (kind === 'zeroseg') return zeroSegOf(opened);
    if (kind === 'groupvit') return groupVitOf(folder, opened);
    if (kind === 'segclip') return segClipOf(opened);
  }
  const { name, hash } = clip;
  return clipOf(await openClipFolder(folder, { file, name, ...(hash !== undefined && { hash: async () => hash }) }));
}

export function zeroSegOf(file: WeightFile): OpenedModel {
  const { config, step, teacher } = modelInfo(file, file.name);
  const { image, patch, clip_dim: width } = config;
  const facts: ModelFacts = { kind: 'zeroseg', weights: weightsOf(file), image, patch, width, step, teacher };
  return { kind: 'zeroseg', file, teacher, facts, bytes: bytesOf(file) };
}

async function groupVitOf(folder: WeightFolder, file: WeightFile): Promise<OpenedModel> {
  const names = await folder.list();
  const settings = names.includes('config.json') ? await jsonOf(folder, 'config.json') : undefined;
  const { vision, projection } = groupVitConfig(file.tensors, file.name, settings);
  const { image, patch } = vision;
  const facts: ModelFacts = { kind: 'groupvit', weights: weightsOf(file), image, patch, width: projection };
  return { kind: 'groupvit', file, settings, facts };
}

function segClipOf(file: WeightFile): OpenedModel {
  const { grid, patch, dim: width } = segClipConfig(file.tensors, file.name);
  segClipText(file.tensors, file.name);
  return {
    kind: 'segclip',
    file,
    facts: { kind: 'segclip', weights: weightsOf(file), image: grid * patch, patch, width },
  };
}

export function clipOf(clip: ClipSource): OpenedModel {
  const { vision, projection } = clip.config;
  const facts: ModelFacts = {
    kind: 'clip',
    image: vision.image,
    patch: vision.patch,
    width: projection,
    known: clip.words,
  };
  return { kind: 'clip', clip, facts };
}

async function jsonOf(folder: WeightFolder, name: string): Promise<unknown> {
  const source = await folder.open(name);
  return JSON.parse(new TextDecoder().decode(await source.readRange(0, source.size)));
}

export function bytesOf({ tensors }: WeightFile): number {
  return [...tensors.values()].reduce((sum, tensor) => sum + ('bytes' in tensor ? tensor.bytes.length : 0), 0);
}

function weightsOf({ tensors }: WeightFile): number {
  let sum = 0;
  for (const { shape } of tensors.values()) sum += shape.reduce((product, size) => product * size, 1);
  return sum;
}
