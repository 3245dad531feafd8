/** Checkpoints on disk: safetensors files and those of PyTorch, of any size, read tensor by tensor when they are asked for. */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openFolderFile, openWeightFolder } from '@zeroseg/core/internal';
import type { FileTensor, RangeSource } from '@zeroseg/core/nn';
import type { WeightFolder } from '@zeroseg/core/zeroseg';
import { FileError, systemReason } from '../files/index.ts';

/** Tensors of one or more files, by name. Each is read from the disk when it is asked for. */
export interface WeightFiles {
  /** The files, sorted. */
  readonly files: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, FileTensor>;
  /** Keys that lead to the weights in a file of PyTorch with more beside them. */
  readonly part?: string | undefined;
}

/** Node reads at most 2 GiB a call. */
const LONGEST_READ = 2 ** 30;

/**
 * Opens a file of weights, the parts that an index lists, or those of a folder: only names and shapes are read now. So a checkpoint of
 * gigabytes costs no more memory than the tensors in use, and files beyond 2 GiB, which `readFile` refuses, can be read.
 *
 * @throws {CheckpointError} when it is no file of weights, {@link FileError} when it cannot be read.
 */
export async function openWeights(path: string): Promise<WeightFiles> {
  const isFolder = (await kindOfPath(path)) === 'folder';
  const folder = diskFolder(isFolder ? path : dirname(path));
  const { parts, opened } = await (isFolder ? openWeightFolder(folder) : openFolderFile(folder, basename(path)));
  return { files: parts.map((part) => folder.describe(part)), ...opened };
}

/** A folder on disk, whose files are open only while they are read. */
export function diskFolder(folder: string): WeightFolder {
  return {
    name: folder,
    describe: (file) => join(folder, file),
    list: async () => {
      const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
        throw new FileError('openWeights', folder, systemReason(error), { cause: error });
      });
      return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    },
    open: (file) => fileRanges(join(folder, file)),
  };
}

/** The ranges of a file on disk. It is open only while it is read: there is nothing to close. */
export async function fileRanges(path: string): Promise<RangeSource> {
  // Before it is opened: a pipe would wait for somebody who writes.
  const found = await stat(path).catch(() => undefined);
  if (found && !found.isFile() && !found.isDirectory()) throw new FileError('openWeights', path, 'this is no file');
  return {
    size: await withFile(path, async (file) => (await file.stat()).size),
    readRange: (start, end) =>
      withFile(path, async (file) => {
        const bytes = new Uint8Array(end - start);
        let at = 0;
        while (at < bytes.length) {
          const { bytesRead } = await file.read(bytes, at, Math.min(LONGEST_READ, bytes.length - at), start + at);
          if (bytesRead === 0) break;
          at += bytesRead;
        }
        return bytes.subarray(0, at);
      }),
  };
}

async function withFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    const file = await open(path, 'r');
    return await work(file).finally(() => file.close());
  } catch (error) {
    throw new FileError('openWeights', path, systemReason(error), { cause: error });
  }
}

/** What a path is, or undefined where there is nothing. */
export async function kindOfPath(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && (found.isDirectory() ? 'folder' : 'file');
}
