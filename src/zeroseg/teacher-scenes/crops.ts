/** Square crops of scenes, and what is to be seen in them. */
import type { Random } from '../../nn/layers/index.ts';
import type { Region } from '../image/index.ts';
import { between, type Scene, type SceneMaker, type Seen } from '../scenes/index.ts';

/** Least side of a crop, relative to the scene's side: a cell of the finest grid. */
const MIN_SIDE = 0.24;
/** Fractions of crops that are the whole scene, and that are drawn round one of its objects. */
const WHOLE = 0.15;
const AROUND_OBJECT = 0.45;

/** What a crop shows: names by the fraction of the crop that they take, the largest first. */
export interface CropContents {
  readonly region: Region;
  readonly names: readonly string[];
}

/**
 * What a square crop shows, by the exact labels: an object with a fifth of its pixels or 8 % of the crop, a ground with 15 % of the
 * crop.
 */
export function cropContents(maker: SceneMaker, { labels, image }: Scene, region: Region): CropContents {
  const counts = new Uint32Array(maker.names.length + 1);
  const totals = new Uint32Array(maker.names.length + 1);
  for (let i = 0; i < labels.data.length; i++) {
    const label = labels.data[i] as number;
    totals[label]!++;
    const [x, y] = [i % image.width, Math.floor(i / image.width)];
    const isInside = x >= region.x && x < region.x + region.width && y >= region.y && y < region.y + region.height;
    if (isInside) counts[label]!++;
  }
  const area = region.width * region.height;
  const found: { name: string; count: number }[] = [];
  maker.names.forEach((name, i) => {
    const count = counts[i + 1] as number;
    const isObject = i < maker.objectCount;
    // A fifth of a thing that is a dot in this crop is not to be seen.
    const isSeen = isObject
      ? count >= 0.08 * area || (count >= 0.2 * (totals[i + 1] as number) && count >= 0.03 * area)
      : count >= 0.15 * area;
    if (isSeen && count > 0) found.push({ name, count });
  });
  return { region, names: found.sort((a, b) => b.count - a.count).map(({ name }) => name) };
}

/** A square crop: all of the scene; one thing with some of what is round it; or any part from a quarter of a side on. */
export function drawRegion(draw: Random, { image, objects }: Scene): Region {
  const size = image.width;
  const choice = draw();
  if (choice < WHOLE) return { x: 0, y: 0, width: size, height: size };
  const object = choice < WHOLE + AROUND_OBJECT ? objects[Math.floor(draw() * objects.length)] : undefined;
  const wanted = object ? object.long * between(draw, 0.75, 1.6) : size * between(draw, MIN_SIDE, 0.9);
  const side = Math.max(4, Math.round(Math.min(size, Math.max(MIN_SIDE * size, wanted))));
  const place = (middle: number | undefined) => {
    const at = middle === undefined ? draw() * (size - side) : middle + side * between(draw, -0.7, -0.3);
    return Math.round(Math.max(0, Math.min(size - side, at)));
  };
  return { x: place(object?.x), y: place(object?.y), width: side, height: side };
}

/** The objects of a crop as a caption sees them: their places and sizes are relative to the crop. */
export function seenIn(
  maker: SceneMaker,
  { objects }: Scene,
  names: readonly string[],
  { x: left, y: top, width: side }: Region,
  isTrueColour: boolean,
): Seen[] {
  return names.flatMap((name) => {
    const all = objects.filter((object) => object.name === name);
    const inside = all.filter(({ x, y }) => x >= left && y >= top && x < left + side && y < top + side);
    return (inside.length > 0 ? inside : all.slice(0, 1)).map(({ x, y, long, colour }) => ({
      name,
      keywords: maker.classPhrases(name).slice(1),
      colour: isTrueColour ? colour : undefined,
      long: long / side,
      x: (x - left) / side,
      y: (y - top) / side,
    }));
  });
}
