import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { browserLaunchOptions } from './test/support/browser.ts';

// What needs files and processes runs in Node only; everything else runs unchanged in both.
const nodeOnly = ['test/node/**', 'test/cli/**', 'test/package/**'];

export default defineConfig(async () => ({
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
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true as const,
        test: {
          name: 'browser',
          include: ['test/**/*.test.ts'],
          exclude: nodeOnly,
          testTimeout: 300_000,
          hookTimeout: 120_000,
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
}));
