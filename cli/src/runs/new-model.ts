import type { Device } from '@zeroseg/core';
import { checkEncoderFit, initialNotes, positionTable } from '@zeroseg/core/internal';
import { buildModule, newWeights, parameters } from '@zeroseg/core/nn';
import { initialWeights, type ResolvedTraining, ZeroSeg, type ZeroSegConfig } from '@zeroseg/core/zeroseg';
import { openWeights, teacherWeights } from '../weights/index.ts';

/** A model to begin training with: new weights, or those of a file as far as it has them; and what was not taken of it. */
export async function newModel(
  device: Device,
  config: ZeroSegConfig,
  seed: number,
  init: string | null,
): Promise<{ model: ZeroSeg; words: string; notes: string[] }> {
  if (init === null) {
    return { model: new ZeroSeg(newWeights(device, seed), config), words: `new, seed ${seed}`, notes: [] };
  }
  const { tensors } = await openWeights(await teacherWeights(init));
  checkEncoderFit(tensors, init, config);
  const [used, taken] = [new Set<string>(), new Set<string>()];
  const weights = initialWeights(device, seed, tensors, init, used, taken);
  const model = await buildModule(weights, (from) => new ZeroSeg(from, config));
  const notes = await initialNotes(tensors, init, config, parameters(model).keys(), { used, taken });
  return { model, words: `${used.size} tensors from ${init}, the rest new, seed ${seed}`, notes };
}

/** A learnt position table of the weights that training begins with is taken over, where nothing else is said. */
export async function withPositions(resolved: ResolvedTraining, init: string | null): Promise<ZeroSegConfig> {
  const { config, isPositionsOpen } = resolved;
  if (init === null || !isPositionsOpen) return config;
  const { tensors } = await openWeights(await teacherWeights(init));
  return (await positionTable(tensors, init))?.isLearnt ? { ...config, positions: 'learnt' } : config;
}
