import { ArgumentError } from '../../gpu/index.ts';
import { dropout } from '../../kernels/elementwise/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';

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
    if (!(rate >= 0 && rate <= 1)) throw new ArgumentError(`Dropout: rate must be from 0 to 1; it is ${rate}`);
    if (!(Number.isInteger(stream) && stream >= 0 && stream < 2 ** 32)) {
      throw new ArgumentError(
        `Dropout: stream must be a whole number below 2³², another for each layer; it is ${stream}`,
      );
    }
    this.rate = rate;
    this.stream = stream;
  }

  /** In evaluation: `x` itself. */
  forward(x: Tensor): Tensor {
    return x;
  }

  /** With the seed of this step, u32 `[2]`. */
  forwardInTraining(x: Tensor, key: Tensor): Tensor {
    if (key === undefined) {
      throw new ArgumentError('Dropout: in training it needs the seed of the step: forwardInTraining(x, key), u32 [2]');
    }
    return this.rate === 0 ? x : dropout(x, key, this.rate, this.stream);
  }
}
