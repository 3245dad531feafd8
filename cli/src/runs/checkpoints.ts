import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError, readSafetensors } from '@zeroseg/core/nn';
import {
  FileError,
  isSystemError,
  syncFolder,
  systemReason,
  type WriteOptions,
  writeFileAtomic,
} from '../files/index.ts';

/** Checkpoints that are kept beside the newest: what is left should it be damaged. */
const KEPT = 1;

/** `state.json` of a checkpoint: what its other files must be. */
interface State {
  readonly step: number;
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

/** A checkpoint as it was loaded. */
export interface Checkpoint {
  readonly step: number;
  /** Bytes of its files, by name, and their paths for messages. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  path(name: string): string;
}

/**
 * Checkpoints of a training: `checkpoints/step-000100/` with some safetensors files and `state.json`, which has their
 * checksums. A checkpoint is a folder that appears whole.
 */
export class Checkpoints {
  /** The folder of all of them. */
  readonly folder: string;
  readonly #op: string;
  readonly #lock: WriteOptions['lock'];

  /** Without a lock they can only be read. */
  constructor(op: string, run: string, lock?: WriteOptions['lock']) {
    this.#op = op;
    this.folder = join(run, 'checkpoints');
    this.#lock = lock;
  }

  /** Steps of the checkpoints, ascending. */
  async steps(): Promise<number[]> {
    const names = await readdir(this.folder).catch(() => []);
    return names
      .map(stepOfName)
      .filter((step): step is number => step !== undefined)
      .sort((a, b) => a - b);
  }

  place(step: number): string {
    return join(this.folder, stepName(step));
  }

  /** Saves a checkpoint, then drops all but the last ones. */
  async save(step: number, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
    const lock = this.#lock;
    const place = this.place(step);
    const temporary = this.#temporary(step);
    const state: State = {
      step,
      files: Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, sumOf(bytes)])),
    };
    try {
      for (const [name, bytes] of Object.entries(files)) await writeFileAtomic(join(temporary, name), bytes, { lock });
      await writeFileAtomic(join(temporary, 'state.json'), `${JSON.stringify(state, undefined, 2)}\n`, { lock });
      await lock?.check();
      await rm(place, { recursive: true, force: true });
      await rename(temporary, place);
      await syncFolder(this.folder);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      if (!isSystemError(error)) throw error;
      throw new FileError(this.#op, place, systemReason(error), { cause: error });
    }
    await this.#drop((await this.steps()).filter((other) => other < step).slice(0, -KEPT));
  }

  /** The newest checkpoint that is whole; undefined where there is none. `damaged` is told of each newer one. */
  async newest(names: readonly string[], damaged: (reason: string) => void): Promise<Checkpoint | undefined> {
    for (const step of (await this.steps()).reverse()) {
      try {
        return await this.load(step, names);
      } catch (error) {
        // A disk that fails for the moment is no damage, and must not cost the checkpoint.
        if (!(error instanceof CheckpointError)) throw error;
        damaged(error.message);
      }
    }
    return undefined;
  }

  /** @throws {CheckpointError} when a file is missing or damaged. */
  async load(step: number, names: readonly string[]): Promise<Checkpoint> {
    const path = (name: string): string => join(this.place(step), name);
    const state = await this.#state(step, path('state.json'));
    const files = new Map<string, Uint8Array>();
    for (const name of names) {
      const bytes = await readPart(path(name));
      const sum = state.files?.[name];
      if (sum && sum.bytes !== bytes.length) {
        throw new CheckpointError(path(name), `the file is damaged: ${bytes.length} bytes of ${sum.bytes}`);
      }
      if (sum && sum.sha256 !== sumOf(bytes).sha256) {
        throw new CheckpointError(path(name), 'the file is damaged: wrong checksum');
      }
      readSafetensors(bytes, path(name));
      files.set(name, bytes);
    }
    return { step, files, path };
  }

  async #state(step: number, path: string): Promise<Partial<State>> {
    const text = new TextDecoder().decode(await readPart(path));
    let state: Partial<State> | null = null;
    try {
      state = JSON.parse(text) as Partial<State> | null;
    } catch {
      // Said below.
    }
    if (typeof state !== 'object' || state === null)
      throw new CheckpointError(path, 'the file is damaged: not valid JSON');
    if (state.step !== step) throw new CheckpointError(path, `must be of step ${step}; got ${String(state.step)}`);
    return state;
  }

  /** Drops what a killed process left half made, and checkpoints beyond `step`. */
  async clean(step: number): Promise<void> {
    const names = await readdir(this.folder).catch(() => []);
    for (const name of names) {
      const isBeyond = (stepOfName(name) ?? -1) > step;
      if (isBeyond || name.startsWith('.step-')) await this.#remove(name);
    }
  }

  async #drop(steps: readonly number[]): Promise<void> {
    for (const step of steps) await this.#remove(stepName(step));
  }

  async #remove(name: string): Promise<void> {
    // Under another name first: half a checkpoint must not look like one.
    const step = stepOfName(name);
    const place = join(this.folder, name);
    try {
      if (step === undefined) return await rm(place, { recursive: true, force: true });
      const temporary = this.#temporary(step);
      await rename(place, temporary);
      await rm(temporary, { recursive: true, force: true });
    } catch (error) {
      throw new FileError(this.#op, place, systemReason(error), { cause: error });
    }
  }

  #temporary(step: number): string {
    return join(this.folder, `.${stepName(step)}.${process.pid}.tmp`);
  }
}

export function stepName(step: number): string {
  return `step-${String(step).padStart(6, '0')}`;
}

export function stepOfName(name: string): number | undefined {
  const found = /^step-(\d+)$/.exec(name);
  return found ? Number(found[1]) : undefined;
}

function sumOf(bytes: Uint8Array): { bytes: number; sha256: string } {
  return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** A file of a checkpoint; that it is missing is damage. */
async function readPart(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new CheckpointError(path, 'the file is missing', { cause: error });
    throw new FileError('readCheckpoint', path, systemReason(error), { cause: error });
  }
}
