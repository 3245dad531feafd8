/** A run as it lies in its folder, to be looked at: also while it is trained elsewhere. */
import { Checkpoints, newestCheckpointFile, type Sample, samplesOf } from '../runs/index.ts';
import type { FileSystem } from '../storage/index.ts';
import { type Metrics, parseMetrics } from './metrics.ts';
import { type RunDescription, readDescription } from './run-description.ts';
import { plannedSteps } from './settings.ts';
import { heldOutCount } from './validation.ts';

const MODEL = 'model.safetensors';

export interface KeptRun {
  readonly description: RunDescription;
  /** Steps of the whole run. */
  readonly steps: number;
  /** Of the steps that are done. */
  readonly metrics: readonly Metrics[];
  /** The step that it goes on from: that of its newest checkpoint, 0 where there is none. */
  readonly saved: number;
  readonly samples: readonly Sample[];
  /** Whether it is at its end: the trained model is there. */
  readonly isEnded: boolean;
  /** The file of the trained model or, before the end, of that of the newest checkpoint; undefined where there is none. */
  readonly model: string | undefined;
}

/**
 * Reads what a run is and how far it has come. Nothing is locked or written.
 *
 * ```ts
 * const { steps, metrics, saved } = await readRun(files);
 * ```
 *
 * @throws {RunError} when the folder holds no run, or a damaged one.
 */
export async function readRun(files: FileSystem): Promise<KeptRun> {
  const description = await readDescription(files);
  const { cache, settings, validation } = description;
  const held = heldOutCount(cache.photos, validation?.fraction);
  const isThere = (await files.status('metrics.jsonl')) !== undefined;
  const isEnded = (await files.status(MODEL)) !== undefined;
  const text = isThere ? new TextDecoder().decode(await files.read('metrics.jsonl')) : '';
  return {
    description,
    steps: plannedSteps(settings, cache.photos - held),
    metrics: text.split('\n').flatMap((line) => parseMetrics(line) ?? []),
    saved: (await new Checkpoints(files).steps()).at(-1) ?? 0,
    samples: await samplesOf(files),
    isEnded,
    model: isEnded ? MODEL : await newestCheckpointFile(files, MODEL),
  };
}

/** Of a parameter: its value, and two means of the optimizer. */
const STATE_BYTES = 12;
/** Of a weight: of the model, and of those that are averaged. */
const MODEL_BYTES = 4;
/** The newest, and the one before it or the one that is written. */
const CHECKPOINTS = 2;
/** Of the trained model, and of that of the best validation. */
const MODELS = 2;
const LINE_BYTES = 700;

/**
 * Bytes that a run will take at most, sample pictures aside: to be compared with the space that there is, before it begins. With averaged weights (the
 * setting `ema`) those that are averaged are in each checkpoint too.
 *
 * ```ts
 * runBytes(180e6, 1000); // 5.8 GB for the paper's model
 * ```
 */
export function runBytes(parameters: number, steps: number, ema = 0): number {
  const checkpoint = STATE_BYTES + (ema > 0 ? MODEL_BYTES : 0);
  return parameters * (CHECKPOINTS * checkpoint + MODELS * MODEL_BYTES) + steps * LINE_BYTES;
}
