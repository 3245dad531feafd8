/** Checkpoints on disk: safetensors files of any size, one or many, read tensor by tensor when they are asked for. */
import { closeSync, openSync, readSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError, headerSize, parseHeader, type StoredTensor } from '@zeroseg/core/nn';
import { brokenField, FileError, isTableOf, isText, readJson, systemReason } from '../files/index.ts';

/** Tensors of one or more files, by name. Their bytes are read from the disk each time that they are asked for. */
export interface WeightFiles {
  /** The files, sorted. */
  readonly files: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
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
  let header: ReturnType<typeof parseHeader>;
  try {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      const first = new Uint8Array(Math.min(8, size));
      await handle.read(first, 0, first.length, 0);
      const start = new Uint8Array(headerSize(first, size, path));
      await handle.read(start, 0, start.length, 0);
      header = parseHeader(start, size, path);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new FileError('openWeights', path, systemReason(error), { cause: error });
  }
  const tensors = new Map<string, StoredTensor>();
  for (const { file, name, dtype, shape, start, end } of header.entries.values()) {
    tensors.set(name, {
      file,
      name,
      dtype,
      shape,
      get bytes() {
        return readRange(path, start, end);
      },
    });
  }
  return { files: [path], metadata: header.metadata, tensors };
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

// Synchronous, because weights are handed out as plain values: whoever builds a model asks for one after the other.
function readRange(path: string, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - start);
  try {
    const file = openSync(path, 'r');
    try {
      for (let at = 0; at < bytes.length; ) {
        const read = readSync(file, bytes, at, Math.min(LONGEST_READ, bytes.length - at), start + at);
        if (read === 0)
          throw new CheckpointError(path, `the file became shorter while it was read (${basename(path)})`);
        at += read;
      }
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new FileError('readWeights', path, systemReason(error), { cause: error });
  }
  return bytes;
}
