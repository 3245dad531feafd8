import TinyQueue from 'tinyqueue';
import { none } from './bpe-vocabulary.ts';

/** A power of two. */
const recentPairs = 4096;

/** In the place of a symbol that was merged into the one before it. */
const gone = -1;

/** The merges of byte-pair encoding: which two symbols become which, those of low rank first. */
export class PairMerges {
  /** Left, right and both as one, by rank. */
  readonly #list: Uint32Array;
  readonly #size: number;
  /** Rank of a merge by its pair, `left * size + right`. */
  readonly #ranks = new Map<number, number>();
  /** Pairs that were asked for last, and their ranks: see {@link PairMerges.#rankOf}. */
  readonly #recent = new Float64Array(recentPairs).fill(none);
  readonly #recentRanks = new Int32Array(recentPairs);

  /** `size`: one more than the largest id. */
  constructor(list: Uint32Array, size: number) {
    this.#list = list;
    this.#size = size;
    for (let rank = 0; 3 * rank < list.length; rank++) {
      const pair = list[3 * rank]! * size + list[3 * rank + 1]!;
      if (!this.#ranks.has(pair)) this.#ranks.set(pair, rank);
    }
  }

  /** The symbols that are left when all pairs have been merged. `ids` is overwritten. */
  merge(ids: Int32Array): number[] {
    // The symbols are a chain, in which each knows those beside it by their places, so that a merge costs the same in a word of
    // a million letters. Pairs wait by their rank; the places of one that is gone when its turn comes are passed over.
    const end = ids.length;
    const after = Int32Array.from(ids, (_, i) => i + 1);
    const before = Int32Array.from(ids, (_, i) => i - 1);
    const waiting = new Map<number, number[]>();
    const ranks = new TinyQueue<number>();
    const wait = (left: number): void => {
      const right = left < 0 ? end : after[left]!;
      const rank = right < end ? this.#rankOf(ids[left]!, ids[right]!) : none;
      if (rank === none) return;
      const places = waiting.get(rank);
      if (places) places.push(left);
      else {
        waiting.set(rank, [left]);
        ranks.push(rank);
      }
    };
    for (let i = 0; i + 1 < end; i++) wait(i);
    for (let rank = ranks.pop(); rank !== undefined; rank = ranks.pop()) {
      const places = waiting.get(rank)!;
      if (places.some((place, i) => place < (places[i - 1] ?? 0))) places.sort((a, b) => a - b);
      waiting.delete(rank);
      const merged: number[] = [];
      for (const left of places) {
        const right = after[left]!;
        if (ids[left] !== this.#list[3 * rank] || right >= end || ids[right] !== this.#list[3 * rank + 1]) continue;
        ids[left] = this.#list[3 * rank + 2]!;
        ids[right] = gone;
        after[left] = after[right]!;
        if (after[left]! < end) before[after[left]!] = left;
        merged.push(left);
      }
      // Only now: all pairs of a rank are merged from left to right before any that they make.
      for (const left of merged) {
        wait(before[left]!);
        wait(left);
      }
    }
    return Array.from(ids.filter((id) => id !== gone));
  }

  /** The rank of the merge of two symbols. Long words ask for the same few pairs again and again. */
  #rankOf(left: number, right: number): number {
    const pair = left * this.#size + right;
    const place = (Math.imul(left, 31) + right) & (recentPairs - 1);
    if (this.#recent[place] === pair) return this.#recentRanks[place]!;
    const rank = this.#ranks.get(pair) ?? none;
    this.#recent[place] = pair;
    this.#recentRanks[place] = rank;
    return rank;
  }
}
