import { InvalidArgumentError } from 'commander';
import { firstRepeated } from '../zeroseg/first-repeated.ts';

/** Parsers of option values. Their messages follow "option '--batch <n>' argument 'x' is invalid." */

export function wholeNumber(least = 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text.trim()) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`It must be a whole number of at least ${least}.`);
    }
    return value;
  };
}

export function numberAtLeast(least = 0): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < least) {
      throw new InvalidArgumentError(`It must be a number of at least ${least}.`);
    }
    return value;
  };
}

export function oneOf<const T extends string>(...values: readonly T[]): (text: string) => T {
  return (text) => {
    const found = values.find((value) => value === text);
    if (!found) throw new InvalidArgumentError(`It must be one of ${values.join(', ')}.`);
    return found;
  };
}

export function wholeNumbers(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim());
  if (!parts.every((part) => /^[1-9]\d*$/.test(part))) {
    throw new InvalidArgumentError('It must be whole numbers from 1 with commas between, such as 1,2,3,4.');
  }
  const numbers = parts.map(Number);
  const twice = firstRepeated(numbers);
  if (twice !== undefined) throw new InvalidArgumentError(`It must name each number once; ${twice} comes twice.`);
  return numbers;
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
    else for (const value of Array.isArray(given) ? given : [given]) words.push(`--${key}`, quoted(String(value)));
  }
  return words.join(' ');
}

function quoted(word: string): string {
  return /^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
