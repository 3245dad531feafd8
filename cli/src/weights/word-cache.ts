/** Vectors of words on disk, so that the text tower need not read them again. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { WordStore } from '@zeroseg/core/zeroseg';

/** `~/.cache/zeroseg/words`, or in the folder that `XDG_CACHE_HOME` names. */
export function wordCacheFolder(): string {
  const given = process.env['XDG_CACHE_HOME'] ?? '';
  return join(isAbsolute(given) ? given : join(homedir(), '.cache'), 'zeroseg', 'words');
}

/** 20,000 words at a width of 768. */
const MAX_BYTES = 64 * 2 ** 20;
const DIGEST = 32;
/** A temporary file that is older was left by a program that died. */
const LEFTOVER_MILLISECONDS = 3_600_000;

/**
 * A file a word: the SHA-256 of its values, then the values. Files appear whole, whoever else writes; one whose digest does not fit is
 * none. A disk that is full, or not to be written, keeps nothing and is no error. The oldest files go when there are too many.
 */
export class WordCache implements WordStore {
  readonly #folder: string;
  readonly #max: number;
  #saving = 0;

  constructor(folder: string = wordCacheFolder(), max: number = MAX_BYTES) {
    this.#folder = folder;
    this.#max = max;
  }

  async load(key: string, width: number): Promise<Float32Array | undefined> {
    const bytes = await readFile(join(this.#folder, key)).catch(() => undefined);
    if (bytes?.length !== DIGEST + 4 * width) return undefined;
    const values = bytes.subarray(DIGEST);
    return digest(values).equals(bytes.subarray(0, DIGEST))
      ? new Float32Array(Uint8Array.from(values).buffer)
      : undefined;
  }

  async save(key: string, vector: Float32Array): Promise<void> {
    const values = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
    this.#saving++;
    const temporary = join(this.#folder, `${key}.${randomUUID()}.tmp`);
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFile(temporary, Buffer.concat([digest(values), values]), { flag: 'wx' });
      await rename(temporary, join(this.#folder, key));
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined);
    }
    if (--this.#saving === 0) await this.#dropOldest();
  }

  /** Drops the oldest files beyond the bound, when the last of many is saved. */
  async #dropOldest(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    const found = await Promise.all(
      names.map(async (name) => ({ name, facts: await stat(join(this.#folder, name)).catch(() => undefined) })),
    );
    const files = found.flatMap(({ name, facts }) =>
      facts?.isFile() ? [{ name, bytes: facts.size, time: facts.mtimeMs }] : [],
    );
    files.sort((a, b) => b.time - a.time);
    let bytes = 0;
    for (const { name, bytes: own, time } of files) {
      bytes += own;
      const isLeftover = name.endsWith('.tmp') && Date.now() - time > LEFTOVER_MILLISECONDS;
      if (isLeftover || bytes > this.#max) await rm(join(this.#folder, name), { force: true }).catch(() => undefined);
    }
  }
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
