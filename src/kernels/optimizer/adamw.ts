import { type Binding, type Kernel, kernel } from '../../gpu/index.ts';
import {
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { blockWords } from './clip.ts';

/** A flat buffer of parameters, with their state and gradients at the same offsets. */
export interface AdamWTensors {
  readonly parameters: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
  /** f32, or f16 where parameters are computed with in f16. */
  readonly gradients: Tensor;
  /** A word per 64 floats: see `blockWord`. */
  readonly blocks: Tensor;
}

export interface AdamWConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

/** How many numbers {@link adamWHyperparameters} gives. */
export const HYPERPARAMETER_COUNT = 4;

/**
 * What changes from step to step, as an input of the step: `[lr, lr / (1 - β1^t), 1 / √(1 - β2^t), scale]`, for step
 * `t` = 1, 2, … Gradients are multiplied by `scale`.
 */
export function adamWHyperparameters(t: number, lr: number, beta1: number, beta2: number, scale = 1): Float32Array {
  return new Float32Array([lr, lr / (1 - beta1 ** t), 1 / Math.sqrt(1 - beta2 ** t), scale]);
}

/**
 * One step of AdamW (Loshchilov & Hutter, 2017) on a flat buffer, in one launch, in place. With `g` = gradient · `factor`:
 *
 * ```text
 * p ← p (1 − lr · weightDecay)                 where the parameter decays
 * m ← β1 m + (1 − β1) g
 * v ← β2 v + (1 − β2) g²
 * p ← p − lr / (1 − β1^t) · m / (√v / √(1 − β2^t) + eps)
 * ```
 *
 * A negative `factor` (a scalar) leaves all of it as it is. `clear` sets the gradients to 0 afterwards in any case.
 */
export function adamW(
  buffer: AdamWTensors,
  hyper: Tensor,
  factor: Tensor,
  constants: AdamWConstants,
  clear = false,
): void {
  const { beta1, beta2, eps, weightDecay } = constants;
  const elements = elementsOf(buffer.parameters.device, buffer.parameters.size);
  const params = { ...elements, beta1, rest1: 1 - beta1, beta2, rest2: 1 - beta2, eps, weightDecay };
  const { parameters, m, v, gradients, blocks } = buffer;
  const tensors = { parameters, m, v, gradients, blocks, hyper, factor };
  if (clear) dispatch(updateAndClear, tensors, params);
  else dispatch(update, tensors, params);
}

/** `sum ← sum + scale · gradients` on a range of a flat buffer from block `block` on, in one launch: accumulation over micro-batches. */
export function accumulateBucket(sum: Tensor, gradients: Tensor, blocks: Tensor, block: number, scale: number): void {
  dispatch(accumulate, { sum, gradients, blocks }, { ...elementsOf(sum.device, sum.size), block, scale });
}

/** Copies a gradient to its place in a flat buffer. */
export function copyGradient(x: Tensor, y: Tensor): void {
  dispatch(copy, { x, y }, elementsOf(x.device, x.size));
}

const update = /*#__PURE__*/ updateKernel('adamw', 'read vec4<T>', '');
const updateAndClear = /*#__PURE__*/ updateKernel(
  'adamw and clear',
  'update vec4<T>',
  'gradients[i] = select(gradients[i], vec4<T>(), inside);',
);

// Padding is left alone: nobody reads it, but it may hold anything.
function updateKernel<const G extends Binding>(
  name: string,
  gradients: G,
  clear: string,
): Kernel<
  {
    parameters: 'update vec4<f32>';
    m: 'update vec4<f32>';
    v: 'update vec4<f32>';
    gradients: G;
    blocks: 'read u32';
    hyper: 'read f32';
    factor: 'read f32';
  },
  {
    vec4s: 'u32';
    perThread: 'u32';
    beta1: 'f32';
    rest1: 'f32';
    beta2: 'f32';
    rest2: 'f32';
    eps: 'f32';
    weightDecay: 'f32';
  },
  typeof elementOverride
> {
  return kernel({
    name,
    bind: {
      parameters: 'update vec4<f32>',
      m: 'update vec4<f32>',
      v: 'update vec4<f32>',
      gradients,
      blocks: 'read u32',
      hyper: 'read f32',
      factor: 'read f32',
    },
    params: {
      ...elementParams,
      beta1: 'f32',
      rest1: 'f32',
      beta2: 'f32',
      rest2: 'f32',
      eps: 'f32',
      weightDecay: 'f32',
    },
    override: elementOverride,
    use: [blockWords],
    grid: elementGrid,
    wgsl: elementLoop(`
  let word = blocks[i / 16u];
  let inside = holds(word, i);
  let scale = factor[0];
  if (scale >= 0.0) {
    let d = select(vec4f(), vec4f(gradients[i]) * scale, inside);
    let mean = params.beta1 * m[i] + params.rest1 * d;
    let square = params.beta2 * v[i] + params.rest2 * d * d;
    m[i] = mean;
    v[i] = square;
    let kept = select(1.0, 1.0 - hyper[0] * params.weightDecay, decays(word));
    parameters[i] = parameters[i] * kept - hyper[1] * mean / (sqrt(square) * hyper[2] + params.eps);
  }
  ${clear}`),
  });
}

const accumulate = /*#__PURE__*/ kernel({
  name: 'accumulate gradients',
  bind: { sum: 'update vec4<f32>', gradients: 'read vec4<T>', blocks: 'read u32' },
  params: { ...elementParams, block: 'u32', scale: 'f32' },
  override: elementOverride,
  use: [blockWords],
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop(`
  sum[i] += select(vec4f(), params.scale * vec4f(gradients[i]), holds(blocks[params.block + i / 16u], i));`),
});

const copy = /*#__PURE__*/ kernel({
  name: 'copy gradient',
  bind: { x: 'read vec4<T>', y: 'write vec4<T>' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop('y[i] = x[i];'),
});
