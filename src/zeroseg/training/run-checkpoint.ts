/** What a checkpoint of a run holds: the model, and all else that training goes on from. */
import type { Device } from '../../gpu/index.ts';
import { parameters } from '../../nn/layers/index.ts';
import { safetensorsSize } from '../../nn/safetensors/index.ts';
import { GpuTensors, type TensorContent, type WeightFile } from '../checkpoints/index.ts';
import {
  type AboutModel,
  loadOptimizer,
  modelContent,
  openModel,
  optimizerContent,
  parseLossScale,
  type ZeroSeg,
} from '../model/index.ts';
import type { Checkpoint, PartContent, StepTrace } from '../runs/index.ts';
import type { Trainer } from './trainer.ts';

export const MODEL = 'model.safetensors';
export const OPTIMIZER = 'optimizer.safetensors';

/** A copy, on the GPU, of what a checkpoint after the steps that it was given holds; undefined where there is no room for it. */
export async function copyForCheckpoint(
  trainer: Trainer,
  step: number,
  trace: StepTrace | undefined,
): Promise<GpuTensors | undefined> {
  const end = trace?.begin('copy', { step });
  const tensors = [...parameters(trainer.evaluated).values(), ...trainer.state().values()];
  return GpuTensors.copyOf(trainer.optimizer.device, tensors).finally(end);
}

/** What the files of a checkpoint hold. */
function contents(trainer: Trainer, about: AboutModel): Record<'model' | 'optimizer', TensorContent> {
  const { step, teacher } = about;
  const state = { step: String(step), teacher, loss_scale: JSON.stringify(trainer.scale.state()) };
  return { model: modelContent(trainer.evaluated, about), optimizer: optimizerContent(trainer.state(), state) };
}

/** Bytes of the files of a checkpoint: of weights, and of all else that training goes on from. */
export interface CheckpointBytes {
  readonly model: number;
  readonly optimizer: number;
}

/** What a checkpoint will take on the disk, exactly. The trainer need not have any values. */
export function checkpointBytes(trainer: Trainer, about: AboutModel): CheckpointBytes {
  const sizeOf = ({ named, metadata }: TensorContent): number => {
    const tensors = [...named].map(([name, { shape }]) => ({ name, dtype: 'F32', shape }) as const);
    return safetensorsSize(tensors, metadata);
  };
  const { model, optimizer } = contents(trainer, about);
  return { model: sizeOf(model), optimizer: sizeOf(optimizer) };
}

/** The files of a checkpoint after the steps that are done, in pieces: of the copy, or of what the GPU has, which must then stay as it is. */
export function checkpointFiles(
  trainer: Trainer,
  about: AboutModel,
  { copy, trace }: { readonly copy: GpuTensors | undefined; readonly trace: StepTrace | undefined },
): Readonly<Record<string, PartContent>> {
  const tensors = copy ?? GpuTensors.of(trainer.optimizer.device);
  const { model, optimizer } = contents(trainer, about);
  const file = (content: TensorContent) => traced(tensors.file(content), trace, about.step);
  return { [MODEL]: file(model), [OPTIMIZER]: file(optimizer) };
}

/** The same pieces; when each was fetched and written is traced. */
async function* traced<T>(pieces: AsyncIterable<T>, trace: StepTrace | undefined, step: number): AsyncGenerator<T> {
  const all = trace?.begin('checkpoint', { step });
  let end = trace?.begin('fetch', { step });
  try {
    for await (const piece of pieces) {
      end?.();
      end = trace?.begin('write', { step });
      yield piece;
      end?.();
      end = trace?.begin('fetch', { step });
    }
  } finally {
    end?.();
    all?.();
  }
}

export async function modelOfCheckpoint(device: Device, { files }: Checkpoint): Promise<ZeroSeg> {
  const { model } = await openModel(device, files.get(MODEL) as WeightFile);
  return model;
}

/** Goes on from a checkpoint, whose model the trainer was made with. */
export async function restoreCheckpoint(trainer: Trainer, { step, files, path }: Checkpoint): Promise<void> {
  const { loss_scale } = await loadOptimizer(trainer.state(), files.get(OPTIMIZER) as WeightFile);
  trainer.resume(step, parseLossScale(loss_scale, path(OPTIMIZER)));
}
