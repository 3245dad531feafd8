import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, freemem, release, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { FileError, systemReason } from '../files/index.ts';

/** Where a command runs: nothing that tells who runs it. */
export interface Machine {
  readonly versions: Readonly<Record<'zeroseg' | '@zeroseg/core' | 'node' | 'webgpu', string>>;
  /** Of Mesa, where an adapter's driver says it. */
  readonly mesa: string | null;
  readonly system: string;
  readonly processor: string;
  /** Threads that this process may use. */
  readonly threads: number;
  readonly memory: { readonly total: number; readonly free: number };
  readonly disk: { readonly folder: string; readonly free: number };
}

/**
 * What of this machine matters. `folder` is where results go, of which the free space is told; it need not be there yet.
 *
 * @throws FileError when there can be no such folder.
 */
export async function inspectMachine(version: string, folder: string, adapters: readonly string[]): Promise<Machine> {
  const mesa = adapters.map((name) => /\bMesa (\d[^\s()]*)/.exec(name)?.[1]).find((found) => found !== undefined);
  return {
    versions: {
      zeroseg: version,
      '@zeroseg/core': versionOf('@zeroseg/core'),
      node: process.versions.node,
      webgpu: versionOf('webgpu'),
    },
    mesa: mesa ?? null,
    system: `${process.platform} ${process.arch}, ${release()}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    threads: availableParallelism(),
    memory: { total: totalmem(), free: freemem() },
    disk: { folder, free: await freeBytes(resolve(folder)) },
  };
}

/** Free bytes of the disk that a folder is on, or will be. */
async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) {
      throw new FileError('doctor', folder, systemReason(error), { cause: error });
    }
    return freeBytes(dirname(folder));
  }
}

/** The version of a package that the library loads; packages need not export their package.json. */
function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return (JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')) as { version: string }).version;
    } catch {
      // Not in this one.
    }
  }
  return 'not found';
}
