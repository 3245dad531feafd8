import { heard } from '../../gpu/index.ts';
import { FileError, type FileSystem, type HeldLock, LOCK_FILE } from '../storage/index.ts';
import { type Checkpoint, Checkpoints, type PartContent, stepName, stepOfName } from './checkpoints.ts';
import { RunError } from './errors.ts';
import { MetricsFile, type MetricsFormat } from './metrics-file.ts';

/** What a kind of training keeps. */
export interface RunFormat<M> {
  /** Who trains, for messages. */
  readonly op: string;
  /** The file that says what a run is, by which its folder is known. */
  readonly description: string;
  /** Files of a checkpoint. */
  readonly parts: readonly string[];
  readonly metrics: MetricsFormat<M>;
}

/**
 * A training run's folder, on disk, in a page's storage or in memory, open for writing:
 *
 *     metrics.jsonl                 a line for every step
 *     checkpoints/step-000100/      what training goes on from
 *     samples/step-000100.png       pictures of what the model does
 *
 * Every file appears whole; a checkpoint is a folder that appears whole. A process killed at any moment leaves a run that goes on from
 * its last checkpoint. One writer at a time has a run open.
 *
 * ```ts
 * const store = await RunStore.create(files, format);
 * await store.begin(0);
 * await store.append({ step: 1, loss: 2 });
 * await store.save(1, { 'model.safetensors': bytes });
 * await store.close();
 * ```
 */
export class RunStore<M extends { readonly step: number }> {
  /** The run's folder. What is written to it, is written under the lock. */
  readonly files: FileSystem;
  readonly #lock: HeldLock;
  readonly #format: RunFormat<M>;
  readonly #checkpoints: Checkpoints;
  #metrics: MetricsFile<M> | undefined;
  /** The checkpoint that is written, or was last. */
  #saving: Promise<unknown> = Promise.resolve();

  private constructor(files: FileSystem, lock: HeldLock, format: RunFormat<M>) {
    this.files = files;
    this.#lock = lock;
    this.#format = format;
    this.#checkpoints = new Checkpoints(files);
  }

  /** @throws {RunError} when the folder is not empty; what a writer left that was killed in its first file does not count. */
  static async refuseUsed(files: FileSystem, { op, description }: RunFormat<never>): Promise<void> {
    const there = await files.status('');
    if (there && there.kind !== 'folder') throw new FileError(op, files.name, 'this is a file, not a folder');
    const names = (await files.list()).filter((name) => name !== LOCK_FILE);
    if (names.length === 0) return;
    const reason = names.includes(description)
      ? 'there is a run in this folder; resume it, or choose another folder'
      : 'the folder is not empty and holds no run; choose another folder';
    throw new RunError(`${op}: ${files.name}: ${reason}`);
  }

  /** Begins a run in an empty or new folder. `describe` writes what it is. */
  static async create<M extends { readonly step: number }>(
    files: FileSystem,
    format: RunFormat<M>,
    describe: (files: FileSystem) => Promise<void>,
  ): Promise<RunStore<M>> {
    return RunStore.#locked(files, format, async () => {
      await RunStore.refuseUsed(files, format as RunFormat<never>);
      await files.removeLeftovers();
      await describe(files);
    });
  }

  /** Opens a run that is there. */
  static async open<M extends { readonly step: number }>(
    files: FileSystem,
    format: RunFormat<M>,
  ): Promise<RunStore<M>> {
    // First without the lock, which would make the folder.
    await RunStore.#refuseOthers(files, format);
    return RunStore.#locked(files, format, async () => {
      await RunStore.#refuseOthers(files, format);
      // Where a link leads elsewhere, these are refused.
      for (const folder of ['checkpoints', 'samples']) if (await files.status(folder)) await files.makeFolder(folder);
      await files.removeLeftovers();
    });
  }

  static async #refuseOthers<M>(files: FileSystem, { op, description }: RunFormat<M>): Promise<void> {
    if ((await files.status(description)) !== undefined) return;
    const reason = `there is no run in this folder (no ${description}); begin one instead of resuming`;
    throw new RunError(`${op}: ${files.name}: ${reason}`);
  }

  static async #locked<M extends { readonly step: number }>(
    files: FileSystem,
    format: RunFormat<M>,
    prepare: () => Promise<void>,
  ): Promise<RunStore<M>> {
    const lock = await files.lock(format.op);
    try {
      await prepare();
      return new RunStore(files, lock, format);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Goes on after `step`: the metrics up to it. Those beyond, half written ones, later checkpoints and samples are dropped. */
  async begin(step: number): Promise<M[]> {
    const lines = await this.metricsUpTo(step);
    await this.clean(step);
    return lines;
  }

  /** The metrics of all steps up to `step`. What is beyond, or half written, is cut off. */
  async metricsUpTo(step: number): Promise<M[]> {
    const { file, lines } = await MetricsFile.open(this.files, 'metrics.jsonl', step, this.#format.metrics);
    this.#metrics = file;
    return lines;
  }

  /** Adds a step to the metrics. */
  async append(metrics: M): Promise<void> {
    if (!this.#metrics) await this.metricsUpTo(metrics.step - 1);
    await this.#metrics?.append(metrics);
  }

  /** Saves a checkpoint, when those before are there; before it is written, all but the newest of them go. */
  save(step: number, parts: Readonly<Record<string, PartContent>>): Promise<void> {
    const saved = this.#saving.then(async () => {
      await this.#metrics?.sync();
      await this.#checkpoints.save(step, parts);
    });
    this.#saving = heard(saved).catch(() => undefined);
    return saved;
  }

  /** Steps of the checkpoints, ascending. */
  async checkpoints(): Promise<number[]> {
    return this.#checkpoints.steps();
  }

  /** The newest checkpoint that is whole; undefined where there is none. `damaged` is told of each newer one. */
  async newest(damaged: (reason: string) => void): Promise<Checkpoint | undefined> {
    return this.#checkpoints.newest(this.#format.parts, damaged);
  }

  /** Drops what a killed process left half made, and checkpoints and samples beyond `step`. */
  async clean(step: number): Promise<void> {
    await this.#checkpoints.clean(step);
    for (const sample of await samplesOf(this.files)) if (sample.step > step) await this.files.remove(sample.path);
  }

  /** Keeps a picture, a PNG, of what the model does after a step. */
  async saveSample(step: number, png: Uint8Array): Promise<void> {
    await this.files.write(`samples/${stepName(step)}.png`, png);
  }

  /** The sample pictures, by step ascending. */
  async samples(): Promise<Sample[]> {
    return samplesOf(this.files);
  }

  /** Lets others open the run. */
  async close(): Promise<void> {
    await this.#saving;
    this.#metrics = undefined;
    await this.#lock.release();
  }
}

/** A picture of a run; `path` is in its folder. */
export interface Sample {
  readonly step: number;
  readonly path: string;
}

/** The sample pictures of a run, by step ascending. */
export async function samplesOf(files: FileSystem): Promise<Sample[]> {
  const names = (await files.list('samples')).filter((name) => name.endsWith('.png'));
  return names
    .map((name) => ({ step: stepOfName(name.replace(/\.png$/, '')), path: `samples/${name}` }))
    .filter((sample): sample is Sample => sample.step !== undefined)
    .sort((a, b) => a.step - b.step);
}
