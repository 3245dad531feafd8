import type { CountedLaunch, Counts, SiteCounts } from './counts.ts';
import type { Estimate } from './estimate.ts';
import { type Gpu, valuesOf } from './gpus.ts';

export type FaultKind =
  | 'bank conflicts'
  | 'scattered accesses'
  | 'scalar loads'
  | 'few workgroups'
  | 'half-empty warps'
  | 'private array in memory'
  | 'many registers'
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
    faults.push({ ...(one.site.space === 'workgroup' ? conflict(one) : scattered(one, of.line)), share });
  }
  faults.push(...scalarLoads(counts.sites, turns));
  if (workgroups < of.units) {
    const words = `${workgroups} ${workgroups === 1 ? 'workgroup' : 'workgroups'} for ${of.units} units; split the work further`;
    faults.push({ kind: 'few workgroups', words, share: 1 - workgroups / of.units });
  }
  const [x, y, z] = analysis.workgroupSize;
  const last = (x * y * z) % of.lanes;
  if (last > 0 && x * y * z < of.lanes) {
    const words = `workgroups of ${x * y * z} in warps of ${of.lanes}; take at least ${of.lanes} threads`;
    faults.push({ kind: 'half-empty warps', words, share: 1 - last / of.lanes });
  }
  for (const [name, bytes] of analysis.scratch) {
    const words = `${name} (${bytes} bytes a thread) is indexed by what is known only when it runs, so it lies in memory; unroll the loop`;
    faults.push({ kind: 'private array in memory', text: name, words, share: counts.warpOps.scratch / turns });
  }
  if (analysis.registers > of.mostRegisters) {
    const words = `about ${analysis.registers} values at once, where a thread has ${of.mostRegisters} registers: some lie in memory`;
    faults.push({ kind: 'many registers', words, share: 1 - of.mostRegisters / analysis.registers });
    // A quarter of the threads is enough for most kernels.
  } else if (found.residentBy === 'registers' && found.resident * x * y * z < of.threads / 4) {
    const words = `about ${analysis.registers} registers a thread leave ${found.resident * x * y * z} of ${of.threads} threads on a unit`;
    faults.push({ kind: 'many registers', words, share: 1 - (found.resident * x * y * z * 4) / of.threads });
  }
  if (counts.converged < 0.7) {
    const words = `lanes do nothing ${percent(1 - counts.converged)} of the time, while others of their warp take another way`;
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

/** Elements that could lie side by side in a tile; what is further apart is of other rows. */
const FURTHEST_APART = 64;

/** Four or more loads of single elements of one variable, equally far apart in every thread: they could be a vec4. */
function scalarLoads(sites: readonly SiteCounts[], turns: number): OneFault[] {
  const faults: OneFault[] = [];
  let run: SiteCounts[] = [];
  const end = () => {
    const [first, second] = run;
    if (first && second && run.length >= 4) {
      const own = run.reduce((sum, site) => sum + site.fewestTurns, 0);
      const share = (own * 0.75) / turns;
      const apart = Math.abs(second.apart as number);
      const how = apart === 1 ? 'side by side' : `${apart} elements apart`;
      const words = `${run.length} loads of one element of ${first.site.variable}, ${how}, in each thread; store vec4s, and load them`;
      faults.push({ kind: 'scalar loads', text: first.site.text, line: first.site.line, words, share });
    }
  };
  for (const site of sites) {
    const [first, second] = run;
    const isNear = Math.abs(site.apart ?? Number.POSITIVE_INFINITY) <= FURTHEST_APART;
    const isNext = first !== undefined && isNear && (!second || site.apart === second.apart);
    if (isNext) run.push(site);
    else {
      end();
      run = [site];
    }
  }
  end();
  return faults;
}
