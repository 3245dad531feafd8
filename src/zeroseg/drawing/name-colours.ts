/** Colours for the names in a picture. */
import { type Colour, colourDistance, hsv } from '../image/index.ts';
import { stuffs } from '../scenes/index.ts';

/** Saturation and value of the hues that things have. */
const TONES: readonly (readonly [saturation: number, value: number])[] = [
  [0.85, 0.95],
  [0.6, 1],
  [0.9, 0.62],
];
const HUES = 18;
/** Hues a third of the circle apart come after one another. */
const ORDER = 7;
/** ΔE (1976) between any two names, while the palette lasts. */
const LEAST_DISTANCE = 30;

const candidates: readonly Colour[] = TONES.flatMap(([saturation, value]) =>
  Array.from(
    { length: HUES },
    (_, i) => hsv(((i * ORDER) % HUES) / HUES, saturation, value).map(Math.round) as unknown as Colour,
  ),
);

const grounds: ReadonlyMap<string, Colour> = new Map(
  stuffs.flatMap(({ name, keywords, colour }) => [name, ...keywords].map((word) => [word, colour] as const)),
);

/**
 * A colour for each name of a picture: grounds have their own (grass is green, in every picture), things get hues that are told
 * apart from the grounds and from each other. Give only names that occur, those of the truth and of what was found together: the fewer there
 * are, the further apart they are.
 *
 * ```ts
 * nameColours(['cat', 'umbrella', 'grass']); // grass: [96, 186, 66]
 * ```
 */
export function nameColours(names: readonly string[]): Colour[] {
  const taken: Colour[] = names.flatMap((name) => {
    const own = grounds.get(name);
    return own ? [own] : [];
  });
  return names.map((name) => {
    const own = grounds.get(name);
    if (own) return own;
    const distances = candidates.map((candidate) => distanceTo(candidate, taken));
    const first = spellingOf(name) % HUES;
    // The name's own hue where it can be told apart, so that it mostly has the same in all pictures; else the next that can; else the furthest.
    const at = candidates.findIndex((_, i) => distances[(first + i) % candidates.length]! >= LEAST_DISTANCE);
    const chosen = at >= 0 ? (first + at) % candidates.length : distances.indexOf(Math.max(...distances));
    const colour = candidates[chosen]!;
    taken.push(colour);
    return colour;
  });
}

function distanceTo(colour: Colour, others: readonly Colour[]): number {
  return others.reduce((least, other) => Math.min(least, colourDistance(colour, other)), Number.POSITIVE_INFINITY);
}

/** A number that depends on the letters alone. */
function spellingOf(name: string): number {
  let sum = 0;
  for (let i = 0; i < name.length; i++) sum = (sum * 31 + name.charCodeAt(i)) % 65_521;
  return sum;
}
