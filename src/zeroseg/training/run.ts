import type { Device } from '../../gpu/index.ts';
import { CheckpointError, readSafetensors } from '../../nn/safetensors/index.ts';
import type { WeightFile } from '../checkpoints/index.ts';
import type { TrainingData } from '../features/index.ts';
import {
  loadOptimizer,
  modelFile,
  modelInfo,
  type NamingRule,
  openModel,
  optimizerFile,
  parseLossScale,
  type ZeroSeg,
} from '../model/index.ts';
import { type Checkpoint, type RunFormat, RunStore, type SaveOptions, trainSaved } from '../runs/index.ts';
import type { FileSystem } from '../storage/index.ts';
import { type Metrics, metricsLine, metricsOf, parseMetrics } from './metrics.ts';
import {
  DESCRIPTION_FILE,
  type RunDescription,
  readDescription,
  refuseDifferences,
  writeDescription,
} from './run-description.ts';
import { type Probe, type StepReport, Trainer, type TrainerOptions } from './trainer.ts';
import { HeldOutLoss, holdOut, VALIDATION_LOSS } from './validation.ts';

const MODEL = 'model.safetensors';
const OPTIMIZER = 'optimizer.safetensors';
/** The weights of the best validation, in the run's folder. */
const BEST = 'best.safetensors';

/** What a run of ZeroSeg's training keeps: see {@link TrainingRun}. */
export const trainingRunFormat: RunFormat<Metrics> = {
  op: 'train',
  description: DESCRIPTION_FILE,
  parts: [MODEL, OPTIMIZER],
  metrics: { format: metricsLine, parse: parseMetrics },
};

/** A run that is there, open for writing, before it goes on. */
export interface OpenedRun {
  readonly store: RunStore<Metrics>;
  readonly description: RunDescription;
}

/** Opens a run to go on with it. To be given to {@link TrainingRun.resume}, or closed. */
export async function openRun(files: FileSystem): Promise<OpenedRun> {
  const store = await RunStore.open(files, trainingRunFormat);
  try {
    return { store, description: await readDescription(files) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** What is trained, and on what. */
export interface TrainingStart extends TrainerOptions {
  readonly device: Device;
  readonly data: TrainingData;
  /** What the run is; of one that goes on, how it is to go on: see `resolveTraining`. */
  readonly description: Omit<RunDescription, 'adapter' | 'started'>;
  /** Name and hash of the teacher, for the model's file: `teacherIdentity`. */
  readonly teacher: string;
  /** How the model's segments are best named, for its file. */
  readonly naming?: NamingRule | undefined;
  /** The model that training begins with. Not asked where there is a checkpoint. */
  readonly newModel: () => Promise<ZeroSeg>;
}

export interface TrainOptions extends Omit<SaveOptions<StepReport>, 'saveEvery'> {
  /** Steps between checkpoints. Default: 100. */
  readonly saveEvery?: number;
  /** Steps between sample pictures. Default: a tenth of the run. */
  readonly sampleEvery?: number | undefined;
  /** Draws what the model does, as a PNG. Without it there are no sample pictures. */
  readonly sample?: ((model: ZeroSeg) => Promise<Uint8Array>) | undefined;
}

/**
 * A training run in a folder: on disk, in a page's storage, or in memory.
 *
 *     config.json                   configuration, settings, cache, versions: what the run is
 *     metrics.jsonl                 a line for every step
 *     checkpoints/step-000100/      model.safetensors, optimizer.safetensors, state.json
 *     samples/step-000100.png       a few training photos with their segments
 *     best.safetensors              the model of the least loss on photos that were held out, where the description has a `validation`
 *     model.safetensors             the trained model, at the end
 *
 * At most two checkpoints are kept. Nothing of a validation changes what is learnt from the photos that are not held out.
 * A run that is stopped, or killed at any moment, and resumed gives the numbers of one that was not.
 *
 * ```ts
 * const run = await TrainingRun.begin(memoryFileSystem(), { device, data, description, teacher, newModel });
 * await run.train({ onProgress: ({ step, loss }) => console.log(step, loss) });
 * await run.close();
 * ```
 */
export class TrainingRun {
  readonly trainer: Trainer;
  readonly store: RunStore<Metrics>;
  /** Metrics of all steps that are done. */
  readonly metrics: Metrics[];
  readonly description: RunDescription;
  /** What it goes on from, and why newer checkpoints were not taken. */
  readonly resumed:
    | { readonly step: number; readonly damaged: readonly string[]; readonly was: RunDescription }
    | undefined;
  readonly #teacher: string;
  readonly #naming: NamingRule | undefined;
  readonly #validation: HeldOutLoss | undefined;
  /** Of the weights in {@link BEST}. */
  #best: { readonly step: number; readonly loss: number } | undefined;

  private constructor(
    { trainer, validation }: Made,
    { store, description }: OpenedRun,
    metrics: Metrics[],
    { teacher, naming }: Pick<TrainingStart, 'teacher' | 'naming'>,
    resumed: TrainingRun['resumed'],
  ) {
    this.trainer = trainer;
    this.#validation = validation;
    this.store = store;
    this.description = description;
    this.metrics = metrics;
    this.resumed = resumed;
    this.#teacher = teacher;
    this.#naming = naming;
  }

  /** @throws {RunError} when the folder is not empty. */
  static async refuseUsed(files: FileSystem): Promise<void> {
    await RunStore.refuseUsed(files, trainingRunFormat as RunFormat<never>);
  }

  /** Begins a run in an empty or new folder, which is written to only when everything has been found to fit. */
  static async begin(files: FileSystem, start: TrainingStart): Promise<TrainingRun> {
    const { device, description: given } = start;
    await TrainingRun.refuseUsed(files);
    const made = await make(await start.newModel(), start);
    try {
      const description = { ...given, adapter: device.name, started: new Date().toISOString() };
      const store = await RunStore.create(files, trainingRunFormat, () => writeDescription(files, description));
      return await TrainingRun.#start(made, { store, description }, start, undefined);
    } catch (error) {
      disposeOf(made);
      throw error;
    }
  }

  /**
   * Goes on with a run from its newest whole checkpoint, or from the beginning where there is none. It may become longer.
   *
   * @throws {RunError} when it would go on with something else than it began with, naming what differs.
   */
  static async resume(opened: OpenedRun, start: TrainingStart): Promise<TrainingRun> {
    const { device, description: now } = start;
    const { store, description: was } = opened;
    refuseDifferences(store.files.name, was, now);
    const damaged: string[] = [];
    const checkpoint = await store.newest((reason) => damaged.push(reason));
    const model = checkpoint ? await modelOf(device, checkpoint) : await start.newModel();
    const made = await make(model, start);
    const { trainer } = made;
    try {
      if (checkpoint) await loadState(trainer, checkpoint);
      const description = { ...was, settings: now.settings };
      if (now.settings.epochs !== was.settings.epochs) await writeDescription(store.files, description);
      const resumed = { step: trainer.done, damaged, was };
      const run = await TrainingRun.#start(made, { store, description }, start, resumed);
      await run.#findBest();
      return run;
    } catch (error) {
      disposeOf(made);
      throw error;
    }
  }

  static async #start(
    made: Made,
    opened: OpenedRun,
    start: Pick<TrainingStart, 'teacher' | 'naming'>,
    resumed: TrainingRun['resumed'],
  ): Promise<TrainingRun> {
    try {
      return new TrainingRun(made, opened, await opened.store.begin(made.trainer.done), start, resumed);
    } catch (error) {
      if (!resumed) await opened.store.close();
      throw error;
    }
  }

  /**
   * Trains to the end: checkpoints, sample pictures and metrics as it goes, the trained model in the end. Stopped by the signal, it saves
   * and throws the signal's reason; `resume` goes on from there.
   */
  async train(options: TrainOptions = {}): Promise<void> {
    const { trainer, store, metrics } = this;
    const { model, settings } = trainer;
    const { sample, signal, onProgress, saveEvery = 100, saveSeconds } = options;
    const sampleEvery = options.sampleEvery ?? Math.max(1, Math.round(trainer.steps / 10));
    let sampled = (await store.samples()).at(-1)?.step;
    const drawSample = async (step: number): Promise<void> => {
      if (!sample || sampled === step) return;
      await store.saveSample(step, await sample(model));
      sampled = step;
    };
    if (trainer.done === 0) await drawSample(0);
    const isEnded = await trainSaved(
      {
        trainer,
        store,
        metricsOf: (report: StepReport) => {
          const line = metricsOf(report, settings.batch);
          metrics.push(line);
          return line;
        },
        checkpoint: () => this.#checkpoint(),
        isEvaluated: (step) => (sample !== undefined && step % sampleEvery === 0) || this.#isValidated(step),
        evaluate: async (step) => {
          if (step % sampleEvery === 0) await drawSample(step);
          if (this.#isValidated(step)) await this.#keepBest();
        },
      },
      { saveEvery, saveSeconds, signal, onProgress },
    );
    if (!isEnded) throw signal?.reason;
    await drawSample(trainer.done);
    await store.files.write(MODEL, await this.#model());
  }

  /** The step and the loss of the best validation so far. */
  get best(): { readonly step: number; readonly loss: number } | undefined {
    return this.#best;
  }

  #isValidated(step: number): boolean {
    const { validation } = this.description;
    return validation !== undefined && (step % validation.every === 0 || step === this.trainer.steps);
  }

  /** Keeps the model if its validation is the best so far; first a checkpoint, so that no run goes on from before its best. */
  async #keepBest(): Promise<void> {
    const line = this.metrics.at(-1);
    const loss = line?.probe?.[VALIDATION_LOSS];
    if (!line || loss === undefined || loss >= (this.#best?.loss ?? Number.POSITIVE_INFINITY)) return;
    await this.store.save(line.step, await this.#checkpoint());
    await this.store.files.write(BEST, await this.#model());
    this.#best = { step: line.step, loss };
  }

  /** Which validation the kept weights are of, in a run that goes on. Where they were not written any more, they are now. */
  async #findBest(): Promise<void> {
    const { files } = this.store;
    if (!this.description.validation) return;
    const at = this.metrics[(await stepOfModel(files, BEST)) - 1];
    const loss = at?.probe?.[VALIDATION_LOSS];
    if (at && loss !== undefined) this.#best = { step: at.step, loss };
    // Damaged, or of a step that this run has not made: it goes on from an older checkpoint.
    else await files.remove(BEST);
    if (this.metrics.length > 0) await this.#keepBest();
  }

  /** Frees what training needs, not the model, and lets others open the run. */
  async close(): Promise<void> {
    this.trainer.dispose();
    this.#validation?.dispose();
    await this.store.close();
  }

  async #model(): Promise<Uint8Array> {
    return modelFile(this.trainer.model, { step: this.trainer.done, teacher: this.#teacher, naming: this.#naming });
  }

  async #checkpoint(): Promise<Readonly<Record<string, Uint8Array>>> {
    const { done, scale, optimizer } = this.trainer;
    const state = { step: String(done), teacher: this.#teacher, loss_scale: JSON.stringify(scale.state()) };
    return { [MODEL]: await this.#model(), [OPTIMIZER]: await optimizerFile(optimizer.state(), state) };
  }
}

/** What trains, and what validates. */
interface Made {
  readonly trainer: Trainer;
  readonly validation: HeldOutLoss | undefined;
}

async function make(model: ZeroSeg, start: TrainingStart): Promise<Made> {
  const { device, data, description } = start;
  const { settings, validation: chosen } = description;
  if (!chosen) return { trainer: await Trainer.create(device, model, data, settings, start), validation: undefined };
  const { training, heldOut } = holdOut(data, chosen.fraction, settings.seed);
  let validation: HeldOutLoss | undefined;
  const probe: Probe = {
    every: chosen.every,
    measure: async () => {
      if (!validation) throw new Error('internal: a run is validated before it is made');
      return validation.measure();
    },
  };
  const trainer = await Trainer.create(device, model, training, settings, { ...start, probe });
  try {
    // After the optimizer, which moves the weights.
    validation = await HeldOutLoss.create(device, model, heldOut, settings);
    return { trainer, validation };
  } catch (error) {
    trainer.dispose();
    throw error;
  }
}

function disposeOf({ trainer, validation }: Made): void {
  trainer.dispose();
  validation?.dispose();
}

/** The steps behind the weights of a model file; 0 where there is none that is whole. */
async function stepOfModel(files: FileSystem, name: string): Promise<number> {
  if (!(await files.status(name))) return 0;
  try {
    return modelInfo(readSafetensors(await files.read(name), name), name).step;
  } catch (error) {
    if (error instanceof CheckpointError) return 0;
    throw error;
  }
}

async function modelOf(device: Device, { files }: Checkpoint): Promise<ZeroSeg> {
  const { model } = await openModel(device, files.get(MODEL) as WeightFile);
  return model;
}

async function loadState(trainer: Trainer, { step, files, path }: Checkpoint): Promise<void> {
  const { loss_scale } = await loadOptimizer(trainer.optimizer.state(), files.get(OPTIMIZER) as WeightFile);
  trainer.resume(step, parseLossScale(loss_scale, path(OPTIMIZER)));
}
