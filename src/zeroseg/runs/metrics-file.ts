import { jsonOrNothing } from '../../gpu/index.ts';
import { brokenField, FileError, type FileSystem, isWhole } from '../storage/index.ts';

/** How the lines of a `metrics.jsonl` are written and read. */
export interface MetricsFormat<M> {
  format(metrics: M): string;
  /** Undefined for a line that is half written, or none. */
  parse(line: string): M | undefined;
}

/** Lines that are what they hold. */
export const plainMetrics: MetricsFormat<{ readonly step: number }> = { format: JSON.stringify, parse: parseStep };

/** `metrics.jsonl` of a training: a line of JSON for every step, from step 1 on. */
export class MetricsFile<M extends { readonly step: number }> {
  readonly #files: FileSystem;
  readonly #path: string;
  readonly #format: MetricsFormat<M>;

  private constructor(files: FileSystem, path: string, format: MetricsFormat<M>) {
    this.#files = files;
    this.#path = path;
    this.#format = format;
  }

  /**
   * Opens the file to add lines after those of the steps up to `step`. What is beyond, or half written, is cut off; what
   * was in a link's place becomes a file of its own. `lines` are those that are kept.
   *
   * @throws {FileError} when it ends before `step`; nothing is cut off then.
   */
  static async open<M extends { readonly step: number }>(
    files: FileSystem,
    path: string,
    step: number,
    format: MetricsFormat<M>,
  ): Promise<{ file: MetricsFile<M>; lines: M[] }> {
    const { lines, kept } = await readLines(files, path, step, format);
    if (lines.length < step) {
      const reason = `it ends at step ${lines.length}, and the checkpoint is of step ${step}; restore the file, or begin a new run`;
      throw new FileError('metrics', files.describe(path), reason);
    }
    await files.write(path, kept);
    return { file: new MetricsFile(files, path, format), lines };
  }

  /** Adds a line. */
  async append(metrics: M): Promise<void> {
    await this.#files.append(this.#path, `${this.#format.format(metrics)}\n`);
  }

  /** Brings all lines to the disk: a checkpoint must never be newer than they are. */
  async sync(): Promise<void> {
    await this.#files.sync(this.#path);
  }
}

/** A line that has its step; undefined for one that is half written, or none. */
export function parseStep<M extends { readonly step: number }>(line: string): M | undefined {
  const found = jsonOrNothing(line);
  return brokenField(found, { step: isWhole(1) }) === undefined ? (found as M) : undefined;
}

/** The first lines that are of steps 1, 2, 3, … up to `step`. */
async function readLines<M extends { readonly step: number }>(
  files: FileSystem,
  path: string,
  step: number,
  { parse }: MetricsFormat<M>,
): Promise<{ lines: M[]; kept: string }> {
  if ((await files.status(path))?.kind !== 'file') return { lines: [], kept: '' };
  const text = new TextDecoder().decode(await files.read(path));
  const lines: M[] = [];
  let end = 0;
  for (const line of text.split('\n').slice(0, -1)) {
    const parsed = parse(line);
    if (parsed?.step !== lines.length + 1 || parsed.step > step) break;
    lines.push(parsed);
    end += line.length + 1;
  }
  return { lines, kept: text.slice(0, end) };
}
