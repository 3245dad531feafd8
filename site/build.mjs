// Builds the site: site/.vitepress/dist, or the folder that is given.
import { fileURLToPath } from 'node:url';
import { build } from 'vitepress';
import { gather } from './gather.mjs';

const [outDir] = process.argv.slice(2);
await gather();
await build(fileURLToPath(new URL('.', import.meta.url)), outDir ? { outDir } : {});
