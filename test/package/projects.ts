import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { type AllPacked, folders, type Manifest, type PackageName, type Packed } from './pack-all.ts';

// Empty projects with the packed packages installed in them, as a user would have them. What the packages depend on comes in
// the versions of this repository's lock file, out of npm's cache: installing asks no registry where `npm ci` has run.

export const run: typeof execFile.__promisify__ = promisify(execFile);
export const repository: string = resolve(import.meta.dirname, '../..');
export type { PackageName };

/** What was packed, once for all files of the suite. */
export const packAll = (): AllPacked => inject('packed');

/** An empty project that has installed these packages, `files` written into it. */
export async function install(
  title: string,
  names: readonly PackageName[],
  { omitOptional = false, files = {} }: { omitOptional?: boolean; files?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const { root, packages } = packAll();
  const folder = join(root, title);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const dependencies = Object.fromEntries(names.map((name) => [name, `file:${packages[name].file}`]));
  const manifest = { name: title, version: '1.0.0', private: true, type: 'module', dependencies };
  const locked = await lockFile(manifest, packages);
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(locked));
  const omit = omitOptional ? ['--omit=optional'] : [];
  await run('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund', ...omit], { cwd: folder });
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
  return folder;
}

type Entry = Manifest & Readonly<Record<string, unknown>>;

/** The part of this repository's lock file that a project needs which installs our packages from their tarballs. */
async function lockFile(
  manifest: Manifest & { readonly name: string },
  packages: Readonly<Record<PackageName, Packed>>,
): Promise<unknown> {
  const lock: { packages: Record<string, Entry> } = JSON.parse(
    await readFile(join(repository, 'package-lock.json'), 'utf8'),
  );
  const isOurs = (name: string): name is PackageName => Object.hasOwn(folders, name);
  const found = new Map<string, Entry>();

  /** Where Node would look `name` up, from a package at `from`. */
  const locate = (name: string, from: string): string => {
    for (let at = from; ; at = at.replace(/(^|\/)(node_modules\/(@[^/]+\/)?[^/]+|[^/]+)$/, '')) {
      const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
      if (lock.packages[path]) return path;
      if (at === '')
        throw new Error(`package-lock.json lacks ${name}, which ${from || 'the root'} needs: run npm install`);
    }
  };
  const visit = (name: string, from: string, optional: boolean): void => {
    const place = isOurs(name) ? `node_modules/${name}` : locate(name, from);
    const target = place.replace(/^cli\//, 'node_modules/zeroseg/');
    if (found.has(target)) return;
    let entry: Entry;
    if (isOurs(name)) {
      const { file, integrity, manifest: own } = packages[name];
      const { version, bin, dependencies, optionalDependencies } = own;
      entry = {
        version: version ?? '',
        resolved: `file:${file}`,
        integrity,
        ...{ bin, dependencies, optionalDependencies },
      } as Entry;
    } else {
      const { dev: _, devOptional: _2, peer: _3, ...rest } = lock.packages[place] as Entry;
      entry = rest;
    }
    found.set(target, optional ? { ...entry, optional: true } : entry);
    follow(entry, isOurs(name) ? folders[name] : place, optional);
  };
  const follow = (entry: Manifest, from: string, optional: boolean): void => {
    const peers = Object.keys(entry.peerDependencies ?? {}).filter(
      (name) => !entry.peerDependenciesMeta?.[name]?.optional,
    );
    for (const name of [...Object.keys(entry.dependencies ?? {}), ...peers]) {
      if (!Object.hasOwn(entry.optionalDependencies ?? {}, name)) visit(name, from, optional);
    }
    if (!optional)
      later.push(() => Object.keys(entry.optionalDependencies ?? {}).forEach((name) => void visit(name, from, true)));
    else for (const name of Object.keys(entry.optionalDependencies ?? {})) visit(name, from, true);
  };
  // What is needed first, so that a package that is both needed and optional is not left out.
  const later: (() => void)[] = [];
  follow(manifest, '', false);
  for (const visitOptional of later) visitOptional();
  return {
    name: manifest.name,
    lockfileVersion: 3,
    requires: true,
    packages: { '': manifest, ...Object.fromEntries(found) },
  };
}

/** The bytes of all files below a folder. */
export async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** The example of a page of the documentation that contains a text. */
export async function exampleOf(page: string, containing: string): Promise<string> {
  const text = await readFile(join(repository, page), 'utf8');
  const examples = [...text.matchAll(/```[tj]s\n([\s\S]*?)```/g)].map(([, example = '']) => example);
  const found = examples.find((example) => example.includes(containing));
  if (found === undefined) throw new Error(`${page} has no example with '${containing}'`);
  return found;
}

/** The documentation's first program: see {@link checkFirstExample}. */
export function firstExample(): Promise<string> {
  return exampleOf('docs/library.md', "new Map([['w', w]])");
}
