import { ArgumentError, type Device } from '../../gpu/index.ts';
import { checkOptions } from '../../kernels/axis/index.ts';
import { accumulateBucket, clipGradients, HYPERPARAMETER_COUNT } from '../../kernels/optimizer/index.ts';
import { checkDevice, free, label, range, type Tensor, variable } from '../../tensor/graph/index.ts';
import { describe, ShapeError, sameShape, shown } from '../../tensor/values/index.ts';
import { notModules } from '../layers/index.ts';
import {
  type FlatBuffer,
  type FlatParameters,
  type FlatParametersOptions,
  flattenParameters,
  placeGradients,
} from './flat-parameters.ts';

/** What every optimizer takes. */
export interface OptimizerOptions extends FlatParametersOptions {
  /** Gradients whose L2 norm over all parameters is larger are scaled down to it. Default: no limit. */
  readonly maxNorm?: number;
}

/** What an update tells: the L2 norm of all gradients before clipping, a scalar. */
export type Update = {
  readonly norm: Tensor;
};

/** A flat buffer with its gradients and state: what a rule updates. */
export type OptimizerBuffer<S extends string> = Readonly<Record<'parameters' | 'gradients' | 'blocks' | S, Tensor>>;

/**
 * What all optimizers have in common. They update all parameters of a model in a few launches whatever their number: these are
 * moved into a few flat buffers, the launches that compute gradients write them into such buffers too, and every buffer is updated
 * by one launch.
 *
 * Where a gradient is infinite or not a number, the update changes nothing, and `norm` tells.
 */
export abstract class Optimizer<S extends string = string> {
  /** How many numbers {@link hyperparameters} gives: the shape of that input. */
  readonly hyperparameterCount: number = HYPERPARAMETER_COUNT;
  /** Its options, with the defaults of its rule. */
  readonly settings: OptimizerOptions;
  /** In the order in which gradients are to be given. */
  readonly parameters: readonly Tensor[];
  readonly device: Device;
  /** Where the parameters lie. */
  readonly flat: FlatParameters;
  readonly #name: string;
  /** By buffer. */
  readonly #state: readonly Readonly<Record<S, Tensor>>[];
  /** Sums of gradients over micro-batches, by buffer: there once `accumulate` was used. */
  #sums: readonly Tensor[] | undefined;

  /** @throws StepError when there are no parameters. */
  protected constructor(
    name: string,
    state: readonly S[],
    device: Device,
    named: Iterable<readonly [string, Tensor]>,
    options: OptimizerOptions,
  ) {
    checkDevice(name, device);
    const { maxNorm = 1 } = options;
    if (!(typeof maxNorm === 'number' && maxNorm > 0))
      throw new ArgumentError(`${name}: maxNorm must be above 0; it is ${shown(maxNorm)}`);
    notModules.set(this, 'optimizer.state()');
    this.settings = options;
    this.#name = name;
    this.device = device;
    this.flat = flattenParameters(device, named, options);
    this.parameters = this.flat.parameters.map(({ tensor }) => tensor);
    this.#state = this.flat.buffers.map(
      (buffer) => Object.fromEntries(state.map((name) => [name, zerosFor(buffer)])) as Record<S, Tensor>,
    );
  }

  /** What the rule needs of step `t` at a learning rate, and `scale`. */
  protected abstract numbers(t: number, lr: number, scale: number): Float32Array;

  /** Records the update of buffer number `index`. */
  protected abstract updateBuffer(
    buffer: OptimizerBuffer<S>,
    hyper: Tensor,
    factor: Tensor,
    clear: boolean,
    index: number,
  ): void;

  /** Bytes of GPU memory: parameters, state, and sums of gradients. */
  get bytes(): number {
    return [...this.#own(), ...this.flat.buffers.map(({ parameters }) => parameters)].reduce(
      (sum, { storage }) => sum + storage.bytes,
      0,
    );
  }

  /** The input `hyper` of step `t` = 1, 2, … `scale` multiplies the gradients: 1 / the loss scale, if there is one. */
  hyperparameters(t: number, lr: number, scale = 1): Float32Array {
    const name = this.#name;
    // Adam's step 0 would divide by 1 - β^0 = 0.
    if (!Number.isInteger(t) || t < 1) throw new ArgumentError(`${name}: steps are counted 1, 2, …; t is ${shown(t)}`);
    if (!(Number.isFinite(lr) && lr >= 0)) {
      throw new ArgumentError(`${name}: the learning rate must be a finite number, 0 or more; it is ${shown(lr)}`);
    }
    if (!Number.isFinite(scale)) throw new ArgumentError(`${name}: the scale of gradients is ${shown(scale)}`);
    return this.numbers(t, lr, scale);
  }

  /**
   * Records one step with these gradients, one for each parameter, all f32 or all f16. `hyper [hyperparameterCount]` is the input that
   * {@link hyperparameters} fills, a new one for each step.
   *
   * ```ts
   * const inputs = { x: [32, 8], hyper: [optimizer.hyperparameterCount] };
   * const train = await step(device, inputs, ({ x, hyper }) => {
   *   const loss = model.loss(x);
   *   optimizer.update(gradients(loss, optimizer.parameters), hyper);
   *   return loss;
   * });
   * train({ x: batch, hyper: optimizer.hyperparameters(1, 1e-3) });
   * ```
   *
   * @throws ShapeError when `hyper`, or a gradient, has another shape; StepError outside of a step, `jit` or `run`.
   */
  update(gradients: readonly Tensor[], hyper: Tensor): Update {
    return label('optimizer', () => this.#step(placeGradients(this.flat, gradients), hyper, false));
  }

  /** Records that `scale` times these gradients is kept for {@link apply}. With n equal micro-batches `scale` is 1 / n. */
  accumulate(gradients: readonly Tensor[], scale: number): void {
    if (!Number.isFinite(scale))
      throw new ArgumentError(`${this.#name}: the scale of a micro-batch is ${shown(scale)}`);
    label('optimizer', () => {
      const placed = placeGradients(this.flat, gradients, 'buckets');
      const sums = this.gradientSums();
      // The last first, as gradients come: each is added as soon as it is there.
      for (let i = placed.length - 1; i >= 0; i--) {
        const { buffer, offset, floats } = this.flat.buckets[i] as FlatParameters['buckets'][number];
        const { blocks } = this.flat.buffers[buffer] as FlatParameters['buffers'][number];
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

  /**
   * The sums of {@link accumulate} that {@link apply} takes, in flat buffers: what processes that train together sum between the two
   * (`allReduce`). Nothing else may write them.
   */
  gradientSums(): readonly Tensor[] {
    this.#sums ??= this.flat.buffers.map(zerosFor);
    return this.#sums;
  }

  /** Records one step with the gradients that were accumulated, and starts anew. */
  apply(hyper: Tensor): Update {
    return label('optimizer', () => this.#step(this.gradientSums(), hyper, true));
  }

  /** What the rule remembers, by name (such as `m.` and the parameter's), for checkpoints: read it, or write what was read. */
  state(): Map<string, Tensor> {
    const named = new Map<string, Tensor>();
    for (const key in this.#state[0]) {
      for (const { name, tensor, buffer, offset } of this.flat.parameters) {
        named.set(`${key}.${name}`, range((this.#state[buffer] as Record<S, Tensor>)[key], offset, tensor.shape));
      }
    }
    return named;
  }

  /** Frees everything but the parameters. Steps that update them must be gone. */
  dispose(): void {
    this.#own().forEach(free);
  }

  #own(): Tensor[] {
    return [
      ...this.#state.flatMap((buffer) => Object.values<Tensor>(buffer)),
      ...(this.#sums ?? []),
      ...this.flat.buffers.map(({ blocks }) => blocks),
    ];
  }

  #step(gradients: readonly Tensor[], hyper: Tensor, clear: boolean): Update {
    if (!sameShape([this.hyperparameterCount], hyper?.shape)) {
      throw new ShapeError(this.#name, 'hyper must have the shape [hyperparameterCount]', { hyper: hyper?.shape });
    }
    const all = this.flat.buffers.map((buffer, i) => ({
      ...buffer,
      ...(this.#state[i] as Record<S, Tensor>),
      gradients: gradients[i] as Tensor,
    }));
    const { norm, factor } = clipGradients(all, hyper, this.settings.maxNorm);
    all.forEach((buffer, i) => void this.updateBuffer(buffer, hyper, factor, clear, i));
    return { norm };
  }
}

/** @throws ArgumentError for what is no optimizer. */
export function checkOptimizer(op: string, given: unknown): void {
  if (given instanceof Optimizer) return;
  throw new ArgumentError(`${op}: an optimizer is needed, as new AdamW(device, named); got ${describe(given)}`);
}

function zerosFor({ parameters }: FlatBuffer): Tensor {
  return variable(parameters.device, parameters.shape);
}

/** Options that every optimizer has. */
const common = ['maxNorm', 'bufferBytes', 'bucketBytes', 'decays'] as const satisfies (keyof OptimizerOptions)[];

/**
 * The numbers of a rule: its options, or where they are not given the defaults. `fractions` are those below 1; `others` are what options
 * there are beside numbers.
 *
 * @throws ShapeError for an option that there is not; ArgumentError for a number that is negative or not finite, or a fraction of 1 or more.
 */
export function ruleNumbers<N extends string>(
  rule: string,
  options: OptimizerOptions & { readonly [K in NoInfer<N>]?: number },
  defaults: Readonly<Record<N, number>>,
  fractions: readonly NoInfer<N>[] = [],
  others: readonly string[] = [],
): Record<N, number> {
  if ((options as { readonly lr?: unknown } | null)?.lr !== undefined) {
    throw new ArgumentError(`${rule}: the learning rate comes with every step: hyperparameters(t, lr)`);
  }
  checkOptions(rule, options, [...Object.keys(defaults), ...others, ...common]);
  const numbers: Record<N, number> = { ...defaults };
  for (const name in defaults) {
    const value = options[name] === undefined ? defaults[name] : options[name];
    const isFraction = fractions.includes(name);
    if (!(Number.isFinite(value) && value >= 0 && (!isFraction || value < 1))) {
      const range = isFraction ? 'at least 0 and below 1' : 'a finite number, 0 or more';
      throw new ArgumentError(`${rule}: ${name} must be ${range}; it is ${shown(value)}`);
    }
    numbers[name] = value;
  }
  return numbers;
}
