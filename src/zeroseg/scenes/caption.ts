/** Sentences that say what a scene shows. */
import { ownValue } from '../../gpu/index.ts';
import type { Random } from '../../nn/layers/index.ts';
import { colourNames, pick } from './colour.ts';

/** What a caption may say of one object. */
export interface Seen {
  readonly name: string;
  /** Other words for it. */
  readonly keywords: readonly string[];
  readonly colour: string | undefined;
  /** Longer side, and middle, relative to the picture. */
  readonly long: number;
  readonly x: number;
  readonly y: number;
}

/** How much captions vary, as fractions of the occasions. */
export interface CaptionOptions {
  /** A synonym instead of the name. */
  readonly synonyms: number;
  /** A colour, a size, a place, a relation. */
  readonly details: number;
}

/** `{}` is what is there, `{@}` where. */
const sentences = [
  'a photo of {} {@}',
  'a photo of {} {@}',
  'a picture of {} {@}',
  'an image of {} {@}',
  'a drawing of {} {@}',
  'a small photo of {} {@}',
  'a bright picture of {} {@}',
  '{} {@}',
  '{} {@}',
  '{@}, {}',
  'here {is} {} {@}',
  'there {is} {} {@}',
  'a scene with {} {@}',
  'this picture shows {} {@}',
  '{} can be seen {@}',
];

/** A caption of objects that are to be seen (each is named) and of the places they are at. */
export function writeCaption(
  draw: Random,
  seen: readonly Seen[],
  places: readonly string[],
  { synonyms, details }: CaptionOptions,
): string {
  const groups = new Map<string, Seen[]>();
  for (const one of seen) groups.set(one.name, [...(groups.get(one.name) ?? []), one]);
  const kinds = [...groups.values()];
  if (draw() < 0.5) kinds.reverse();
  const parts = kinds.map((group) => describe(draw, group, synonyms, details));

  const [first, second] = kinds;
  let things = joined(parts);
  if (first?.length === 1 && second?.length === 1 && kinds.length === 2 && draw() < details * 0.6) {
    things = `${parts[0]} ${relation(draw, first[0]!, second[0]!)} ${parts[1]}`;
  } else if (first && kinds.length === 1 && draw() < details) {
    const where = first.length === 1 ? position(first[0]!) : undefined;
    if (where) things = `${things} ${where}`;
  }
  if (things === '') return places.length > 0 ? `a picture taken ${places.join(' ')}` : 'an empty picture';

  let sentence = pick(draw, sentences);
  if (first && kinds.length === 1 && first[0]!.long > 0.8 && draw() < 0.25) sentence = 'a close-up of {} {@}';
  const is = first && first.length > 1 ? 'are' : 'is';
  const place = places.join(' ');
  // Without a place, the sentence that begins with it would begin with its comma.
  if (place === '' && sentence.startsWith('{@}')) sentence = '{} {@}';
  return sentence.replace('{is}', is).replace('{}', things).replace('{@}', place).trim();
}

/** Words that {@link writeCaption} puts before a name. */
export const captionAdjectives: readonly string[] = ['large', 'big', 'small', 'little', ...colourNames];

/** "a small red car", "two cats". */
function describe(draw: Random, group: readonly Seen[], synonyms: number, details: number): string {
  const [{ name, keywords, colour, long }] = group as [Seen];
  const word = keywords.length > 0 && draw() < synonyms ? pick(draw, keywords) : name;
  const count = group.length;
  const adjectives: string[] = [];
  const [sized, coloured, synonym] = [draw(), draw(), draw()];
  if (count === 1 && sized < details) {
    if (long >= 0.75) adjectives.push(synonym < 0.5 ? 'large' : 'big');
    else if (long < 0.36) adjectives.push(synonym < 0.5 ? 'small' : 'little');
  }
  if (colour && coloured < details && group.every((one) => one.colour === colour)) adjectives.push(colour);
  const noun = [...adjectives, count === 1 ? singular(word) : plural(word)].join(' ');
  if (count > 1) return `${numbers[count] ?? count} ${noun}`;
  return uncounted.has(word) ? noun : withArticle(noun);
}

const numbers = ['no', 'one', 'two', 'three', 'four', 'five', 'six'];

/** Words whose forms no rule gives: one of them, several. */
const forms: Readonly<Record<string, readonly [one: string, several: string]>> = {
  grapes: ['bunch of grapes', 'bunches of grapes'],
  scissors: ['pair of scissors', 'pairs of scissors'],
  shears: ['pair of shears', 'pairs of shears'],
  glasses: ['pair of glasses', 'pairs of glasses'],
  eyeglasses: ['pair of eyeglasses', 'pairs of eyeglasses'],
  spectacles: ['pair of spectacles', 'pairs of spectacles'],
  bread: ['loaf of bread', 'loaves of bread'],
  loaf: ['loaf', 'loaves'],
  corn: ['ear of corn', 'ears of corn'],
  maize: ['ear of maize', 'ears of maize'],
  broccoli: ['broccoli', 'heads of broccoli'],
  wine: ['glass of wine', 'glasses of wine'],
  tennis: ['tennis racket', 'tennis rackets'],
  mouse: ['mouse', 'mice'],
  'planet earth': ['planet earth', 'planet earths'],
  wolf: ['wolf', 'wolves'],
  'timber wolf': ['timber wolf', 'timber wolves'],
  fish: ['fish', 'fish'],
  'tropical fish': ['tropical fish', 'tropical fish'],
  crayfish: ['crayfish', 'crayfish'],
  crawfish: ['crawfish', 'crawfish'],
  sheep: ['sheep', 'sheep'],
  peafowl: ['peafowl', 'peafowl'],
  cactus: ['cactus', 'cacti'],
  fungus: ['fungus', 'fungi'],
};

const uncounted = new Set(['broccoli', 'planet earth']);

function singular(word: string): string {
  return ownValue(forms, word)?.[0] ?? word;
}

/** Several of a thing: "buses", "berries", "two pairs of scissors". */
export function plural(word: string): string {
  const known = ownValue(forms, word)?.[1];
  if (known) return known;
  if (/(?:s|x|z|ch|sh)$/.test(word)) return `${word}es`;
  return /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`;
}

/** With "a", or with "an" before the sound of a vowel: "an umbrella", "a unicorn". */
export function withArticle(noun: string): string {
  return /^[aeiou]/.test(noun) && !/^(?:uni|eu|one)/.test(noun) ? `an ${noun}` : `a ${noun}`;
}

function joined(parts: readonly string[]): string {
  return parts.length < 3 ? parts.join(' and ') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

function position({ x, y }: Seen): string | undefined {
  if (x < 0.34) return 'on the left';
  if (x > 0.66) return 'on the right';
  if (y < 0.34) return 'at the top';
  if (y > 0.66) return 'at the bottom';
  return Math.abs(x - 0.5) < 0.08 && Math.abs(y - 0.5) < 0.08 ? 'in the middle' : undefined;
}

function relation(draw: Random, a: Seen, b: Seen): string {
  const [dx, dy] = [a.x - b.x, a.y - b.y];
  const close = ['next to', 'beside', 'near'];
  if (Math.abs(dx) > Math.abs(dy)) return pick(draw, [dx < 0 ? 'left of' : 'right of', ...close]);
  return pick(draw, [dy < 0 ? 'above' : 'below', ...close]);
}
