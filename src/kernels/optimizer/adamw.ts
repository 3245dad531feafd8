import type { Tensor } from '../../tensor/graph/index.ts';
import { floats, type RuleTensors, updateRule } from './update-rule.ts';

export interface AdamWConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

/** How many numbers the hyperparameters of an optimizer are: the last is by what gradients are multiplied. */
export const HYPERPARAMETER_COUNT = 4;

/**
 * What changes from step to step, as an input of the step: `[lr, lr / (1 - β1^t), 1 / √(1 - β2^t), scale]`, for step
 * `t` = 1, 2, … Gradients are multiplied by `scale`.
 */
export function adamWHyperparameters(t: number, lr: number, beta1: number, beta2: number, scale = 1): Float32Array {
  return new Float32Array([lr, lr / (1 - beta1 ** t), 1 / Math.sqrt(1 - beta2 ** t), scale]);
}

/**
 * One step of AdamW (Loshchilov & Hutter, 2017): see `UpdateRule`. With `g` = gradient · `factor`:
 *
 * ```text
 * p ← p (1 − lr · weightDecay)                 where the parameter decays
 * m ← β1 m + (1 − β1) g
 * v ← β2 v + (1 − β2) g²
 * p ← p − lr / (1 − β1^t) · m / (√v / √(1 − β2^t) + eps)
 * ```
 */
export function adamW(
  buffer: RuleTensors<'m' | 'v'>,
  hyper: Tensor,
  factor: Tensor,
  { beta1, beta2, eps, weightDecay }: AdamWConstants,
  clear?: boolean,
): void {
  update(buffer, hyper, factor, { beta1, rest1: 1 - beta1, beta2, rest2: 1 - beta2, eps, weightDecay }, clear);
}

const update = /*#__PURE__*/ updateRule(
  'adamw',
  { m: floats, v: floats },
  { beta1: 'f32', rest1: 'f32', beta2: 'f32', rest2: 'f32', eps: 'f32', weightDecay: 'f32' },
  `
    let mean = params.beta1 * m[i] + params.rest1 * d;
    let square = params.beta2 * v[i] + params.rest2 * d * d;
    m[i] = mean;
    v[i] = square;
    let kept = select(1.0, 1.0 - hyper[0] * params.weightDecay, decays(word));
    parameters[i] = parameters[i] * kept - hyper[1] * mean / (sqrt(square) * hyper[2] + params.eps);`,
);
