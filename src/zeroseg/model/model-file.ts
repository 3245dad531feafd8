import { type Device, parseJson, shownValue } from '../../gpu/index.ts';
import { buildModule, parameters, readParameters, storedWeights } from '../../nn/layers/index.ts';
import type { LossScaleState } from '../../nn/optimizer/index.ts';
import { CheckpointError, type SafetensorsFile, writeSafetensors } from '../../nn/safetensors/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { read } from '../../tensor/run/index.ts';
import { openWeightSource, stepOf, type WeightSource } from '../checkpoints/index.ts';
import { ConfigError } from '../host/index.ts';
import { resolveConfig } from './config.ts';
import type { ZeroSegConfig } from './config-groups.ts';
import { ZeroSeg } from './zeroseg.ts';

/** What a model file says about itself beside its weights. */
export interface ModelInfo {
  readonly config: ZeroSegConfig;
  /** Steps of training behind the weights. */
  readonly step: number;
  /** The teacher whose space the segments live in: its name, as in the cache's header. */
  readonly teacher: string;
}

const FORMAT = 'zeroseg-model-1';
const OPTIMIZER_FORMAT = 'zeroseg-optimizer-1';

/** The model as a safetensors file: weights under the names of spec §3.3, configuration in the metadata. */
export async function modelFile(model: ZeroSeg, { step, teacher }: Omit<ModelInfo, 'config'>): Promise<Uint8Array> {
  return tensorFile(parameters(model), {
    format: FORMAT,
    config: JSON.stringify(model.config),
    step: String(step),
    teacher,
  });
}

/** Adam's state as a safetensors file. */
export async function optimizerFile(
  state: ReadonlyMap<string, Tensor>,
  metadata: Record<string, string>,
): Promise<Uint8Array> {
  return tensorFile(state, { format: OPTIMIZER_FORMAT, ...metadata });
}

async function tensorFile(named: ReadonlyMap<string, Tensor>, metadata: Record<string, string>): Promise<Uint8Array> {
  const entries: [string, { dtype: 'F32'; shape: readonly number[]; data: Float32Array }][] = [];
  for (const [name, t] of named) entries.push([name, { dtype: 'F32', shape: t.shape, data: await read(t) }]);
  return writeSafetensors(entries, metadata);
}

/** What a model file says, without its weights. */
export function modelInfo(stored: Pick<SafetensorsFile, 'metadata'>, file: string): ModelInfo {
  const { format, config, step, teacher } = stored.metadata;
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
    };
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    const words = cause instanceof ConfigError ? cause.message : 'it is no JSON';
    throw new CheckpointError(file, `its configuration does not make sense: ${words}`, { cause });
  }
}

/** What a loss scale remembered, out of the metadata of an optimizer's file; undefined where none was needed. */
export function parseLossScale(text: string | undefined, file: string): LossScaleState | undefined {
  if (text === undefined) return undefined;
  let found: unknown;
  try {
    found = parseJson(text);
  } catch {
    // Said below.
  }
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
