import { KEPT_ROW_BYTES } from '@zeroseg/core/internal';

/** Node, the driver with its compiler, and the threads that cut squares: the most that small trainings were seen to take, with a software driver. */
const PROCESS = 550e6;
/** Micro-batches that are there at once: one that the device computes, and two that are made ahead. */
const BATCHES = 3;

/** What a training process has on the host. */
export interface HostFacts {
  /** Values of a photo: of the student's image, and of the features of its views. */
  readonly pixels: number;
  readonly features: number;
  readonly images: number;
  readonly micro: number;
  readonly parameters: number;
  readonly ranks: number;
  /** Bytes of the names and checksums of the cache. */
  readonly index: number;
  /** Bytes on the GPU, where its memory is the host's. */
  readonly device: number;
}

/**
 * Bytes of host memory that a training process takes at most, about: rows of the cache that are kept, micro-batches, and of several ranks the
 * gradients on their way (as they are read, and as they are summed).
 */
export function hostMemory(facts: HostFacts): number {
  const { pixels, features, images, micro, parameters, ranks, index, device } = facts;
  const rows = Math.min(KEPT_ROW_BYTES, images * (pixels + 4 * features));
  const batches = BATCHES * micro * 4 * (pixels + features);
  const gradients = ranks > 1 ? 2 * 4 * parameters : 0;
  return PROCESS + rows + batches + gradients + index + device;
}
