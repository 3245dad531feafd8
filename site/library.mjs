// The library as files that a page loads: one file for `<script type="module">`, and the modules that examples in the page share.
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

const options = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2023',
  charset: 'utf8',
  platform: 'browser',
  legalComments: 'none',
  // Not the repository's own paths, which lead to the sources.
  tsconfigRaw: {},
  logLevel: 'error',
};

/** Writes `zeroseg-core.js`, and `library/` with a file for each import of an example, into `folder`. Needs what `npm run build` made. */
export async function writeLibrary(folder) {
  await build({ ...options, entryPoints: [join(root, 'dist/index.js')], outfile: join(folder, 'zeroseg-core.js') });
  await build({
    ...options,
    entryPoints: {
      core: join(root, 'dist/index.js'),
      distributed: join(root, 'dist/distributed.js'),
      nn: join(root, 'dist/nn/index.js'),
      zeroseg: join(root, 'dist/zeroseg/index.js'),
      // What `console.log(x)` prints in Node, for the console of the examples.
      inspect: join(root, 'dist/tensor/run/inspect.js'),
    },
    splitting: true,
    outdir: join(folder, 'library'),
  });
  // What examples load of the trained weights, and no reports of their training.
  const files = [
    'index.js',
    'teacher/config.json',
    'teacher/teacher.safetensors',
    'student/config.json',
    'student/student.safetensors',
    'scenes/atlas.json',
    'scenes/atlas.png',
  ];
  for (const file of files) cpSync(join(root, 'pretrained', file), join(folder, 'library/pretrained', file));
}
