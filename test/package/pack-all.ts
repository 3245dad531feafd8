import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { libraryBuild, pageBuild, takesPart } from '../support/builds.ts';

declare module 'vitest' {
  interface ProvidedContext {
    packed: AllPacked;
  }
}

const run = promisify(execFile);
const repository = resolve(import.meta.dirname, '../..');

export const folders = { '@zeroseg/core': '', zeroseg: 'cli', '@zeroseg/pretrained': 'pretrained' } as const;
export type PackageName = keyof typeof folders;

export interface Manifest {
  readonly bin?: Readonly<Record<string, string>>;
  readonly version?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

export interface Packed {
  /** The tarball. */
  readonly file: string;
  /** What is in it. */
  readonly paths: readonly string[];
  readonly integrity: string;
  readonly manifest: Manifest;
}

export interface AllPacked {
  /** The folder of the tarballs. Projects are made beside them. */
  readonly root: string;
  readonly packages: Readonly<Record<PackageName, Packed>>;
}

/** Builds and packs all packages, once for all files of tests of them. */
export default async function packAll(project: TestProject): Promise<() => Promise<void>> {
  const root = await mkdtemp(join(tmpdir(), 'zeroseg-packages-'));
  await Promise.all([libraryBuild(), buildWeb(project)]);
  const specs = Object.values(folders).map((folder) => `./${folder}`);
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', root, ...specs], {
    cwd: repository,
    maxBuffer: 1 << 26,
  });
  // npm 11 lists the packages; npm 12 makes an object of them, by name.
  const list: readonly { name: string; filename: string; integrity: string; files: { path: string }[] }[] =
    Object.values(JSON.parse(stdout));
  const packed = async (name: PackageName): Promise<Packed> => {
    const one = list.find((candidate) => candidate.name === name);
    if (!one) throw new Error(`npm pack did not pack ${name}`);
    const manifest: Manifest = JSON.parse(await readFile(join(repository, folders[name], 'package.json'), 'utf8'));
    const paths = one.files.map(({ path }) => path);
    return { file: join(root, one.filename), paths, integrity: one.integrity, manifest };
  };
  const packages = {
    '@zeroseg/core': await packed('@zeroseg/core'),
    zeroseg: await packed('zeroseg'),
    '@zeroseg/pretrained': await packed('@zeroseg/pretrained'),
  };
  project.provide('packed', { root, packages });
  return () => rm(root, { recursive: true, force: true });
}

/** The page ships in the package of the command that serves it: as by `npm run build:web`, but for one that was built for its own tests. */
async function buildWeb(project: TestProject): Promise<void> {
  if (!takesPart(project, 'page')) {
    await run('npm', ['run', 'build:web'], { cwd: repository });
    return;
  }
  const built = join(repository, 'web/dist');
  await rm(built, { recursive: true, force: true });
  await cp(await pageBuild(), built, { recursive: true });
  await run(process.execPath, ['scripts/ship-page.mjs'], { cwd: repository });
}
