/** Colours for the names in a picture. */
import { type Colour, hsv, labOf } from '../image/index.ts';
import { grounds } from '../scenes/index.ts';

/** Saturation and value of the hues that things have. */
const TONES: readonly (readonly [saturation: number, value: number])[] = [
  [0.85, 0.95],
  [0.6, 1],
  [0.9, 0.62],
];
const HUES = 18;
/** Hues a third of the circle apart come after one another. */
const ORDER = 7;
/** ΔE (1976) between any two names, while the palette lasts: two greens can be 40 apart. */
const MIN_DISTANCE = 55;

/** A colour, and where it lies in CIE L\*a\*b\*. */
interface Placed {
  readonly colour: Colour;
  readonly lab: Colour;
}

const placed = (colour: Colour): Placed => ({ colour, lab: labOf(colour) });

const candidates: readonly Placed[] = TONES.flatMap(([saturation, value]) =>
  Array.from({ length: HUES }, (_, i) =>
    placed(hsv(((i * ORDER) % HUES) / HUES, saturation, value).map(Math.round) as unknown as Colour),
  ),
);

const ownColours: ReadonlyMap<string, Placed> = new Map(
  grounds.flatMap(({ name, keywords, colour }) => [name, ...keywords].map((word) => [word, placed(colour)] as const)),
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
    const own = ownColours.get(name);
    return own ? [own.lab] : [];
  });
  return names.map((name) => {
    const own = ownColours.get(name);
    if (own) return own.colour;
    const distances = candidates.map(({ lab }) => nearest(lab, taken));
    const first = spellingOf(name) % HUES;
    // The name's own hue where it can be told apart, so that it mostly has the same in all pictures; else the next that can; else the furthest.
    const at = candidates.findIndex((_, i) => distances[(first + i) % candidates.length]! >= MIN_DISTANCE);
    const chosen = at >= 0 ? (first + at) % candidates.length : distances.indexOf(Math.max(...distances));
    const { colour, lab } = candidates[chosen]!;
    taken.push(lab);
    return colour;
  });
}

/** ΔE to the nearest of others. */
function nearest(lab: Colour, others: readonly Colour[]): number {
  let min = Number.POSITIVE_INFINITY;
  for (const other of others) {
    min = Math.min(min, Math.hypot(lab[0] - other[0], lab[1] - other[1], lab[2] - other[2]));
  }
  return min;
}

/** A number that depends on the letters alone. */
function spellingOf(name: string): number {
  let sum = 0;
  for (let i = 0; i < name.length; i++) sum = (sum * 31 + name.charCodeAt(i)) % 65_521;
  return sum;
}
