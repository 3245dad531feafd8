import { shownValue } from '../../gpu/index.ts';
import { CheckpointError } from '../../nn/safetensors/index.ts';

export const wordEnd: string = '</w>';

/** Ids that a vocabulary may reach: the largest published ones have a few hundred thousand. */
export const largestId: number = 2 ** 24;

/** The rank of symbols that no merge joins. */
export const none: number = -1;

/** What a tokenizer is made of. */
export interface Vocabulary {
  /** Where it comes from, for error messages. */
  readonly file: string;
  readonly ids: ReadonlyMap<string, number>;
  /** Three ids for each merge, by rank: left symbol, right symbol, what they make. */
  readonly merges: Uint32Array;
  readonly unknown?: string | undefined;
}

/** Bytes in the order of their ids: those with a visible Latin-1 character first. */
const byteOrder: readonly number[] = (() => {
  const isVisible = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  return [...all.filter(isVisible), ...all.filter((byte) => !isVisible(byte))];
})();

/** The character that stands for each byte: its own, or for the 68 that are not visible one from U+0100 on. */
export const alphabet: readonly string[] = (() => {
  const letters: string[] = [];
  for (const [i, byte] of byteOrder.entries()) letters[byte] = String.fromCharCode(i < 188 ? byte : 256 + i - 188);
  return letters;
})();

export function byteSymbols(): string[] {
  const letters = byteOrder.map((byte) => alphabet[byte]!);
  return [...letters, ...letters.map((letter) => letter + wordEnd)];
}

export function number(symbols: readonly string[]): Map<string, number> {
  return new Map(symbols.map((symbol, id) => [symbol, id]));
}

/** The ids of every merge, three each, checked to belong to this vocabulary. */
export function resolve(
  merges: readonly (readonly [string, string])[],
  ids: ReadonlyMap<string, number>,
  file: string,
): Uint32Array {
  const resolved = new Uint32Array(3 * merges.length);
  const seen = new Set<number>();
  let newest = -1;
  for (const [rank, [left, right]] of merges.entries()) {
    for (const [i, symbol] of [left, right, left + right].entries()) {
      const id = ids.get(symbol);
      if (id === undefined) {
        throw new CheckpointError(file, `merge ${rank}, "${left} ${right}": the vocabulary has no symbol "${symbol}"`);
      }
      resolved[3 * rank + i] = id;
    }
    // A symbol gets its id when it is first made. Another order means merges of another vocabulary: every word would
    // still get ids, but wrong ones.
    const made = resolved[3 * rank + 2]!;
    if (!seen.has(made) && made < newest) {
      throw new CheckpointError(
        file,
        `the vocabulary must list symbols in the order of the merges; merge ${rank}, "${left} ${right}", makes id ` +
          `${made}, a merge before it ${newest}`,
      );
    }
    seen.add(made);
    newest = Math.max(newest, made);
  }
  return resolved;
}

export function parseMerge(merge: unknown, place: string, file: string): [string, string] {
  const parts: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
  const [left, right] = parts;
  if (parts.length === 2 && typeof left === 'string' && typeof right === 'string' && left && right) {
    return [left, right];
  }
  throw new CheckpointError(file, `${place} must be two symbols; got ${shownValue(merge)}`);
}

export function checkIds(vocabulary: unknown, file: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const [symbol, id] of Object.entries(record(vocabulary))) {
    ids.set(symbol, checkId(symbol, id, file));
  }
  if (ids.size === 0) throw new CheckpointError(file, 'the vocabulary must be an object of ids by symbol');
  return ids;
}

export function checkId(symbol: string, id: unknown, file: string): number {
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= largestId) return id;
  throw new CheckpointError(
    file,
    `the id of ${shownValue(symbol)} must be an integer from 0 to ${largestId}; got ${shownValue(id)}`,
  );
}

/** The fields of a value that should be an object; of any other value none. */
export function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
