import { ArgumentError, type Device } from '../../gpu/index.ts';
import { CheckpointError, readSafetensors } from '../../nn/safetensors/index.ts';
import type { GpuTensors } from '../checkpoints/index.ts';
import type { TrainingData } from '../features/index.ts';
import { type AboutModel, modelFile, modelInfo, type NamingRule, type ZeroSeg } from '../model/index.ts';
import {
  type PartContent,
  RunError,
  type RunFormat,
  RunStore,
  type SaveOptions,
  type StepTrace,
  trainSaved,
} from '../runs/index.ts';
import type { FileSystem } from '../storage/index.ts';
import { type Metrics, metricsLine, metricsOf, parseMetrics } from './metrics.ts';
import {
  checkpointFiles,
  copyForCheckpoint,
  MODEL,
  modelOfCheckpoint,
  OPTIMIZER,
  restoreCheckpoint,
} from './run-checkpoint.ts';
import {
  DESCRIPTION_FILE,
  type RunDescription,
  readDescription,
  refuseDifferences,
  writeDescription,
} from './run-description.ts';
import type { Trainer } from './trainer.ts';
import type { StepReport, TrainerOptions } from './trainer-options.ts';
import { disposeOf, type TrainerWithValidators, trainerWithValidators } from './trainer-with-validators.ts';
import { type BestValidation, isBetter, VALIDATION_IOU, VALIDATION_LOSS, type Validator } from './validation.ts';

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
export interface TrainingStart extends Omit<TrainerOptions, 'rates'> {
  readonly device: Device;
  readonly data: TrainingData;
  /** What the run is; of one that goes on, how it is to go on: see `resolveTraining`. */
  readonly description: Omit<RunDescription, 'adapter' | 'started' | 'rates'>;
  /** Name and hash of the teacher, for the model's file: `teacherIdentity`. */
  readonly teacher: string;
  /** How the model's segments are best named, for its file. */
  readonly naming?: NamingRule | undefined;
  /** Scores the model on made-up scenes, where the description's validation has `scenes`: see `SceneValidation`. */
  readonly validateScenes?: ((model: ZeroSeg) => Promise<Validator>) | undefined;
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
 *     best.safetensors              the model of the best validation, where the description has one
 *     model.safetensors             the trained model, at the end
 *
 * Never are there more than two checkpoints, the one that is written among them. Nothing of a validation changes what is learnt from the photos that are not held out.
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
  /** What it goes on from, and why newer checkpoints were not taken. */
  readonly resumed:
    | { readonly step: number; readonly damaged: readonly string[]; readonly was: RunDescription }
    | undefined;
  readonly #teacher: string;
  readonly #naming: NamingRule | undefined;
  readonly #trace: StepTrace | undefined;
  readonly #validators: readonly Validator[];
  #description: RunDescription;
  #isTraining = false;
  /** The step of the checkpoint that was saved before the best weights. */
  #kept: number | undefined;
  /** Of the weights in {@link BEST}. */
  #best: BestValidation | undefined;

  private constructor(
    { trainer, validators }: TrainerWithValidators,
    { store, description }: OpenedRun,
    metrics: Metrics[],
    { teacher, naming, trace }: Pick<TrainingStart, 'teacher' | 'naming' | 'trace'>,
    resumed: TrainingRun['resumed'],
  ) {
    this.trainer = trainer;
    this.#validators = validators;
    this.store = store;
    this.#description = description;
    this.metrics = metrics;
    this.resumed = resumed;
    this.#teacher = teacher;
    this.#naming = naming;
    this.#trace = trace;
  }

  /** @throws {RunError} when the folder is not empty. */
  static async refuseUsed(files: FileSystem): Promise<void> {
    await RunStore.refuseUsed(files, trainingRunFormat as RunFormat<never>);
  }

  get description(): RunDescription {
    return this.#description;
  }

  /** Begins a run in an empty or new folder, which is written to only when everything has been found to fit. */
  static async begin(files: FileSystem, start: TrainingStart): Promise<TrainingRun> {
    const { device, description: given } = start;
    await TrainingRun.refuseUsed(files);
    const made = await trainerWithValidators(await start.newModel(), start);
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
    const model = checkpoint ? await modelOfCheckpoint(device, checkpoint) : await start.newModel();
    const made = await trainerWithValidators(model, { ...start, rates: was.rates });
    const { trainer } = made;
    try {
      if (checkpoint) await restoreCheckpoint(trainer, checkpoint);
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
    made: TrainerWithValidators,
    opened: OpenedRun,
    start: Pick<TrainingStart, 'teacher' | 'naming' | 'trace'>,
    resumed: TrainingRun['resumed'],
  ): Promise<TrainingRun> {
    try {
      await made.trainer.synchronise();
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
    this.#isTraining = true;
    try {
      await this.#train(options);
    } finally {
      this.#isTraining = false;
    }
  }

  async #train(options: TrainOptions): Promise<void> {
    const { trainer, store, metrics } = this;
    const { evaluated, settings } = trainer;
    const { sample, signal, onProgress, saveEvery = 100, saveSeconds } = options;
    const sampleEvery = options.sampleEvery ?? Math.max(1, Math.round(trainer.steps / 10));
    let sampled = (await store.samples()).at(-1)?.step;
    const drawSample = async (step: number): Promise<void> => {
      if (!sample || sampled === step) return;
      await store.saveSample(step, await sample(evaluated));
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
        copy: (step) => copyForCheckpoint(trainer, step, this.#trace),
        checkpoint: async (copy) => this.#checkpoint(copy),
        release: (copy) => copy?.dispose(),
        isKept: (step) => step === this.#kept,
        isEvaluated: (step) => (sample !== undefined && step % sampleEvery === 0) || this.#isValidated(step),
        evaluate: async (step) => {
          if (step % sampleEvery === 0) await drawSample(step);
          if (this.#isValidated(step)) await this.#keepBest();
        },
      },
      { saveEvery, saveSeconds, signal, onProgress },
    );
    if (!isEnded) {
      const saved = trainer.done > 0 ? `saved after step ${trainer.done}` : 'nothing was done that could be saved';
      throw signal?.reason ?? new RunError(`train: another process was stopped; ${saved}`);
    }
    await drawSample(trainer.done);
    await store.files.write(MODEL, await this.#model());
  }

  /**
   * Goes on with another learning rate (the setting `base_lr`) after the steps that are done; the shape of the schedule stays. The run
   * keeps the change: wherever it is resumed from, it gives the same numbers.
   *
   * @throws {ArgumentError} while {@link train} runs: stop it by its signal, change the rate, call it again.
   */
  async changeRate(baseLr: number): Promise<void> {
    if (this.#isTraining) throw new ArgumentError('changeRate: the run is training; stop it by its signal first');
    const rates = this.trainer.changeRate(baseLr);
    this.#description = { ...this.#description, rates };
    await writeDescription(this.store.files, this.#description);
  }

  /** The best validation so far. */
  get best(): BestValidation | undefined {
    return this.#best;
  }

  #isValidated(step: number): boolean {
    const { validation } = this.description;
    return validation !== undefined && (step % validation.every === 0 || step === this.trainer.steps);
  }

  /** Keeps the model if its validation is the best so far; first a checkpoint, so that no run goes on from before its best. */
  async #keepBest(): Promise<void> {
    const found = this.#validationOf(this.metrics.at(-1));
    if (!found || !isBetter(found, this.#best)) return;
    await this.store.save(found.step, this.#checkpoint(undefined));
    this.#kept = found.step;
    await this.store.files.write(BEST, await this.#model());
    this.#best = found;
  }

  #validationOf(line: Metrics | undefined): BestValidation | undefined {
    const measure = this.description.validation?.scenes ? VALIDATION_IOU : VALIDATION_LOSS;
    const value = line?.probe?.[measure];
    return line && typeof value === 'number' ? { step: line.step, measure, value } : undefined;
  }

  /** Which validation the kept weights are of, in a run that goes on. Where they were not written any more, they are now. */
  async #findBest(): Promise<void> {
    const { files } = this.store;
    if (!this.description.validation) return;
    this.#best = this.#validationOf(this.metrics[(await stepOfModel(files, BEST)) - 1]);
    // Damaged, or of a step that this run has not made: it goes on from an older checkpoint.
    if (!this.#best) await files.remove(BEST);
    if (this.metrics.length > 0) await this.#keepBest();
  }

  /** Frees what training needs, not the model, and lets others open the run. */
  async close(): Promise<void> {
    disposeOf({ trainer: this.trainer, validators: this.#validators });
    await this.store.close();
  }

  async #model(): Promise<Uint8Array> {
    return modelFile(this.trainer.evaluated, this.#about());
  }

  #about(): AboutModel {
    const { done: step, settings } = this.trainer;
    return { step, teacher: this.#teacher, naming: this.#naming, ema: settings.ema };
  }

  #checkpoint(copy: GpuTensors | undefined): Readonly<Record<string, PartContent>> {
    return checkpointFiles(this.trainer, this.#about(), { copy, trace: this.#trace });
  }
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
