import type { CountedLaunch, Counts, SiteCounts } from './counts.ts';
import type { Estimate } from './estimate.ts';
import { type Gpu, valuesOf } from './gpus.ts';

export type FaultKind =
  | 'bank conflicts'
  | 'scattered accesses'
  | 'scalar loads'
  | 'scalar stores'
  | 'contended atomics'
  | 'few workgroups'
  | 'half-empty warps'
  | 'private array in memory'
  | 'many registers'
  | 'much workgroup memory'
  | 'divergence';

/** Something that costs a kernel time on a GPU, in words, with the remedy. */
export interface Fault {
  readonly kind: FaultKind;
  /** The expression, and its line in the kernel's source; not there for what is of the launch as a whole. */
  readonly text?: string;
  readonly line?: number;
  /** How many more expressions of the same variable have the same fault. */
  readonly more: number;
  readonly words: string;
  /** Of the time of what it burdens: what would be saved at most, 0 to 1. */
  readonly share: number;
}

/** Below this share of a launch's turns a fault is not told. */
const WORTH_TELLING = 0.02;

/** What a launch does badly on a GPU, the dearest first. */
export function faultsOf(launched: CountedLaunch, counts: Counts, gpu: Gpu, found: Estimate): Fault[] {
  const of = valuesOf(gpu);
  const { analysis, workgroups } = launched;
  const turns = counts.sites.reduce((sum, site) => sum + site.turns, counts.warpOps.scratch);
  const faults: OneFault[] = [];
  for (const one of counts.sites) {
    const share = (one.turns - one.fewestTurns) / turns;
    if (share === 0 || one.turns < 1.5 * one.fewestTurns) continue;
    const isContended = one.site.action === 'atomic' && one.meet >= Math.max(4, one.ways);
    const told = isContended
      ? contended(one)
      : one.site.space === 'workgroup'
        ? conflict(one)
        : scattered(one, of.line);
    faults.push({ ...told, share });
  }
  faults.push(...scalars(counts.sites, turns));
  if (workgroups < of.units) {
    const words = `${workgroups} ${workgroups === 1 ? 'workgroup' : 'workgroups'} for ${of.units} units; split the work further`;
    faults.push({ kind: 'few workgroups', words, share: 1 - workgroups / of.units });
  }
  const [x, y, z] = analysis.workgroupSize;
  const threads = x * y * z;
  const empty = 1 - threads / (Math.ceil(threads / of.lanes) * of.lanes);
  if (empty >= 0.1) {
    const remedy = threads < of.lanes ? `at least ${of.lanes} threads` : `a multiple of ${of.lanes}`;
    const words = `workgroups of ${threads} in warps of ${of.lanes}: ${percent(empty)} of the lanes are empty; take ${remedy}`;
    faults.push({ kind: 'half-empty warps', words, share: empty });
  }
  for (const [name, bytes] of analysis.scratch) {
    const words = `${name} (${bytes} bytes a thread) is indexed by what is known only when it runs, so it lies in memory; unroll the loop, or keep it in workgroup memory`;
    faults.push({ kind: 'private array in memory', text: name, words, share: counts.warpOps.scratch / turns });
  }
  if (analysis.registers > of.mostRegisters) {
    const words = `about ${analysis.registers} values at once, where a thread has ${of.mostRegisters} registers: some lie in memory; let a thread make fewer results at once`;
    faults.push({ kind: 'many registers', words, share: 1 - of.mostRegisters / analysis.registers });
    // A quarter of the threads is enough for most kernels.
  } else if (found.resident * threads < of.threads / 4) {
    const share = 1 - (found.resident * threads * 4) / of.threads;
    const leave = `leave ${found.resident * threads} of ${of.threads} threads on a unit`;
    if (found.residentBy === 'registers') {
      const words = `about ${analysis.registers} registers a thread ${leave}; let a thread make fewer results at once`;
      faults.push({ kind: 'many registers', words, share });
    } else if (found.residentBy === 'workgroup memory') {
      const words = `${analysis.workgroupBytes} bytes for ${threads} threads ${leave}; share them among more threads, or keep less`;
      faults.push({ kind: 'much workgroup memory', words, share });
    }
  }
  if (counts.converged < 0.7) {
    const words = `lanes do nothing ${percent(1 - counts.converged)} of the time, while others of their warp take another way; give the lanes of a warp equal work`;
    faults.push({ kind: 'divergence', words, share: 1 - counts.converged });
  }
  return merged(faults).sort((a, b) => b.share - a.share);
}

type OneFault = Omit<Fault, 'more'>;

/** Those of one kind in one variable become one: the words are of the first. */
function merged(faults: readonly OneFault[]): Fault[] {
  const all = new Map<string, Fault>();
  for (const fault of faults) {
    const key = `${fault.kind} ${/^\w*/.exec(fault.text ?? '')}`;
    const first = all.get(key);
    all.set(key, first ? { ...first, share: first.share + fault.share, more: first.more + 1 } : { ...fault, more: 0 });
  }
  return [...all.values()].filter(({ share }) => share >= WORTH_TELLING);
}

const percent = (share: number) => `${Math.round(share * 100)} %`;

function conflict({ site, turns, fewestTurns, ways }: SiteCounts): Omit<OneFault, 'share'> {
  const words = `${ways} words of one bank at once, ${(turns / fewestTurns).toFixed(1)} turns where 1 would do; make rows one element longer`;
  return { kind: 'bank conflicts', text: site.text, line: site.line, words };
}

function scattered({ site, turns, requests, bytes, sectorBytes }: SiteCounts, line: number): Omit<OneFault, 'share'> {
  const lines = (turns / requests).toFixed(1);
  const words = `a warp touches ${lines} lines of ${line} bytes, and uses ${percent(bytes / sectorBytes)} of the sectors; let neighbours read neighbours`;
  return { kind: 'scattered accesses', text: site.text, line: site.line, words };
}

function contended({ site, meet }: SiteCounts): Omit<OneFault, 'share'> {
  const words = `${meet} threads of a warp change one word, one after the other; add up in registers or in workgroup memory first, and let one thread change it`;
  return { kind: 'contended atomics', text: site.text, line: site.line, words };
}

/** Elements that could lie side by side in a tile; what is further apart is of other rows. */
const FURTHEST_APART = 64;
/** Of a thread's loads at one site, in a loop: how many must follow each other for them to be vec4s. */
const IN_ROW = 0.7;

/** Four or more accesses to single elements of one variable, equally far apart in every thread, or turn after turn: they could be a vec4. */
function scalars(sites: readonly SiteCounts[], turns: number): OneFault[] {
  const faults: OneFault[] = [];
  const told = ({ site }: SiteCounts, of: readonly SiteCounts[], how: string) => {
    const isLoad = site.action === 'load';
    const share = (of.reduce((sum, { fewestTurns }) => sum + fewestTurns, 0) * 0.75) / turns;
    const remedy = isLoad ? 'store vec4s, and load them' : 'store a vec4';
    const words = `${of.length > 1 ? `${of.length} ${site.action}s` : `a ${site.action}`} of one element of ${site.variable}, ${how}; ${remedy}`;
    faults.push({ kind: isLoad ? 'scalar loads' : 'scalar stores', text: site.text, line: site.line, words, share });
  };
  const runs = new Map<string, SiteCounts[]>();
  const end = (run: readonly SiteCounts[]) => {
    const [first, second] = run;
    if (!first || !second || run.length < 4) return;
    const apart = Math.abs(second.apart as number);
    told(first, run, `${apart === 1 ? 'side by side' : `${apart} elements apart`}, in each thread`);
  };
  for (const one of sites) {
    const { action, bytes, unit, variable, block } = one.site;
    if (bytes !== unit || (action !== 'load' && action !== 'store')) continue;
    const key = `${action} ${variable} ${block}`;
    const run = runs.get(key) ?? [];
    const second = run[1];
    // What is stored further apart is turned on its way, and has no vec4.
    const isNear = Math.abs(one.apart ?? Number.POSITIVE_INFINITY) <= (action === 'load' ? FURTHEST_APART : 1);
    if (run.length > 0 && isNear && (!second || one.apart === second.apart)) run.push(one);
    else {
      end(run);
      runs.set(key, [one]);
    }
    if (one.inRow >= IN_ROW) told(one, [one], 'turn after turn side by side in each thread');
  }
  for (const run of runs.values()) end(run);
  return faults;
}
