/**
 * A training run on disk:
 *
 *     config.json                   configuration, settings, cache, versions: what the run is
 *     metrics.jsonl                 a line for every step
 *     checkpoints/step-000100/      model.safetensors, optimizer.safetensors, state.json
 *     samples/step-000100.png       a few training photos with their segments
 *     model.safetensors             the trained model, at the end
 *     report.html                   all of it to look at
 *
 * Every file appears whole; a checkpoint is a folder that appears whole. A process killed at any moment leaves a run that
 * goes on from its last checkpoint. One process at a time has a run open: see {@link FolderLock}.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Metrics, metricsLine, parseMetrics } from '@zeroseg/core/internal';
import {
  FileError,
  FolderLock,
  isLeftover,
  LOCK_FILE,
  readJson,
  refuseLinks,
  sweepLeftovers,
  systemReason,
  writeFileAtomic,
} from '../files/index.ts';
import { builtIn, builtInStudent, kindOfPath } from '../weights/index.ts';
import { Checkpoints, stepName, stepOfName } from './checkpoints.ts';
import { MetricsFile } from './metrics-file.ts';
import { descriptionProblem, type RunDescription, RunError } from './run-description.ts';

const FORMAT = 'zeroseg run';
const parts = ['model.safetensors', 'optimizer.safetensors'] as const;

/** A checkpoint that was loaded: bytes, and the name of each file for messages. */
export interface LoadedCheckpoint {
  readonly step: number;
  readonly model: Uint8Array;
  readonly optimizer: Uint8Array;
  readonly files: { readonly model: string; readonly optimizer: string };
}

/** The folder of a run, open for writing; see the top of the file. */
export class RunFolder {
  readonly folder: string;
  /** The right to write here, to be given to whatever writes. */
  readonly lock: FolderLock;
  readonly #checkpoints: Checkpoints;
  #description: RunDescription;
  #metrics: MetricsFile<Metrics> | undefined;

  private constructor(folder: string, description: RunDescription, lock: FolderLock) {
    this.folder = folder;
    this.#description = description;
    this.lock = lock;
    this.#checkpoints = new Checkpoints('train', folder, lock);
  }

  get description(): RunDescription {
    return this.#description;
  }

  /** @throws {RunError} when the folder is not empty; what a process left that was killed in its first file does not count. */
  static async refuseUsed(folder: string, op = 'train'): Promise<void> {
    let names: string[];
    try {
      names = (await kindOfPath(folder)) === undefined ? [] : await readdir(folder);
    } catch (error) {
      throw new FileError(op, folder, systemReason(error), { cause: error });
    }
    if (names.every((name) => name === LOCK_FILE || isLeftover(name))) return;
    const isRun = names.includes('config.json') || names.includes('log.json');
    const reason = isRun
      ? 'there is a run in this folder; continue it with --resume, or choose another --out'
      : 'the folder is not empty and holds no run; choose another --out';
    throw new RunError(`${op}: ${folder}: ${reason}`);
  }

  /** Begins a run in an empty or new folder. */
  static async create(folder: string, description: RunDescription): Promise<RunFolder> {
    const lock = await FolderLock.take('train', folder);
    try {
      await RunFolder.refuseUsed(folder);
      await sweepLeftovers(folder);
      const run = new RunFolder(folder, description, lock);
      await run.describe(description);
      return run;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Opens a run. */
  static async open(folder: string): Promise<RunFolder> {
    // First without the lock, which would make the folder.
    await readDescription(folder);
    const lock = await FolderLock.take('train', folder);
    try {
      await refuseLinks(folder, 'checkpoints', 'samples');
      await sweepLeftovers(folder);
      return new RunFolder(folder, await readDescription(folder), lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Writes what the run is, also when it has become another, such as a longer one. */
  async describe(description: RunDescription): Promise<void> {
    const text = `${JSON.stringify({ format: FORMAT, ...description }, undefined, 2)}\n`;
    await writeFileAtomic(join(this.folder, 'config.json'), text, { lock: this.lock });
    this.#description = description;
  }

  /** Adds a step to the metrics, which {@link metricsUpTo} has opened. */
  async append(metrics: Metrics): Promise<void> {
    if (!this.#metrics) await this.metricsUpTo(metrics.step - 1);
    await this.#metrics?.append(metrics);
  }

  /** The metrics of all steps up to `step`. What is beyond, or half written, is cut off. */
  async metricsUpTo(step: number): Promise<Metrics[]> {
    const path = join(this.folder, 'metrics.jsonl');
    await this.#metrics?.close();
    const { file, lines } = await MetricsFile.open(path, step, {
      lock: this.lock,
      parse: parseMetrics,
      format: metricsLine,
    });
    this.#metrics = file;
    return lines;
  }

  /** Saves a checkpoint, then drops all but the last ones. */
  async save(step: number, model: Uint8Array, optimizer: Uint8Array): Promise<void> {
    await this.#metrics?.sync();
    const [modelName, optimizerName] = parts;
    await this.#checkpoints.save(step, { [modelName]: model, [optimizerName]: optimizer });
  }

  /** Steps of the checkpoints, ascending. */
  async checkpoints(): Promise<number[]> {
    return this.#checkpoints.steps();
  }

  /** The newest checkpoint that is whole; undefined where there is none. `damaged` is told of each newer one. */
  async newest(damaged: (reason: string) => void): Promise<LoadedCheckpoint | undefined> {
    const found = await this.#checkpoints.newest(parts, damaged);
    if (!found) return undefined;
    const [modelName, optimizerName] = parts;
    return {
      step: found.step,
      model: found.files.get(modelName) as Uint8Array,
      optimizer: found.files.get(optimizerName) as Uint8Array,
      files: { model: found.path(modelName), optimizer: found.path(optimizerName) },
    };
  }

  /** Drops what a killed process left half made, and checkpoints beyond `step`. */
  async clean(step: number): Promise<void> {
    await this.#checkpoints.clean(step);
    const samples = join(this.folder, 'samples');
    for (const name of await readdir(samples).catch(() => [])) {
      if ((stepOfName(name.replace(/\.png$/, '')) ?? -1) > step) await rm(join(samples, name), { force: true });
    }
  }

  samplePath(step: number): string {
    return join(this.folder, 'samples', `${stepName(step)}.png`);
  }

  /** The sample pictures, by step ascending. */
  async samples(): Promise<{ step: number; path: string }[]> {
    const folder = join(this.folder, 'samples');
    const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.png'));
    return names
      .map((name) => ({ step: stepOfName(name.replace(/\.png$/, '')), path: join(folder, name) }))
      .filter((sample): sample is { step: number; path: string } => sample.step !== undefined)
      .sort((a, b) => a.step - b.step);
  }

  /** Lets others open the run. */
  async close(): Promise<void> {
    await this.#metrics?.close().catch(() => undefined);
    this.#metrics = undefined;
    await this.lock.release();
  }
}

async function readDescription(folder: string): Promise<RunDescription> {
  const path = join(folder, 'config.json');
  if ((await kindOfPath(path)) === undefined) {
    throw new RunError(
      `train: ${folder}: there is no run in this folder (no config.json); leave --resume out to begin one`,
    );
  }
  const found = (await readJson(path)) as (RunDescription & { format?: string }) | null;
  if (found?.format !== FORMAT) throw new RunError(`train: ${path}: this is not the description of a run`);
  const { format: _, ...description } = found;
  const problem = descriptionProblem(description);
  if (problem !== undefined) throw new RunError(`train: ${path}: the description of the run is damaged: ${problem}`);
  return description;
}

/**
 * The model file that a path means: itself, or in a run's folder the trained model, or before the end that of the last
 * checkpoint; or `built-in` for the student that the package brings.
 */
export async function findModel(place: string): Promise<string> {
  const kind = await kindOfPath(place);
  if (!kind && place === builtIn) return builtInStudent();
  if (!kind)
    throw new FileError(
      'openModel',
      place,
      `there is no such file or folder; give a model, a run of \`zeroseg train\`, or ${builtIn}`,
    );
  if (kind === 'file') return place;
  const final = join(place, 'model.safetensors');
  if ((await kindOfPath(final)) === 'file') return final;
  const checkpoints = new Checkpoints('openModel', place);
  const last = (await checkpoints.steps()).at(-1);
  if (last !== undefined) return join(checkpoints.place(last), 'model.safetensors');
  throw new FileError('openModel', place, 'there is no model and no checkpoint in this folder; train one first');
}

/** A whole file. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new FileError('read', path, systemReason(error), { cause: error });
  }
}
