import { ZeroSegError } from '../../gpu/index.ts';
/**
 * Text as pixels, from the bytes of a font. A bare server has no fonts and no font service, and a picture must look
 * the same wherever it is made; so outlines come from a font file that travels along, and are filled here.
 */
// The module by its path: Node takes the package's main file, which has a default export only, and bundlers its module,
// which has none.

import { type Font, type Glyph, type PathCommand, parse } from 'opentype.js/dist/opentype.mjs';
import { fontProblem } from './font-checks.ts';

/** A line of text: how much of each pixel it covers, 0..255, row by row. */
export interface TextLine {
  readonly width: number;
  readonly height: number;
  /** Rows from the top down to the base line. */
  readonly ascent: number;
  readonly coverage: Uint8Array;
}

/** Draws single lines of text. */
export interface Lettering {
  /** Draws `text` with `size` pixels to the em. Characters that no font has become empty boxes. */
  line(text: string, size: number): TextLine;
}

/** Of one line: some forty thousand letters of a caption. */
const MOST_PIXELS = 2 ** 24;

/** A font could not be read. */
export class FontError extends ZeroSegError {
  override readonly name = 'FontError';
  readonly code = 'font';
}

/**
 * Lettering from TrueType, OpenType or WOFF files. Each character is taken from the first font that has it, so one
 * file for each script will do. Letters are kerned, but there is no shaping: Arabic or Devanagari come out unjoined.
 *
 * ```ts
 * const line = createLettering([interLatin, interGreek]).line('sofa', 16);
 * ```
 */
export function createLettering(files: readonly Uint8Array[]): Lettering {
  const fonts = files.map((bytes, i) => parseFont(bytes, i));
  const main = fonts[0];
  if (!main) throw new FontError('createLettering: at least one font is needed; got none');

  return {
    line: guarded((text, size) => {
      const scale = size / main.unitsPerEm;
      const ascent = Math.ceil(main.ascender * scale);
      const height = ascent + Math.ceil(-main.descender * scale);

      const glyphs: { glyph: Glyph; x: number }[] = [];
      let x = 0;
      let before: { font: Font; glyph: Glyph } | undefined;
      for (const character of text.normalize('NFC')) {
        const font = fonts.find((font) => font.charToGlyph(character).index > 0) ?? main;
        const glyph = font.charToGlyph(character);
        const unit = size / font.unitsPerEm;
        if (before?.font === font) x += font.getKerningValue(before.glyph, glyph) * unit;
        glyphs.push({ glyph, x });
        x += glyph.advanceWidth * unit;
        before = { font, glyph };
      }

      const width = Math.max(1, Math.ceil(x));
      if (!(width * height <= MOST_PIXELS)) {
        throw new FontError(`createLettering: a line of ${width} x ${height} pixels is too long to be drawn`);
      }
      const fill = new Fill(width, height);
      for (const { glyph, x } of glyphs) fill.path(glyph.getPath(x, ascent, size).commands);
      return { width, height, ascent, coverage: fill.coverage() };
    }),
  };
}

/** A font that was read may still have letters that are broken, which shows only when they are drawn. */
function guarded(line: Lettering['line']): Lettering['line'] {
  return (text, size) => {
    try {
      return line(text, size);
    } catch (error) {
      if (error instanceof FontError) throw error;
      throw new FontError('createLettering: a font is damaged: a letter of it cannot be drawn', { cause: error });
    }
  };
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

/** Lines that a curve is cut into; at label sizes the error is far below a grey level. */
const CURVE_STEPS = 8;

/**
 * Fills outlines with exact coverage (Raph Levien's accumulation buffer, as in font-rs): an edge adds to each pixel it
 * crosses the change of covered area, and a running sum over each row gives the coverage.
 */
class Fill {
  readonly #width: number;
  readonly #height: number;
  readonly #stride: number;
  readonly #change: Float32Array;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#stride = width + 2;
    this.#change = new Float32Array(this.#stride * height);
  }

  path(commands: readonly PathCommand[]): void {
    let [x, y, startX, startY] = [0, 0, 0, 0];
    const to = (nextX: number, nextY: number): void => {
      this.#edge(x, y, nextX, nextY);
      x = nextX;
      y = nextY;
    };
    for (const c of commands) {
      if (c.type === 'M') {
        to(startX, startY);
        [x, y, startX, startY] = [c.x, c.y, c.x, c.y];
      } else if (c.type === 'L') to(c.x, c.y);
      else if (c.type === 'Z') to(startX, startY);
      else {
        const [x0, y0] = [x, y];
        for (let step = 1; step <= CURVE_STEPS; step++) {
          const t = step / CURVE_STEPS;
          const s = 1 - t;
          if (c.type === 'Q') {
            to(s * s * x0 + 2 * s * t * c.x1 + t * t * c.x, s * s * y0 + 2 * s * t * c.y1 + t * t * c.y);
          } else {
            const [a, b, d, e] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
            to(a * x0 + b * c.x1 + d * c.x2 + e * c.x, a * y0 + b * c.y1 + d * c.y2 + e * c.y);
          }
        }
      }
    }
    to(startX, startY);
  }

  #edge(x0: number, y0: number, x1: number, y1: number): void {
    if (y0 === y1) return;
    const sign = y0 < y1 ? 1 : -1;
    if (sign < 0) [x0, y0, x1, y1] = [x1, y1, x0, y0];
    const slope = (x1 - x0) / (y1 - y0);
    for (let row = Math.max(0, Math.floor(y0)); row < Math.min(this.#height, y1); row++) {
      const top = Math.max(row, y0);
      const bottom = Math.min(row + 1, y1);
      this.#row(row, x0 + (top - y0) * slope, x0 + (bottom - y0) * slope, sign * (bottom - top));
    }
  }

  /** An edge within one row, from `a` to `b`, of signed height `h`. */
  #row(row: number, a: number, b: number, h: number): void {
    const clamp = (x: number): number => Math.max(0, Math.min(this.#width, x));
    const left = clamp(Math.min(a, b));
    const right = clamp(Math.max(a, b));
    const base = row * this.#stride;
    const first = Math.floor(left);
    const last = Math.floor(right);
    // What the edge adds to the area right of it, pixel by pixel; the running sum carries on where it ends.
    let carried = 0;
    for (let x = first; x <= last; x++) {
      const from = Math.max(left, x);
      const to = Math.min(right, x + 1);
      const part = right > left ? (h * (to - from)) / (right - left) : h;
      const covered = part * (x + 1 - (from + to) / 2);
      this.#change[base + x]! += covered + carried;
      carried = part - covered;
    }
    this.#change[base + last + 1]! += carried;
  }

  coverage(): Uint8Array {
    const result = new Uint8Array(this.#width * this.#height);
    for (let y = 0; y < this.#height; y++) {
      let sum = 0;
      for (let x = 0; x < this.#width; x++) {
        sum += this.#change[y * this.#stride + x]!;
        result[y * this.#width + x] = Math.round(Math.min(1, Math.abs(sum)) * 255);
      }
    }
    return result;
  }
}
