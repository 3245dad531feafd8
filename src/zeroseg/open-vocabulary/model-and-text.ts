import { ArgumentError, type Device, ownValue } from '../../gpu/index.ts';
import { buildModule, storedWeights } from '../../nn/layers/index.ts';
import { CheckpointError } from '../../nn/safetensors/index.ts';
import type { WeightFile } from '../checkpoints/index.ts';
import type { VocabularyOptions } from '../clip/index.ts';
import {
  type ClipSource,
  logitScale,
  readSettingTensors,
  sameTeacher,
  shortTeacher,
  type TextSource,
  teacherIdentity,
} from '../clip-files/index.ts';
import {
  type GroupVitConfig,
  type GroupVitVision,
  groupVitConfig,
  isGroupVit,
  loadGroupVitText,
  loadGroupVitVision,
} from '../groupvit/index.ts';
import {
  type DataSettings,
  DenseClip,
  type DenseClipMode,
  denseDataSettings,
  denseSettings,
  type NamingRules,
} from '../inference/index.ts';
import { type ModelInfo, modelInfo, type NamingRule, ZeroSeg } from '../model/index.ts';
import {
  isSegClip,
  loadSegClipText,
  loadSegClipVision,
  type SegClipConfig,
  type SegClipVision,
  segClipConfig,
  segClipText,
} from '../segclip/index.ts';
import { hashedTokens, type TextTokens, Tokenizer } from '../text/index.ts';

/** A trained ZeroSeg and the CLIP whose features it learnt: its segments live in the space of that CLIP's texts. */
export interface ZeroSegAndText {
  readonly kind: 'zeroseg';
  readonly file: string;
  readonly info: ModelInfo;
  readonly clip: ClipSource;
  readonly text: TextSource;
  /** The model on the GPU; its weights are read now. */
  load(device: Device): Promise<ZeroSeg>;
}

/** A model whose text encoder is in the same file. */
interface ModelWithText<Kind extends string, Config, Vision> {
  readonly kind: Kind;
  readonly file: string;
  readonly config: Config;
  readonly text: TextSource;
  /** SHA-256 of the file; empty where it cannot be known. Computed once. */
  weightsHash(): Promise<string>;
  /** The image encoder on the GPU; its weights are read now. */
  load(device: Device): Promise<Vision>;
}

export type GroupVitAndText = ModelWithText<'groupvit', GroupVitConfig, GroupVitVision>;
export type SegClipAndText = ModelWithText<'segclip', SegClipConfig, SegClipVision>;

/** A CLIP by itself, which names the patches or crops of a photo: the paper's teacher without a student. */
export interface ClipAndText {
  readonly kind: 'clip';
  readonly file: string;
  readonly mode: DenseClipMode;
  readonly clip: ClipSource;
  readonly text: TextSource;
  /** Its image encoder on the GPU; its weights are read now. */
  load(device: Device): Promise<DenseClip>;
}

/** A model and what names are embedded by, found to fit each other. Nothing is on the GPU yet. */
export type ModelAndText = ZeroSegAndText | GroupVitAndText | SegClipAndText | ClipAndText;

/** What {@link pairWithText} takes beside the model. */
export interface PairOptions {
  /** The CLIP that made the features that a ZeroSeg was trained with. */
  readonly clip?: ClipSource | undefined;
  /** `any`: names segments also by another CLIP of the same width, which makes sense for copies of one only. Default `same`. */
  readonly teacher?: 'same' | 'any' | undefined;
  /** Hugging Face's `config.json` of a GroupViT, parsed. Default: as the published ones. */
  readonly settings?: unknown;
}

/** A model with its text encoder. @throws CheckpointError when they cannot belong together. */
export async function pairWithText(file: WeightFile, options: PairOptions = {}): Promise<ModelAndText> {
  if (isGroupVit(file.tensors)) return groupVitAndText(file, options.settings);
  if (isSegClip(file.tensors)) return segClipAndText(file);
  if (!options.clip) {
    throw new ArgumentError(
      `openVocabulary: ${file.name} has no text encoder of its own; give the clip that made its features`,
    );
  }
  const { clip, teacher = 'same' } = options;
  const pair = zeroSegAndText(file, clip);
  const other = teacher === 'same' ? await otherTeacher(pair.info, clip) : undefined;
  if (other !== undefined) {
    throw new CheckpointError(file.name, `${other}; give that one, or accept any other by teacher: 'any'`);
  }
  return pair;
}

/** @throws CheckpointError when the file is no ZeroSeg, or its segments are not as wide as the CLIP's features. */
export function zeroSegAndText({ name, metadata, tensors }: WeightFile, clip: ClipSource): ZeroSegAndText {
  const info = modelInfo({ metadata }, name);
  const { clip_dim: width } = info.config;
  if (clip.config.projection !== width) {
    throw new CheckpointError(
      name,
      `its segments have ${width} values (teacher ${shortTeacher(info.teacher) || 'not known'}), and the CLIP ${clip.name} has ${clip.config.projection}; give the CLIP that made its features`,
    );
  }
  const load = (device: Device) =>
    buildModule(storedWeights(device, tensors, name), (weights) => new ZeroSeg(weights, info.config));
  return { kind: 'zeroseg', file: name, info, clip, text: clip, load };
}

/** A GroupViT out of its file. @throws CheckpointError when it is none, or one that is not computed here. */
export async function groupVitAndText({ name, ...file }: WeightFile, settings?: unknown): Promise<GroupVitAndText> {
  const tensors = await readSettingTensors(file.tensors);
  const config = groupVitConfig(tensors, name, settings);
  const text: TextSource = {
    name,
    config,
    scale: logitScale(tensors),
    text: (device) => loadGroupVitText(device, tensors, name, config),
    tokens: clipTokens(config.text.vocab),
  };
  return {
    kind: 'groupvit',
    file: name,
    config,
    text,
    weightsHash: hashedOnce(file),
    load: (device) => loadGroupVitVision(device, tensors, name, config),
  };
}

/** A SegCLIP out of its file. @throws CheckpointError when it is none, or has no text tower. */
export async function segClipAndText({ name, ...file }: WeightFile): Promise<SegClipAndText> {
  const tensors = await readSettingTensors(file.tensors);
  const config = segClipConfig(tensors, name);
  const tower = segClipText(tensors, name);
  if (tower.config.projection !== config.dim) {
    throw new CheckpointError(
      name,
      `its texts have ${tower.config.projection} values, and its segments ${config.dim}; they must be of one space`,
    );
  }
  const text: TextSource = {
    name,
    config: tower.config,
    scale: logitScale(tower.tensors),
    text: (device) => loadSegClipText(device, tower, name),
    tokens: clipTokens(tower.config.text.vocab),
  };
  return {
    kind: 'segclip',
    file: name,
    config,
    text,
    weightsHash: hashedOnce(file),
    load: (device) => loadSegClipVision(device, tensors, name, config),
  };
}

/** CLIP's own tokenizer, which the models have that bring their text encoders. */
function clipTokens(vocab: number): TextSource['tokens'] {
  return async (kind = 'clip'): Promise<TextTokens> => (kind === 'hash' ? hashedTokens(vocab) : Tokenizer.clip());
}

function hashedOnce(file: Pick<WeightFile, 'hash'>): () => Promise<string> {
  let hash: Promise<string> | undefined;
  return () => (hash ??= (async () => (await file.hash?.()) ?? '')());
}

/** A CLIP as a model that segments by itself. */
export function clipAndText(clip: ClipSource, mode: DenseClipMode): ClipAndText {
  const load = async (device: Device) => new DenseClip(await clip.vision(device), mode);
  return { kind: 'clip', file: clip.name, mode, clip, text: clip, load };
}

/** How a model is best named, where nobody says otherwise. */
export function namingRules(
  opened: ModelAndText,
): NamingRule & Pick<NamingRules, 'refine'> & Pick<VocabularyOptions, 'templates' | 'meanFirst'> {
  if (opened.kind === 'zeroseg') return opened.info.naming;
  // Both segment by "a photo of a {}.", and make raw features of texts a unit vector.
  if (opened.kind !== 'clip') return { templates: 'simple', meanFirst: true };
  // Crops are many and their features rough: cosines are averaged and enlarged.
  if (opened.mode === 'crops') return { scoring: 'cosine' };
  const { scale, refine } = denseSettings[opened.mode];
  return { scale: scale * opened.text.scale, refine };
}

/** Thresholds of models that bring their text encoders, by their authors, and by kind of data set. */
const thresholds: Readonly<Record<'groupvit' | 'segclip', Readonly<Record<string, number>>>> = {
  groupvit: { voc: 0.95, context: 0.35, coco: 0.95 },
  segclip: { voc: 0.8, context: 0.25, coco: 0.65 },
};

/** What a model's authors set for one data set (`voc`, `context` or `coco`); undefined where they set nothing, or the data set is another. */
export function dataSettings(opened: ModelAndText, data: string): DataSettings | undefined {
  if (opened.kind === 'zeroseg') return undefined;
  if (opened.kind === 'clip') {
    return opened.mode === 'crops' ? undefined : ownValue(denseDataSettings[opened.mode], data);
  }
  const threshold = ownValue(thresholds[opened.kind], data);
  return threshold === undefined ? undefined : { threshold };
}

/** In words, where a model's features were made by another CLIP than this one; undefined where not, or where that is not known. */
export async function otherTeacher({ teacher }: ModelInfo, clip: ClipSource): Promise<string | undefined> {
  if (teacher === '') return undefined;
  const hash = await clip.weightsHash();
  const own = teacherIdentity(clip.name, hash);
  if (hash === '' || sameTeacher(teacher, own)) return undefined;
  return `it was trained with the teacher ${shortTeacher(teacher)}, and the CLIP is ${shortTeacher(own)}`;
}
