import type { CountedLaunch, Counts } from './counts.ts';
import { type Gpu, valuesOf } from './gpus.ts';
import { DIVISION } from './operations.ts';

/** What can bound a kernel. */
export type Bound =
  | 'multiply-adds'
  | 'integers'
  | 'special functions'
  | 'instructions'
  | 'workgroup memory and L1'
  | 'L2'
  | 'memory'
  | 'latency';

export interface Estimate {
  /** Microseconds: the most of {@link limits}. */
  readonly us: number;
  readonly bound: Bound;
  /** Microseconds that each of them would take alone. */
  readonly limits: Readonly<Record<Bound, number>>;
  /** Multiply-adds and other operations of floats over what the GPU could do in the time. */
  readonly shareOfPeak: number;
  /** Bytes of memory over what it could bring in the time. */
  readonly shareOfBandwidth: number;
  /** Workgroups that a unit holds at once, and what allows no more. */
  readonly resident: number;
  readonly residentBy: 'threads' | 'registers' | 'workgroup memory' | 'workgroups';
  /** Threads that a unit has in this launch over those that it could hold. */
  readonly occupancy: number;
  /** Of global memory: bytes wanted over bytes of sectors touched. */
  readonly coalescing: number;
  /** Turns of workgroup memory over the fewest; 1 without conflicts, and where there is none. */
  readonly conflicts: number;
  /** Bytes from L2 and from memory. */
  readonly farBytes: number;
  readonly memoryBytes: number;
}

/** Turns of a loop whose loads are under way at once, as compilers unroll loops. */
const UNROLLED = 4;
/** Clocks of a barrier, beside the wait for the slowest warp. */
const BARRIER = 30;

/** The time of a launch by what it needs of each part of a GPU, had it that part to itself. Nothing is measured. */
export function estimate(launched: CountedLaunch, counts: Counts, gpu: Gpu): Estimate {
  const { analysis, workgroups, launch } = launched;
  const of = valuesOf(gpu);
  const [x, y, z] = analysis.workgroupSize;
  const warps = Math.ceil((x * y * z) / of.lanes);
  const { resident, by } = residentOf(launched, gpu, warps * of.lanes);
  // The busiest unit has so many workgroups: all wait for it.
  const busiest = Math.ceil(workgroups / of.units);
  const ofBusiest = busiest / workgroups;
  const { multiplyAdds, floats, integers, divisions, specials, others, scratch, barriers } = counts.warpOps;
  const halves = counts.warpOps.halfMultiplyAdds + counts.warpOps.halfFloats;
  // Twice the rate is two in one instruction.
  const together = of.halfMultiplyAdds / of.multiplyAdds;
  const turns = counts.sites.reduce((sum, site) => sum + site.turns, scratch);
  const farBytes = [...counts.unique.values()].reduce((sum, bytes) => sum + bytes, 0);
  const memoryBytes = memoryOf(launch, counts, of.sharedCache);
  const clocks = (perUnit: number) => (perUnit * ofBusiest) / (of.clock * 1e3);
  const held = Math.min(resident, busiest) * warps;
  const limits: Record<Bound, number> = {
    'multiply-adds': clocks((multiplyAdds + floats + halves / together) / (of.multiplyAdds / of.lanes)),
    integers: clocks((integers + divisions * DIVISION + others) / (of.integers / of.lanes)),
    'special functions': clocks(specials / (of.specials / of.lanes)),
    instructions: clocks((counts.instructions - halves + halves / together) / of.issues),
    'workgroup memory and L1': clocks(turns / of.turns),
    L2: Math.max(clocks(farBytes / of.sharedPerClock), farBytes / (of.sharedBandwidth * 1e3)),
    memory: memoryBytes / (of.bandwidth * 1e3),
    latency: clocks((waits(launched, counts, of.nearLatency, of.farLatency) + barriers * BARRIER) / held),
  };
  const [bound, us] = Object.entries(limits).reduce((a, b) => (b[1] > a[1] ? b : a)) as [Bound, number];
  const { halfMultiplyAdds, halfFloats } = counts.ops;
  const ops = counts.ops.multiplyAdds * 2 + counts.ops.floats + (halfMultiplyAdds * 2 + halfFloats) / together;
  const peak = of.units * of.multiplyAdds * 2 * of.clock * 1e3;
  const global = counts.sites.filter(({ site }) => site.space === 'storage');
  const shared = counts.sites.filter(({ site }) => site.space === 'workgroup');
  return {
    ...{ us, bound, limits, resident, residentBy: by, farBytes, memoryBytes },
    shareOfPeak: ops / us / peak,
    shareOfBandwidth: memoryBytes / us / (of.bandwidth * 1e3),
    occupancy: (held * of.lanes) / of.threads,
    coalescing: ratio(global, 'bytes', 'sectorBytes'),
    conflicts: ratio(shared, 'turns', 'fewestTurns'),
  };
}

function ratio(sites: Counts['sites'], above: 'bytes' | 'turns', below: 'sectorBytes' | 'fewestTurns'): number {
  const total = (name: typeof above | typeof below) => sites.reduce((sum, site) => sum + site[name], 0);
  return sites.length === 0 ? 1 : total(above) / total(below);
}

function residentOf(
  { analysis }: CountedLaunch,
  gpu: Gpu,
  threads: number,
): { resident: number; by: Estimate['residentBy'] } {
  const of = valuesOf(gpu);
  const registers = Math.min(of.mostRegisters, Math.ceil(analysis.registers / 8) * 8);
  const allowed: [Estimate['residentBy'], number][] = [
    ['threads', of.threads / threads],
    ['registers', of.registers / (registers * threads)],
    [
      'workgroup memory',
      analysis.workgroupBytes > 0 ? of.workgroupBytes / analysis.workgroupBytes : Number.POSITIVE_INFINITY,
    ],
    ['workgroups', of.groups],
  ];
  const [by, most] = allowed.reduce((a, b) => (b[1] < a[1] ? b : a));
  return { resident: Math.max(1, Math.floor(most)), by };
}

/** Bytes of memory: of a tensor that the shared cache holds, each once; of others, what workgroups read. */
function memoryOf({ kernel, tensors }: CountedLaunch['launch'], { unique }: Counts, cache: number): number {
  let sum = 0;
  for (const [variable, bytes] of unique) {
    const tensor = tensors[kernel.names.indexOf(variable)];
    const whole = tensor?.storage.bytes ?? bytes;
    sum += whole <= cache ? Math.min(bytes, whole) : bytes;
  }
  return sum;
}

/**
 * Clocks that warps wait for loads, all together. Loads of {@link UNROLLED} passes through a block are under way at once; how far
 * each comes is told by how much of what it brings the workgroup had before.
 */
function waits({ analysis }: CountedLaunch, { sites, unique }: Counts, near: number, far: number): number {
  let touched = 0;
  for (const { site, sectorBytes } of sites) if (site.space === 'storage') touched += sectorBytes;
  const fresh = touched === 0 ? 0 : Math.min(1, [...unique.values()].reduce((sum, bytes) => sum + bytes, 0) / touched);
  const passes = new Map<number, number>();
  for (const { site, requests } of sites) {
    if (site.action === 'store') continue;
    passes.set(site.block, Math.max(passes.get(site.block) ?? 0, requests));
  }
  let clocks = 0;
  for (const [block, count] of passes) {
    const isFar = analysis.sites.some(
      (site) => site.block === block && site.space === 'storage' && site.action !== 'store',
    );
    clocks += count * (isFar ? near + fresh * (far - near) : near);
  }
  return clocks / UNROLLED;
}
