import { type Device, jsonOrNothing, parseJson, shownValue } from '../../gpu/index.ts';
import type { PamrOptions } from '../../kernels/zeroseg/index.ts';
import { buildModule, parameters, readParameters, storedWeights } from '../../nn/layers/index.ts';
import type { LossScaleState } from '../../nn/optimizer/index.ts';
import { CheckpointError, type SafetensorsFile } from '../../nn/safetensors/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { openWeightSource, stepOf, type TensorContent, tensorFile, type WeightSource } from '../checkpoints/index.ts';
import {
  ConfigError,
  fieldProblem,
  flag,
  type Kind,
  listOf,
  numberIn,
  objectWith,
  oneOf,
  optional,
  wholeNumber,
} from '../host/index.ts';
import { resolveConfig } from './config.ts';
import type { ZeroSegConfig } from './config-groups.ts';
import { ZeroSeg } from './zeroseg.ts';

/** What a pixel's scores are of its segments': see `NamingRules.assignment`. */
export const assignments = ['hard', 'soft', 'geometric'] as const;
export type Assignment = (typeof assignments)[number];

/** How a model's photos are best resized and its segments named, as its file recommends it. What is left out is for the reader to decide. */
export interface NamingRule {
  /** See `ScoringOptions.scoring`. */
  readonly scoring?: 'groupvit' | 'softmax' | 'cosine' | undefined;
  /** Classes that the image embedding lets through. */
  readonly top?: number | undefined;
  /** Scores below it are background. */
  readonly threshold?: number | undefined;
  /** λ, the factor on cosines: one over the temperature. */
  readonly scale?: number | undefined;
  /** Shorter side that photos are resized to, in pixels. */
  readonly short?: number | undefined;
  /** See the fields of these names in `NamingRules`. */
  readonly assignment?: Assignment | undefined;
  readonly assignmentTemperature?: number | undefined;
  readonly centre?: number | undefined;
  readonly prior?: number | undefined;
  /** Groups of each stage: see {@link InferenceOptions.groups}. */
  readonly groups?: readonly number[] | undefined;
  /** Whether mirrored photos are looked at too. */
  readonly flip?: boolean | undefined;
  /** How scores are drawn to the photo's edges: see `pamr`. */
  readonly refine?: PamrOptions | undefined;
  /** Steps and distances of `pamr` that suit the model's photos, where it is asked for without them. By itself it asks for nothing. */
  readonly pamr?: PamrOptions | undefined;
}

const pamrSettings = objectWith({
  steps: optional(wholeNumber(0, 1000)),
  dilations: optional(listOf(wholeNumber(1, 4096), 1, 16)),
}) as Kind<PamrOptions>;

const namingFields = {
  scoring: optional(oneOf('groupvit', 'softmax', 'cosine')),
  top: optional(wholeNumber(1, 65_535)),
  threshold: optional(numberIn({ from: 0, to: 1e6 })),
  scale: optional(numberIn({ above: 0, to: 1e4 })),
  short: optional(wholeNumber(1, 16_384)),
  assignment: optional(oneOf(...assignments)),
  assignmentTemperature: optional(numberIn({ from: 0.01, to: 100 })),
  centre: optional(numberIn({ from: 0, below: 1 })),
  prior: optional(numberIn({ from: 0, to: 100 })),
  groups: optional(listOf(wholeNumber(1, 65_536), 1, 8)),
  flip: optional(flag),
  refine: optional(pamrSettings),
  pamr: optional(pamrSettings),
} satisfies Record<keyof NamingRule, unknown>;

/** What a model file says about itself beside its weights. */
export interface ModelInfo {
  readonly config: ZeroSegConfig;
  /** Steps of training behind the weights. */
  readonly step: number;
  /** The teacher whose space the segments live in: its name, as in the cache's header. */
  readonly teacher: string;
  /** Empty where the file says nothing. */
  readonly naming: NamingRule;
  /** Decay of the moving average over training that the weights are; 0 where they are those of the last step. */
  readonly ema: number;
}

const FORMAT = 'zeroseg-model-1';
const OPTIMIZER_FORMAT = 'zeroseg-optimizer-1';

/** What a model file says beside weights and configuration. */
export type AboutModel = Pick<ModelInfo, 'step' | 'teacher'> & {
  readonly [K in 'naming' | 'ema']?: ModelInfo[K] | undefined;
};

/** The model as a safetensors file: weights under the names of spec §3.3, configuration in the metadata. */
export async function modelFile(model: ZeroSeg, about: AboutModel): Promise<Uint8Array> {
  const { named, metadata } = modelContent(model, about);
  return tensorFile(named, metadata);
}

/** What {@link modelFile} writes. */
export function modelContent(model: ZeroSeg, { step, teacher, naming = {}, ema = 0 }: AboutModel): TensorContent {
  const metadata = {
    format: FORMAT,
    config: JSON.stringify(model.config),
    step: String(step),
    teacher,
    ...(ema > 0 && { ema: String(ema) }),
    ...namingMetadata(naming),
  };
  return { named: parameters(model), metadata };
}

/**
 * What of a rule suits another `scoring` than its own. There are priors and geometric means of probabilities alone: with cosines the prior is none, and
 * geometric assignment becomes soft.
 */
export function namingFor<Rule extends Pick<NamingRule, 'assignment' | 'prior'>>(
  naming: Rule,
  scoring: NamingRule['scoring'],
): Rule {
  if (scoring !== 'cosine') return naming;
  const { prior: _, ...rest } = naming;
  return { ...rest, ...(naming.assignment === 'geometric' && { assignment: 'soft' }) } as Rule;
}

/** Metadata of a model file that says how its segments are best named; none for an empty rule. */
export function namingMetadata(naming: NamingRule): Record<string, string> {
  const text = JSON.stringify(naming);
  return text === '{}' ? {} : { naming: text };
}

/** Adam's state as a safetensors file. */
export async function optimizerFile(
  state: ReadonlyMap<string, Tensor>,
  metadata: Record<string, string>,
): Promise<Uint8Array> {
  return tensorFile(state, optimizerContent(state, metadata).metadata);
}

/** What {@link optimizerFile} writes. */
export function optimizerContent(
  named: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): TensorContent {
  return { named, metadata: { format: OPTIMIZER_FORMAT, ...metadata } };
}

/** What a model file says, without its weights. */
export function modelInfo(stored: Pick<SafetensorsFile, 'metadata'>, file: string): ModelInfo {
  const { format, config, step, teacher, naming, ema } = stored.metadata;
  if (format !== FORMAT) {
    throw new CheckpointError(
      file,
      `is no ZeroSeg model: its metadata has format '${format ?? 'none'}', expected '${FORMAT}'`,
    );
  }
  try {
    return {
      config: resolveConfig(parseJson(config ?? '') as Record<string, unknown>),
      step: stepOf(step ?? '0', file),
      teacher: teacher ?? '',
      naming: naming === undefined ? {} : parseNaming(naming, file),
      ema: ema === undefined ? 0 : parseDecay(ema, file),
    };
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    const words = cause instanceof ConfigError ? cause.message : 'it is no JSON';
    throw new CheckpointError(file, `its configuration does not make sense: ${words}`, { cause });
  }
}

function parseDecay(text: string, file: string): number {
  const decay = Number(text);
  if (text.trim() !== '' && decay > 0 && decay < 1) return decay;
  throw new CheckpointError(file, `its ema must be a number between 0 and 1; got ${shownValue(text)}`);
}

function parseNaming(text: string, file: string): NamingRule {
  const found = jsonOrNothing(text);
  const problem = found === undefined ? 'it is no JSON' : fieldProblem(found, namingFields);
  if (problem === undefined) {
    const known = found as NamingRule;
    return Object.fromEntries(
      Object.keys(namingFields)
        .map((key) => [key, known[key as keyof NamingRule]])
        .filter(([, value]) => value !== undefined),
    );
  }
  throw new CheckpointError(file, `the rule of naming in its metadata does not make sense: ${problem}`);
}

/** What a loss scale remembered, out of the metadata of an optimizer's file; undefined where none was needed. */
export function parseLossScale(text: string | undefined, file: string): LossScaleState | undefined {
  if (text === undefined) return undefined;
  const found = jsonOrNothing(text);
  const { value, good, updates } = (found ?? {}) as Partial<Record<keyof LossScaleState, unknown>>;
  const isCount = (count: unknown): boolean => Number.isSafeInteger(count) && (count as number) >= 0;
  if (typeof value === 'number' && value > 0 && Number.isFinite(value) && isCount(good) && isCount(updates)) {
    return found as LossScaleState;
  }
  throw new CheckpointError(file, `its loss_scale must hold value, good and updates; got ${shownValue(text)}`);
}

/**
 * A model from its file: bytes, a Blob, an address, or ranges, of which one tensor at a time is in memory.
 *
 * @param file Its name for messages, where the source has none.
 */
export async function openModel(
  device: Device,
  source: WeightSource,
  file = 'model',
): Promise<{ model: ZeroSeg; info: ModelInfo }> {
  const { name, metadata, tensors } = await openWeightSource(source, file);
  const info = modelInfo({ metadata }, name);
  const weights = storedWeights(device, tensors, name);
  return { model: await buildModule(weights, (from) => new ZeroSeg(from, info.config)), info };
}

/** Overwrites Adam's state by that of a file, tensor by tensor. Nothing is written unless all of it fits. */
export async function loadOptimizer(
  state: ReadonlyMap<string, Tensor>,
  source: WeightSource,
  file = 'optimizer',
): Promise<Readonly<Record<string, string>>> {
  const { name, metadata, tensors } = await openWeightSource(source, file);
  if (metadata['format'] !== OPTIMIZER_FORMAT) {
    throw new CheckpointError(
      name,
      `is no optimizer state of ZeroSeg; expected format '${OPTIMIZER_FORMAT}' in its metadata`,
    );
  }
  await readParameters(state, tensors, name);
  return metadata;
}
