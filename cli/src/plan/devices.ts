import { median } from '@zeroseg/core/internal';
import { type BenchedDevice, benchedLimits, type Clock, type Times, workKinds } from '../bench/index.ts';
import {
  brokenField,
  type Check,
  FileError,
  hasFields,
  isListOf,
  isMaybe,
  isNullOr,
  isText,
  readJson,
} from '../files/index.ts';
import { type GpuName, gpuNames, gpus } from '../gpu-model/index.ts';
import { soldMemory } from './device-memory.ts';
import { type DeviceFacts, gpuFacts } from './dry-device.ts';
import { fitRates, type Rates, type TimedWork } from './rates.ts';

/** What is known of a GPU. */
export interface PlanDevice {
  readonly name: string;
  /** Seconds, by the clock that its times are told by, that this library's launches take there for a unit of each kind of work, or are taken to. */
  readonly rates: Rates;
  readonly clock: Clock;
  /** Seconds that pass for one of that clock: less than 1 where several cores of a processor compute. */
  readonly pace: number;
  /** Whether it computes on the host's processor, which then is either device or host. */
  readonly isSoftware: boolean;
  /** Bytes of memory; undefined where nobody said. */
  readonly memory: number | undefined;
  readonly facts: DeviceFacts;
  /** Where the figures are from. */
  readonly source: string;
}

/** Of the published rate of f32: what steps of this library are taken to reach where nobody has measured. */
export const ASSUMED_SHARE = 0.25;

/** Seconds of a launch there, whatever it does: what host and driver take for one of a replayed step on modest cores is 4 to 8 µs. */
const ASSUMED_LAUNCH = 5e-6;

interface Named {
  readonly name: string;
  /** FLOP/s of f32, and bytes a second and bytes of memory. */
  readonly peak: number;
  readonly bandwidth: number;
  readonly memory: number;
}

/** Bytes of memory as they are sold; of the M3 and the Mali, what a machine with them mostly has, which its processor shares. */
const memory: Readonly<Record<GpuName, number>> = {
  h100: 80e9,
  rtx4090: 24e9,
  m3: 16e9,
  arc: 16e9,
  mali: 8e9,
};

function modelled(key: GpuName): Named {
  const { figures, name } = gpus[key];
  const peak = 2 * figures.units.value * figures.multiplyAdds.value * figures.clock.value * 1e9;
  return { name, peak, bandwidth: figures.bandwidth.value * 1e9, memory: memory[key] };
}

const named: Readonly<Record<string, Named>> = {
  ...Object.fromEntries(gpuNames.map((key) => [key, modelled(key)])),
  // Its cores are those of the M3; bandwidth and the least memory with so many: Apple, newsroom, October 2023.
  'm3-max': { name: 'Apple M3 Max, 40 cores', peak: 4 * modelled('m3').peak, bandwidth: 400e9, memory: 48e9 },
};

/** Names that {@link namedDevice} knows. */
export const planDeviceNames: readonly string[] = Object.keys(named);

/** A GPU of the list, at a share of its rate of f32; undefined for a name that it does not have. `RTX 4090`, `4090` and `rtx4090` are one. */
export function namedDevice(name: string, share: number = ASSUMED_SHARE): PlanDevice | undefined {
  if (/[/\\]|^\./.test(name)) return undefined; // a file
  const plain = (text: string) =>
    text
      .toLowerCase()
      .replace(/^rtx(?=[ _-]*\d)/, '')
      .replaceAll(/[^a-z0-9]/g, '');
  const found = Object.entries(named).find(([key]) => plain(key) === plain(name))?.[1];
  if (!found) return undefined;
  const { name: words, peak, bandwidth, memory: bytes } = found;
  const flop = 1 / (share * peak);
  return {
    name: words,
    // The share is that of whole steps: what is no product is in it.
    rates: {
      products: flop,
      smallProducts: flop,
      attention: flop,
      optimizer: 1 / bandwidth,
      other: 0,
      launches: ASSUMED_LAUNCH,
    },
    ...{ clock: 'wall', pace: 1, isSoftware: false, memory: bytes, facts: gpuFacts(words) },
    source: `assumed: ${Math.round(100 * share)} % of ${(peak / 1e12).toFixed(1)} TFLOP/s of f32, and ${1e6 * ASSUMED_LAUNCH} µs a launch`,
  };
}

/** How much a training of ZeroSeg counts beside kernels and other steps: it is such trainings that are planned. */
const TRAINING_WEIGHT = 100;
const isTraining = ({ name }: MeasuredRow): boolean => name.startsWith('ZeroSeg ') && name.endsWith('training step');

/** A row of a benchmark, as far as it is looked at. */
interface MeasuredRow extends Pick<TimedWork, 'work'> {
  readonly name: string;
  readonly gpuMs: number | null;
  readonly least: Times['least'];
}

interface Benchmark {
  readonly adapter: string;
  readonly software: boolean;
  readonly clock: Clock;
  readonly features: readonly string[];
  readonly device: BenchedDevice;
  readonly limits: { readonly dispatchUs: number; readonly perMs: { readonly flops: number; readonly bytes: number } };
  readonly rows: readonly MeasuredRow[];
}

const isRate: Check = (value) => typeof value === 'number' && value > 0 && Number.isFinite(value);
const isAmount: Check = (value) => value === 0 || isRate(value);

const benchmarkFields: Readonly<Record<keyof Benchmark, Check>> = {
  adapter: isText,
  software: (value) => typeof value === 'boolean',
  clock: (value) => value === 'gpu' || value === 'processor' || value === 'wall',
  features: isListOf(isText),
  device: hasFields({
    adapter: hasFields({
      ...{ vendor: isText, architecture: isText, device: isText, description: isText },
      ...{ subgroupMinSize: isMaybe(isAmount), subgroupMaxSize: isMaybe(isAmount) },
      isFallbackAdapter: isMaybe((value) => typeof value === 'boolean'),
    }),
    limits: hasFields(Object.fromEntries(benchedLimits.map((name) => [name, isRate]))),
  }),
  limits: hasFields({ dispatchUs: isRate, perMs: hasFields({ flops: isRate, bytes: isRate }) }),
  rows: isListOf(
    hasFields({
      ...{ name: isText, gpuMs: isNullOr(isRate) },
      least: hasFields({ ms: isRate, processorMs: isNullOr(isAmount) }),
      work: hasFields(Object.fromEntries(workKinds.map((kind) => [kind, isAmount]))),
    }),
  ),
};

/**
 * The device that a file of `zeroseg bench --json` was measured on. What its kernels and trainings took tells what a unit of each kind of work
 * takes.
 *
 * @throws FileError when it is no such file, or one without a training step.
 */
export async function measuredDevice(file: string): Promise<PlanDevice> {
  const found = await readJson(file);
  const problem = brokenField(found, benchmarkFields);
  const refuse = (reason: string): never => {
    throw new FileError('plan', file, `${reason}; \`zeroseg bench --json ${file}\` writes one`);
  };
  if (problem !== undefined) return refuse(`this is no benchmark of this version: ${problem}`);
  const { adapter, software, clock, features, device, limits, rows } = found as Benchmark;
  const timeOf = ({ gpuMs, least }: MeasuredRow): number =>
    (clock === 'gpu' ? gpuMs : clock === 'processor' ? least.processorMs : least.ms) || least.ms;
  const trainings = rows.filter(isTraining);
  if (trainings.length === 0) return refuse('it holds no training step of ZeroSeg');
  const timed = rows.map((row) => ({
    work: row.work,
    seconds: timeOf(row) / 1e3,
    weight: isTraining(row) ? TRAINING_WEIGHT : 1,
  }));
  const [flop, byte] = [1e-3 / limits.perMs.flops, 1e-3 / limits.perMs.bytes];
  const expected = {
    products: flop,
    smallProducts: flop,
    attention: flop,
    optimizer: byte,
    other: byte,
    launches: 1e-6 * limits.dispatchUs,
  };
  return {
    name: adapter,
    rates: fitRates(timed, expected),
    clock,
    pace: median(trainings.map((row) => row.least.ms / timeOf(row))),
    ...{ isSoftware: software, memory: software ? undefined : soldMemory(adapter) },
    facts: {
      ...{ adapter: device.adapter as unknown as DeviceFacts['adapter'], features: new Set(features) },
      limits: device.limits,
    },
    source: `measured: ${file}`,
  };
}
