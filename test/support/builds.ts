/** What is built once for a run: the library, the page and the site. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'vite';
import type { TestProject } from 'vitest/node';

const repository = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

/** By name, for all projects of vitest: each loads its own copy of a module. */
const kept: unique symbol = Symbol.for('zeroseg: what the tests have built');
const builds = ((globalThis as { [kept]?: Map<string, Promise<unknown>> })[kept] ??= new Map());

/** Makes something once, whichever project asks first. */
export function once<T>(name: string, make: () => Promise<T>): Promise<T> {
  let made = builds.get(name);
  if (!made) {
    made = make();
    // It is told to the project that waits for it.
    made.catch(() => {});
    builds.set(name, made);
  }
  return made as Promise<T>;
}

/** Whether a project takes part in the run for certain: where files are named, they may be of others. */
export function takesPart({ vitest }: TestProject, name: string): boolean {
  const { filenamePattern } = vitest as { filenamePattern?: readonly string[] };
  return !filenamePattern?.length && vitest.projects.some((project) => project.name === name);
}

/** Begins what the other projects of the run need: most of it is one thread's, and vitest asks for one after the other. */
export function beginBuilds(project: TestProject): void {
  if (takesPart(project, 'page')) void pageBuild();
  if (takesPart(project, 'site')) void siteBuild();
}

/** The folder of the page. */
export const pageBuild = (): Promise<string> =>
  once('page', async () => {
    const root = join(repository, 'web');
    const outDir = await mkdtemp(join(tmpdir(), 'zeroseg-page-'));
    const configFile = join(root, 'vite.config.ts');
    await build({ root, configFile, logLevel: 'error', build: { outDir, emptyOutDir: true } });
    return outDir;
  });

/** The folder of the site, whose pages load the library that was built. A link between pages that leads nowhere fails the build. */
export const siteBuild = (): Promise<string> =>
  once('site', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'zeroseg-site-'));
    await libraryBuild();
    const env = { ...process.env, NODE_ENV: 'production' };
    await run(process.execPath, ['build.mjs', folder], { cwd: join(repository, 'site'), env });
    return folder;
  });

/** `dist` and `cli/dist`: as they are, where nothing that they are made of was changed, added or removed since. */
export const libraryBuild = (): Promise<void> =>
  once('library', async () => {
    const changed = await lastChange();
    const isBuilt = async (file: string) => {
      const built = await stat(join(repository, file)).catch(() => undefined);
      return built !== undefined && built.mtimeMs > changed;
    };
    // The library is built before the command line.
    if ((await isBuilt('dist/index.js')) && (await isBuilt('cli/dist/index.js'))) return;
    await run('npm', ['run', 'build'], { cwd: repository });
  });

async function lastChange(): Promise<number> {
  const files = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'cli/tsconfig.build.json',
  ];
  for (const folder of ['src', 'cli/src', 'scripts']) {
    // Folders too, whose times tell of files that are gone.
    files.push(
      folder,
      ...(await readdir(join(repository, folder), { recursive: true })).map((name) => join(folder, name)),
    );
  }
  const times = await Promise.all(files.map(async (file) => (await stat(join(repository, file))).mtimeMs));
  return Math.max(...times);
}
