import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readFile } from 'node:fs/promises';
import { parseJson } from '@zeroseg/core/internal';
import { brokenField, FileError, isWhole, systemReason, type WriteOptions, writeFileAtomic } from '../files/index.ts';

/** `metrics.jsonl` of a training: a line of JSON for every step, from step 1 on. */
export class MetricsFile<T extends { readonly step: number }> {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #lock: WriteOptions['lock'];

  readonly #format: (line: T) => string;

  private constructor(path: string, file: FileHandle, lock: WriteOptions['lock'], format: (line: T) => string) {
    this.#path = path;
    this.#file = file;
    this.#lock = lock;
    this.#format = format;
  }

  /**
   * Opens the file to add lines after those of the steps up to `step`. What is beyond, or half written, is cut off; what
   * was in a link's place becomes a file of its own. `parse` gives undefined for what is no line. `lines` are those that are kept.
   *
   * @throws {FileError} when it ends before `step`; nothing is cut off then.
   */
  static async open<T extends { readonly step: number }>(
    path: string,
    step: number,
    {
      lock,
      parse = parseStep,
      format = JSON.stringify,
    }: {
      readonly lock?: WriteOptions['lock'];
      readonly parse?: (line: string) => T | undefined;
      readonly format?: (line: T) => string;
    } = {},
  ): Promise<{ file: MetricsFile<T>; lines: T[] }> {
    const { lines, kept, isWhole } = await readLines(path, step, parse);
    if (lines.length < step) {
      const reason = `it ends at step ${lines.length}, and the checkpoint is of step ${step}; restore the file, or begin a new run`;
      throw new FileError('metrics', path, reason);
    }
    if (!isWhole) await writeFileAtomic(path, kept, { lock });
    try {
      const flags = constants.O_WRONLY | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0);
      return { file: new MetricsFile<T>(path, await open(path, flags), lock, format), lines };
    } catch (error) {
      throw new FileError('metrics', path, systemReason(error), { cause: error });
    }
  }

  /** Adds a line. */
  async append(line: T): Promise<void> {
    await this.#lock?.check();
    await this.#do(() => this.#file.appendFile(`${this.#format(line)}\n`));
  }

  /** Brings all lines to the disk: a checkpoint must never be newer than they are. */
  async sync(): Promise<void> {
    await this.#do(() => this.#file.sync());
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #do(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw new FileError('metrics', this.#path, systemReason(error), { cause: error });
    }
  }
}

/** A line that has its step; undefined for one that is half written, or none. */
export function parseStep<T extends { readonly step: number }>(line: string): T | undefined {
  let found: unknown;
  try {
    found = parseJson(line);
  } catch {
    return undefined;
  }
  return brokenField(found, { step: isWhole(1) }) === undefined ? (found as T) : undefined;
}

/** The first lines that are of steps 1, 2, 3, … up to `step`, and whether the file is a plain one that holds nothing else. */
async function readLines<T extends { readonly step: number }>(
  path: string,
  step: number,
  parse: (line: string) => T | undefined,
): Promise<{ lines: T[]; kept: string; isWhole: boolean }> {
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isFile()) return { lines: [], kept: '', isWhole: false };
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new FileError('metrics', path, systemReason(error), { cause: error });
  }
  const lines: T[] = [];
  let end = 0;
  for (const line of text.split('\n').slice(0, -1)) {
    const parsed = parse(line);
    if (parsed?.step !== lines.length + 1 || parsed.step > step) break;
    lines.push(parsed);
    end += line.length + 1;
  }
  return { lines, kept: text.slice(0, end), isWhole: end === text.length && found.nlink === 1 };
}
