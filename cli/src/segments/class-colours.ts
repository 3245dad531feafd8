import type { Colour } from '@zeroseg/core/internal';
import { classColour } from '@zeroseg/core/zeroseg';

/** The colour of each label: the class's own where it was given one, else one that is told from the others. */
export function classColours(classes: readonly { readonly colour?: Colour | undefined }[]): (label: number) => Colour {
  return (label) => classes[label - 1]?.colour ?? classColour(label);
}
