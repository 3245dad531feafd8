import { ArgumentError, type Device } from '../../gpu/index.ts';
import { cast } from '../../kernels/elementwise/index.ts';
import {
  accumulateBucket,
  adamW,
  adamWHyperparameters,
  clipGradients,
  HYPERPARAMETER_COUNT,
} from '../../kernels/optimizer/index.ts';
import { free, label, range, type Tensor, variable } from '../../tensor/graph/index.ts';
import {
  type FlatParameters,
  type FlatParametersOptions,
  flattenParameters,
  placeGradients,
} from './flat-parameters.ts';

export interface AdamWOptions extends FlatParametersOptions {
  /** Default: 0.9. */
  readonly beta1?: number;
  /** Default: 0.95. */
  readonly beta2?: number;
  /** Default: 1e-8. */
  readonly eps?: number;
  /** Default: 0.05. Parameters with one axis (biases, norms) do not decay, unless `decays` says otherwise. */
  readonly weightDecay?: number;
  /** Gradients whose L2 norm over all parameters is larger are scaled down to it. Default: no limit. */
  readonly maxNorm?: number;
}

/** What an update tells: the L2 norm of all gradients before clipping, a scalar. */
export type Update = {
  readonly norm: Tensor;
};

/**
 * AdamW over all parameters of a model, in a few launches whatever their number: they are moved into a few flat
 * buffers, the launches that compute gradients write them into such buffers too, and every buffer is updated by one launch.
 *
 * ```ts
 * const optimizer = new AdamW(device, parameters(model), { maxNorm: 5 });
 * const train = await step(device, { x: [32, 8], hyper: [optimizer.hyperparameterCount] }, ({ x, hyper }) => {
 *   const loss = model.loss(x);
 *   const { norm } = optimizer.update(gradients(loss, optimizer.parameters), hyper);
 *   return { loss, norm };
 * });
 * for (let t = 1; t <= 1000; t++) train({ x: batch(t), hyper: optimizer.hyperparameters(t, 1e-3) });
 * ```
 *
 * Where a gradient is infinite or not a number, the update changes nothing, and `norm` tells.
 */
export class AdamW {
  /** How many numbers {@link hyperparameters} gives: the shape of that input. */
  readonly hyperparameterCount: number = HYPERPARAMETER_COUNT;
  /** In the order in which gradients are to be given. */
  readonly parameters: readonly Tensor[];
  readonly device: Device;
  readonly #options: Required<Omit<AdamWOptions, keyof FlatParametersOptions>>;
  readonly #flat: FlatParameters;
  readonly #m: readonly Tensor[];
  readonly #v: readonly Tensor[];
  /** Sums of gradients over micro-batches: there once `accumulate` was used. */
  #sums: readonly Tensor[] | undefined;

  /**
   * Moves the parameters into flat buffers: make steps that use them after this.
   *
   * @throws StepError when there are none.
   */
  constructor(device: Device, named: Iterable<readonly [string, Tensor]>, options: AdamWOptions = {}) {
    const { beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weightDecay = 0.05, maxNorm = Number.POSITIVE_INFINITY } = options;
    if (!(maxNorm > 0)) throw new ArgumentError(`AdamW: maxNorm must be above 0; it is ${maxNorm}`);
    for (const [name, value, inside] of [
      ['beta1', beta1, beta1 >= 0 && beta1 < 1],
      ['beta2', beta2, beta2 >= 0 && beta2 < 1],
      ['eps', eps, eps >= 0 && Number.isFinite(eps)],
      ['weightDecay', weightDecay, weightDecay >= 0 && Number.isFinite(weightDecay)],
    ] as const) {
      if (!inside) {
        const rule = name.startsWith('beta') ? 'be at least 0 and below 1' : 'be a finite number, 0 or more';
        throw new ArgumentError(`AdamW: ${name} must ${rule}; it is ${value}`);
      }
    }
    this.device = device;
    this.#options = { beta1, beta2, eps, weightDecay, maxNorm };
    this.#flat = flattenParameters(device, named, options);
    this.parameters = this.#flat.parameters.map(({ tensor }) => tensor);
    this.#m = this.#zeros();
    this.#v = this.#zeros();
  }

  /** Bytes of GPU memory: parameters, state, and sums of gradients. */
  get bytes(): number {
    const parameters = this.#flat.buffers.reduce((sum, { parameters }) => sum + parameters.storage.bytes, 0);
    const blocks = this.#flat.buffers.reduce((sum, buffer) => sum + buffer.blocks.storage.bytes, 0);
    return parameters * (this.#sums ? 4 : 3) + blocks;
  }

  /** The input `hyper` of step `t` = 1, 2, … `scale` multiplies the gradients: 1 / the loss scale, if there is one. */
  hyperparameters(t: number, lr: number, scale = 1): Float32Array {
    // Step 0 would divide by 1 - β^0 = 0.
    if (!Number.isInteger(t) || t < 1) throw new ArgumentError(`AdamW: steps are counted 1, 2, …; t is ${t}`);
    if (!Number.isFinite(lr)) throw new ArgumentError(`AdamW: the learning rate is ${lr}`);
    if (!Number.isFinite(scale)) throw new ArgumentError(`AdamW: the scale of gradients is ${scale}`);
    return adamWHyperparameters(t, lr, this.#options.beta1, this.#options.beta2, scale);
  }

  /** Records a copy of all parameters in f16, in one launch a buffer; in the order of {@link parameters}. */
  parametersInF16(): Tensor[] {
    return label('optimizer', () => {
      const buffers = this.#flat.buffers.map(({ parameters }) => cast(parameters, 'f16'));
      return this.#flat.parameters.map(({ tensor, buffer, offset }) =>
        range(buffers[buffer] as Tensor, offset / 2, tensor.shape),
      );
    });
  }

  /** Records one step with these gradients, one for each parameter, all f32 or all f16. */
  update(gradients: readonly Tensor[], hyper: Tensor): Update {
    return label('optimizer', () => this.#step(placeGradients(this.#flat, gradients), hyper, false));
  }

  /** Records that `scale` times these gradients is kept for {@link apply}. With n equal micro-batches `scale` is 1 / n. */
  accumulate(gradients: readonly Tensor[], scale: number): void {
    if (!Number.isFinite(scale)) throw new ArgumentError(`AdamW: the scale of a micro-batch is ${scale}`);
    label('optimizer', () => {
      const placed = placeGradients(this.#flat, gradients, 'buckets');
      const sums = this.#accumulators();
      // The last first, as gradients come: each is added as soon as it is there.
      for (let i = placed.length - 1; i >= 0; i--) {
        const { buffer, offset, floats } = this.#flat.buckets[i] as FlatParameters['buckets'][number];
        const { blocks } = this.#flat.buffers[buffer] as FlatParameters['buffers'][number];
        accumulateBucket(
          range(sums[buffer] as Tensor, offset, [floats]),
          placed[i] as Tensor,
          blocks,
          offset / 256,
          scale,
        );
      }
    });
  }

  /** Records one step with the gradients that were accumulated, and starts anew. */
  apply(hyper: Tensor): Update {
    return label('optimizer', () => this.#step(this.#accumulators(), hyper, true));
  }

  /** Adam's `m` and `v` by name (`m.` or `v.` and the parameter's), for checkpoints: read them, or write what was read. */
  state(): Map<string, Tensor> {
    const named = new Map<string, Tensor>();
    for (const [prefix, buffers] of Object.entries({ m: this.#m, v: this.#v })) {
      for (const { name, tensor, buffer, offset } of this.#flat.parameters) {
        named.set(`${prefix}.${name}`, range(buffers[buffer] as Tensor, offset, tensor.shape));
      }
    }
    return named;
  }

  /** Frees everything but the parameters. Steps that update them must be gone. */
  dispose(): void {
    for (const t of [...this.#m, ...this.#v, ...(this.#sums ?? [])]) free(t);
    for (const { blocks } of this.#flat.buffers) free(blocks);
  }

  #step(gradients: readonly Tensor[], hyper: Tensor, clear: boolean): Update {
    const { buffers } = this.#flat;
    const all = buffers.map(({ parameters, blocks }, i) => ({
      parameters,
      blocks,
      m: this.#m[i] as Tensor,
      v: this.#v[i] as Tensor,
      gradients: gradients[i] as Tensor,
    }));
    const { norm, factor } = clipGradients(
      all.map(({ gradients, blocks }) => ({ gradients, blocks })),
      hyper,
      this.#options.maxNorm,
    );
    for (const buffer of all) adamW(buffer, hyper, factor, this.#options, clear);
    return { norm };
  }

  #accumulators(): readonly Tensor[] {
    this.#sums ??= this.#zeros();
    return this.#sums;
  }

  #zeros(): Tensor[] {
    return this.#flat.buffers.map(({ parameters }) => variable(this.device, parameters.shape));
  }
}
