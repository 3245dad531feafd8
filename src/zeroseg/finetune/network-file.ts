import { type Device, jsonOrNothing } from '../../gpu/index.ts';
import { buildModule, parameters, readParameters, storedWeights } from '../../nn/layers/index.ts';
import { CheckpointError } from '../../nn/safetensors/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { openWeightSource, stepOf, tensorFile, type WeightSource } from '../checkpoints/index.ts';
import { fieldProblem, listOf, text } from '../host/index.ts';
import { type EncoderConfig, resolveConfig } from '../model/index.ts';
import { SegmentationNetwork } from './network.ts';
import type { FinetuneTrainer } from './trainer.ts';

const FORMAT = 'zeroseg-finetuned-1';
const TRAINING_FORMAT = 'zeroseg-finetune-training-1';
const MOST_CLASSES = 65_536;

/** What a fine-tuned network's file says beside its weights. */
export interface NetworkInfo {
  readonly config: EncoderConfig;
  /** Names of the classes, by label. */
  readonly classes: readonly string[];
  readonly step: number;
}

/** A fine-tuned network as a safetensors file. */
export async function networkFile(
  network: SegmentationNetwork,
  { classes, step }: Omit<NetworkInfo, 'config'>,
): Promise<Uint8Array> {
  return tensorFile(parameters(network), {
    format: FORMAT,
    config: JSON.stringify(network.config),
    classes: JSON.stringify(classes),
    step: String(step),
  });
}

/**
 * Opens a {@link networkFile}.
 *
 * @throws CheckpointError when it is no such file, or is damaged.
 */
export async function loadNetwork(
  device: Device,
  source: WeightSource,
  file = 'network',
): Promise<NetworkInfo & { readonly network: SegmentationNetwork }> {
  const { name, tensors, metadata } = await openWeightSource(source, file);
  if (metadata['format'] !== FORMAT) {
    throw new CheckpointError(name, `is no network of \`zeroseg finetune\`; expected format '${FORMAT}'`);
  }
  const broken = (what: string) => new CheckpointError(name, `the file is damaged: ${what}`);
  const found = { config: jsonOrNothing(metadata['config']), classes: jsonOrNothing(metadata['classes']) };
  const problem = fieldProblem(found, { classes: listOf(text, 1, MOST_CLASSES) });
  if (problem !== undefined) throw broken(problem);
  const classes = found.classes as readonly string[];
  const config = encoderOf(found.config, broken);
  const step = stepOf(metadata['step'], name);
  const weights = storedWeights(device, tensors, name);
  const network = await buildModule(weights, (from) => new SegmentationNetwork(from, config, classes.length));
  return { network, config, classes, step };
}

/** All that {@link resumeFinetuning} needs: weights and the optimizer's state in f32, and the number of steps done. */
export async function finetuneTrainingFile(trainer: FinetuneTrainer): Promise<Uint8Array> {
  return tensorFile(stateOf(trainer), { format: TRAINING_FORMAT, step: String(trainer.done) });
}

/** Goes on from a {@link finetuneTrainingFile}. Nothing is changed unless all of it fits. */
export async function resumeFinetuning(
  trainer: FinetuneTrainer,
  source: WeightSource,
  file = 'training',
): Promise<void> {
  const { name, tensors, metadata } = await openWeightSource(source, file);
  if (metadata['format'] !== TRAINING_FORMAT) {
    throw new CheckpointError(name, `is no state of 'finetune'; expected format '${TRAINING_FORMAT}'`);
  }
  const done = stepOf(metadata['step'], name);
  await readParameters(stateOf(trainer), tensors, name);
  trainer.done = done;
}

function stateOf({ network, optimizer }: FinetuneTrainer): Map<string, Tensor> {
  return new Map([...parameters(network), ...optimizer.state()]);
}

/** The encoder's keys, checked as those of any configuration. */
function encoderOf(found: unknown, broken: (what: string) => Error): EncoderConfig {
  try {
    const { image, patch, chans, stem, positions, dim, depth, heads, mlp_ratio, eps_mae } = resolveConfig({
      ...(found as Partial<EncoderConfig>),
      seg_heads: (found as EncoderConfig).heads,
    });
    return { image, patch, chans, stem, positions, dim, depth, heads, mlp_ratio, eps_mae, mask_ratio: 0 };
  } catch (error) {
    throw broken((error as Error).message);
  }
}
