import { playwright } from '@vitest/browser-playwright';
import { defineConfig, type ViteUserConfigFnPromise } from 'vitest/config';
import { browserLaunchOptions } from './test/support/browser.ts';
import { LongestFirst } from './test/support/longest-first.ts';
import { sourceAliases } from './test/support/source.ts';

// What runs in Node only: what needs files and processes; what only reads the text of the source; and what the browser has a share of
// by other files (CONTRIBUTING.md says which). Everything else runs unchanged in both, also what needs no GPU: that takes seconds.
const sourceText = ['test/floors.test.ts', 'test/errors.test.ts'];
const nodeOnly = ['test/cli/!(bench)/**', 'test/cli/*.test.ts', 'test/**/*.node.test.ts', ...sourceText];
// Packs, installs and bundles; at the end, so that no test of what computes runs beside it.
const packages = ['test/package/**'];
// Uses the page in a browser, as a visitor would.
const page = ['test/web/**'];
// Builds the documentation's site, and opens it in a browser.
const site = ['test/site/**'];

const notInBrowser = [...nodeOnly, ...packages, ...page, ...site];
// Half of the browser's time: rooms of ops whose tests compile kernels that few others have.
const halfOfOps = ['test/kernels/{attention,elementwise,matmul,row-ops,spatial}/**/*.test.ts'];

const config: ViteUserConfigFnPromise = async () => ({
  test: {
    // Most of a test's time is one thread's: a reference in float64, or a software adapter's compiler.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true as const,
        resolve: { alias: sourceAliases('node') },
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: [...packages, ...page, ...site],
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
          exclude: notInBrowser,
          // One page for many files, so that they share a device: see `useDevice`.
          isolate: false,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          testTimeout: 600_000,
          hookTimeout: 300_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: await browserLaunchOptions() }),
            // Two browsers of one page each: SwiftShader compiles one kernel at a time in a process, that of a browser's GPU.
            instances: [
              { browser: 'chromium' as const, name: 'browser 1', include: halfOfOps },
              { browser: 'chromium' as const, name: 'browser 2', exclude: [...notInBrowser, ...halfOfOps] },
            ],
          },
        },
      },
      {
        extends: true as const,
        resolve: { alias: sourceAliases('node') },
        test: {
          name: 'page',
          include: ['test/web/**/*.test.ts'],
          globalSetup: 'test/web/build-page.ts',
          pool: 'forks' as const,
          sequence: { groupOrder: 2 },
          testTimeout: 600_000,
          hookTimeout: 300_000,
          // The page's main thread and a GPU in software share the machine's cores.
          expect: { poll: { timeout: 60_000 } },
        },
      },
      {
        extends: true as const,
        test: {
          name: 'site',
          include: ['test/site/**/*.test.ts'],
          globalSetup: 'test/site/build-site.ts',
          pool: 'forks' as const,
          sequence: { groupOrder: 2 },
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        extends: true as const,
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          globalSetup: 'test/package/pack-all.ts',
          pool: 'forks' as const,
          // Beside the page: both wait for processes more than they compute.
          sequence: { groupOrder: 2 },
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});

const checked: ViteUserConfigFnPromise = defineConfig(config);

export { checked as default };
