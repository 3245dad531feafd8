import type { GroupTrace } from './trace.ts';

/** Where a lane has no place in a request. */
export const NOTHING = 0xffffffff;

/** Of each site, and of each block after them: places of a warp's lanes, request after request. */
export type Requests = readonly (Uint32Array | undefined)[];

/** Lanes that keep together: the n-th time that they come to a site is one request. */
export function requestsInOrder({ entries, room }: GroupTrace, first: number, count: number, sites: number): Requests {
  const made: Rows[] = [];
  const seen = new Uint32Array(sites);
  for (let lane = 0; lane < count; lane++) {
    seen.fill(0);
    const begin = (first + lane) * 2 * room;
    for (let i = begin; i < begin + 2 * room; i += 2) {
      const site = (entries[i] as number) - 1;
      if (site < 0) break;
      (made[site] ??= new Rows(count)).note(seen[site]!++, lane, entries[i + 1] as number);
    }
  }
  return Array.from(made, (rows) => rows?.all());
}

/** Lanes that do not: those that come to a site in the same turns of all loops, for the n-th time, are one request. */
export function requestsByPath({ entries, room }: GroupTrace, first: number, count: number): Requests {
  const made: Rows[] = [];
  const rowOf: Map<number, number>[] = [];
  for (let lane = 0; lane < count; lane++) {
    const times = new Map<number, number>();
    const begin = (first + lane) * 3 * room;
    for (let i = begin; i < begin + 3 * room; i += 3) {
      const site = (entries[i] as number) - 1;
      if (site < 0) break;
      const path = entries[i + 2] as number;
      const here = site * 2 ** 32 + path;
      const before = times.get(here) ?? 0;
      times.set(here, before + 1);
      // More often than 2^20 times on one path nobody comes.
      const key = path + (before % 2 ** 20) * 2 ** 32;
      const rows = (rowOf[site] ??= new Map());
      let row = rows.get(key);
      if (row === undefined) rows.set(key, (row = rows.size));
      (made[site] ??= new Rows(count)).note(row, lane, entries[i + 1] as number);
    }
  }
  return Array.from(made, (rows) => rows?.all());
}

/** Places in rows of lanes, of which there are more and more. */
class Rows {
  readonly #count: number;
  #list: Uint32Array;
  #rows = 0;

  constructor(count: number) {
    this.#count = count;
    this.#list = new Uint32Array(count * 16).fill(NOTHING);
  }

  note(row: number, lane: number, place: number): void {
    const at = row * this.#count + lane;
    if (at >= this.#list.length) {
      const grown = new Uint32Array(this.#list.length * 2).fill(NOTHING);
      grown.set(this.#list);
      this.#list = grown;
    }
    this.#list[at] = place;
    this.#rows = Math.max(this.#rows, row + 1);
  }

  all(): Uint32Array {
    return this.#list.subarray(0, this.#rows * this.#count);
  }
}

/** The share of pairs of rows in which every lane goes on by one; 0 where lanes begin at what no vec4 begins with. */
export function inRow(list: Uint32Array, count: number): number {
  const rows = Math.min(64, list.length / count);
  const areAll = (row: number, fits: (place: number, before: number) => boolean) => {
    for (let lane = 0; lane < count; lane++) {
      const place = list[row * count + lane] as number;
      const before = row > 0 ? (list[(row - 1) * count + lane] as number) : NOTHING;
      if (place !== NOTHING && !fits(place, before)) return false;
    }
    return true;
  };
  let next = 0;
  for (let row = 0; row < rows; row++) {
    if (row > 0 && areAll(row, (place, before) => place === before + 1)) next++;
    else if (!areAll(row, (place) => place % 4 === 0)) return 0;
  }
  return rows > 3 ? next / (rows - 1) : 0;
}

/** How far places of two lists are apart, where that is the same for all and not 0. */
export function distance(from: Uint32Array, to: Uint32Array, count: number): number | undefined {
  const apart = (to[0] as number) - (from[0] as number);
  for (let i = 0; i < Math.min(count, from.length, to.length); i++) {
    if (from[i] === NOTHING && to[i] === NOTHING) continue;
    if ((to[i] as number) - (from[i] as number) !== apart) return undefined;
  }
  return apart === 0 ? undefined : apart;
}
