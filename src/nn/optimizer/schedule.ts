import { ArgumentError } from '../../gpu/index.ts';
import { checkOptions } from '../../kernels/axis/index.ts';
import { shown } from '../../tensor/values/index.ts';

export interface Schedule {
  /** How far training is, in epochs: fractional. */
  readonly epoch: number;
  /** Learning rate for 256 images a step. */
  readonly base: number;
  /** Images a step. */
  readonly batch: number;
  /** Epochs over which the rate rises from 0. */
  readonly warmup: number;
  /** Epochs of the whole training. */
  readonly epochs: number;
  /** The rate at the end. Default: 0. */
  readonly min?: number;
}

/** The linear scaling rule (Goyal et al., 2017): `base · batch / 256`. */
export function scaledRate(base: number, batch: number): number {
  checkNumber('scaledRate', 'base', base, 0);
  checkNumber('scaledRate', 'batch', batch, 1);
  return (base * batch) / 256;
}

/**
 * MAE's schedule, for every step: from 0 up to the scaled rate over the warm-up, in a line, then down to `min` along half a
 * cosine.
 *
 * ```ts
 * learningRate({ epoch: 10, base: 1.5e-4, batch: 4096, warmup: 20, epochs: 80 }); // 0.0012
 * ```
 */
export function learningRate(schedule: Schedule): number {
  checkOptions('learningRate', schedule, ['epoch', 'base', 'batch', 'warmup', 'epochs', 'min']);
  const { epoch, base, batch, warmup, epochs, min = 0 } = schedule;
  checkNumber('learningRate', 'batch', batch, 1);
  for (const [name, value] of Object.entries({ epoch, base, warmup, epochs, min }))
    checkNumber('learningRate', name, value, 0);
  const peak = scaledRate(base, batch);
  if (epoch < warmup) return (peak * epoch) / warmup;
  // A run may go on beyond its last epoch, or be all warm-up.
  const done = epochs > warmup ? Math.min(1, (epoch - warmup) / (epochs - warmup)) : 1;
  return min + ((peak - min) * (1 + Math.cos(Math.PI * done))) / 2;
}

function checkNumber(op: string, name: string, value: unknown, min: number): void {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min) {
    throw new ArgumentError(`${op}: ${name} must be a finite number, ${min} or more; it is ${shown(value)}`);
  }
}
