/** Files that a command writes at its end: what stands in the way is told before hours of work, not after. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { hasFields, readJson, standardStream, systemReason } from '../files/index.ts';
import { UsageError } from './errors.ts';

/**
 * Whether a JSON file of results can be written at `path`, and what it replaces is another result, which has the same `field`.
 *
 * @throws UsageError that begins with `option`, such as `eval: --out`.
 */
export async function checkResultFile(option: string, path: string | undefined, field: string): Promise<void> {
  if (path === undefined || path === '-' || standardStream(path)) return;
  const refuse = (reason: string): never => {
    throw new UsageError(`${option} ${path}: ${reason}`);
  };
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    return error.code === 'ENOENT' || error.code === 'ENOTDIR' ? undefined : refuse(systemReason(error));
  });
  if (found?.isDirectory()) refuse('this is a folder; give a file');
  // A device or a pipe.
  if (found && !found.isFile()) return;
  if (found && found.size > 0 && !hasFields({ [field]: isThere })(await readJson(path).catch(() => undefined))) {
    refuse('this file is there, and is no result of this command; give another');
  }
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    const above = await stat(folder).catch(() => undefined);
    if (!above) continue;
    if (!above.isDirectory()) refuse(`${folder} is a file, not a folder`);
    await access(folder, constants.W_OK | constants.X_OK).catch((error) => refuse(systemReason(error)));
    return;
  }
}

function isThere(value: unknown): boolean {
  return value !== undefined;
}
