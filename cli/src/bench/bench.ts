import type { Progress, WorkOptions } from '@zeroseg/core/zeroseg';
import { type Limits, measureLimits, type Probe, wallOf, wobbleOf } from './limits.ts';
import type { Measured, Meter } from './meter.ts';
import { stepWorkloads } from './steps.ts';
import { kernelWorkloads, lending, type Workload } from './workloads.ts';

/** A piece of work, told before it begins. */
export interface BenchProgress extends Progress {
  readonly name: string;
}

/** Stopped by its signal, a benchmark gives what it has measured. */
export interface BenchOptions extends WorkOptions<BenchProgress> {
  /** Small shapes. */
  readonly quick?: boolean;
  /** A ViT-B/16 ZeroSeg too. */
  readonly full?: boolean;
  /** Only workloads whose name or group holds one of these words. */
  readonly filter?: readonly string[];
  /** Called after each piece of work. */
  readonly onRow?: (row: Row, limits: Limits) => void;
}

/** What was measured of a workload. */
export interface Row extends Measured {
  readonly name: string;
  readonly group: string;
  /** What the work needs at least: FLOP of its products, and bytes read and written; null where that is not counted. */
  readonly flops: number | null;
  readonly moved: number | null;
  /** Of the wall clock, or of the GPU's where there is one. */
  readonly gflops: number | null;
  readonly gigabytesPerSecond: number | null;
  /** Least time that the device's limits allow over the time taken, by the meter's clock. */
  readonly fraction: number | null;
}

export interface BenchResult {
  readonly limits: Limits;
  /** The limits again, before the work and after each group of it. */
  readonly probes: readonly Probe[];
  /** Of the probes: (most − least) / median. Above {@link BUSY} something else uses the machine, and shares mean little. */
  readonly wobble: number;
  readonly rows: readonly Row[];
}

/** A {@link BenchResult.wobble} that a machine left to itself stays below. */
export const BUSY = 0.2;

/** The workloads that a filter leaves. */
export function chooseWorkloads({ quick = false, full = false, filter = [] }: BenchOptions): Workload[] {
  const words = filter.map((word) => word.toLowerCase());
  const all = [...kernelWorkloads(quick), ...stepWorkloads(quick, full)];
  if (words.length === 0) return all;
  return all.filter(({ name, group }) => words.some((word) => `${group} ${name}`.toLowerCase().includes(word)));
}

/** Measures the device's limits, and then every chosen workload against them. */
export async function bench(meter: Meter, options: BenchOptions = {}): Promise<BenchResult> {
  const { quick = false, signal, onProgress } = options;
  const workloads = chooseWorkloads(options);
  const total = workloads.length + 1;
  onProgress?.({ name: "the device's limits", done: 0, total });
  const { limits, probe } = await measureLimits(meter, quick);
  const [rows, probes]: [Row[], Probe[]] = [[], []];
  let group = '';
  for (const workload of workloads) {
    if (signal?.aborted) break;
    if (workload.group !== group) probes.push(await probe());
    group = workload.group;
    onProgress?.({ name: workload.name, done: rows.length + 1, total });
    const measured = await lending(meter.device, (lend) => meter.measure(workload.prepare(lend), workload.name));
    rows.push(rowOf(workload, measured, meter, limits));
    options.onRow?.(rows.at(-1) as Row, limits);
  }
  if (!signal?.aborted) probes.push(await probe());
  return { limits, probes, wobble: wobbleOf(probes), rows };
}

function rowOf({ name, group, flops, bytes }: Workload, measured: Measured, meter: Meter, { perMs }: Limits): Row {
  const ms = wallOf(measured);
  const min = Math.max((flops ?? 0) / perMs.flops, (bytes ?? 0) / perMs.bytes);
  return {
    name,
    group,
    ...measured,
    flops: flops ?? null,
    moved: bytes ?? null,
    // Rates of work that waits for memory and of work that computes are told where they say something.
    gflops: flops === undefined ? null : flops / ms / 1e6,
    gigabytesPerSecond: flops === undefined && bytes !== undefined ? bytes / ms / 1e6 : null,
    fraction: min > 0 ? min / meter.cost(measured) : null,
  };
}
