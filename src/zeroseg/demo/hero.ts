/** Pictures side by side, each with its title and its names below: one image for a README, a slide, a message. */
import { blankSheet, type Drawing, type Lettering, paste, type Shape } from '../drawing/index.ts';
import type { Colour, Image } from '../image/index.ts';
import type { ShownName } from './findings.ts';

export interface HeroTile {
  readonly picture: Image | Drawing;
  readonly title: string;
  readonly names?: readonly Pick<ShownName, 'name' | 'colour'>[] | undefined;
}

const GAP = 20;
const TITLE = 19;
const NAME = 15;
const LINE = 24;
const INK: Colour = [22, 25, 29];
const SOFT: Colour = [84, 90, 100];

/**
 * A row of pictures of one size.
 *
 * ```ts
 * const hero = heroPicture([{ picture: scene, title: 'a scene' }, { picture: named, title: 'named', names }], lettering);
 * ```
 */
export function heroPicture(tiles: readonly HeroTile[], lettering: Lettering): Drawing {
  const { width = 1, height = 1 } = tiles[0]?.picture ?? {};
  const lists = tiles.map(({ names = [] }) => flow(names, width, lettering));
  const lines = Math.max(0, ...lists.map((list) => list.lines));
  const foot = 14 + TITLE + (lines > 0 ? 16 + lines * LINE : 0);
  const sheet = blankSheet(tiles.length * (width + GAP) + GAP, GAP + height + foot + GAP);
  const shapes: Shape[] = [];
  tiles.forEach(({ picture, title }, i) => {
    const left = GAP + i * (width + GAP);
    paste(sheet, picture, left, GAP);
    if ('shapes' in picture) {
      shapes.push(...picture.shapes.map((shape) => ({ ...shape, x: shape.x + left, y: shape.y + GAP })));
    }
    const top = GAP + height + 14;
    shapes.push(text(title, TITLE, left, top, INK, lettering));
    for (const { name, colour, x, line } of lists[i]?.items ?? []) {
      const y = top + TITLE + 16 + line * LINE;
      shapes.push({ kind: 'rectangle', x: left + x, y: y + 2, width: 13, height: 13, colour, radius: 3 });
      shapes.push(text(name, NAME, left + x + 19, y, SOFT, lettering));
    }
  });
  return { ...sheet, shapes };
}

/** Names in lines of at most `width` pixels. */
function flow(
  names: NonNullable<HeroTile['names']>,
  width: number,
  lettering: Lettering,
): { readonly lines: number; readonly items: readonly (HeroItem & { readonly x: number; readonly line: number })[] } {
  let [x, line] = [0, 0];
  const items = names.map(({ name, colour }) => {
    const own = 19 + lettering.measure(name, NAME).width + 18;
    if (x > 0 && x + own - 18 > width) [x, line] = [0, line + 1];
    const item = { name, colour, x, line };
    x += own;
    return item;
  });
  return { lines: names.length === 0 ? 0 : line + 1, items };
}

type HeroItem = Pick<ShownName, 'name' | 'colour'>;

/** A line with its upper left corner at (x, y). */
function text(words: string, size: number, x: number, y: number, colour: Colour, lettering: Lettering): Shape {
  return { kind: 'text', x, y: y + lettering.measure(words, size).ascent, text: words, size, colour };
}
