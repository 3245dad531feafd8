/** The folder of a demo: its own from the first file to the last, and emptied by the next one. */
import { readdir, realpath, rm } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { RunError } from '@zeroseg/core/zeroseg';
import {
  FileError,
  type FolderLock,
  isLeftover,
  LOCK_FILE,
  readJson,
  systemReason,
  writeFileAtomic,
} from '../files/index.ts';
import { UsageError, version } from '../shell/index.ts';
import { kindOfPath } from '../weights/index.ts';

const MARK = 'demo.json';
const FORMAT = 'zeroseg demo';

/** @throws {RunError} for a folder with anything in it but a demo. */
export async function refuseOthers(folder: string): Promise<void> {
  if ((await kindOfPath(folder)) !== 'folder') return;
  const names = await readdir(folder);
  if (names.every((name) => name === LOCK_FILE || isLeftover(name))) return;
  const mark = join(folder, MARK);
  const found = (await kindOfPath(mark)) === 'file' ? ((await readJson(mark)) as { format?: string } | null) : null;
  if (found?.format === FORMAT) return;
  throw new RunError(`demo: ${folder}: the folder is not empty and holds no demo; choose another --out`);
}

/**
 * Empties the folder of an earlier demo, and marks it as that of the next. The old mark goes last: killed in between, what is
 * left is still known for a demo.
 */
export async function clearFolder(lock: FolderLock): Promise<void> {
  const { folder } = lock;
  await refuseOthers(folder);
  const names = (await readdir(folder)).filter((name) => name !== LOCK_FILE && name !== MARK);
  for (const name of [...names, MARK]) {
    const place = join(folder, name);
    try {
      await rm(place, { recursive: true, force: true });
    } catch (error) {
      throw new FileError('demo', place, systemReason(error), { cause: error });
    }
  }
  const mark = { format: FORMAT, version };
  await writeFileAtomic(join(folder, MARK), `${JSON.stringify(mark, undefined, 2)}\n`, { lock });
}

/** What the demo reads must not be in the folder that it empties. */
export async function checkKept(out: string, file: string): Promise<void> {
  const [folder, place] = await Promise.all([out, file].map((path) => realpath(path).catch(() => resolve(path))));
  const way = relative(folder as string, place as string);
  if (way.split(sep)[0] === '..' || way === place) return;
  throw new UsageError(
    `demo: ${file} is in ${out}, which the demo empties; copy it elsewhere, or choose another --out`,
  );
}
