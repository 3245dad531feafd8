import { type Conv1dOptions, checkWhole, conv1d } from '../../kernels/spatial/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { checkGroups, checkWindow } from './conv2d.ts';
import { heNormal, type Initializer, withInit, zeros } from './init.ts';
import { checkLayer, type Weights } from './weights.ts';

export interface Conv1dSettings extends Pick<Conv1dOptions, 'stride' | 'padding' | 'dilation' | 'groups'> {
  /** Of the window. */
  readonly side: number;
  /** Whether there is one. Default: true. */
  readonly bias?: boolean;
  /** First values of the weight. Default: {@link heNormal}. */
  readonly init?: Initializer;
}

/**
 * A convolution along one axis: `[B, L, inputs]` → `[B, l, outputs]`, as {@link conv1d}; its weight is `[outputs, inputs / groups, side]`.
 *
 * ```ts
 * const conv = new Conv1d(weights.in('conv'), 2, 16, { side: 5, padding: 'same' });
 * const y = conv.forward(signal); // [B, 1000, 2] → [B, 1000, 16]
 * ```
 *
 * @throws ShapeError when groups do not divide inputs and outputs, or a number is not whole.
 */
export class Conv1d {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly #options: Conv1dOptions;

  constructor(weights: Weights, inputs: number, outputs: number, settings: Conv1dSettings) {
    checkLayer('Conv1d', weights, { inputs, outputs }, arguments[4]);
    withInit('Conv1d', settings, ['side', 'bias', 'stride', 'padding', 'dilation', 'groups']);
    const { side, bias = true, init = heNormal, ...options } = settings;
    checkWindow('Conv1d', settings, checkWhole);
    const { groups = 1 } = options;
    checkGroups('Conv1d', groups, inputs, outputs);
    this.weight = weights.parameter('weight', [outputs, inputs / groups, side], init);
    this.bias = bias ? weights.parameter('bias', [outputs], zeros) : undefined;
    this.#options = options;
  }

  /** With `channels` first `[B, inputs, L]` → `[B, outputs, l]`. */
  forward(x: Tensor, channels: 'first' | 'last' = 'last'): Tensor {
    return conv1d(x, this.weight, { ...this.#options, bias: this.bias, channels });
  }
}
