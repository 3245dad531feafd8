import { readFileSync } from 'node:fs';
import GithubSlugger from 'github-slugger';
import { defineConfig } from 'vitepress';
import { examples } from '../example-pages.mjs';
import { search } from '../search.mjs';

const rooms = JSON.parse(readFileSync(new URL('../pages/rooms.json', import.meta.url), 'utf8'));
const pagesOf = (belongs) => rooms.filter(belongs).map(({ title, page }) => ({ text: title, link: `/${page}` }));
const isLibrary = ({ room }) => /^(gpu|tensor|nn)/.test(room);

const guides = [
  {
    text: 'Start',
    items: [
      { text: 'Install', link: '/install' },
      { text: 'Ten-minute tour', link: '/tour' },
      { text: 'The library', link: '/library' },
      { text: 'From PyTorch', link: '/guides/from-pytorch' },
      { text: 'From NumPy', link: '/guides/from-numpy' },
    ],
  },
  {
    text: 'Guides',
    items: [
      { text: 'Memory and steps', link: '/guides/memory-and-steps' },
      { text: 'Randomness', link: '/guides/randomness' },
      { text: 'Mixed precision', link: '/guides/mixed-precision' },
      { text: 'Kernels of your own', link: '/guides/own-kernels' },
      { text: 'A training loop', link: '/guides/training-loop' },
      { text: 'Saving and loading', link: '/guides/saving-and-loading' },
      { text: 'Debugging', link: '/guides/debugging' },
      { text: 'Testing', link: '/guides/testing' },
    ],
  },
  {
    text: 'Examples',
    link: '/examples/',
    items: examples().map(({ name, title }) => ({ text: title, link: `/examples/${name}` })),
  },
];

const zeroseg = [
  {
    text: 'ZeroSeg',
    items: [
      { text: 'The model', link: '/zeroseg' },
      { text: 'Segmenting', link: '/segmenting' },
      { text: 'Training', link: '/training' },
      { text: 'Many machines', link: '/many-machines' },
      { text: 'Fine-tuning', link: '/finetuning' },
      { text: 'Dense CLIP', link: '/dense-clip' },
      { text: 'Beyond the paper', link: '/beyond-the-paper' },
    ],
  },
  {
    text: 'Files and commands',
    items: [
      { text: 'Command line', link: '/cli' },
      { text: 'Configuration', link: '/configuration' },
      { text: 'Checkpoints', link: '/checkpoints' },
      { text: 'Data sets', link: '/data-sets' },
      { text: 'Adapters', link: '/adapters' },
    ],
  },
  {
    text: 'Does it work?',
    items: [
      { text: 'Results', link: '/results' },
      { text: 'Fair test', link: '/fair-test' },
      { text: 'Verification', link: '/verification' },
      { text: 'Benchmarks', link: '/benchmarks' },
    ],
  },
  {
    text: 'Inside',
    items: [
      { text: 'Architecture', link: '/architecture' },
      { text: 'Contributing', link: '/contributing' },
      { text: 'Changelog', link: '/changelog' },
    ],
  },
];

const ops = [{ text: 'Ops', link: '/ops/', items: pagesOf(({ isOp, room }) => isOp && room !== 'kernels/zeroseg') }];
const reference = [
  { text: 'Reference', link: '/reference/', items: pagesOf(isLibrary) },
  { text: 'ZeroSeg', collapsed: true, items: pagesOf(({ room }) => /zeroseg/.test(room)) },
];

export default defineConfig({
  title: '@zeroseg/core',
  description: 'Tensors, autograd and hand-written WebGPU kernels in TypeScript',
  srcDir: 'pages',
  // Where the site lies on its server, if not at its root.
  base: process.env.SITE_BASE ?? '/',
  cleanUrls: false,
  lastUpdated: false,
  // Addresses of a server on the reader's own machine are no links to check.
  ignoreDeadLinks: [/^https?:\/\/(localhost|127\.)/],
  // Anchors as on GitHub, where the same pages are read.
  markdown: { anchor: { slugify: (heading) => new GithubSlugger().slug(heading) } },
  vite: { build: { chunkSizeWarningLimit: 2000 } },
  themeConfig: {
    search,
    outline: [2, 3],
    nav: [
      { text: 'Guide', link: '/tour', activeMatch: '^/(library|install|tour|guides/)' },
      { text: 'Examples', link: '/examples/', activeMatch: '^/examples/' },
      { text: 'Ops', link: '/ops/', activeMatch: '^/ops/' },
      { text: 'Reference', link: '/reference/', activeMatch: '^/reference/' },
      { text: 'ZeroSeg', link: '/zeroseg' },
    ],
    sidebar: {
      '/ops/': ops,
      '/reference/': reference,
      '/examples/': guides,
      '/library': guides,
      '/install': guides,
      '/tour': guides,
      '/guides/': guides,
      '/': zeroseg,
    },
    socialLinks: [{ icon: 'github', link: 'https://github.com/zeroseg/core' }],
    footer: { message: 'MIT licence' },
  },
});
