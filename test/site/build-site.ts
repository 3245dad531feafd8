import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the built site is. */
    siteFolder: string;
  }
}

/** Builds the site, once for all files of tests that use it. A link between pages that leads nowhere fails the build. */
export default async function buildSite(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'zeroseg-site-'));
  const cwd = resolve(import.meta.dirname, '../../site');
  await promisify(execFile)(process.execPath, ['build.mjs', folder], {
    cwd,
    env: { ...process.env, NODE_ENV: 'production' },
  });
  project.provide('siteFolder', folder);
  return () => rm(folder, { recursive: true, force: true });
}
