/** How long the parts of a run take, and what they wait for. */
import { type Work, type WorkKind, workKinds } from '../bench/index.ts';
import type { TrainingCost } from './costs.ts';
import type { PlanDevice } from './devices.ts';
import { type Link, type StepParts, stepSeconds } from './ranks.ts';
import { secondsByKind, secondsOf } from './rates.ts';

/** Seconds. */
export interface Duration {
  /** Of the device with all that it computes; of the network, what is waited for; of the host's threads. */
  readonly device: number;
  readonly network: number;
  readonly host: number;
  readonly total: number;
  /** What most of it is waited for. */
  readonly limit: string;
}

/** Who works. */
export interface Workers {
  readonly device: PlanDevice;
  /** Threads of the host of each rank. */
  readonly threads: number;
  readonly ranks: number;
}

/** Seconds of a thread. */
const HOST = {
  /** A JPEG of 500 × 375 pixels decoded; made ready for the device, hashed and written. */
  decode: 0.005,
  photo: 0.0075,
  /** A row read, decoded from a JPEG of 224 × 224 pixels and normalised: in proportion to its pixels. */
  row: 0.002,
  rowPixels: 224 ** 2,
  /** The labels of such a photo, and those that were found: counted, with their outlines. */
  count: 0.05,
} as const;

/** VOC 2012's validation, at a shorter side of 448. */
export const EVALUATED = 1449;
export const EVALUATED_SIZE = [448, 592] as const;

/** A cache: photos are cut while the teacher looks at those before. */
export function cacheDuration(photo: Work, images: number, { device, threads, ranks }: Workers): Duration {
  const share = images / ranks;
  const host = (share * (HOST.decode + HOST.photo)) / threads;
  return duration({ device: share * secondsFor(photo, device), host }, photo, device);
}

/** A training: rows are read while the device computes. */
export function trainingDuration(
  {
    parts,
    cost,
    link,
    steps,
    batch,
    image,
  }: {
    readonly parts: StepParts;
    readonly cost: TrainingCost;
    readonly link: Link;
    readonly steps: number;
    readonly batch: number;
    readonly image: number;
  },
  { device, threads, ranks }: Workers,
): Duration {
  const passes = parts.passes / ranks;
  const computed = passes * parts.pass + parts.update;
  const network = stepSeconds(parts, ranks, link) - computed;
  const host = ((batch / ranks) * HOST.row * (image ** 2 / HOST.rowPixels)) / threads;
  const work = Object.fromEntries(workKinds.map((kind) => [kind, passes * cost.work[kind] + cost.update[kind]]));
  return duration({ device: steps * computed, network: steps * network, host: steps * host }, work as Work, device);
}

/** An evaluation: a photo is read, then segmented; then the first process counts the labels of all. */
export function evaluationDuration(photo: Work, { device, ranks }: Omit<Workers, 'threads'>): Duration {
  const share = EVALUATED / ranks;
  const host = share * HOST.decode + EVALUATED * HOST.count;
  return duration({ device: share * secondsFor(photo, device), host }, photo, device, true);
}

function secondsFor(work: Work, { rates, pace }: PlanDevice): number {
  return pace * secondsOf(work, rates);
}

/** `isInTurn`: host and device wait for each other. They do where the device is the host's processor. */
function duration(
  {
    device,
    network = 0,
    host,
  }: Omit<Partial<Duration>, 'total' | 'limit'> & { readonly device: number; readonly host: number },
  work: Work,
  on: PlanDevice,
  isInTurn: boolean = on.isSoftware,
): Duration {
  const total = isInTurn ? device + network + host : Math.max(device + network, host);
  const [limit] = (
    [
      [deviceWords(work, on), device],
      ['the network', network],
      ["the host's threads", host],
    ] as const
  ).reduce((most, one) => (one[1] > most[1] ? one : most));
  return { device, network, host, total, limit };
}

const kindWords: Readonly<Record<WorkKind, string>> = {
  products: 'matrix products',
  smallProducts: 'small matrix products',
  attention: 'attention',
  optimizer: 'the optimizer',
  other: 'kernels that move memory',
  launches: 'launches',
};

/** The device, and what takes it most. */
function deviceWords(work: Work, { rates }: PlanDevice): string {
  const parts = Object.entries(secondsByKind(work, rates)) as [WorkKind, number][];
  const total = parts.reduce((sum, [, seconds]) => sum + seconds, 0);
  const [kind, most] = parts.reduce((a, b) => (b[1] > a[1] ? b : a));
  return `the device (${kindWords[kind]}: ${Math.round((100 * most) / total)} %)`;
}
