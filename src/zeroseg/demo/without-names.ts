import type { Device } from '../../gpu/index.ts';
import type { Weights } from '../../nn/layers/index.ts';
import type { WeightTensor } from '../../nn/safetensors/index.ts';
import { initialWeights } from '../model/index.ts';

/** The layers that take a segment into the space of words. */
const PROJECTOR = 'seg.projector.';
/** Added to the seed: by another one than the student began from, whose last layers are still near to what they were then. */
const NAMES_SEED = 500_000_000;

/**
 * A trained student that has lost its names: its last layers, which say what a segment is (`seg.projector`), are new, and all others as
 * they were stored. It divides pictures, calls nothing by its name, and learns that again in a few steps, from any teacher: a head start
 * for trainings of minutes.
 *
 * ```ts
 * const model = new ZeroSeg(withoutNames(device, 1, tensors, 'student.safetensors'), config);
 * ```
 *
 * @throws {CheckpointError} as `initialWeights` does.
 */
export function withoutNames(
  device: Device,
  seed: number,
  stored: ReadonlyMap<string, WeightTensor>,
  file: string,
): Weights {
  const kept = new Map([...stored].filter(([name]) => !name.startsWith(PROJECTOR)));
  return initialWeights(device, (seed + NAMES_SEED) % 2 ** 32, kept, file, new Set());
}
