import { rm } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import { beginBuilds, siteBuild } from '../support/builds.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the built site is. */
    siteFolder: string;
  }
}

/** Builds the site, once for all files of tests that use it. */
export default async function buildSite(project: TestProject): Promise<() => Promise<void>> {
  beginBuilds(project);
  const folder = await siteBuild();
  project.provide('siteFolder', folder);
  return () => rm(folder, { recursive: true, force: true });
}
