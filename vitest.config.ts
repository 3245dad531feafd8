import { playwright } from '@vitest/browser-playwright';
import { defineConfig, type ViteUserConfigFnPromise } from 'vitest/config';
import { browserLaunchOptions } from './test/support/browser.ts';
import { sourceAliases } from './test/support/source.ts';

// What needs files and processes, and what only reads the text of the source, runs in Node only. Everything else runs unchanged in
// both, also what needs no GPU: that takes seconds.
const sourceText = ['test/floors.test.ts', 'test/errors.test.ts'];
const nodeOnly = ['test/cli/!(bench)/**', 'test/cli/*.test.ts', 'test/**/*.node.test.ts', ...sourceText];
// Builds, packs, installs and bundles; by itself, at the end, so that no test that computes runs beside it.
const packages = ['test/package/**'];
// Builds the page and uses it in a browser, as a visitor would.
const page = ['test/web/**'];

const config: ViteUserConfigFnPromise = async () => ({
  test: {
    // Most of a test's time is one thread's: a reference in float64, or a software adapter's compiler.
    maxWorkers: 2,
    projects: [
      {
        extends: true as const,
        resolve: { alias: sourceAliases('node') },
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: [...packages, ...page],
          pool: 'forks' as const,
          isolate: false,
          // First Node, then the browser: both want all cores.
          sequence: { groupOrder: 0 },
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true as const,
        resolve: { alias: sourceAliases('browser') },
        test: {
          name: 'browser',
          include: ['test/**/*.test.ts'],
          exclude: [...nodeOnly, ...packages, ...page],
          // One page for many files, so that they share a device: see `useDevice`.
          isolate: false,
          sequence: { groupOrder: 1 },
          testTimeout: 600_000,
          hookTimeout: 300_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: await browserLaunchOptions() }),
            instances: [{ browser: 'chromium' as const }],
          },
        },
      },
      {
        extends: true as const,
        resolve: { alias: sourceAliases('node') },
        test: {
          name: 'page',
          include: ['test/web/**/*.test.ts'],
          pool: 'forks' as const,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true as const,
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          pool: 'forks' as const,
          isolate: false,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});

const checked: ViteUserConfigFnPromise = defineConfig(config);

export { checked as default };
