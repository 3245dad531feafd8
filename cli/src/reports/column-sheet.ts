import { blankSheet, paste } from '@zeroseg/core/internal';
import type { Drawing, Image, Shape } from '@zeroseg/core/zeroseg';
import { interLettering } from '../photos/index.ts';

/** A column of a sheet: its title, and a picture for each row. */
export interface SheetColumn {
  readonly name: string;
  readonly tiles: readonly (Image | Drawing)[];
}

const GAP = 8;
const HEAD = 34;
const LETTERS = 20;

/** Pictures side by side under titles, each row and column as large as its largest picture. Letters are Inter's. */
export function columnSheet(columns: readonly SheetColumn[]): Drawing {
  const lettering = interLettering();
  const widths = columns.map(({ tiles }) => Math.max(...tiles.map(({ width }) => width)));
  const rows = Math.max(...columns.map(({ tiles }) => tiles.length));
  const heights = Array.from({ length: rows }, (_, row) =>
    Math.max(...columns.map(({ tiles }) => tiles[row]?.height ?? 0)),
  );
  const offsets = (sizes: readonly number[], first: number) => {
    const at = [first];
    for (const size of sizes) at.push((at.at(-1) as number) + size + GAP);
    return at;
  };
  const [lefts, tops] = [offsets(widths, GAP), offsets(heights, HEAD)];
  const sheet = blankSheet(lefts.at(-1) as number, tops.at(-1) as number);
  const shapes: Shape[] = [];
  columns.forEach(({ name, tiles }, i) => {
    const left = lefts[i] as number;
    const { ascent } = lettering.measure(name, LETTERS);
    shapes.push({ kind: 'text', text: name, size: LETTERS, x: left, y: 6 + ascent, colour: [0, 0, 0] });
    tiles.forEach((tile, row) => {
      const top = tops[row] as number;
      paste(sheet, tile, left, top);
      if (!('shapes' in tile)) return;
      shapes.push(...tile.shapes.map((shape) => ({ ...shape, x: shape.x + left, y: shape.y + top })));
    });
  });
  return { ...sheet, shapes };
}
