/** Checkpoints on disk: safetensors files of any size, one or many, read tensor by tensor when they are asked for. */
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CheckpointError, type FileTensor, openWeights as openRanges, type RangeSource } from '@zeroseg/core/nn';
import { brokenField, FileError, isTableOf, isText, readJson, systemReason } from '../files/index.ts';

/** Tensors of one or more files, by name. Each is read from the disk when it is asked for. */
export interface WeightFiles {
  /** The files, sorted. */
  readonly files: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, FileTensor>;
}

/** Node reads at most 2 GiB a call. */
const LONGEST_READ = 2 ** 30;

/**
 * Opens one safetensors file: only its header is read now. So a checkpoint of gigabytes costs no more memory than the
 * tensors in use, and files beyond 2 GiB, which `readFile` refuses, can be read.
 *
 * @throws {CheckpointError} when it is no safetensors file, {@link FileError} when it cannot be read.
 */
export async function openWeights(path: string): Promise<WeightFiles> {
  const { metadata, tensors } = await openRanges(await fileRanges(path), path);
  return { files: [path], metadata, tensors };
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

/** Opens the files that a Hugging Face index (`model.safetensors.index.json`) lists, as one checkpoint. */
export async function openShardedWeights(index: string): Promise<WeightFiles> {
  const found = await readJson(index);
  if (brokenField(found, { weight_map: isTableOf(isText) }) !== undefined) {
    throw new CheckpointError(index, 'the index must have a weight_map of files by tensor');
  }
  const { weight_map: places } = found as { weight_map: Record<string, string> };
  const files = [...new Set(Object.values(places))].sort().map((name) => join(dirname(index), name));
  const opened = await Promise.all(files.map(openWeights));
  const tensors = new Map(opened.flatMap((file) => [...file.tensors]));
  const lost = Object.keys(places).find((name) => !tensors.has(name));
  if (lost) throw new CheckpointError(index, `tensor '${lost}' is not in ${places[lost]}; download the files again`);
  return { files, metadata: {}, tensors };
}

/** Names of the safetensors files in a folder, sorted. */
export async function listWeights(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.safetensors') && !name.startsWith('.')).sort();
  } catch (error) {
    throw new FileError('listWeights', folder, systemReason(error), { cause: error });
  }
}

/** What a path is, or undefined where there is nothing. */
export async function kindOfPath(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found && (found.isDirectory() ? 'folder' : 'file');
}
