import { InvalidArgumentError } from 'commander';

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
  return parts.map(Number);
}

/** Gathers the values of an option that may come more than once. */
export function gather(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
