import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the built page is. */
    pageFolder: string;
  }
}

const root = resolve(import.meta.dirname, '../../web');

/** Builds the page, once for all files of tests that use it. */
export default async function buildPage(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'zeroseg-page-'));
  await build({
    root,
    configFile: join(root, 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  });
  project.provide('pageFolder', folder);
  return () => rm(folder, { recursive: true, force: true });
}
