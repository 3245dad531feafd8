/** Room that a line of text takes, in pixels. */
export interface TextSize {
  readonly width: number;
  readonly height: number;
  /** From the top down to the base line. */
  readonly ascent: number;
}

/** Letters for drawings: how wide they are, and what they look like where viewers' fonts are not to be relied on. */
export interface Lettering {
  /** A line of text with `size` pixels to the em. */
  measure(text: string, size: number): TextSize;
  /**
   * Its outlines as the `d` of an SVG path, the base line beginning at (x, y). Without it, and where it gives nothing, the viewer's own
   * sans-serif draws the text, fitted to the measured width.
   */
  readonly path?: (text: string, size: number, x: number, y: number) => string | undefined;
}

/** Widths of letters as in common sans-serif fonts, in ems. */
const widths: readonly (readonly [RegExp, number])[] = [
  [/[ijlI.,:;'|!]/, 0.28],
  [/[ftr()\s-]/, 0.36],
  [/[mwMW@%]/, 0.88],
  [/[A-Z]/, 0.67],
  [/[\u2e80-\uffef]/, 1],
];

/** Lettering without any font: widths are estimated, and the viewer's sans-serif is fitted to them. For pages. */
export const estimatedLettering: Lettering = {
  measure(text, size) {
    let ems = 0;
    for (const letter of text) ems += widths.find(([kind]) => kind.test(letter))?.[1] ?? 0.56;
    return {
      width: Math.max(1, Math.ceil(ems * size)),
      height: Math.ceil(1.22 * size),
      ascent: Math.ceil(0.97 * size),
    };
  },
};
