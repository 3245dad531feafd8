import type { Analysis } from './analysis.ts';
import { DIVISION, noOperations, type Operations } from './operations.ts';
import type { Site } from './sites.ts';
import type { GroupTrace, Traced } from './trace.ts';

/** How a GPU brings threads and memory together. */
export interface Lanes {
  /** Threads that run in lockstep: a warp, a wave, a SIMD group. */
  readonly lanes: number;
  /** Bytes that move between caches at least. */
  readonly sector: number;
  /** Bytes of a line of the cache beside the lanes: what one access to it can reach. */
  readonly line: number;
  /** Banks of workgroup memory, 4 bytes each; 0 where it lies in the cache like all memory. */
  readonly banks: number;
}

/** What one site cost. Numbers are of all workgroups. */
export interface SiteCounts {
  readonly site: Site;
  /** Instructions of warps. */
  requests: number;
  /** By single threads. */
  accesses: number;
  /** Bytes that the threads of each request want, each once. */
  bytes: number;
  /** Bytes of the sectors that they lie in. */
  sectorBytes: number;
  /** Turns of the memory beside the lanes: lines of the cache, or conflicts of banks. */
  turns: number;
  /** Turns if no two words met in one bank, or all threads lay side by side. */
  fewestTurns: number;
  /** The most words of one bank that a request wants. */
  ways: number;
  /**
   * Elements from the load before it to this one, where both are of one element of the same variable in the same block, and it is the
   * same distance in every thread.
   */
  apart: number | undefined;
}

export interface Counts {
  readonly sites: readonly SiteCounts[];
  /** Of all invocations. */
  readonly ops: Operations;
  /** Of warps: each as often as its busiest lane. */
  readonly warpOps: Operations;
  /** Instructions of all warps, memory too, where one operation of f16 takes one. */
  readonly instructions: number;
  /** Passes of all invocations over passes of warps times lanes: 1 where all lanes always do the same. */
  readonly converged: number;
  /** Bytes of the sectors that a workgroup touches, each once, of all workgroups; by variable. */
  readonly unique: ReadonlyMap<string, number>;
  /** Traces were longer than there is room for: numbers are scaled up from their beginning. */
  readonly cut: boolean;
}

/** What GPUs with such lanes do in a launch. */
export interface CountedLaunch extends Traced {
  /** In the order of the lanes that were asked for. */
  readonly counts: readonly Counts[];
}

const NOTHING = 0xffffffff;
/** How many turns of a loop are looked at to find out how far two loads are apart. */
const SEEN_TURNS = 8;

/** Counts the traces of workgroups, each of which stands for `weight` of the launch. */
export class Counter {
  readonly #analysis: Analysis;
  readonly #lanes: Lanes;
  readonly #sites: SiteCounts[];
  readonly #ops = noOperations();
  readonly #warpOps = noOperations();
  readonly #unique = new Map<string, number>();
  #passes = 0;
  #warpPasses = 0;
  #cut = false;

  constructor(analysis: Analysis, lanes: Lanes) {
    this.#analysis = analysis;
    this.#lanes = lanes;
    this.#sites = analysis.sites.map((site) => ({
      ...{
        site,
        requests: 0,
        accesses: 0,
        bytes: 0,
        sectorBytes: 0,
        turns: 0,
        fewestTurns: 0,
        ways: 0,
        apart: undefined,
      },
    }));
  }

  add(group: GroupTrace, weight: number): void {
    const { blocks } = this.#analysis;
    const invocations = group.passes.length / blocks.length;
    const touched = new Map<string, Set<number>>();
    for (let first = 0; first < invocations; first += this.#lanes.lanes) {
      const count = Math.min(this.#lanes.lanes, invocations - first);
      this.#countBlocks(group, first, count, weight);
      this.#countAccesses(group, first, count, weight, touched);
    }
    for (const [variable, sectors] of touched) {
      const bytes = sectors.size * this.#lanes.sector * weight;
      this.#unique.set(variable, (this.#unique.get(variable) ?? 0) + bytes);
    }
  }

  counts(): Counts {
    const memory = this.#sites.reduce(
      (sum, { site, requests }) => sum + requests * (site.action === 'update' ? 2 : 1),
      0,
    );
    return {
      sites: this.#sites.filter(({ requests }) => requests > 0),
      ops: this.#ops,
      warpOps: this.#warpOps,
      instructions: memory + instructionsOf(this.#warpOps),
      converged: this.#warpPasses > 0 ? this.#passes / this.#warpPasses : 1,
      unique: this.#unique,
      cut: this.#cut,
    };
  }

  #countBlocks({ passes }: GroupTrace, first: number, count: number, weight: number): void {
    const { blocks } = this.#analysis;
    for (const [b, { ops }] of blocks.entries()) {
      let [most, sum] = [0, 0];
      for (let lane = first; lane < first + count; lane++) {
        const times = passes[lane * blocks.length + b] as number;
        most = Math.max(most, times);
        sum += times;
      }
      this.#passes += sum;
      this.#warpPasses += most * count;
      for (const [name, each] of Object.entries(ops) as [keyof Operations, number][]) {
        this.#ops[name] += each * sum * weight;
        this.#warpOps[name] += each * most * weight;
      }
    }
  }

  /** The n-th time that the threads of a warp come to a site is one request. */
  #countAccesses(
    { passes, accesses, room }: GroupTrace,
    first: number,
    count: number,
    weight: number,
    touched: Map<string, Set<number>>,
  ): void {
    const { sites, blocks } = this.#analysis;
    const places: Uint32Array[] = [];
    const seen = new Uint32Array(sites.length);
    const noted = new Float64Array(sites.length);
    for (let lane = 0; lane < count; lane++) {
      seen.fill(0);
      const begin = (first + lane) * 2 * room;
      for (let i = begin; i < begin + 2 * room; i += 2) {
        const site = (accesses[i] as number) - 1;
        if (site < 0) break;
        const at = seen[site]! * count + lane;
        seen[site]!++;
        noted[site]!++;
        let list = places[site];
        if (!list || at >= list.length) {
          const grown = new Uint32Array(Math.max(count * 16, (list?.length ?? 0) * 2)).fill(NOTHING);
          if (list) grown.set(list);
          places[site] = list = grown;
        }
        list[at] = accesses[i + 1] as number;
      }
      if (room > 0 && accesses[begin + 2 * room - 2] !== 0) {
        // As many as there is room for; whether that was all, the blocks tell.
        let all = 0;
        for (const { block } of sites) all += passes[(first + lane) * blocks.length + block] as number;
        if (all > room) this.#cut = true;
      }
    }
    for (const [i, list] of places.entries()) {
      if (!list) continue;
      const counts = this.#sites[i] as SiteCounts;
      let scale = weight;
      if (this.#cut) {
        let all = 0;
        for (let lane = first; lane < first + count; lane++) {
          all += passes[lane * blocks.length + counts.site.block] as number;
        }
        scale *= Math.max(1, all / (noted[i] as number));
      }
      const own = counts.site.space === 'storage' ? sectorsOf(touched, counts.site.variable) : undefined;
      for (let at = 0; at < list.length; at += count) {
        const wanted = list.subarray(at, at + count);
        if (wanted.every((place) => place === NOTHING)) break;
        if (own) this.#global(counts, wanted, scale, own);
        else this.#shared(counts, wanted, scale);
      }
      const before = places[i - 1];
      if (before && this.#areAlike(i)) counts.apart = distance(before, list, count * SEEN_TURNS);
    }
  }

  /** Whether a site and the one before it load one element of the same variable in the same block. */
  #areAlike(i: number): boolean {
    const [before, site] = [this.#analysis.sites[i - 1] as Site, this.#analysis.sites[i] as Site];
    const isElement = ({ action, bytes, unit }: Site) => action === 'load' && bytes === unit;
    return isElement(site) && isElement(before) && site.variable === before.variable && site.block === before.block;
  }

  #global(counts: SiteCounts, wanted: Uint32Array, weight: number, touched: Set<number>): void {
    const { sector, line } = this.#lanes;
    const { unit, bytes, offset, action } = counts.site;
    const starts = new Set<number>();
    const sectors = new Set<number>();
    const lines = new Set<number>();
    let threads = 0;
    for (const place of wanted) {
      if (place === NOTHING) continue;
      threads++;
      const start = place * unit + offset;
      starts.add(start);
      for (let s = Math.floor(start / sector); s * sector < start + bytes; s++) {
        sectors.add(s);
        touched.add(s);
      }
      for (let l = Math.floor(start / line); l * line < start + bytes; l++) lines.add(l);
    }
    const times = weight * (action === 'update' || action === 'atomic' ? 2 : 1);
    counts.requests += weight;
    counts.accesses += threads * weight;
    counts.bytes += starts.size * bytes * times;
    counts.sectorBytes += sectors.size * sector * times;
    counts.turns += lines.size * times;
    counts.fewestTurns += Math.max(1, Math.ceil((starts.size * bytes) / line)) * times;
  }

  #shared(counts: SiteCounts, wanted: Uint32Array, weight: number): void {
    const { banks } = this.#lanes;
    const { unit, bytes, offset, action } = counts.site;
    const words = Math.max(1, Math.ceil(bytes / 4));
    // A turn brings a word of each bank: threads that want more take turns, a half or a quarter of them at a time.
    const together = banks > 0 ? Math.max(1, Math.floor(banks / 2 ** Math.ceil(Math.log2(words)))) : wanted.length;
    let [turns, fewest, threads, distinct] = [0, 0, 0, 0];
    for (let first = 0; first < wanted.length; first += together) {
      const inBank = new Map<number, Set<number>>();
      for (const place of wanted.subarray(first, first + together)) {
        if (place === NOTHING) continue;
        threads++;
        const word = Math.floor((place * unit + offset) / 4);
        for (let w = word; w < word + words; w++) {
          const bank = w % (banks || 32);
          const there = inBank.get(bank);
          if (there) there.add(w);
          else inBank.set(bank, new Set([w]));
        }
      }
      if (inBank.size === 0) continue;
      const sizes = [...inBank.values()].map(({ size }) => size);
      const ways = Math.max(...sizes);
      const all = sizes.reduce((sum, size) => sum + size, 0);
      distinct += all;
      const least = Math.ceil(all / (banks || 32));
      turns += banks > 0 ? ways : least;
      fewest += least;
      counts.ways = Math.max(counts.ways, banks > 0 ? ways : 1);
    }
    const times = weight * (action === 'update' || action === 'atomic' ? 2 : 1);
    counts.requests += weight;
    counts.accesses += threads * weight;
    counts.bytes += distinct * 4 * times;
    counts.sectorBytes += distinct * 4 * times;
    counts.turns += turns * times;
    counts.fewestTurns += fewest * times;
  }
}

/** How far places of two lists are apart, where that is the same for all and not 0. */
function distance(from: Uint32Array, to: Uint32Array, count: number): number | undefined {
  const apart = (to[0] as number) - (from[0] as number);
  for (let i = 0; i < Math.min(count, from.length, to.length); i++) {
    if (from[i] === NOTHING && to[i] === NOTHING) continue;
    if ((to[i] as number) - (from[i] as number) !== apart) return undefined;
  }
  return apart === 0 ? undefined : apart;
}

function sectorsOf(touched: Map<string, Set<number>>, variable: string): Set<number> {
  let found = touched.get(variable);
  if (!found) touched.set(variable, (found = new Set()));
  return found;
}

/** Instructions that operations take, where one of f16 takes one. */
export function instructionsOf(ops: Operations): number {
  const { multiplyAdds, floats, integers, divisions, specials, others, scratch, barriers } = ops;
  return (
    multiplyAdds +
    floats +
    ops.halfMultiplyAdds +
    ops.halfFloats +
    integers +
    divisions * DIVISION +
    specials +
    others +
    scratch +
    barriers
  );
}
