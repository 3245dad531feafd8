import { ArgumentError } from '../../gpu/index.ts';
import { checkTensors } from '../../kernels/axis/index.ts';
import { dropout, mul, where } from '../../kernels/elementwise/index.ts';
import { fill, type Tensor } from '../../tensor/graph/index.ts';
import { isFloat, ShapeError, shown } from '../../tensor/values/index.ts';
import { composed } from './composed.ts';

/**
 * In training, zeros in random places, with probability `rate`, and all else divided by `1 − rate`; else nothing.
 *
 * ```ts
 * const drop = new Dropout(0.1, 3);
 * const train = await step(device, { x: [32, 64], key: { shape: [2], dtype: 'u32' } }, ({ x, key }) => drop.forwardInTraining(x, key));
 * for (let t = 1; t <= 1000; t++) train({ x: batch(t), key: [seed, t] });
 * ```
 *
 * The places are a function of `key`, `stream` and the shape, so that a step with an old key is the old step: a training that
 * counts them goes on as if it had never stopped. Give each layer of a model a `stream` of its own; those with the same drop in
 * the same places.
 */
export class Dropout {
  readonly rate: number;
  readonly stream: number;

  constructor(rate: number, stream: number) {
    checkRate('Dropout', rate, stream);
    this.rate = rate;
    this.stream = stream;
  }

  /** In evaluation: `x` itself. */
  forward(x: Tensor): Tensor {
    checkTensors('Dropout', { x });
    return x;
  }

  /** With the seed of this step, u32 `[2]`. */
  forwardInTraining(x: Tensor, key: Tensor): Tensor {
    checkInTraining('Dropout', x, key);
    return this.rate === 0 ? x : dropout(x, key, this.rate, this.stream);
  }
}

/**
 * {@link Dropout} of whole channels (Tompson et al., 2015), channels last: in training, `x [B, ..., C]` is zeros in random channels of random
 * images, with probability `rate`, and all else is divided by `1 − rate`. PyTorch's `Dropout1d` to `Dropout3d`. What is dropped may hold anything.
 *
 * ```ts
 * const drop = new Dropout2d(0.2, 4); // drop.forwardInTraining(x, key), of [B, H, W, C]
 * ```
 */
export class Dropout2d {
  readonly rate: number;
  readonly stream: number;

  constructor(rate: number, stream: number) {
    checkRate('Dropout2d', rate, stream);
    this.rate = rate;
    this.stream = stream;
  }

  /** In evaluation: `x` itself. */
  forward(x: Tensor): Tensor {
    checkTensors('Dropout2d', { x });
    return x;
  }

  /** With the seed of this step, u32 `[2]`. @throws ShapeError unless x is floats `[B, ..., C]`. */
  forwardInTraining(x: Tensor, key: Tensor): Tensor {
    checkInTraining('Dropout2d', x, key);
    const { shape, dtype } = x;
    if (shape.length < 2 || !isFloat(dtype)) {
      throw new ShapeError('Dropout2d', `x must be floats, [B, ..., C] (x is ${dtype})`, { x: shape });
    }
    if (this.rate === 0) return x;
    const channels = shape.map((length, axis) => (axis === 0 || axis === shape.length - 1 ? length : 1));
    return composed('Dropout2d', {}, () => {
      const kept = dropout(fill(x.device, channels, 1, dtype), key, this.rate, this.stream);
      return where(kept, mul(x, kept), 0);
    });
  }
}

function checkRate(layer: string, rate: number, stream: number): void {
  if (!(typeof rate === 'number' && rate >= 0 && rate <= 1)) {
    throw new ArgumentError(`${layer}: rate must be from 0 to 1; it is ${shown(rate)}`);
  }
  if (Number.isInteger(stream) && stream >= 0 && stream < 2 ** 32) return;
  throw new ArgumentError(
    `${layer}: stream must be a whole number below 2³², another for each layer; it is ${shown(stream)}`,
  );
}

function checkInTraining(layer: string, x: unknown, key: unknown): void {
  checkTensors(layer, { x });
  checkTensors(layer, { key }, 'in training it is the seed of the step, u32 [2]: forwardInTraining(x, key)');
}
