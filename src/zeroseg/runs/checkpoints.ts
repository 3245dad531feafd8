import { jsonOrNothing } from '../../gpu/index.ts';
import { CheckpointError, openWeights, type RangeSource } from '../../nn/safetensors/index.ts';
import type { WeightFile } from '../checkpoints/index.ts';
import { joinedSums, sha256, sha256OfPieces, sha256OfRanges } from '../host/index.ts';
import type { FileSystem } from '../storage/index.ts';

const FOLDER = 'checkpoints';

/** `state.json` of a checkpoint: what its other files must be. */
interface State {
  readonly step: number;
  readonly files: Readonly<Record<string, FileSum>>;
}

interface FileSum {
  readonly bytes: number;
  /** With `piece`, see {@link sha256OfPieces}. */
  readonly sha256: string;
  readonly piece?: number;
}

/** What a file of a checkpoint is to hold: all of it, or pieces that come as they are written, all of one size but for the last. */
export type PartContent = Uint8Array | AsyncIterable<Uint8Array<ArrayBuffer>>;

/** A checkpoint as it was loaded. */
export interface Checkpoint {
  readonly step: number;
  /** Its files, by name: their tensors are read when they are asked for. */
  readonly files: ReadonlyMap<string, WeightFile>;
  /** The path of one of them, for messages. */
  path(name: string): string;
}

/**
 * Checkpoints of a training: `checkpoints/step-000100/` with some safetensors files and `state.json`, which has their
 * checksums. A checkpoint is a folder that appears whole.
 */
export class Checkpoints {
  readonly #files: FileSystem;

  /** `files`: the folder of the run. */
  constructor(files: FileSystem) {
    this.#files = files;
  }

  /** Steps of the checkpoints, ascending. */
  async steps(): Promise<number[]> {
    const names = await this.#files.list(FOLDER);
    return names
      .map(stepOfName)
      .filter((step): step is number => step !== undefined)
      .sort((a, b) => a - b);
  }

  /**
   * Saves a checkpoint. Of those before, all but the newest that is whole go first: never are there more than two, the one that is written
   * among them, and never fewer than a whole one. Where one cannot be removed, that is an error once the new one is there. One of the same
   * step that is there stays: what was not whole has been dropped by {@link clean}.
   */
  async save(step: number, parts: Readonly<Record<string, PartContent>>): Promise<void> {
    const files = this.#files;
    const before = await this.steps();
    if (before.includes(step)) return;
    const stays = await this.#whole(before, Object.keys(parts));
    let stuck: unknown;
    for (const one of before) {
      if (one !== stays) await this.#remove(stepName(one)).catch((error) => (stuck ??= error));
    }
    const temporary = temporaryPlace(step);
    const sums: Record<string, FileSum> = {};
    try {
      await files.remove(temporary);
      for (const [name, content] of Object.entries(parts)) {
        sums[name] = await this.#write(`${temporary}/${name}`, content);
      }
      const state: State = { step, files: sums };
      await files.write(`${temporary}/state.json`, `${JSON.stringify(state, undefined, 2)}\n`);
      await files.rename(temporary, place(step));
    } catch (error) {
      await files.remove(temporary).catch(() => undefined);
      throw error;
    }
    if (stuck) throw stuck;
  }

  /** The newest of some that is whole, as far as can be told: the last where a disk fails for the moment. */
  async #whole(steps: readonly number[], names: readonly string[]): Promise<number | undefined> {
    try {
      const found = await this.newest(names, () => undefined);
      return found?.step ?? steps.at(-1);
    } catch {
      return steps.at(-1);
    }
  }

  /** Writes a file, to the disk. It may be half there when this fails. */
  async #write(path: string, content: PartContent): Promise<FileSum> {
    const files = this.#files;
    if (content instanceof Uint8Array) {
      await files.write(path, content);
      return { bytes: content.length, sha256: await sha256(content as Uint8Array<ArrayBuffer>) };
    }
    let [bytes, piece] = [0, 0];
    const sums: string[] = [];
    for await (const part of content) {
      piece ||= part.length;
      bytes += part.length;
      const [sum] = await Promise.all([sha256(part), files.append(path, part)]);
      sums.push(sum);
    }
    await files.sync(path);
    return { bytes, sha256: await joinedSums(sums), piece };
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
    const path = (name: string): string => this.#files.describe(`${place(step)}/${name}`);
    const state = await this.#state(step, path('state.json'));
    const files = new Map<string, WeightFile>();
    for (const name of names) {
      const ranges = await this.#ranges(step, name);
      const sum = state.files?.[name];
      if (sum && sum.bytes !== ranges.size) {
        throw new CheckpointError(path(name), `the file is damaged: ${ranges.size} bytes of ${sum.bytes}`);
      }
      const found = sum?.piece ? sha256OfPieces(ranges, sum.piece) : sha256OfRanges(ranges);
      if (sum && sum.sha256 !== (await found)) {
        throw new CheckpointError(path(name), 'the file is damaged: wrong checksum');
      }
      files.set(name, { name: path(name), ...(await openWeights(ranges, path(name))) });
    }
    return { step, files, path };
  }

  /** Drops what a killed process left half made, and checkpoints beyond `step`. */
  async clean(step: number): Promise<void> {
    for (const name of await this.#files.list(FOLDER)) {
      const isBeyond = (stepOfName(name) ?? -1) > step;
      if (isBeyond || name.startsWith('.step-')) await this.#remove(name);
    }
  }

  async #state(step: number, path: string): Promise<Partial<State>> {
    const text = new TextDecoder().decode(await this.#part(step, 'state.json'));
    const state = jsonOrNothing(text) as Partial<State> | null | undefined;
    if (typeof state !== 'object' || state === null)
      throw new CheckpointError(path, 'the file is damaged: not valid JSON');
    if (state.step !== step) throw new CheckpointError(path, `must be of step ${step}; got ${String(state.step)}`);
    return state;
  }

  /** A file of a checkpoint; that it is missing is damage. */
  async #part(step: number, name: string): Promise<Uint8Array> {
    await this.#mustExist(step, name);
    return this.#files.read(`${place(step)}/${name}`);
  }

  /** The same, by ranges. It is open only while it is read: there is nothing to close. */
  async #ranges(step: number, name: string): Promise<RangeSource> {
    await this.#mustExist(step, name);
    const path = `${place(step)}/${name}`;
    // Opened rather than asked for its size: what cannot be read for the moment is no damage.
    const file = await this.#files.open(path);
    await file.close();
    return {
      size: file.size,
      readRange: async (start, end) => {
        const again = await this.#files.open(path);
        return again.readRange(start, end).finally(() => again.close());
      },
    };
  }

  async #mustExist(step: number, name: string): Promise<void> {
    const path = `${place(step)}/${name}`;
    if (!(await this.#files.status(path))) throw new CheckpointError(this.#files.describe(path), 'the file is missing');
  }

  async #remove(name: string): Promise<void> {
    const step = stepOfName(name);
    if (step === undefined) return this.#files.remove(`${FOLDER}/${name}`);
    // Under another name first: half a checkpoint must not look like one.
    const temporary = temporaryPlace(step);
    await this.#files.remove(temporary);
    await this.#files.rename(place(step), temporary);
    await this.#files.remove(temporary);
  }
}

/** The file of the newest checkpoint that has it, in a run's folder; undefined where there is none. It is not looked into. */
export async function newestCheckpointFile(files: FileSystem, name: string): Promise<string | undefined> {
  const last = (await new Checkpoints(files).steps()).at(-1);
  return last === undefined ? undefined : `${place(last)}/${name}`;
}

export function stepName(step: number): string {
  return `step-${String(step).padStart(6, '0')}`;
}

export function stepOfName(name: string): number | undefined {
  const found = /^step-(\d+)$/.exec(name);
  return found ? Number(found[1]) : undefined;
}

function place(step: number): string {
  return `${FOLDER}/${stepName(step)}`;
}

function temporaryPlace(step: number): string {
  return `${FOLDER}/.${stepName(step)}.tmp`;
}
