import type { Analysis } from './analysis.ts';
import { instructionsOf, noOperations, type Operations } from './operations.ts';
import { distance, inRow, NOTHING, type Requests, requestsByPath, requestsInOrder } from './requests.ts';
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
  /** The most threads of a request that change one word: they do so one after the other. */
  meet: number;
  /**
   * Elements from the load (or store) before it to this one, where both are of one element of the same variable in the same block, and
   * it is the same distance in every thread.
   */
  apart: number | undefined;
  /** Of loads of elements: the share of a thread's that follow, in the element beside it, the one before. */
  inRow: number;
}

export interface Counts {
  readonly sites: readonly SiteCounts[];
  /** Of all invocations. */
  readonly ops: Operations;
  /** Of warps: each as often as its busiest lane. */
  readonly warpOps: Operations;
  /** Instructions of all warps, memory too, where one operation of f16 takes one. */
  readonly instructions: number;
  /** Instructions of all invocations over those of warps times lanes: 1 where all lanes always do the same. */
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
  /** Instructions of a pass through each block. */
  readonly #instructions: readonly number[];
  readonly #before: readonly (number | undefined)[];
  #work = 0;
  #warpWork = 0;
  #cut = false;

  constructor(analysis: Analysis, lanes: Lanes) {
    this.#analysis = analysis;
    this.#lanes = lanes;
    this.#instructions = analysis.blocks.map(
      ({ ops }, b) => 1 + instructionsOf(ops) + analysis.sites.filter(({ block }) => block === b).length,
    );
    this.#before = analysis.sites.map((_, i) => this.#alikeBefore(i));
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
        meet: 0,
        apart: undefined,
        inRow: 0,
      },
    }));
  }

  add(group: GroupTrace, weight: number): void {
    const invocations = group.noted.length;
    const touched = new Map<string, Set<number>>();
    for (let first = 0; first < invocations; first += this.#lanes.lanes) {
      const count = Math.min(this.#lanes.lanes, invocations - first);
      const requests = group.paths
        ? requestsByPath(group, first, count)
        : requestsInOrder(group, first, count, this.#analysis.sites.length);
      this.#countBlocks(group, first, count, requests, weight);
      this.#countAccesses(group, first, count, requests, weight, touched);
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
      converged: this.#warpWork > 0 ? this.#work / this.#warpWork : 1,
      unique: this.#unique,
      cut: this.#cut,
    };
  }

  #countBlocks({ passes, paths }: GroupTrace, first: number, count: number, requests: Requests, weight: number): void {
    const { blocks, sites } = this.#analysis;
    for (const [b, { ops }] of blocks.entries()) {
      let [most, sum] = [0, 0];
      for (let lane = first; lane < first + count; lane++) {
        const times = passes[lane * blocks.length + b] as number;
        most = Math.max(most, times);
        sum += times;
      }
      const ran = requests[sites.length + b];
      if (paths && ran) most = Math.max(most, (ran.length / count) * Math.max(1, sum / seen(ran)));
      const each = this.#instructions[b] as number;
      this.#work += sum * each * weight;
      this.#warpWork += most * count * each * weight;
      for (const [name, each] of Object.entries(ops) as [keyof Operations, number][]) {
        this.#ops[name] += each * sum * weight;
        this.#warpOps[name] += each * most * weight;
      }
    }
  }

  #countAccesses(
    { passes, noted, room }: GroupTrace,
    first: number,
    count: number,
    requests: Requests,
    weight: number,
    touched: Map<string, Set<number>>,
  ): void {
    const { blocks } = this.#analysis;
    const isCut = noted.subarray(first, first + count).some((all) => all > room);
    this.#cut ||= isCut;
    for (const [i, counts] of this.#sites.entries()) {
      const list = requests[i];
      if (!list) continue;
      let scale = weight;
      if (isCut) {
        let all = 0;
        for (let lane = first; lane < first + count; lane++) {
          all += passes[lane * blocks.length + counts.site.block] as number;
        }
        scale *= Math.max(1, all / seen(list));
      }
      const own = counts.site.space === 'storage' ? sectorsOf(touched, counts.site.variable) : undefined;
      for (let at = 0; at < list.length; at += count) {
        const wanted = list.subarray(at, at + count);
        for (let time = 0; time < counts.site.times; time++) {
          const from = counts.site.offset + time * counts.site.apart;
          if (own) this.#global(counts, wanted, from, scale, own);
          else this.#shared(counts, wanted, from, scale);
        }
      }
      const before = requests[this.#before[i] ?? -1];
      if (before) counts.apart = distance(before, list, count * SEEN_TURNS);
      counts.inRow = Math.max(counts.inRow, inRow(list, count));
    }
  }

  /** The site before this one that does the same, with an element of the same variable, in the same block. */
  #alikeBefore(i: number): number | undefined {
    const { sites } = this.#analysis;
    const { action, bytes, unit, variable, block } = sites[i] as Site;
    if (bytes !== unit || (action !== 'load' && action !== 'store')) return undefined;
    const before = sites.slice(0, i).findLast((one) => one.variable === variable && one.block === block);
    return before?.action === action && before.bytes === unit ? before.id : undefined;
  }

  #global(counts: SiteCounts, wanted: Uint32Array, offset: number, weight: number, touched: Set<number>): void {
    const { sector, line } = this.#lanes;
    const { unit, bytes, action } = counts.site;
    const starts = new Set<number>();
    const sectors = new Set<number>();
    const lines = new Set<number>();
    const meeting = new Map<number, number>();
    let threads = 0;
    for (const place of wanted) {
      if (place === NOTHING) continue;
      threads++;
      const start = place * unit + offset;
      starts.add(start);
      if (action === 'atomic') meeting.set(start, (meeting.get(start) ?? 0) + 1);
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
    // "Each read/modify/write to that location occurs and they are all serialized": CUDA C++ Programming Guide, SIMT architecture.
    const meet = Math.max(0, ...meeting.values());
    // Where a request has more lines than that, these are what takes the time.
    if (meet > lines.size) counts.meet = Math.max(counts.meet, meet);
    counts.turns += Math.max(lines.size, meet) * times;
    counts.fewestTurns += Math.max(1, Math.ceil((starts.size * bytes) / line)) * times;
  }

  #shared(counts: SiteCounts, wanted: Uint32Array, offset: number, weight: number): void {
    const { banks } = this.#lanes;
    const { unit, bytes, action } = counts.site;
    const words = Math.max(1, Math.ceil(bytes / 4));
    // A turn brings a word of each bank: threads that want more take turns, a half or a quarter of them at a time.
    const together = banks > 0 ? Math.max(1, Math.floor(banks / 2 ** Math.ceil(Math.log2(words)))) : wanted.length;
    let [turns, fewest, threads, distinct] = [0, 0, 0, 0];
    for (let first = 0; first < wanted.length; first += together) {
      const inBank = new Map<number, Set<number>>();
      const meeting = new Map<number, number>();
      for (const place of wanted.subarray(first, first + together)) {
        if (place === NOTHING) continue;
        threads++;
        const word = Math.floor((place * unit + offset) / 4);
        if (action === 'atomic') meeting.set(word, (meeting.get(word) ?? 0) + 1);
        for (let w = word; w < word + words; w++) {
          const bank = w % (banks || 32);
          const there = inBank.get(bank);
          if (there) there.add(w);
          else inBank.set(bank, new Set([w]));
        }
      }
      if (inBank.size === 0) continue;
      const sizes = [...inBank.values()].map(({ size }) => size);
      const meet = Math.max(0, ...meeting.values());
      const ways = Math.max(...sizes);
      const all = sizes.reduce((sum, size) => sum + size, 0);
      distinct += all;
      const least = Math.ceil(all / (banks || 32));
      turns += Math.max(banks > 0 ? ways : least, meet);
      counts.meet = Math.max(counts.meet, meet);
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

function sectorsOf(touched: Map<string, Set<number>>, variable: string): Set<number> {
  let found = touched.get(variable);
  if (!found) touched.set(variable, (found = new Set()));
  return found;
}

/** Accesses of single lanes that a trace had room for. */
const seen = (list: Uint32Array): number => list.reduce((sum, place) => sum + (place === NOTHING ? 0 : 1), 0);
