/**
 * A model of training on several GPUs by `mpirun`, not a measurement. A step of `n` ranks takes
 *
 *     T(n) = k t / n + max(s − 2/3 t (m − 1)/m, s / m) + 2 B / h + u        s = max(2 (n − 1)/n G / b + 2 (n − 1) l m, G / h),   m = ⌈G / B⌉
 *
 * with `k` micro-batches of `t` seconds in a batch, and `u` of the update; `G` the bytes of the gradients, in `m` buckets of `B`; `b` the bandwidth
 * and `l` the latency of the link (a ring: every rank sends and receives 2 (n − 1)/n of each bucket); `h` the way between GPU and host, which all
 * gradients of WebGPU take. While a bucket is summed, the next is read and the one before is written: the slower of both counts, and the first
 * read and the last write stand alone. Sums run beside the last backward pass, two thirds of a micro-batch or of the rank's share where that is less;
 * those of the first layers, the last bucket, cannot. Efficiency is `T(1) / (n T(n))`.
 */

export interface Link {
  readonly name: string;
  /** Bytes a second, each way, and seconds. */
  readonly bandwidth: number;
  readonly latency: number;
}

export type LinkName = '10gbe' | '100gbe' | 'nvlink';

/** Links by name: nine tenths of what is written on them. */
export const links: Readonly<Record<LinkName, Link>> = {
  '10gbe': { name: '10 GbE', bandwidth: 0.9 * 1.25e9, latency: 20e-6 },
  '100gbe': { name: '100 GbE', bandwidth: 0.9 * 12.5e9, latency: 5e-6 },
  nvlink: { name: 'NVLink-like', bandwidth: 0.9 * 450e9, latency: 2e-6 },
};

/** What a step on one GPU is made of. */
export interface StepParts {
  /** Micro-batches of the whole batch, and seconds of one. */
  readonly passes: number;
  readonly pass: number;
  readonly update: number;
  /** Bytes of all gradients, and of what is summed in one piece. */
  readonly gradients: number;
  readonly bucket: number;
}

/** PCIe 4.0 × 16, as it is measured. */
const HOST = 25e9;

/** What the backward pass takes of a micro-batch. */
const BACKWARD = 2 / 3;

/** Bytes that each rank sends, and as many that it receives, in a step. */
export function networkBytes(ranks: number, gradients: number): number {
  return (2 * (ranks - 1) * gradients) / ranks;
}

/** Seconds of a step: see above. */
export function stepSeconds({ passes, pass, update, gradients, bucket }: StepParts, ranks: number, link: Link): number {
  if (ranks === 1) return passes * pass + update;
  const buckets = Math.ceil(gradients / bucket);
  const network = networkBytes(ranks, gradients) / link.bandwidth + 2 * (ranks - 1) * link.latency * buckets;
  const sums = Math.max(network, gradients / HOST);
  // A rank's share of the batch may be less than a micro-batch.
  const last = Math.min(1, passes / ranks) * pass;
  const beside = ((BACKWARD * last) / buckets) * (buckets - 1);
  return (passes / ranks) * pass + Math.max(sums - beside, sums / buckets) + (2 * bucket) / HOST + update;
}

export function efficiency(parts: StepParts, ranks: number, link: Link): number {
  return stepSeconds(parts, 1, link) / (ranks * stepSeconds(parts, ranks, link));
}

/** Of ranks that are less efficient, more cost more than they bring. */
const WORTHWHILE = 0.9;
/** As many as `--ranks` takes. */
const MOST_RANKS = 4096;

/** Ranks that share a batch, and the micro-batch of each, which its share holds evenly. */
export interface ProposedRanks {
  readonly ranks: number;
  readonly micro: number;
  readonly efficiency: number;
}

/**
 * The largest number of ranks that share a batch evenly and are nine tenths efficient over a link. Their micro-batch is `micro` or less, or
 * just that if it was chosen.
 */
export function proposedRanks(
  parts: StepParts,
  { batch, micro, isMicroChosen }: { readonly batch: number; readonly micro: number; readonly isMicroChosen: boolean },
  link: Link,
): ProposedRanks {
  const least = isMicroChosen ? micro : 1;
  for (let ranks = Math.min(Math.floor(batch / least), MOST_RANKS); ranks > 1; ranks--) {
    if (batch % (ranks * least) !== 0) continue;
    const share = efficiency(parts, ranks, link);
    if (share >= WORTHWHILE) return { ranks, micro: sharedEvenly(batch / ranks, micro), efficiency: share };
  }
  return { ranks: 1, micro, efficiency: 1 };
}

/** The largest micro-batch of `most` images or less that a rank's share of a batch holds evenly. */
export function sharedEvenly(share: number, most: number): number {
  let micro = Math.min(most, share);
  while (share % micro !== 0) micro--;
  return micro;
}
