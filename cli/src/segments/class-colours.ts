import type { Colour } from '@zeroseg/core/internal';
import { classColour, nameColours } from '@zeroseg/core/zeroseg';

/** More classes than this can hardly be told apart by colours. */
const MAX_NAMED = 200;

/** A class, with the colour that it was given if it was given one. */
export interface ColouredClass {
  readonly name: string;
  /** What it is asked for by, where that is not its name alone: the first has its natural colour, whatever script the name is in. */
  readonly words?: readonly string[];
  readonly colour?: Colour | undefined;
}

/**
 * The colour of each label, the same in all pictures: a class's own where it was given one; else its natural one, or one that is told
 * from the others. Background and labels beyond have those of PASCAL's map.
 */
export function classColours(classes: readonly ColouredClass[]): (label: number) => Colour {
  const colours = classes.length > MAX_NAMED ? [] : nameColours(classes.map(({ name, words }) => words?.[0] ?? name));
  return (label) => classes[label - 1]?.colour ?? colours[label - 1] ?? classColour(label);
}
