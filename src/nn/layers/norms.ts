import { ArgumentError } from '../../gpu/index.ts';
import { mean } from '../../kernels/axis/index.ts';
import { add, addScalar, cast, div, floatType, mul, sqrt, square } from '../../kernels/elementwise/index.ts';
import { groupNorm } from '../../kernels/row-ops/index.ts';
import { checkOptions, fill, type Tensor } from '../../tensor/graph/index.ts';
import { describe, ShapeError, size } from '../../tensor/values/index.ts';
import { composed } from './composed.ts';
import { ones, zeros } from './init.ts';
import { checkLayer, type Weights } from './weights.ts';

/**
 * Division by the root mean square (Zhang & Sennrich, 2019) over the last axis: `y = x / √(mean(x²) + eps) · weight`, `[..., dim]`.
 * PyTorch's `eps` is that of f32, 1.19e-7. Computed in f32.
 *
 * ```ts
 * const norm = new RMSNorm(weights.in('norm'), 512);
 * ```
 */
export class RMSNorm {
  readonly weight: Tensor;
  readonly eps: number;

  constructor(weights: Weights, dim: number, eps: number = 2 ** -23) {
    checkLayer('RMSNorm', weights, { dim }, arguments[3]);
    checkEps('RMSNorm', eps);
    this.weight = weights.parameter('weight', [dim], ones);
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return composed('RMSNorm', { x }, () => {
      checkChannels('RMSNorm', x, this.weight);
      const wide = cast(x, 'f32');
      const size = sqrt(addScalar(mean(square(wide), { axes: -1, keepDims: true }), this.eps));
      return cast(mul(div(wide, size), cast(this.weight, 'f32')), floatType(x));
    });
  }
}

/**
 * Normalisation of groups of channels (Wu & He, 2018), channels last: `x [B, ..., channels]`, in which each of `groups` groups of
 * neighbouring channels of an image has mean 0 and (biased) variance 1, then `· weight + bias`. Computed in f32.
 *
 * ```ts
 * const norm = new GroupNorm(weights.in('norm'), 32, 256); // [B, H, W, 256]
 * ```
 *
 * @throws ShapeError when `channels` is no multiple of `groups`.
 */
export class GroupNorm {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly groups: number;
  readonly eps: number;

  constructor(weights: Weights, groups: number, channels: number, eps = 1e-5) {
    checkLayer('GroupNorm', weights, { groups, channels }, arguments[4]);
    checkEps('GroupNorm', eps);
    if (!(Number.isInteger(groups) && groups > 0 && channels % groups === 0)) {
      throw new ShapeError('GroupNorm', `${channels} channels do not divide into ${groups} groups`);
    }
    this.weight = weights.parameter('weight', [channels], ones);
    this.bias = weights.parameter('bias', [channels], zeros);
    this.groups = groups;
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return composed('GroupNorm', { x }, () => {
      checkChannels('GroupNorm', x, this.weight);
      if (x.shape.length < 2) throw new ShapeError('GroupNorm', 'x must be [B, ..., channels]', { x: x.shape });
      if (x.size === 0) return x;
      const { xs, type } = meeting(x, this.weight, this.bias);
      return cast(groupNorm(...xs, this.groups, this.eps), type);
    });
  }
}

export interface InstanceNormOptions {
  /** Whether there is a weight and a bias. Default: false, as in PyTorch. */
  readonly affine?: boolean;
  /** Added to the variance. Default: 1e-5. */
  readonly eps?: number;
}

/**
 * Normalisation of each channel of each image (Ulyanov et al., 2016), channels last: `x [B, ..., channels]` has mean 0 and (biased) variance 1
 * in every channel of an image, then, with `affine`, `· weight + bias`. PyTorch's `InstanceNorm1d` to `InstanceNorm3d`, without running
 * statistics. Computed in f32.
 *
 * ```ts
 * const norm = new InstanceNorm(weights.in('norm'), 64, { affine: true }); // [B, H, W, 64]
 * ```
 */
export class InstanceNorm {
  /** None without `affine`. */
  readonly weight?: Tensor;
  readonly bias?: Tensor;
  readonly channels: number;
  readonly eps: number;

  constructor(weights: Weights, channels: number, options: InstanceNormOptions = {}) {
    checkLayer('InstanceNorm', weights, { channels }, arguments[3]);
    checkOptions('InstanceNorm', options, ['affine', 'eps']);
    const { affine = false, eps = 1e-5 } = options;
    checkEps('InstanceNorm', eps);
    if (affine) {
      this.weight = weights.parameter('weight', [channels], ones);
      this.bias = weights.parameter('bias', [channels], zeros);
    }
    this.channels = channels;
    this.eps = eps;
  }

  /** @throws ShapeError unless x is `[B, ..., channels]` and a channel of an image has two values or more. */
  forward(x: Tensor): Tensor {
    return composed('InstanceNorm', { x }, () => {
      const places = size(x.shape.slice(1, -1));
      if (x.shape.length < 3 || x.shape.at(-1) !== this.channels || places === 1) {
        const rule = `x must be [B, ..., ${this.channels}], with two places or more between`;
        throw new ShapeError('InstanceNorm', rule, { x: x.shape });
      }
      if (x.size === 0) return x;
      const same = (value: number) => fill(x.device, [this.channels], value, floatType(x));
      const { xs, type } = meeting(x, this.weight ?? same(1), this.bias ?? same(0));
      return cast(groupNorm(...xs, this.channels, this.eps), type);
    });
  }
}

/** What a norm gets in one dtype, and that of its result. Sums are f32 in any case; a weight of more bits is not rounded before it is used. */
export function meeting(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
): { readonly xs: readonly [x: Tensor, weight: Tensor, bias: Tensor]; readonly type: 'f32' | 'f16' } {
  const type = floatType(x);
  const one = weight.dtype === type && bias.dtype === type ? type : 'f32';
  return { xs: [cast(x, one), cast(weight, one), cast(bias, one)], type };
}

/** @throws ArgumentError unless what is added to a variance is a number, as options in its place are not. */
export function checkEps(layer: string, eps: unknown): void {
  if (typeof eps === 'number' && eps >= 0) return;
  throw new ArgumentError(`${layer}: eps must be a number, 0 or more; it is ${describe(eps)}`);
}

/** `x · weight + bias` along the last axis, in another dtype. */
export function affine(x: Tensor, weight: Tensor, bias: Tensor, dtype: 'f32' | 'f16'): Tensor {
  return cast(add(mul(x, cast(weight, 'f32')), cast(bias, 'f32')), dtype);
}

/** @throws ShapeError unless the last axis has as many channels as the layer. */
export function checkChannels(name: string, x: Tensor, weight: Tensor): void {
  if (x.shape.at(-1) === weight.size) return;
  throw new ShapeError(name, `the last axis must hold ${weight.size} channels`, { x: x.shape });
}
