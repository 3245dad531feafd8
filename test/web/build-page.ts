import { rm } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import { beginBuilds, pageBuild } from '../support/builds.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the built page is. */
    pageFolder: string;
  }
}

/** Builds the page, once for all files of tests that use it. */
export default async function buildPage(project: TestProject): Promise<() => Promise<void>> {
  beginBuilds(project);
  const folder = await pageBuild();
  project.provide('pageFolder', folder);
  return () => rm(folder, { recursive: true, force: true });
}
