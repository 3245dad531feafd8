import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createLettering, type Lettering } from '@zeroseg/core/zeroseg';

const scripts = ['latin', 'latin-ext', 'greek', 'greek-ext', 'cyrillic', 'cyrillic-ext', 'vietnamese'];

let lettering: Lettering | undefined;

/**
 * Inter in semi-bold, from the npm package `@fontsource/inter` (SIL Open Font License): Latin, Greek and Cyrillic
 * letters. It needs no fonts on the system.
 */
export function interLettering(): Lettering {
  const { resolve } = createRequire(import.meta.url);
  lettering ??= createLettering(
    scripts.map((script) => readFileSync(resolve(`@fontsource/inter/files/inter-${script}-600-normal.woff`))),
  );
  return lettering;
}
