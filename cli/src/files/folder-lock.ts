import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, open, rm, rmdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { LOCK_FILE } from '@zeroseg/core/internal';
import { FileError, type HeldLock, LockError } from '@zeroseg/core/zeroseg';
import { tryLock } from './file-lock.ts';
import { makeFolder, systemReason } from './files.ts';

/** What a lock file says of its holder, for people. What counts is the system's lock on the file. */
interface Holder {
  readonly process: number;
  readonly host: string;
  readonly since: string;
}

export interface LockOptions {
  /** The lock file. Default: {@link LOCK_FILE} in the folder. */
  readonly file?: string;
  /** The system's lock on an open file; tests give one of a disk without. */
  readonly system?: typeof tryLock;
}

/** Never through a link, nor waiting for the other end of a pipe. */
const flags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** More turns than this only somebody needs who deletes the file all the time. */
const MAX_TURNS = 1000;

/**
 * The right to write to a folder, which one process has at a time.
 *
 * It is the operating system's lock on a file in the folder, so it ends with the process, however that ends: a stale lock
 * file is no lock, and of many who find one, the system lets one have it. Somebody may still delete the file, or the folder:
 * so {@link check} asks, before anything appears in the folder, whether the file of that name is still the one that is held.
 *
 * Where a disk has no locks, who makes the file holds it, and one that a killed process left must be deleted by hand.
 *
 * ```ts
 * const lock = await FolderLock.take('train', 'out/run');
 * await writeFileAtomic('out/run/config.json', text, { lock });
 * await lock.release();
 * ```
 */
export class FolderLock implements HeldLock {
  readonly folder: string;
  readonly #op: string;
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #own: BigIntStats;
  readonly #made: readonly string[];
  #isReleased = false;

  private constructor(
    op: string,
    folder: string,
    file: string,
    handle: FileHandle,
    own: BigIntStats,
    made: readonly string[],
  ) {
    this.#made = made;
    this.#op = op;
    this.folder = folder;
    this.#file = file;
    this.#handle = handle;
    this.#own = own;
  }

  /**
   * Takes the lock; makes the folder if need be.
   *
   * @throws {LockError} when another process, or this one, holds it, naming the holder. {@link FileError} when the lock file
   * cannot be made.
   */
  static async take(
    op: string,
    folder: string,
    { file = join(folder, LOCK_FILE), system = tryLock }: LockOptions = {},
  ): Promise<FolderLock> {
    try {
      let made = await makeFolder(dirname(file));
      for (let turn = 0; turn < MAX_TURNS; turn++) {
        const opened = await openLockFile(file);
        if (!opened) {
          // Who made the folder for nothing has taken it away meanwhile.
          made = await makeFolder(dirname(file));
          continue;
        }
        const { handle, isNew } = opened;
        try {
          const own = await handle.stat({ bigint: true });
          if (!own.isFile() || own.nlink > 1n) {
            throw new LockError(op, folder, `${file} is no lock file of this program; remove it`);
          }
          const got = await system(handle.fd);
          if (got === false || (got === undefined && !isNew)) throw await heldBy(op, folder, file, handle, got);
          const { host } = await readHolder(handle);
          // Its last holder deletes the file before letting it go: then another of that name counts.
          if (!isSame(own, await statOf(file))) {
            // Once more.
          } else if (host !== undefined && host !== hostname()) {
            // Left by a machine whose locks this one may not see (a network disk mounted with `nolock`): should its process
            // be alive, it finds another file in this one's place, and stops.
            await rm(file, { force: true });
          } else {
            await describe(handle);
            return new FolderLock(op, folder, file, handle, own, made);
          }
          await handle.close();
        } catch (error) {
          await handle.close();
          throw error;
        }
      }
      throw new LockError(op, folder, `${file} is deleted all the time`);
    } catch (error) {
      if (error instanceof LockError || error instanceof FileError) throw error;
      const isLink = (error as NodeJS.ErrnoException).code === 'ELOOP';
      const reason = isLink ? `${file} is a link; remove it` : systemReason(error);
      throw new FileError(op, folder, reason, { cause: error });
    }
  }

  /** @throws {LockError} when the lock file was deleted or replaced: somebody else may be writing to the folder now. */
  async check(): Promise<void> {
    let found: BigIntStats | undefined;
    try {
      found = await statOf(this.#file);
    } catch (error) {
      throw new FileError(this.#op, this.folder, systemReason(error), { cause: error });
    }
    if (isSame(this.#own, found)) return;
    const isThere = await stat(this.folder).catch(() => undefined);
    const reason = isThere
      ? `its lock ${this.#file} was taken away, so another process may be writing here; nothing more is written`
      : 'the folder has vanished while it was written to';
    throw new LockError(this.#op, this.folder, reason);
  }

  /** Lets others write. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    // Deleted first: who opened the file before sees, once the lock is free, that it is no longer the one of that name.
    const isMine = await statOf(this.#file).then(
      (found) => isSame(this.#own, found),
      () => false,
    );
    if (isMine) await rm(this.#file, { force: true }).catch(() => undefined);
    // Folders that were made for nothing go; one that holds anything cannot, and one that took its place is another's.
    for (const folder of isMine ? this.#made : []) {
      const isGone = await rmdir(folder).then(
        () => true,
        () => false,
      );
      if (!isGone) break;
    }
    await this.#handle.close().catch(() => undefined);
  }
}

/** `undefined` where the folder is gone. */
async function openLockFile(file: string): Promise<{ handle: FileHandle; isNew: boolean } | undefined> {
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    try {
      return { handle: await open(file, flags | constants.O_CREAT | constants.O_EXCL), isNew: true };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return undefined;
      if (code !== 'EEXIST') throw error;
    }
    try {
      return { handle: await open(file, flags), isNew: false };
    } catch (error) {
      // It was there, and is gone.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new FileError('lock', file, 'somebody deletes it all the time; stop what does');
}

async function describe(handle: FileHandle): Promise<void> {
  const holder: Holder = { process: process.pid, host: hostname(), since: new Date().toISOString() };
  try {
    await handle.truncate();
    await handle.write(`${JSON.stringify(holder)}\n`, 0);
  } catch {
    // On a full disk the lock holds all the same, without a name.
  }
}

async function heldBy(
  op: string,
  folder: string,
  file: string,
  handle: FileHandle,
  got: boolean | undefined,
): Promise<LockError> {
  const { process, host, since } = await readHolder(handle);
  const who =
    process === undefined
      ? 'another process is writing to it'
      : `process ${process} on ${host} has been writing to it since ${since}`;
  const remedy =
    got === false
      ? 'wait for it, or stop it'
      : `wait, or delete ${file} if there is no such process (this disk has no locks that end with their process)`;
  return new LockError(op, folder, `${who}; ${remedy}`);
}

async function readHolder(handle: FileHandle): Promise<Partial<Holder>> {
  try {
    const text = Buffer.alloc(1000);
    const { bytesRead } = await handle.read(text, 0, text.length, 0);
    const { process, host, since } = JSON.parse(text.toString('utf8', 0, bytesRead)) as Partial<Holder>;
    const isPlain = (value: unknown, allowed: RegExp): boolean => typeof value === 'string' && allowed.test(value);
    // The file may be anybody's: only what cannot mislead a terminal is shown.
    if (!Number.isInteger(process) || !isPlain(host, /^[\w.-]{1,255}$/) || !isPlain(since, /^[\d:.TZ-]+$/)) return {};
    return { process, host, since } as Holder;
  } catch {
    return {};
  }
}

/** Opened, not only asked for: that way, a network disk answers of now. */
async function statOf(file: string): Promise<BigIntStats | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, flags & ~constants.O_RDWR);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  return handle.stat({ bigint: true }).finally(() => handle.close());
}

function isSame(a: BigIntStats, b: BigIntStats | undefined): boolean {
  return b !== undefined && a.ino === b.ino && a.dev === b.dev;
}
