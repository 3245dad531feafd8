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
 * goes on from its last checkpoint.
 */

import { mkdir, open, readdir, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { ZeroSegError } from '../gpu/errors.ts';
import { shownValue } from '../gpu/json.ts';
import { CheckpointError } from '../nn/safetensors.ts';
import type { ZeroSegConfig } from '../zeroseg/config.ts';
import type { TrainSettings } from '../zeroseg/train-settings.ts';
import type { StepReport } from '../zeroseg/trainer.ts';
import { builtIn, builtInStudent } from './built-in.ts';
import type { CacheKey } from './feature-cache.ts';
import { FileError, readJson, systemReason, writeFileAtomic } from './files.ts';
import { descriptionProblem, parseMetrics } from './run-description.ts';
import { kindOfPath } from './weight-files.ts';

/** What a run is, as its `config.json` says. */
export interface RunDescription {
  /** Version of this package, and adapter, at the start of the run. */
  readonly version: string;
  readonly adapter: string;
  readonly started: string;
  /** The configuration's name or file, and the file of initial weights. */
  readonly preset: string;
  readonly init: string | null;
  readonly cache: { readonly folder: string; readonly photos: number; readonly paths: string; readonly key: CacheKey };
  readonly config: ZeroSegConfig;
  readonly settings: TrainSettings;
}

/** A line of `metrics.jsonl`. */
export type Metrics = Omit<StepReport, 'steps'> & { readonly imagesPerSecond: number };

/** A run folder that cannot be begun or continued. */
export class RunError extends ZeroSegError {
  override readonly name = 'RunError';
  readonly code = 'run';
}

const FORMAT = 'zeroseg run';
/** Checkpoints that are kept beside the newest. */
const KEPT = 1;

/** The folder of a run; see the top of the file. */
export class RunFolder {
  readonly folder: string;
  readonly description: RunDescription;
  #metrics: Awaited<ReturnType<typeof open>> | undefined;

  private constructor(folder: string, description: RunDescription) {
    this.folder = folder;
    this.description = description;
  }

  /** @throws {RunError} when the folder is not empty. */
  static async refuseUsed(folder: string, op = 'train'): Promise<void> {
    let names: string[];
    try {
      names = (await kindOfPath(folder)) === undefined ? [] : await readdir(folder);
    } catch (error) {
      throw new FileError(op, folder, systemReason(error), { cause: error });
    }
    if (names.length === 0) return;
    const reason = names.includes('config.json')
      ? 'there is a run in this folder; continue it with --resume, or choose another --out'
      : 'the folder is not empty and holds no run; choose another --out';
    throw new RunError(`${op}: ${folder}: ${reason}`);
  }

  /** Begins a run in an empty or new folder. */
  static async create(folder: string, description: RunDescription): Promise<RunFolder> {
    await RunFolder.refuseUsed(folder);
    await writeFileAtomic(
      join(folder, 'config.json'),
      `${JSON.stringify({ format: FORMAT, ...description }, undefined, 2)}\n`,
    );
    return new RunFolder(folder, description);
  }

  /** Opens a run. */
  static async open(folder: string): Promise<RunFolder> {
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
    return new RunFolder(folder, description);
  }

  /** Adds a step to the metrics. */
  async append(metrics: Metrics): Promise<void> {
    this.#metrics ??= await open(join(this.folder, 'metrics.jsonl'), 'a');
    await this.#metrics.writeFile(`${JSON.stringify(metrics)}\n`);
  }

  /** The metrics of all steps up to `step`. What is beyond, or half written, is cut off. */
  async metricsUpTo(step: number): Promise<Metrics[]> {
    const path = join(this.folder, 'metrics.jsonl');
    const text = await readFile(path, 'utf8').catch(() => '');
    const metrics: Metrics[] = [];
    let bytes = 0;
    for (const line of text.split('\n').slice(0, -1)) {
      const parsed = parseMetrics(line);
      if (parsed?.step !== metrics.length + 1 || parsed.step > step) break;
      metrics.push(parsed);
      bytes += Buffer.byteLength(line) + 1;
    }
    if (metrics.length < step) {
      throw new RunError(
        `train: ${path}: it ends at step ${metrics.length}, and the checkpoint is of step ${step}; restore the file, or begin a new run`,
      );
    }
    if (text !== '') await truncate(path, bytes);
    return metrics;
  }

  /** Saves a checkpoint, then drops all but the last ones. */
  async save(step: number, model: Uint8Array, optimizer: Uint8Array): Promise<void> {
    // Metrics first: a checkpoint is never newer than they are.
    await this.#metrics?.sync();
    const name = checkpointName(step);
    const all = join(this.folder, 'checkpoints');
    const temporary = join(all, `.${name}.${process.pid}.tmp`);
    try {
      await mkdir(temporary, { recursive: true });
      await writeFileAtomic(join(temporary, 'model.safetensors'), model);
      await writeFileAtomic(join(temporary, 'optimizer.safetensors'), optimizer);
      await writeFileAtomic(join(temporary, 'state.json'), `${JSON.stringify({ step }, undefined, 2)}\n`);
      await rm(join(all, name), { recursive: true, force: true });
      await rename(temporary, join(all, name));
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      if (error instanceof FileError) throw error;
      throw new FileError('train', join(all, name), systemReason(error), { cause: error });
    }
    const old = (await this.checkpoints()).filter((other) => other < step).slice(0, -KEPT);
    for (const other of old) await rm(join(all, checkpointName(other)), { recursive: true, force: true });
  }

  /** Steps of the checkpoints, ascending. */
  async checkpoints(): Promise<number[]> {
    return listCheckpoints(this.folder);
  }

  /** Bytes of a checkpoint, and the name of each file for messages. */
  async load(
    step: number,
  ): Promise<{ model: Uint8Array; optimizer: Uint8Array; files: { model: string; optimizer: string } }> {
    const folder = join(this.folder, 'checkpoints', checkpointName(step));
    const files = { model: join(folder, 'model.safetensors'), optimizer: join(folder, 'optimizer.safetensors') };
    const state = (await readJson(join(folder, 'state.json'))) as { step?: number } | null;
    if (state?.step !== step)
      throw new CheckpointError(join(folder, 'state.json'), `must be of step ${step}; got ${shownValue(state?.step)}`);
    const [model, optimizer] = await Promise.all([readBytes(files.model), readBytes(files.optimizer)]);
    return { model, optimizer, files };
  }

  /** Drops what a killed process left half made, and checkpoints beyond `step`. */
  async clean(step: number): Promise<void> {
    const all = join(this.folder, 'checkpoints');
    const names = await readdir(all).catch(() => []);
    for (const name of names) {
      const beyond = (stepOf(name) ?? -1) > step;
      if (beyond || name.startsWith('.step-')) await rm(join(all, name), { recursive: true, force: true });
    }
    const samples = join(this.folder, 'samples');
    for (const name of await readdir(samples).catch(() => [])) {
      if ((stepOf(name.replace(/\.png$/, '')) ?? -1) > step) await rm(join(samples, name), { force: true });
    }
  }

  samplePath(step: number): string {
    return join(this.folder, 'samples', `${checkpointName(step)}.png`);
  }

  /** The sample pictures, by step ascending. */
  async samples(): Promise<{ step: number; path: string }[]> {
    const folder = join(this.folder, 'samples');
    const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.png'));
    return names
      .map((name) => ({ step: stepOf(name.replace(/\.png$/, '')), path: join(folder, name) }))
      .filter((sample): sample is { step: number; path: string } => sample.step !== undefined)
      .sort((a, b) => a.step - b.step);
  }

  async close(): Promise<void> {
    await this.#metrics?.close();
    this.#metrics = undefined;
  }
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
  const last = (await listCheckpoints(place)).at(-1);
  if (last !== undefined) return join(place, 'checkpoints', checkpointName(last), 'model.safetensors');
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

function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, '0')}`;
}

function stepOf(name: string): number | undefined {
  const found = /^step-(\d+)$/.exec(name);
  return found ? Number(found[1]) : undefined;
}

async function listCheckpoints(folder: string): Promise<number[]> {
  const names = await readdir(join(folder, 'checkpoints')).catch(() => []);
  return names
    .map(stepOf)
    .filter((step): step is number => step !== undefined)
    .sort((a, b) => a - b);
}
