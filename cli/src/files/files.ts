import { createHash, randomBytes } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { LARGEST_JSON, parseJsonFile } from '@zeroseg/core/internal';
import { FileError } from '@zeroseg/core/zeroseg';
import { readBounded } from './bounded-read.ts';
import { tryLock } from './file-lock.ts';
import { errorStream } from './standard-error.ts';
import { isSystemError, type SystemError } from './system-error.ts';

export { FileError };

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'this is a folder, not a file',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a file of that name is in the way',
  ENOTEMPTY: 'a folder that is not empty is in the way',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'the file is larger than this disk allows',
  EROFS: 'the disk is read-only',
  EIO: 'the disk fails (input/output error)',
  ESTALE: 'the network disk has lost it',
  ENXIO: 'nothing is at the other end',
  ENODEV: 'there is no such device',
  EPIPE: 'nobody reads it any more',
  EBUSY: 'another program is using it',
  ETXTBSY: 'another program is using it',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ELOOP: 'a link leads in a circle',
  ENAMETOOLONG: 'the name is too long',
  EXDEV: 'it is on another disk',
  EINVAL: 'the system does not allow this here',
  ENOTSUP: 'the system does not allow this here',
  EOPNOTSUPP: 'the system does not allow this here',
  ENOSYS: 'the system does not allow this here',
};

/** Says in words what a failed system call meant. */
export function systemReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return (code && reasons[code]) ?? (error instanceof Error ? error.message : String(error));
}

/** A failed system call as a sentence that names the file. */
export function systemWords(error: SystemError): string {
  return `${error.path ?? error.syscall ?? error.code}: ${systemReason(error)}`;
}

/** How a file of a folder that belongs to a program is written. */
export interface WriteOptions {
  /** Who writes, for messages. Default `writeFileAtomic`. */
  readonly op?: string;
  /** The right to write to the folder, which is asked for right before the file appears. Nothing leaves its folder. */
  readonly lock?: { readonly folder: string; check(): Promise<void> } | undefined;
  /** A folder that must not be left through a link. Default: that of the lock. */
  readonly within?: string | undefined;
}

/** What is to be in a file: all of it, or its parts as they are made. */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Writes a file so that nobody ever sees half of it: into a temporary file in the same folder, flushed to the disk,
 * then renamed over the old one (or over a link, which is not followed). A process killed in between leaves the old file,
 * and at worst a `.tmp` beside it: see {@link sweepLeftovers}. Makes the folder if need be.
 *
 * ```ts
 * await writeFileAtomic('out/model.json', JSON.stringify(config));
 * ```
 */
export async function writeFileAtomic(
  path: string,
  data: FileContent,
  { op = 'writeFileAtomic', lock, within = lock?.folder }: WriteOptions = {},
): Promise<void> {
  const folder = dirname(path);
  try {
    // A folder that has vanished is not made again.
    await lock?.check();
    await (within === undefined ? makeFolder(folder) : makeFolderWithin(op, within, folder));
    const { file, temporary } = await openTemporary(op, path);
    try {
      await writeAll(file, data);
      await file.sync();
      await lock?.check();
      // Renamed while it is open and locked: what cannot be locked is a leftover of nobody.
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new FileError(op, path, systemReason(error), { cause: error });
  }
  await syncFolder(folder);
}

/**
 * Writes a file that the user named: {@link writeFileAtomic} for files, but where the name is a link, what it leads to is
 * written, and into a device or pipe the bytes go as they are.
 */
export async function writeNamedFile(path: string, data: FileContent): Promise<void> {
  const stream = standardStream(path);
  if (stream) {
    for await (const part of partsOf(data))
      await new Promise<void>((resolve, reject) => stream.write(part, (error) => (error ? reject(error) : resolve())));
    return;
  }
  const found = await stat(path).catch(() => undefined);
  // Renamed onto '.' or a mounted disk, a file would be called busy.
  if (found?.isDirectory()) throw new FileError('writeNamedFile', path, reasons['EISDIR'] as string);
  if (found && !found.isFile()) {
    try {
      const device = await open(path, constants.O_WRONLY);
      await writeAll(device, data).finally(() => device.close());
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new FileError('writeNamedFile', path, systemReason(error), { cause: error });
    }
    return;
  }
  const target = await throughLinks(path);
  await sweepLeftovers(dirname(target), basename(target));
  await writeFileAtomic(target, data);
}

/** The stream that a path like `/dev/stdout` means: opening it again would lose the place in a file, and fail for a socket. */
export function standardStream(path: string): NodeJS.WritableStream | undefined {
  const name = resolve(path);
  if (/^\/(dev\/stdout|dev\/fd\/1|proc\/self\/fd\/1)$/.test(name)) return process.stdout;
  if (/^\/(dev\/stderr|dev\/fd\/2|proc\/self\/fd\/2)$/.test(name)) return errorStream();
  return undefined;
}

/** Links that lead to each other are followed so often. */
const MAX_LINKS = 40;

/** Where links lead, also when nothing is there yet. */
async function throughLinks(path: string): Promise<string> {
  let place = path;
  for (let i = 0; i < MAX_LINKS; i++) {
    const next = await readlink(place).catch(() => undefined);
    if (next === undefined) return place;
    place = resolve(dirname(place), next);
  }
  throw new FileError('writeNamedFile', path, reasons['ELOOP'] as string);
}

async function writeAll(file: FileHandle, data: FileContent): Promise<void> {
  for await (const bytes of partsOf(data)) {
    // One write may take less than it was given: Linux stops at 2 GiB.
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}

function partsOf(data: FileContent): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  return typeof data === 'string' ? [Buffer.from(data)] : data instanceof Uint8Array ? [data] : data;
}

/** What {@link openTemporary} makes. */
const leftover = /^\.(.*)\.\d+-[0-9a-f]{8}\.tmp$/s;
/** Letters of a name that a temporary file's name repeats: names end at 255 bytes. */
const REPEATED = 48;

/** Whether a file of this name is one that {@link writeFileAtomic} was in the middle of. */
export function isLeftover(name: string): boolean {
  return leftover.test(name);
}

/** Whether a name is that of what was to become the file or folder at `path`. */
export function isLeftoverOf(path: string, name: string): boolean {
  return leftover.exec(name)?.[1] === repeated(basename(path));
}

function repeated(name: string): string {
  return [...name].slice(0, REPEATED).join('');
}

/** A name of something that is not whole yet, beside `path`. */
export function temporaryName(path: string): string {
  const random = randomBytes(4).toString('hex');
  return join(dirname(path), `.${repeated(basename(path))}.${process.pid}-${random}.tmp`);
}

/** A temporary file, locked for as long as it is open: so others can tell it from a leftover. */
async function openTemporary(op: string, path: string): Promise<{ file: FileHandle; temporary: string }> {
  for (;;) {
    const temporary = temporaryName(path);
    const file = await open(temporary, 'wx').catch((error: NodeJS.ErrnoException) => {
      // Its folder is there: so it is the system that refuses, as in /proc.
      if (error.code !== 'ENOENT') throw error;
      throw new FileError(op, path, 'no file can be made here', { cause: error });
    });
    try {
      // Between the two lines somebody who sweeps may have taken it for a leftover.
      if ((await tryLock(file.fd)) !== false && (await lstat(temporary).catch(() => undefined)))
        return { file, temporary };
      await file.close();
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

/**
 * Removes what killed processes left in a folder and below it: temporary files that nobody has open. With `name`, only those
 * of this file, and only in the folder itself.
 */
export async function sweepLeftovers(folder: string, name?: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const place = join(folder, entry.name);
    if (entry.isDirectory() && name === undefined) await sweepLeftovers(place);
    const isOurs = name === undefined ? isLeftover(entry.name) : isLeftoverOf(name, entry.name);
    if (!entry.isFile() || !isOurs) continue;
    const file = await open(place, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0)).catch(() => undefined);
    if (!file) continue;
    try {
      if ((await tryLock(file.fd)) === true) await rm(place, { force: true });
    } catch {
      // It does no harm where it is.
    } finally {
      await file.close();
    }
  }
}

/**
 * Makes a folder and those above it; returns those that it made, the innermost first. Not by `mkdir` with `recursive`, which never
 * returns where the system refuses a folder as it does in `/proc`.
 */
export async function makeFolder(folder: string): Promise<readonly string[]> {
  const found = await stat(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP')
      throw new FileError('makeFolder', folder, reasons['ELOOP'] as string);
    return undefined;
  });
  if (found?.isDirectory()) return [];
  if (found) throw new FileError('makeFolder', folder, 'a file of that name is in the way');
  const above = dirname(folder);
  const made = above === folder ? [] : await makeFolder(above);
  await makeOne(folder);
  return [folder, ...made];
}

/** {@link makeFolder} for a folder in `root`, which is not left through a link on the way. */
async function makeFolderWithin(op: string, root: string, folder: string): Promise<void> {
  await makeFolder(root);
  const way = relative(root, folder);
  if (way === '') return;
  const parts = way.split(sep);
  if (parts[0] === '..' || isAbsolute(way)) {
    throw new FileError(op, folder, `this is not in ${root}, and nothing is written elsewhere`);
  }
  let place = root;
  for (const part of parts) {
    place = join(place, part);
    await refuseLinks(dirname(place), part);
    const found = await lstat(place).catch(() => undefined);
    if (!found) await makeOne(place);
    else if (!found.isDirectory()) {
      throw new FileError('makeFolder', place, 'a file of that name is in the way');
    }
  }
}

/** @throws {FileError} when one of these folders in `root` is a link: what is written and removed there would be elsewhere. */
export async function refuseLinks(root: string, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const place = join(root, name);
    if (!(await lstat(place).catch(() => undefined))?.isSymbolicLink()) continue;
    throw new FileError('writeFile', place, `this is a link, and nothing is written out of ${root}; remove it`);
  }
}

async function makeOne(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Another process was faster.
    if (code === 'EEXIST' && (await stat(folder).catch(() => undefined))?.isDirectory()) return;
    const here = folder === '' ? 'the name is empty' : 'no folder can be made here';
    const reason = code === 'ENOENT' ? here : systemReason(error);
    throw new FileError('makeFolder', folder, reason, { cause: error });
  }
  await syncFolder(dirname(folder));
}

/** Makes a rename last through a power cut. Some systems (Windows, some network disks) cannot, and need not. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // The file itself is on the disk and whole; only its new name may be lost in a power cut.
  }
}

/** Reads and parses a JSON file. Throws {@link FileError} with the path and what is wrong. */
export async function readJson(path: string): Promise<unknown> {
  let bytes: Uint8Array;
  try {
    bytes = await readBounded('readJson', path, LARGEST_JSON);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError('readJson', path, systemReason(error), { cause: error });
  }
  return parseJsonFile(bytes, path);
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

/** Whether two paths lead to one file. */
export async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => realpath(path).catch(() => undefined)));
  return a !== undefined && a === b;
}
