import type { Colour } from '@zeroseg/core/internal';
import type { ClassChoice } from '@zeroseg/core/zeroseg';
import { UsageError } from '../shell/index.ts';

/** A class with the words of it that the CLIP knows, and all that it was asked for by. */
export interface AskedClass extends ClassChoice {
  readonly asked: readonly string[];
}

/** The classes without words that the CLIP does not know, and without those that have no other. @throws UsageError for a colour of none of them. */
export function askedClasses(
  choices: readonly ClassChoice[],
  known: ReadonlySet<string>,
  colours: ReadonlyMap<string, Colour> | undefined,
): AskedClass[] {
  const strange = [...(colours?.keys() ?? [])].find((word) => !choices.some(({ words }) => words.includes(word)));
  if (strange !== undefined) throw new UsageError(`--colors: "${strange}" is none of --classes`);
  return choices
    .map((choice) => {
      const given = choice.words.map((word) => colours?.get(word)).find((one) => one !== undefined);
      const words = choice.words.filter((word) => known.has(word));
      return { ...choice, ...(given && { colour: given }), words, asked: choice.words };
    })
    .filter(({ words }) => words.length > 0);
}

/** The first names, and how many more there are. */
export function shortList(names: readonly string[]): string {
  const more = names.length > 6 ? ` and ${names.length - 6} more` : '';
  return `${names.slice(0, 6).join(', ')}${more}`;
}
