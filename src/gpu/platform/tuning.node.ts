import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DeviceError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { cacheFolder } from './cache-folder.node.ts';
import type { ReadTuning, WriteTuning } from './provider.ts';

const LARGEST_FILE = 2 ** 24;

/** Files `~/.cache/zeroseg/tuning/<adapter>.json`. One that cannot be read is as good as none: tuning is measured again. */
export const readTuning: ReadTuning = async (adapter) => {
  try {
    const file = fileOf(adapter);
    const found = await stat(file);
    // A variant takes some fifty bytes: larger files are none that were written here.
    if (!found.isFile() || found.size > LARGEST_FILE) return undefined;
    return parseJson(await readFile(file, 'utf8')) as Record<string, unknown> | null;
  } catch {
    return undefined;
  }
};

export const writeTuning: WriteTuning = async (adapter, tuned) => {
  const file = fileOf(adapter);
  const fresh = `${file}.${randomUUID()}`;
  try {
    await mkdir(dirname(file), { recursive: true });
    try {
      await writeFile(fresh, `${JSON.stringify(tuned, undefined, 2)}\n`);
      await rename(fresh, file);
    } finally {
      await rm(fresh, { force: true });
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DeviceError(`tune: what was found could not be kept in ${file} (${reason})`, { cause });
  }
};

function fileOf(adapter: string): string {
  return join(cacheFolder(), 'tuning', `${adapter.replaceAll(/[^\w.-]+/g, '-')}.json`);
}
