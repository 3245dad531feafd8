import { ArgumentError, DeviceError } from '../../gpu/index.ts';
import { checkOptions } from '../../kernels/axis/index.ts';
import { castFloat, gradients } from '../../kernels/elementwise/index.ts';
import { reshape } from '../../kernels/layout/index.ts';
import { label, range, type Tensor } from '../../tensor/graph/index.ts';
import { formatShape, ShapeError, StepError, shown } from '../../tensor/values/index.ts';
import { type Module, notModules, parametersOf, recordWith } from '../layers/index.ts';
import { checkOptimizer, type Optimizer } from './optimizer.ts';

/**
 * Training with a forward and backward pass in f16 (Micikevicius et al., 2018, "Mixed precision training"): weights are kept and
 * updated in f32; every step casts them to f16 (one launch a flat buffer), computes activations and gradients with them in f16 (sums
 * are f32 in every kernel), and multiplies the loss, whose gradients would be lost to f16's small range, by a loss scale.
 *
 * ```ts
 * const optimizer = new AdamW(device, parameters(model));
 * const half = new HalfPrecision(model, optimizer);
 * const scale = new LossScale();
 * const train = await step(device, { x: [32, 8], hyper: [optimizer.hyperparameterCount], scale: [] }, ({ x, hyper, scale }) => {
 *   const { loss, gradients } = half.backward(scale, () => ({ loss: model.loss(cast(x, 'f16')) }));
 *   return { loss, norm: optimizer.update(gradients, hyper).norm };
 * });
 * for (let i = 0; i < 1000; i++) {
 *   const hyper = optimizer.hyperparameters(scale.updates + 1, 1e-3, 1 / scale.value);
 *   const { norm } = train({ x: batch(i), hyper, scale: scale.value });
 *   scale.adjust((await read(norm))[0]);
 * }
 * ```
 *
 * An update whose gradients overflow f16 is skipped by {@link Optimizer}, and {@link LossScale.adjust} halves the scale.
 */
export class HalfPrecision {
  readonly #model: Module;
  readonly #optimizer: Optimizer;

  /**
   * @throws DeviceError when the device has no f16 arithmetic; StepError when the optimizer has parameters that the model does not
   * hold: their gradients would be zeros.
   */
  constructor(model: Module, optimizer: Optimizer) {
    checkOptimizer('HalfPrecision', optimizer);
    const held = new Set(parametersOf('HalfPrecision', model).values());
    const { device } = optimizer;
    if (!device.features.has('shader-f16')) {
      throw new DeviceError(`f16: '${device.name}' has no f16 arithmetic (shader-f16); train in f32`);
    }
    const strangers = optimizer.parameters.filter((p) => !held.has(p));
    if (strangers.length > 0) {
      const [first] = strangers;
      throw new StepError(
        `f16: ${strangers.length} of the optimizer's parameters are not in the model, the first is ${formatShape(first?.shape ?? [])}; ` +
          'give the object that holds them all',
      );
    }
    this.#model = model;
    this.#optimizer = optimizer;
  }

  /**
   * Records `body` with the model's parameters in f16, and the gradients of `scale` (a scalar, f32) times its `loss` (a scalar,
   * f16 or f32), f16, one for each parameter of the optimizer. What `body` returns comes back with them. Inputs in f32 must be
   * cast to f16 where they meet parameters; a loss is best computed from results cast to f32.
   */
  backward<R extends { readonly loss: Tensor }>(scale: Tensor, body: () => R): R & { readonly gradients: Tensor[] } {
    const copies = parametersInF16(this.#optimizer);
    const weights = this.#optimizer.parameters;
    const by = new Map(weights.map((p, i) => [p, copies[i] as Tensor]));
    // With the gradients: what is recomputed for them is recorded again.
    return recordWith('HalfPrecision: backward()', this.#model, by, () => {
      const results = body();
      const loss = castFloat(results.loss, 'f32');
      if (loss.size !== 1) throw new ShapeError('backward', 'the loss must be a scalar', { loss: loss.shape });
      // The scale comes in as the gradient of the loss: no launch multiplies.
      return { ...results, gradients: gradients(loss, copies, reshape(scale, loss.shape)) };
    });
  }
}

/** Records a copy of all parameters in f16, in one launch a buffer; in the order of the optimizer's. */
export function parametersInF16({ flat }: Optimizer): Tensor[] {
  return label('optimizer', () => {
    const buffers = flat.buffers.map(({ parameters }) => castFloat(parameters, 'f16'));
    return flat.parameters.map(({ tensor, buffer, offset }) =>
      range(buffers[buffer] as Tensor, offset / 2, tensor.shape),
    );
  });
}

export interface LossScaleOptions {
  /** The first scale. Default: 65536. */
  readonly initial?: number;
  /** After so many good updates in a row the scale is doubled. Default: 2000. */
  readonly interval?: number;
}

/** What a loss scale remembers, for checkpoints. */
export interface LossScaleState {
  readonly value: number;
  readonly good: number;
  readonly updates: number;
}

/** So that a small loss times the scale stays far inside f32. */
const LARGEST_SCALE = 2 ** 32;
/**
 * So that the scale never becomes 0, and 1 / scale stays far inside f32. Gradients that overflow f16 at this scale are no matter of
 * range: the training has diverged.
 */
const SMALLEST_SCALE = 2 ** -32;

/**
 * By what the loss is multiplied so that its gradients fit into f16: as large as it can be without overflow, found by
 * trying. See {@link HalfPrecision}.
 */
export class LossScale {
  /** Of the next update. */
  value: number;
  /** Updates that were made: skipped ones do not count. */
  updates = 0;
  /** Good updates since the scale changed. */
  #good = 0;
  readonly #interval: number;

  constructor(options: LossScaleOptions = {}) {
    checkOptions('LossScale', options, ['initial', 'interval']);
    const { initial = 65536, interval = 2000 } = options;
    checkScale('initial', initial);
    if (!(typeof interval === 'number' && interval >= 1)) {
      throw new ArgumentError(`LossScale: interval is ${shown(interval)}; it must be 1 or more`);
    }
    notModules.set(this, 'scale.state() in the metadata');
    this.value = initial;
    this.#interval = interval;
  }

  /**
   * Tells how an update ended, by the norm of its gradients. Not finite: the update was skipped, the scale is halved, down to
   * 2^-32. Otherwise it was made, and after `interval` of them the scale is doubled, up to 2^32. Says whether it was made.
   */
  adjust(norm: number | undefined): boolean {
    if (norm !== undefined && typeof norm !== 'number') {
      throw new ArgumentError(`LossScale: the norm is a number, as (await read(norm))[0]; got ${shown(norm)}`);
    }
    const made = norm !== undefined && Number.isFinite(norm);
    this.#good = made ? this.#good + 1 : 0;
    if (made) this.updates++;
    else this.value = Math.max(SMALLEST_SCALE, this.value / 2);
    if (this.#good >= this.#interval) {
      this.value = Math.min(LARGEST_SCALE, this.value * 2);
      this.#good = 0;
    }
    return made;
  }

  state(): LossScaleState {
    return { value: this.value, good: this.#good, updates: this.updates };
  }

  /** Goes on from a state that was saved. Nothing changes when it is none. */
  restore(state: LossScaleState): void {
    checkOptions('LossScale', state, ['value', 'good', 'updates'], 'what state() gave, its numbers,');
    const { value, good, updates } = state;
    checkScale('value', value);
    for (const [name, count] of Object.entries({ good, updates })) {
      if (!Number.isInteger(count) || count < 0) {
        throw new ArgumentError(`LossScale: ${name} is ${shown(count)}; it must be a whole number, 0 or more`);
      }
    }
    this.value = value;
    this.#good = good;
    this.updates = updates;
  }
}

function checkScale(name: string, value: number): void {
  if (!(typeof value === 'number' && value >= SMALLEST_SCALE && value <= LARGEST_SCALE)) {
    throw new ArgumentError(`LossScale: ${name} is ${shown(value)}; it must be between 2^-32 and 2^32`);
  }
}
