/**
 * Letters that Inter does not have, from the fonts of the system: Pango, which comes with sharp, finds them, joins Arabic and turns what is
 * written from right to left. What no font has would become a box with digits, and gets a number instead.
 */
import { escapeXml } from '@zeroseg/core/internal';
import type { Lettering } from '@zeroseg/core/zeroseg';
import sharp from 'sharp';
import { interLettering } from './lettering.ts';

/** How names are written in pictures. */
export interface NameLettering {
  readonly lettering: Lettering;
  /** What is written in the stead of names that cannot be: `#3` for the third. */
  readonly drawnAs: ReadonlyMap<string, string>;
}

/** Pixels to the em that widths are measured at. */
const SIZE = 64;
/** Letters that are looked for in the system's fonts: a millisecond each. */
const MAX_LETTERS = 3000;
/** Signs that have no shape of their own: marks, joiners, chosen variants, spaces. */
const shapeless = /^[\p{M}\p{Cf}\p{Zs}]$/u;

/**
 * Lettering for these names.
 *
 * ```ts
 * const { lettering, drawnAs } = await nameLettering(['cat', '猫', 'قطة']);
 * drawnAs.get('猫'); // undefined where a font of the system has it, else '#2'
 * ```
 */
export async function nameLettering(names: readonly string[]): Promise<NameLettering> {
  const inter = interLettering();
  const strange = names.filter((name) => !inter.covers(name));
  if (strange.length === 0) return { lettering: inter, drawnAs: new Map() };

  const letters = new Set(
    strange.flatMap((name) => [...name].filter((one) => !inter.covers(one) && !shapeless.test(one))),
  );
  const widths = new Map<string, number>();
  const boxes = new Map<boolean, Ink>();
  for (const letter of [...letters].slice(0, MAX_LETTERS)) {
    const isLarge = (letter.codePointAt(0) ?? 0) > 0xffff;
    // No letter is there, nor ever will be: a box with four digits, or with six.
    if (!boxes.has(isLarge)) boxes.set(isLarge, await inkOf(isLarge ? '\u{1fffe}' : '\ufdd0'));
    const ink = await inkOf(letter).catch(() => undefined);
    if (ink && !isBox(ink, boxes.get(isLarge) as Ink)) widths.set(letter, ink.width);
  }
  const drawnAs = new Map<string, string>();
  for (const [i, name] of names.entries()) {
    const canBeDrawn = [...name].every((one) => inter.covers(one) || shapeless.test(one) || widths.has(one));
    if (!canBeDrawn) drawnAs.set(name, `#${i + 1}`);
    else if (!inter.covers(name)) widths.set(name, (await inkOf(name)).width);
  }
  /** In ems. What was not measured as a whole, such as a name that was cut, is as wide as its letters. */
  const widthOf = (text: string): number =>
    widths.get(text) ?? [...text].reduce((sum, one) => sum + (widths.get(one) ?? inter.measure(one, SIZE).width), 0);
  return {
    drawnAs,
    lettering: {
      measure: (text, size) =>
        inter.covers(text)
          ? inter.measure(text, size)
          : { ...inter.measure('x', size), width: Math.ceil((widthOf(text) / SIZE + 0.1) * size) },
      path: (text, size, x, y) => (inter.covers(text) ? inter.path(text, size, x, y) : undefined),
    },
  };
}

interface Ink {
  readonly width: number;
  readonly height: number;
  /** Whether the pixels of a row or column are nearly all inked: of the top, the bottom, and the right. */
  readonly edges: readonly [top: boolean, bottom: boolean, right: boolean];
}

/** A text as the system's fonts draw it, cut to its ink. */
async function inkOf(text: string): Promise<Ink> {
  const { data, info } = await sharp({
    text: { text: escapeXml(text), font: `sans Semi-Bold ${SIZE}`, dpi: 72, rgba: true },
  })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const isInked = (x: number, y: number): boolean => data[(y * width + x) * channels + channels - 1]! > 100;
  const count = (length: number, at: (i: number) => boolean): boolean =>
    Array.from({ length }, (_, i) => at(i)).filter(Boolean).length > 0.9 * length;
  return {
    width,
    height,
    edges: [
      count(width, (x) => isInked(x, 0)),
      count(width, (x) => isInked(x, height - 1)),
      count(height, (y) => isInked(width - 1, y)),
    ],
  };
}

/** Whether it is the frame that Pango draws where no font has a letter. */
function isBox(ink: Ink, box: Ink): boolean {
  return ink.width === box.width && ink.height === box.height && ink.edges.every((edge, i) => edge && box.edges[i]);
}
