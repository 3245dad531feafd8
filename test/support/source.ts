import { fileURLToPath } from 'node:url';

/** Where tests find the packages: in their source, by the same names as users. The same as `paths` in tsconfig.json. */
export function sourceAliases(platform: 'node' | 'browser'): { find: RegExp; replacement: string }[] {
  const files: Readonly<Record<string, string>> = {
    '@zeroseg/core': 'src/index.ts',
    '@zeroseg/core/nn': 'src/nn/index.ts',
    '@zeroseg/core/zeroseg': 'src/zeroseg/index.ts',
    '@zeroseg/core/distributed': 'src/distributed.ts',
    '@zeroseg/core/internal': 'src/internal.ts',
    zeroseg: 'cli/src/index.ts',
    'zeroseg/bench': 'cli/src/bench/index.ts',
    'zeroseg/gpu-model': 'cli/src/gpu-model/index.ts',
    '#provider': `src/gpu/platform/provider.${platform}.ts`,
  };
  return Object.entries(files).map(([name, file]) => ({
    find: new RegExp(`^${name}$`),
    replacement: fileURLToPath(new URL(`../../${file}`, import.meta.url)),
  }));
}
