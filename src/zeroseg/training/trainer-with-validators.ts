/// <reference lib="esnext.disposable" preserve="true" />

import type { Device } from '../../gpu/index.ts';
import type { TrainingData } from '../features/index.ts';
import type { ZeroSeg } from '../model/index.ts';
import type { RunDescription } from './run-description.ts';
import { Trainer } from './trainer.ts';
import type { TrainerOptions } from './trainer-options.ts';
import { HeldOutLoss, holdOut, type Validator } from './validation.ts';

/** What trains, and what validates. */
export interface TrainerWithValidators {
  readonly trainer: Trainer;
  readonly validators: readonly Validator[];
}

interface ValidatedStart extends TrainerOptions {
  readonly device: Device;
  readonly data: TrainingData;
  readonly description: Pick<RunDescription, 'settings' | 'validation'>;
  readonly validateScenes?: ((model: ZeroSeg) => Promise<Validator>) | undefined;
}

/** A trainer, and the validators that a run's description asks for, of which it has the numbers of every so many steps. */
export async function trainerWithValidators(model: ZeroSeg, start: ValidatedStart): Promise<TrainerWithValidators> {
  const { device, data, description, validateScenes } = start;
  const { settings, validation } = description;
  if (!validation) return { trainer: await Trainer.create(device, model, data, settings, start), validators: [] };
  if (validation.scenes && !validateScenes) throw new Error('internal: a run has no scenes to be validated on');
  const parts = validation.fraction === undefined ? undefined : holdOut(data, validation.fraction, settings.seed);
  const trainer = await Trainer.create(device, model, parts?.training ?? data, settings, start);
  const validators: Validator[] = [];
  try {
    // After the optimizer, which moves the weights.
    if (parts) validators.push(await HeldOutLoss.create(device, trainer.evaluated, parts.heldOut, settings));
    if (validation.scenes && validateScenes) validators.push(await validateScenes(trainer.evaluated));
  } catch (error) {
    disposeOf({ trainer, validators });
    throw error;
  }
  trainer.askProbe({
    every: validation.every,
    measure: async () => {
      const numbers: Record<string, number> = {};
      for (const validator of validators) Object.assign(numbers, await validator.measure());
      return numbers;
    },
  });
  return { trainer, validators };
}

/**
 * Trains along with process 0 of a group, whose {@link TrainingRun} keeps what there is to keep: from where that is, to the end or to
 * where any of them is stopped. Nothing is validated here.
 */
export async function trainAlong(
  model: ZeroSeg,
  { device, data, description, ...options }: Omit<ValidatedStart, 'validateScenes' | 'probe'>,
  signal?: AbortSignal,
): Promise<void> {
  const { settings, validation } = description;
  const { fraction } = validation ?? {};
  const own = fraction === undefined ? data : holdOut(data, fraction, settings.seed).training;
  using trainer = await Trainer.create(device, model, own, settings, options);
  await trainer.synchronise();
  const stop = (): void => trainer.stop();
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  try {
    for await (const _ of trainer.run()) {
      // What a step found is told by process 0.
    }
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

export function disposeOf({ trainer, validators }: TrainerWithValidators): void {
  trainer.dispose();
  for (const validator of validators) validator[Symbol.dispose]();
}
