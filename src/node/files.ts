import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ZeroSegError } from '../gpu/errors.ts';
import { parseJson } from '../gpu/json.ts';
import { readBounded } from './bounded-read.ts';

/** A file or folder could not be read or written; `path` names it. */
export class FileError extends ZeroSegError {
  override readonly name = 'FileError';
  readonly code = 'file';
  readonly path: string;

  constructor(op: string, path: string, reason: string, options?: ErrorOptions) {
    super(`${op}: ${path}: ${reason}`, options);
    this.path = path;
  }
}

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'this is a folder, not a file',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a file of that name is in the way',
  ENOSPC: 'the disk is full',
  EROFS: 'the disk is read-only',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'the name is too long',
};

/** Says in words what a failed system call meant. */
export function systemReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return (code && reasons[code]) ?? (error instanceof Error ? error.message : String(error));
}

/**
 * Writes a file so that nobody ever sees half of it: into a temporary file in the same folder, flushed to the disk,
 * then renamed over the old one. A process killed in between leaves the old file, and at worst a `.tmp` beside it.
 * Makes the folder if need be.
 *
 * ```ts
 * await writeFileAtomic('out/model.json', JSON.stringify(config));
 * ```
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await writeAtomic(path, [typeof data === 'string' ? Buffer.from(data) : data]);
}

/** {@link writeFileAtomic} for content in parts, which need not fit in memory at once. */
export async function writeAtomic(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      for await (const part of parts) {
        // One write may take less than it was given: Linux stops at 2 GiB.
        for (let at = 0; at < part.length; ) at += (await file.write(part, at, part.length - at)).bytesWritten;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new FileError('writeFileAtomic', path, systemReason(error), { cause: error });
  }
  await syncFolder(folder);
}

/** Makes a rename last through a power cut. Some systems (Windows, some network disks) cannot, and need not. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // The file itself is on the disk and whole; only its new name may be lost in a power cut.
  }
}

/** Engines hold strings of some 512 MB at most. */
const LARGEST_JSON = 2 ** 28;

/** Reads and parses a JSON file. Throws {@link FileError} with the path and what is wrong. */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = new TextDecoder().decode(await readBounded('readJson', path, LARGEST_JSON));
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError('readJson', path, systemReason(error), { cause: error });
  }
  try {
    return parseJson(text);
  } catch (error) {
    const reason = text.trim() === '' ? 'the file is empty' : `not valid JSON (${(error as Error).message})`;
    throw new FileError('readJson', path, reason, { cause: error });
  }
}

/**
 * SHA-256 over the bytes of files, one after the other, in hexadecimal; read in parts, so that a checkpoint of
 * gigabytes needs no memory. Tells one teacher's weights from another's.
 */
export async function hashFiles(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    try {
      for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(part);
    } catch (error) {
      throw new FileError('hashFiles', path, systemReason(error), { cause: error });
    }
  }
  return hash.digest('hex');
}
