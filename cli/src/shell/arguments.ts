/** Parsers of option values. Their messages follow "option '--batch <n>' argument 'x' is invalid." */
import { firstRepeated } from '@zeroseg/core/internal';
import { type Argument, type Command, InvalidArgumentError, Option } from 'commander';

/** Steps, photos, scenes: more than anybody has. What lies beyond is a slip of the keyboard. */
const MAX = 1e9;

/** The bounds of seeds: they become 32 bits. */
export const seedRange: readonly [min: number, max: number] = [0, 4_294_967_295];

export function wholeNumber(min = 1, max: number = MAX): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\s*\d+\s*$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function numberFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    }
    return value;
  };
}

const offers = new WeakMap<object, readonly string[]>();

export function oneOf<const T extends string>(...values: readonly T[]): (text: string) => T {
  const parse = (text: string): T => {
    const found = values.find((value) => value === text);
    if (!found) throw new InvalidArgumentError(`It must be one of ${values.join(', ')}.`);
    return found;
  };
  offers.set(parse, values);
  return parse;
}

/** The option or argument with words that a shell offers for it; others are taken too, or refused by the command. */
export function offering<Of extends Option | Argument>(of: Of, ...words: readonly string[]): Of {
  offers.set(of, words);
  return of;
}

/** Words that a shell offers for the value of an option or argument. */
export function offeredWords(of: Option | Argument): readonly string[] {
  return of.argChoices ?? offers.get(of) ?? offers.get(of.parseArg ?? of) ?? [];
}

/** A list of different whole numbers from 1, with commas between. */
export function wholeNumbers(max: number, longest: number, mayRepeat = false): (text: string) => number[] {
  return (text) => {
    const parts = text.split(',').map((part) => part.trim());
    if (!parts.every((part) => /^[1-9]\d*$/.test(part) && Number(part) <= max)) {
      throw new InvalidArgumentError(`It must be whole numbers from 1 to ${max} with commas between, such as 1,2,3,4.`);
    }
    const numbers = parts.map(Number);
    const twice = firstRepeated(numbers);
    if (twice !== undefined && !mayRepeat)
      throw new InvalidArgumentError(`It must name each number once; ${twice} comes twice.`);
    if (numbers.length > longest) {
      throw new InvalidArgumentError(`It must be at most ${longest} numbers; there are ${numbers.length}.`);
    }
    return numbers;
  };
}

/** Names with commas between. */
export function parseNames(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** Names, or how many of them. */
export function parseNamesOrCount(text: string): string[] | number {
  return /^\s*\d+\s*$/.test(text) ? Number(text) : parseNames(text);
}

/** How many, or all there are. */
export function countOrAll(text: string): number | 'all' {
  if (text === 'all') return text;
  const value = Number(text);
  if (!/^[1-9]\d*$/.test(text) || value > MAX) {
    throw new InvalidArgumentError('It must be a whole number from 1, or all.');
  }
  return value;
}

/** Gathers the values of an option that may come more than once. */
export function gather(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/**
 * A command to be pasted into a shell: `zeroseg name --key value …`. Keys without a value are left out, true ones stand alone, of a
 * list each value has its key.
 *
 * ```ts
 * commandText('train', { out: 'my runs', steps: 5, set: ['dim=32'], resume: undefined }); // zeroseg train --out 'my runs' --steps 5 --set dim=32
 * ```
 */
export function commandText(
  name: string,
  options: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>,
): string {
  const words = ['zeroseg', name];
  for (const [key, given] of Object.entries(options)) {
    if (given === undefined || given === false) continue;
    if (given === true) words.push(`--${key}`);
    else for (const value of Array.isArray(given) ? given : [given]) words.push(`--${key}`, shellWord(String(value)));
  }
  return words.join(' ');
}

/** A word as a shell takes it: in quotes where it needs them. */
export function shellWord(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

const begins = new WeakSet<Option>();

/** An option that a command cannot do without, unless it goes on with what is there (`--resume`). */
export function neededToBegin(flags: string, description: string): Option {
  const option = new Option(flags, description);
  begins.add(option);
  return option;
}

/** Whether a command needs an option that it was not given. */
export function isMissing(command: Command, option: Option): boolean {
  const isNeeded = option.mandatory || (begins.has(option) && !command.getOptionValue('resume'));
  return isNeeded && command.getOptionValue(option.attributeName()) === undefined;
}
