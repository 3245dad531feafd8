import { ArgumentError } from '../../gpu/index.ts';
import { moveAverage } from '../../kernels/optimizer/index.ts';
import {
  checkFunction,
  checkOptions,
  checkTensors,
  free,
  label,
  range,
  type Tensor,
  variable,
} from '../../tensor/graph/index.ts';
import { ShapeError, StepError, shown } from '../../tensor/values/index.ts';
import { type Module, notModules, parametersOf, recordWith } from '../layers/index.ts';
import { checkOptimizer, type Optimizer } from './optimizer.ts';

export interface WeightAverageOptions {
  /** How much of the average stays in an update. Default: 0.999. */
  readonly decay?: number;
}

/**
 * The exponential moving average of the weights that an optimizer updates: `average ← decay · average + (1 − decay) · p`, in one
 * launch a flat buffer.
 *
 * ```ts
 * const optimizer = new AdamW(device, parameters(model));
 * const average = new WeightAverage(optimizer, { decay: 0.9999 });
 * const inputs = { x: [32, 8], hyper: [optimizer.hyperparameterCount], rest: [] };
 * const train = await step(device, inputs, ({ x, hyper, rest }) => {
 *   const loss = model.loss(x);
 *   optimizer.update(gradients(loss, optimizer.parameters), hyper);
 *   average.update(rest); // after the weights
 *   return loss;
 * });
 * const evaluate = await step(device, { x: [32, 8] }, ({ x }) => average.within(model, () => model.loss(x)));
 * for (let t = 1; t <= 1000; t++) train({ x: batch(t), hyper: optimizer.hyperparameters(t, 1e-3), rest: average.rest(t) });
 * ```
 *
 * Before its first update it is 0 everywhere; the update with `rest` = 1, which is that of `t` = 1, makes it the weights.
 */
export class WeightAverage {
  readonly decay: number;
  readonly #optimizer: Optimizer;
  readonly #buffers: readonly Tensor[];

  constructor(optimizer: Optimizer, options: WeightAverageOptions = {}) {
    checkOptimizer('WeightAverage', optimizer);
    checkOptions('WeightAverage', options, ['decay']);
    const { decay = 0.999 } = options;
    if (!(typeof decay === 'number' && decay >= 0 && decay < 1)) {
      throw new ArgumentError(`WeightAverage: decay must be at least 0 and below 1; it is ${shown(decay)}`);
    }
    notModules.set(this, 'average.state()');
    this.decay = decay;
    this.#optimizer = optimizer;
    this.#buffers = optimizer.flat.buffers.map(({ parameters }) => variable(optimizer.device, parameters.shape));
  }

  /**
   * The input `rest` of update `t` = 1, 2, …: 1 in the first, 1 − `decay` in all others. With `warmup`, no update keeps more than
   * (1 + t) / (10 + t), so that the average follows early training.
   */
  rest(t: number, warmup = false): number {
    if (!Number.isInteger(t) || t < 1) {
      throw new ArgumentError(`WeightAverage: updates are counted 1, 2, …; t is ${shown(t)}`);
    }
    if (typeof warmup !== 'boolean') {
      throw new ArgumentError(`WeightAverage: warmup must be true or false; it is ${shown(warmup)}`);
    }
    if (t === 1) return 1;
    return 1 - (warmup ? Math.min(this.decay, (1 + t) / (10 + t)) : this.decay);
  }

  /**
   * Records an update by the weights as they are then: call it after the optimizer's update. `rest` is a scalar.
   *
   * @throws ShapeError when it is none.
   */
  update(rest: Tensor): void {
    checkTensors('WeightAverage', { rest }, 'an input of the step, a scalar that rest(t) fills');
    if (rest.size !== 1) {
      throw new ShapeError('WeightAverage', 'rest must be a scalar, as rest(t) gives it', { rest: rest.shape });
    }
    label('average', () => {
      this.#optimizer.flat.buffers.forEach(({ parameters }, i) => {
        moveAverage(this.#buffers[i] as Tensor, parameters, rest);
      });
    });
  }

  /**
   * Records `body` with the averages in the place of the model's weights.
   *
   * @throws StepError when the optimizer updates none of them.
   */
  within<R>(model: Module, body: () => R): R {
    checkFunction('WeightAverage', 'the body', body);
    const averages = [...this.state().values()];
    const by = new Map(this.#optimizer.parameters.map((p, i) => [p, averages[i] as Tensor]));
    if (![...parametersOf('WeightAverage', model).values()].some((p) => by.has(p))) {
      throw new StepError(
        'WeightAverage: within() wants a model that the optimizer updates; it updates none of this one',
      );
    }
    return recordWith('WeightAverage: within()', model, by, body);
  }

  /** The averages by the parameters' names, for checkpoints: read them, or write what was read. */
  state(): Map<string, Tensor> {
    const { parameters } = this.#optimizer.flat;
    return new Map(
      parameters.map(({ name, tensor, buffer, offset }) => [
        name,
        range(this.#buffers[buffer] as Tensor, offset, tensor.shape),
      ]),
    );
  }

  /** Steps that use it must be gone. */
  dispose(): void {
    this.#buffers.forEach(free);
  }
}
