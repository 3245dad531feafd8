/**
 * Letters as outlines, from the bytes of a font. A bare server has no fonts and no font service, and a picture must look the same
 * wherever it is made; so outlines come from a font file that travels along.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ZeroSegError } from '@zeroseg/core';
import type { Lettering, TextSize } from '@zeroseg/core/zeroseg';
// The module by its path: Node takes the package's main file, which has a default export only, and bundlers its module,
// which has none.
import { type Font, type Glyph, parse } from 'opentype.js/dist/opentype.mjs';
import { fontProblem } from './font-checks.ts';

/** Of one line: some forty thousand letters of a caption. */
const MAX_PIXELS = 2 ** 24;

/** A font could not be read. */
export class FontError extends ZeroSegError {
  override readonly name = 'FontError';
  readonly code = 'font';
}

/** Letters of fonts: their outlines are always there. */
export interface FontLettering extends Lettering {
  readonly path: (text: string, size: number, x: number, y: number) => string;
  /** Whether the fonts have every letter of a text. */
  covers(text: string): boolean;
}

/** Glyphs of a line, and how far from its beginning each of them stands. */
interface Line extends TextSize {
  readonly glyphs: readonly { readonly glyph: Glyph; readonly x: number }[];
}

/**
 * Lettering from TrueType, OpenType or WOFF files. Each character is taken from the first font that has it, so one
 * file for each script will do; what no font has becomes an empty box. Letters are kerned, but there is no shaping: Arabic or
 * Devanagari come out unjoined.
 *
 * ```ts
 * createLettering([interLatin, interGreek]).path('sofa', 16, 0, 16); // 'M0.70 12.33C…'
 * ```
 */
export function createLettering(files: readonly Uint8Array[]): FontLettering {
  const fonts = files.map((bytes, i) => parseFont(bytes, i));
  const main = fonts[0];
  if (!main) throw new FontError('createLettering: at least one font is needed; got none');
  const layOut = (text: string, size: number): Line => {
    const scale = size / main.unitsPerEm;
    const ascent = Math.ceil(main.ascender * scale);
    const height = ascent + Math.ceil(-main.descender * scale);
    const glyphs: { glyph: Glyph; x: number }[] = [];
    let x = 0;
    let before: { font: Font; glyph: Glyph } | undefined;
    for (const character of text.normalize('NFC')) {
      const font = fonts.find((one) => one.charToGlyph(character).index > 0) ?? main;
      const glyph = font.charToGlyph(character);
      const unit = size / font.unitsPerEm;
      if (before?.font === font) x += font.getKerningValue(before.glyph, glyph) * unit;
      glyphs.push({ glyph, x });
      x += glyph.advanceWidth * unit;
      before = { font, glyph };
    }
    const width = Math.max(1, Math.ceil(x));
    if (!(width * height <= MAX_PIXELS)) {
      throw new FontError(`createLettering: a line of ${width} x ${height} pixels is too long to be drawn`);
    }
    return { width, height, ascent, glyphs };
  };
  return {
    covers: (text) =>
      told(() => [...text.normalize('NFC')].every((one) => fonts.some((font) => font.charToGlyph(one).index > 0))),
    measure: (text, size) =>
      told(() => {
        const { width, height, ascent } = layOut(text, size);
        return { width, height, ascent };
      }),
    path: (text, size, x, y) =>
      told(() => {
        const { glyphs } = layOut(text, size);
        return glyphs.map(({ glyph, x: from }) => glyph.getPath(x + from, y, size).toPathData(2)).join('');
      }),
  };
}

/** A font that was read may still have letters that are broken, which shows only when they are drawn. */
function told<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof FontError) throw error;
    throw new FontError('createLettering: a font is damaged: a letter of it cannot be drawn', { cause: error });
  }
}

function parseFont(bytes: Uint8Array, index: number): Font {
  const problem = fontProblem(bytes);
  if (problem !== undefined) {
    throw new FontError(`createLettering: font ${index} is no whole TrueType, OpenType or WOFF file: ${problem}`);
  }
  try {
    return parse(bytes.slice().buffer);
  } catch (error) {
    throw new FontError(`createLettering: font ${index} is not a TrueType, OpenType or WOFF file`, { cause: error });
  }
}

const scripts = ['latin', 'latin-ext', 'greek', 'greek-ext', 'cyrillic', 'cyrillic-ext', 'vietnamese'];

let inter: FontLettering | undefined;

/**
 * Inter in semi-bold, from the npm package `@fontsource/inter` (SIL Open Font License): Latin, Greek and Cyrillic
 * letters. It needs no fonts on the system.
 */
export function interLettering(): FontLettering {
  const { resolve } = createRequire(import.meta.url);
  inter ??= createLettering(
    scripts.map((script) => readFileSync(resolve(`@fontsource/inter/files/inter-${script}-600-normal.woff`))),
  );
  return inter;
}
