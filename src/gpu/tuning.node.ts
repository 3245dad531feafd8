import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder } from './cache-folder.node.ts';
import type { TuningStore } from './provider.ts';

/** Files `~/.cache/zeroseg/tuning/<adapter>.json`. One that cannot be read is as good as none: tuning is measured again. */
export const tuningStore: TuningStore = {
  async load(adapter) {
    try {
      return JSON.parse(await readFile(fileOf(adapter), 'utf8')) as Record<string, unknown> | null;
    } catch {
      return undefined;
    }
  },
  async save(adapter, tuned) {
    const file = fileOf(adapter);
    await mkdir(dirname(file), { recursive: true });
    const fresh = `${file}.${randomUUID()}`;
    try {
      await writeFile(fresh, `${JSON.stringify(tuned, undefined, 2)}\n`);
      await rename(fresh, file);
    } finally {
      await rm(fresh, { force: true });
    }
  },
};

function fileOf(adapter: string): string {
  return join(cacheFolder(), 'tuning', `${adapter.replaceAll(/[^\w.-]+/g, '-')}.json`);
}
