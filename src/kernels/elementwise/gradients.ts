import { reverse, type Tensor } from '../../tensor/graph/index.ts';
import { sumTo } from './sum-to.ts';

/**
 * Gradients of `y` with respect to each tensor of `of`, by reverse accumulation. Without `dy`, `y` must be a scalar. Several
 * results, each with its `dy`, add up.
 *
 * ```ts
 * const w = tensor(device, [1, 2, 3]);
 * const [dw] = gradients(sum(square(w)), [w]);
 * console.log(await read(dw)); // Float32Array [2, 4, 6]
 * ```
 *
 * Gradients are tensors like any others, so they have gradients: of every order. What is needed for that is recorded only when it is
 * asked for.
 *
 * ```ts
 * const x = tensor(device, [2]);
 * const [dx] = gradients(pow(x, 3), [x]); // [12]
 * const [ddx] = gradients(dx, [x]); // [12], as 6 x
 * ```
 *
 * A tensor that `y` is not computed from gets zeros, and so does one that is only reached through {@link stopGradient}, through
 * u32 (indices, classes), through an op that documents that no gradient flows (`sign`, a condition), through values that were
 * read to the host, or through what was written into a variable.
 *
 * @throws StepError where a gradient would be wrong: `y` is computed from a tensor of `of` through something that has no
 * gradient (a launch of your own without {@link differentiable}, the backward of such an op without a plain form, a result of a step),
 * or what a backward needs was overwritten since.
 */
export function gradients<const T extends readonly Tensor[]>(
  y: Tensor | readonly Tensor[],
  of: T,
  dy?: Tensor | readonly Tensor[],
): { [K in keyof T]: Tensor } {
  return reverse(y, of, dy, sumTo);
}
