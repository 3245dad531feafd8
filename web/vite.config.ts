import { resolve, sep } from 'node:path';
import { defineConfig, type Plugin, type UserConfig } from 'vite';
import { denseWgsl, holdsWgsl } from '../scripts/dense-wgsl.mjs';
import { sourceAliases } from '../test/support/source.ts';
import { contentSecurity } from './content-security.ts';
import { pageFiles, serviceWorker } from './page-files.ts';

/** Weights and drawings keep their paths, so that a server may take them from their own package. */
const assetFileNames = ({ originalFileNames: [from = ''] }: { originalFileNames: string[] }): string => {
  const path = /pretrained\/(\w+\/[\w.-]+)$/.exec(from)?.[1];
  return path === undefined ? 'assets/[name]-[hash][extname]' : `pretrained/${path}`;
};

/** In the built page only: what the development server adds would be refused. */
const securityPolicy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    {
      tag: 'meta',
      attrs: { 'http-equiv': 'Content-Security-Policy', content: contentSecurity },
      injectTo: 'head-prepend',
    },
  ],
};

const shortKernels = (): Plugin => ({
  name: 'short-kernels',
  apply: 'build',
  enforce: 'pre',
  transform: (code, id) => (holdsWgsl(id) ? { code: denseWgsl(code), map: null } : undefined),
});

const config: UserConfig = defineConfig({
  root: import.meta.dirname,
  // Works in any folder of any host.
  base: './',
  resolve: {
    alias: [
      ...sourceAliases('browser'),
      { find: /^bench-peers\//, replacement: resolve(import.meta.dirname, '../bench/peers/') + sep },
      // By the parts of it that are compared.
      { find: /^@tensorflow\/tfjs$/, replacement: resolve(import.meta.dirname, 'src/bench/peers/tensorflow.ts') },
    ],
  },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  plugins: [securityPolicy, shortKernels(), pageFiles(import.meta.dirname)],
  build: {
    target: 'es2023',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: {
      input: {
        index: `${import.meta.dirname}/index.html`,
        [serviceWorker]: `${import.meta.dirname}/src/offline/service-worker.ts`,
      },
      output: {
        assetFileNames,
        entryFileNames: ({ name }) => (name === serviceWorker ? '[name].js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  worker: { format: 'es', plugins: () => [shortKernels()], rollupOptions: { output: { assetFileNames } } },
});

export default config;
