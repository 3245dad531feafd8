/** Files that a command writes at its end: what stands in the way is told before hours of work, not after. */
import { access, constants, open, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { hasFields, readJson, standardStream, systemReason, temporaryName } from '../files/index.ts';
import { UsageError } from './errors.ts';

/**
 * Whether a file can be written at `path`: it is tried, and nothing is left. With `field`, what is there already must be a result
 * of the same command, which has this field.
 *
 * @throws UsageError that begins with `option`, such as `eval: --out`.
 */
export async function checkResultFile(option: string, path: string | undefined, field?: string): Promise<void> {
  if (path === undefined || path === '-' || standardStream(path)) return;
  const refuse = (reason: string): never => {
    throw new UsageError(`${option} ${path}: ${reason}`);
  };
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    return error.code === 'ENOENT' || error.code === 'ENOTDIR' ? undefined : refuse(systemReason(error));
  });
  if (found?.isDirectory()) refuse('this is a folder; give a file');
  // A device or a pipe.
  if (found && !found.isFile()) {
    await access(path, constants.W_OK).catch((error) => refuse(systemReason(error)));
    return;
  }
  if (
    found &&
    field !== undefined &&
    found.size > 0 &&
    !hasFields({ [field]: isThere })(await readJson(path).catch(() => undefined))
  ) {
    refuse('this file is there, and is no result of this command; give another');
  }
  await tryPlace(dirname(resolve(path)), refuse);
}

/** The same for a folder that a command makes, and writes to: a new one, or one that is there. */
export async function checkResultFolder(option: string, path: string | undefined): Promise<void> {
  if (path === undefined) return;
  await tryPlace(resolve(path), (reason) => {
    throw new UsageError(`${option} ${path}: ${reason}`);
  });
}

/** A folder, or the one above in which it is to be made. */
async function tryPlace(place: string, refuse: (reason: string) => never): Promise<void> {
  for (let folder = place; ; folder = dirname(folder)) {
    const above = await stat(folder).catch(() => undefined);
    if (!above) continue;
    if (!above.isDirectory()) refuse(`${folder} is a file, not a folder`);
    return tryFolder(folder).catch((error: NodeJS.ErrnoException) =>
      refuse(error.code === 'ENOENT' ? `no file can be made in ${folder}` : systemReason(error)),
    );
  }
}

/** By a file that is made and removed: some systems refuse that where permissions allow it, such as `/proc`. */
async function tryFolder(folder: string): Promise<void> {
  const trial = temporaryName(join(folder, 'trial'));
  const file = await open(trial, 'wx');
  await file.close().finally(() => rm(trial, { force: true }));
}

function isThere(value: unknown): boolean {
  return value !== undefined;
}
