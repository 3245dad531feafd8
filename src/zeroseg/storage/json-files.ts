import { parseJson } from '../../gpu/index.ts';
import { FileError } from './errors.ts';
import type { FileSystem } from './file-system.ts';

/** Engines hold strings of some 512 MB at most. */
export const LARGEST_JSON: number = 2 ** 28;

/** Reads and parses a JSON file. @throws {FileError} with the path and what is wrong. */
export async function readJsonFile(files: FileSystem, path: string): Promise<unknown> {
  return parseJsonFile(await files.read(path, LARGEST_JSON), files.describe(path));
}

/** A JSON file as a value. @throws {FileError} with the path and what is wrong. */
export function parseJsonFile(bytes: Uint8Array, path: string): unknown {
  const text = new TextDecoder().decode(bytes);
  try {
    return parseJson(text);
  } catch (error) {
    const reason = text.trim() === '' ? 'the file is empty' : `not valid JSON (${(error as Error).message})`;
    throw new FileError('readJson', path, reason, { cause: error });
  }
}
