import { conv2d } from '../../kernels/spatial/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { heNormal, type Initializer, zeros } from './init.ts';
import type { Weights } from './weights.ts';

/** A convolution, channels last: `[B, H, W, inputs]` → `[B, h, w, outputs]`; its weight is `[outputs, inputs, side, side]`. */
export class Conv2d {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly stride: number;
  readonly padding: number;

  constructor(
    weights: Weights,
    inputs: number,
    outputs: number,
    { side, stride = 1, padding = 0 }: { side: number; stride?: number; padding?: number },
    init: Initializer = heNormal,
  ) {
    this.weight = weights.parameter('weight', [outputs, inputs, side, side], init);
    this.bias = weights.parameter('bias', [outputs], zeros);
    this.stride = stride;
    this.padding = padding;
  }

  /** Of an image `[B, inputs, H, W]` with `channels` first. */
  forward(x: Tensor, channels: 'first' | 'last' = 'last'): Tensor {
    const { weight, bias, stride, padding } = this;
    return conv2d(x, weight, { bias, stride, padding, channels });
  }
}
