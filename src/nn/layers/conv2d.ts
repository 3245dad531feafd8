import { checkOptions } from '../../kernels/axis/index.ts';
import {
  type Conv2dOptions,
  type ConvTranspose2dOptions,
  conv2d,
  convTranspose2d,
  pairOf,
} from '../../kernels/spatial/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { heNormal, type Initializer, withInit, zeros } from './init.ts';
import { checkLayer, type Weights } from './weights.ts';

export interface Conv2dSettings extends Pick<Conv2dOptions, 'stride' | 'padding' | 'dilation' | 'groups'> {
  /** Of the window: one number, or `[height, width]`. */
  readonly side: number | readonly [number, number];
  /** Whether there is one. Default: true. */
  readonly bias?: boolean;
  /** First values of the weight. Default: {@link heNormal}. */
  readonly init?: Initializer;
}

/**
 * A convolution: `[B, H, W, inputs]` → `[B, h, w, outputs]`, as {@link conv2d}; its weight is
 * `[outputs, inputs / groups, height, width]`.
 *
 * ```ts
 * const conv = new Conv2d(weights.in('conv'), 16, 32, { side: [3, 5], stride: [2, 1], padding: [1, 2] });
 * const y = conv.forward(x); // [B, 64, 64, 16] → [B, 32, 64, 32]
 * ```
 *
 * @throws ShapeError when groups do not divide inputs and outputs.
 */
export class Conv2d {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly #options: Conv2dOptions;

  constructor(weights: Weights, inputs: number, outputs: number, settings: Conv2dSettings) {
    checkLayer('Conv2d', weights, { inputs, outputs }, arguments[4]);
    withInit('Conv2d', settings, ['side', 'bias', 'stride', 'padding', 'dilation', 'groups']);
    const { side: _, bias = true, init = heNormal, ...options } = settings;
    const window = checkWindow('Conv2d', settings, pairOf);
    const { groups = 1 } = options;
    checkGroups('Conv2d', groups, inputs, outputs);
    this.weight = weights.parameter('weight', [outputs, inputs / groups, ...window], init);
    this.bias = bias ? weights.parameter('bias', [outputs], zeros) : undefined;
    this.#options = options;
  }

  /** With `channels` first `[B, inputs, H, W]` → `[B, outputs, h, w]`. */
  forward(x: Tensor, channels: 'first' | 'last' = 'last'): Tensor {
    return conv2d(x, this.weight, { ...this.#options, bias: this.bias, channels });
  }
}

export interface ConvTranspose2dSettings
  extends Pick<ConvTranspose2dOptions, 'stride' | 'padding' | 'outputPadding' | 'dilation' | 'groups'> {
  /** Of the window: one number, or `[height, width]`. */
  readonly side: number | readonly [number, number];
  /** Whether there is one. Default: true. */
  readonly bias?: boolean;
  /** First values of the weight. Default: {@link heNormal}. */
  readonly init?: Initializer;
}

/** How a transposed convolution is to compute. */
export type ConvTranspose2dInputs = Pick<ConvTranspose2dOptions, 'channels' | 'outputSize'>;

/**
 * A transposed convolution, which makes images larger: `[B, h, w, inputs]` → `[B, H, W, outputs]`, as {@link convTranspose2d}; its weight is
 * `[inputs, outputs / groups, height, width]`.
 *
 * ```ts
 * const up = new ConvTranspose2d(weights.in('up'), 32, 16, { side: 2, stride: 2 });
 * const y = up.forward(x); // [B, 32, 32, 32] → [B, 64, 64, 16]
 * const wide = new ConvTranspose2d(weights.in('wide'), 32, 16, { side: 3, stride: 2, padding: 1 });
 * const z = wide.forward(x, { outputSize: [63, 64] }); // [B, 63, 64, 16]: of an image that was halved
 * ```
 *
 * @throws ShapeError when groups do not divide inputs and outputs.
 */
export class ConvTranspose2d {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly #options: ConvTranspose2dOptions;

  constructor(weights: Weights, inputs: number, outputs: number, settings: ConvTranspose2dSettings) {
    checkLayer('ConvTranspose2d', weights, { inputs, outputs }, arguments[4]);
    withInit('ConvTranspose2d', settings, ['side', 'bias', 'stride', 'padding', 'outputPadding', 'dilation', 'groups']);
    const { side: _, bias = true, init = heNormal, ...options } = settings;
    const window = checkWindow('ConvTranspose2d', settings, pairOf);
    const { groups = 1 } = options;
    checkGroups('ConvTranspose2d', groups, inputs, outputs);
    this.weight = weights.parameter('weight', [inputs, outputs / groups, ...window], init);
    this.bias = bias ? weights.parameter('bias', [outputs], zeros) : undefined;
    this.#options = options;
  }

  /** With `channels` first `[B, inputs, h, w]` → `[B, outputs, H, W]`; `outputSize` is `[H, W]`, of those that the stride allows. */
  forward(x: Tensor, options: ConvTranspose2dInputs | 'first' | 'last' = {}): Tensor {
    const given = typeof options === 'string' ? { channels: options } : options;
    checkOptions('ConvTranspose2d', given, ['channels', 'outputSize']);
    const { channels = 'last', outputSize } = given;
    const { outputPadding, ...all } = this.#options;
    const more = outputSize === undefined ? { outputPadding: outputPadding ?? 0 } : { outputSize };
    return convTranspose2d(x, this.weight, { ...all, ...more, bias: this.bias, channels });
  }
}

/** @throws ShapeError unless groups divide the channels. */
export function checkGroups(layer: string, groups: number, inputs: number, outputs: number): void {
  if (Number.isInteger(groups) && inputs % groups === 0 && outputs % groups === 0) return;
  throw new ShapeError(layer, `the groups must divide inputs and outputs (${groups}, ${inputs} and ${outputs})`);
}

/** What `check` makes of the window's side. @throws ShapeError unless it, and the numbers beside it, are whole. */
export function checkWindow<R>(
  layer: string,
  settings: {
    readonly side: unknown;
    readonly stride?: unknown;
    readonly padding?: unknown;
    readonly dilation?: unknown;
    readonly outputPadding?: unknown;
  },
  check: (layer: string, name: string, value: unknown, least: 0 | 1, shapes: Readonly<Record<string, never>>) => R,
): R {
  const { side, stride = 1, padding = 0, dilation = 1, outputPadding = 0 } = settings;
  check(layer, 'stride', stride, 1, {});
  if (padding !== 'same') check(layer, 'padding', padding, 0, {});
  check(layer, 'dilation', dilation, 1, {});
  check(layer, 'outputPadding', outputPadding, 0, {});
  return check(layer, 'side', side, 1, {});
}
