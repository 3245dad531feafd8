import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@zeroseg/source'] },
  ssr: { resolve: { conditions: ['@zeroseg/source', 'node'] } },
  test: { include: ['test/**/*.test.ts'], pool: 'forks', isolate: false, testTimeout: 120_000 },
});
