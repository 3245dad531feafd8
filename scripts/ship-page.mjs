// Copies the built page (web/dist) into the package `zeroseg`, which serves it by `zeroseg page`. Weights, drawings and photos stay
// behind: they are served from their own package, so that nobody installs them twice.

import { cpSync, rmSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const built = fileURLToPath(new URL('../web/dist', import.meta.url));
const shipped = fileURLToPath(new URL('../cli/page', import.meta.url));
rmSync(shipped, { recursive: true, force: true });
cpSync(built, shipped, {
  recursive: true,
  filter: (file) => relative(built, file).split(sep)[0] !== 'pretrained',
});
