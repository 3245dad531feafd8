import { playwright } from '@vitest/browser-playwright';
import { defineConfig, type ViteUserConfigFnPromise } from 'vitest/config';
import { browserLaunchOptions } from './test/support/browser.ts';

// What needs files and processes runs in Node only; everything else runs unchanged in both.
const nodeOnly = ['test/cli/!(bench)/**', 'test/cli/*.test.ts', 'test/**/*.node.test.ts', 'test/package/**'];

const config: ViteUserConfigFnPromise = async () => ({
  resolve: { conditions: ['@zeroseg/source'] },
  ssr: { resolve: { conditions: ['@zeroseg/source', 'node'] } },
  test: {
    projects: [
      {
        extends: true as const,
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
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
        test: {
          name: 'browser',
          include: ['test/**/*.test.ts'],
          exclude: nodeOnly,
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
    ],
  },
});

const checked: ViteUserConfigFnPromise = defineConfig(config);

export { checked as default };
