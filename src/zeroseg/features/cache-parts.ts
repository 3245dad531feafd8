/**
 * A cache that several processes make: a folder with a cache of its own for each, `1-of-4` to `4-of-4`. Which photo belongs to which part
 * follows from its path alone: photos that come or go move no other.
 */
import { isWhole } from '../storage/index.ts';
import { CacheError } from './cache-error.ts';

/** One of the parts that a cache is made in: the `number`-th, from 1, of `of`. */
export interface CachePart {
  readonly number: number;
  readonly of: number;
}

/** More processes than anybody starts. */
export const MAX_PARTS = 4096;

/** @throws CacheError unless it is one of 1 to `of`. */
export function checkPart(part: CachePart): void {
  if (!isWhole(1, MAX_PARTS)(part.of) || !isWhole(1, part.of)(part.number)) {
    throw new CacheError(
      `fillCache: part must be { number, of } with number from 1 to of, and of at most ${MAX_PARTS}; got ${JSON.stringify(part)}`,
    );
  }
}

export function partName({ number, of }: CachePart): string {
  return `${number}-of-${of}`;
}

/** The parts that a folder holds, by their names. */
export function partsAmong(names: readonly string[]): CachePart[] {
  return names.flatMap((name) => {
    const [, number, of] = (/^([1-9]\d{0,3})-of-([1-9]\d{0,3})$/.exec(name) ?? []).map(Number);
    return number && of && number <= of ? { number, of } : [];
  });
}

/** Which of `of` parts a photo belongs to, from 1: FNV-1a of its path's code units, mixed once more for its low bits. */
export function partOf(path: string, of: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return 1 + (((hash ^ (hash >>> 13)) >>> 0) % of);
}
