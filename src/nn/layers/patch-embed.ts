import { checkOptions } from '../../kernels/axis/index.ts';
import { patchEmbed } from '../../kernels/matmul/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { checkInit, type Initializer, xavierUniform, zeros } from './init.ts';
import { checkLayer, type Weights } from './weights.ts';

/** The convolution of a patch embedding: `weight` is `[dim, channels, patch, patch]`. */
class PatchProjection {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(weights: Weights, shape: readonly number[], init: Initializer, bias: boolean) {
    this.weight = weights.parameter('weight', shape, init);
    this.bias = bias ? weights.parameter('bias', [shape[0] as number], zeros) : undefined;
  }
}

interface PatchEmbedOptions {
  readonly channels: number;
  readonly patch: number;
  readonly dim: number;
  readonly bias?: boolean;
}

/** Patches of an image as tokens, row by row: `[B, C, H, W]` → `[B, (H/patch)·(W/patch), dim]`. */
export class PatchEmbed {
  readonly proj: PatchProjection;

  constructor(
    weights: Weights,
    options: PatchEmbedOptions = {} as PatchEmbedOptions,
    init: Initializer = xavierUniform,
  ) {
    const { channels, patch, dim, bias = true } = options ?? {};
    checkLayer('PatchEmbed', weights, { channels, patch, dim }, arguments[3]);
    checkOptions('PatchEmbed', options, ['channels', 'patch', 'dim', 'bias']);
    checkInit('PatchEmbed', init);
    this.proj = new PatchProjection(weights.in('proj'), [dim, channels, patch, patch], init, bias);
  }

  forward(image: Tensor): Tensor {
    return patchEmbed(image, this.proj.weight, this.proj.bias);
  }
}
