import { FileError, readJson } from '../files/index.ts';
import { type GpuName, gpuNames, gpus } from '../gpu-model/index.ts';
import { gpuFacts } from './dry-device.ts';
import type { PlanDevice } from './plan.ts';

/** Of the published rate of f32: what steps of this library are taken to reach where nobody has measured. */
export const ASSUMED_SHARE = 0.25;

/** Bytes of memory as they are sold; of the M3 and the Mali, what a machine with them mostly has, which its processor shares. */
const memory: Readonly<Record<GpuName, number>> = {
  h100: 80e9,
  rtx4090: 24e9,
  m3: 16e9,
  arc: 16e9,
  mali: 8e9,
};

/** Names that {@link planDevice} knows. */
export const planDeviceNames: readonly string[] = gpuNames;

/** A GPU of the list, at a share of its rate of f32. */
export function namedDevice(name: GpuName, share: number = ASSUMED_SHARE): PlanDevice {
  const { figures, name: words } = gpus[name];
  const peak = 2 * figures.units.value * figures.multiplyAdds.value * figures.clock.value * 1e9;
  return {
    name: words,
    flops: share * peak,
    bandwidth: figures.bandwidth.value * 1e9,
    memory: memory[name],
    facts: gpuFacts(words),
    source: `assumed: ${Math.round(100 * share)} % of ${(peak / 1e12).toFixed(1)} TFLOP/s of f32`,
  };
}

/**
 * The device that a file of `zeroseg bench --json` was measured on: it does its whole training steps at the rate of the fastest that was
 * measured.
 *
 * @throws FileError when it is no such file, or one without a training step.
 */
export async function measuredDevice(file: string): Promise<PlanDevice> {
  const refuse = (reason: string): never => {
    throw new FileError('plan', file, `${reason}; \`zeroseg bench --json ${file}\` writes one`);
  };
  const found = await readJson(file);
  const { adapter, limits, rows } = (found ?? {}) as {
    readonly adapter?: unknown;
    readonly limits?: { readonly bytesPerSecond?: unknown };
    readonly rows?: unknown;
  };
  const bandwidth = limits?.bytesPerSecond;
  if (typeof adapter !== 'string' || !isRate(bandwidth) || !Array.isArray(rows)) return refuse('this is no benchmark');
  const rates = rows.flatMap((row: { readonly name?: unknown; readonly gflops?: unknown } | null) =>
    /training step/.test(String(row?.name)) && isRate(row?.gflops) ? [row.gflops] : [],
  );
  if (rates.length === 0) return refuse('it holds no training step whose FLOP are known');
  return {
    name: adapter,
    flops: 1e9 * Math.max(...rates),
    bandwidth,
    memory: undefined,
    facts: gpuFacts(adapter),
    source: `measured: ${file}`,
  };
}

function isRate(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && Number.isFinite(value);
}
