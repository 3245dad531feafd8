/** What the Hub said of models that were downloaded: so they are found when it cannot be reached. */
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { PublishedFile } from '@zeroseg/core/zeroseg';
import { hasFields, isListOf, isText, isWhole, readJson, recordText, writeFileAtomic } from '../files/index.ts';

/** A commit, and all files that it has on the Hub. */
export interface KeptModel {
  readonly commit: string;
  readonly files: readonly PublishedFile[];
}

const FORMAT = 'zeroseg-download-1';

/** Where models of a name are kept, in folders by commit. */
export function cachedModel(repo: string): string {
  const given = process.env['XDG_CACHE_HOME'] ?? '';
  return join(isAbsolute(given) ? given : join(homedir(), '.cache'), 'zeroseg', 'models', repo.replace('/', '--'));
}

/** Beside the commits' folders: one file for what was asked for, and one for the commit itself. */
function recordPath(repo: string, revision = 'newest'): string {
  return join(cachedModel(repo), `${encodeURIComponent(revision)}.json`);
}

export async function keepModel(repo: string, revision: string | undefined, model: KeptModel): Promise<void> {
  await mkdir(cachedModel(repo), { recursive: true });
  const text = recordText({ format: FORMAT, ...model });
  for (const name of new Set([revision, model.commit])) {
    await writeFileAtomic(recordPath(repo, name), text, { within: cachedModel(repo) });
  }
}

const isKept = hasFields({
  format: (value) => value === FORMAT,
  commit: (value) => typeof value === 'string' && /^\w+$/.test(value),
  files: isListOf(
    hasFields({
      name: (value) => isText(value) && !(value as string).split('/').includes('..'),
      size: isWhole(0),
    }),
  ),
});

/** What was downloaded before of the same revision; undefined where that is not known. */
export async function keptModel(repo: string, revision: string | undefined): Promise<KeptModel | undefined> {
  const found: unknown = await readJson(recordPath(repo, revision)).catch(() => undefined);
  return isKept(found) ? (found as KeptModel) : undefined;
}
