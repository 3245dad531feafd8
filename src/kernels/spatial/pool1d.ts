import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkFloats, checkOptions } from '../axis/index.ts';
import { reshape } from '../layout/index.ts';
import { checkWhole, type Pair } from './pairs.ts';
import { type AvgPoolOptions, avgPool2d, type MaxPoolOptions, maxPool2d, type PoolOptions } from './pool.ts';

interface LineOptions {
  /** Places from one window to the next. Default: the window's own size. */
  readonly stride?: number;
  /** Places at each end that windows reach into, at most half of them. Default: 0. */
  readonly padding?: number;
  /** As of {@link PoolOptions}. */
  readonly ceilMode?: boolean;
}

export interface Pool1dOptions extends Omit<MaxPoolOptions, 'stride' | 'padding' | 'dilation'>, LineOptions {
  /** Places from one place of a window to its next. Default: 1. */
  readonly dilation?: number;
}

export interface AvgPool1dOptions extends Omit<AvgPoolOptions, 'stride' | 'padding'>, LineOptions {}

/**
 * The maximum of each window along one axis: `x [B, L, C]` (with channels first `[B, C, L]`) → `[B, l, C]` (`[B, C, l]`), with
 * l = ⌊(L + 2 padding - window) / stride⌋ + 1. As {@link maxPool2d} in everything else.
 *
 * ```ts
 * maxPool1d(x, 2).shape; // [B, 100, 16] → [B, 50, 16]
 * ```
 *
 * @throws ShapeError as {@link maxPool2d}.
 */
export function maxPool1d(x: Tensor, window: number, options: Pool1dOptions = {}): Tensor {
  checkOptions('maxPool1d', options, ['stride', 'padding', 'dilation', 'ceilMode', 'channels']);
  const { dilation = 1, ...rest } = options;
  return asImage('maxPool1d', x, window, rest, (image, one, of) =>
    maxPool2d(image, one, { ...of, dilation: [1, dilation] }),
  );
}

/** The mean of each window along one axis; shapes as {@link maxPool1d}, all else as {@link avgPool2d}. */
export function avgPool1d(x: Tensor, window: number, options: AvgPool1dOptions = {}): Tensor {
  checkOptions('avgPool1d', options, ['stride', 'padding', 'ceilMode', 'channels', 'countPadding']);
  const { countPadding = true, ...rest } = options;
  return asImage('avgPool1d', x, window, rest, (image, one, of) => avgPool2d(image, one, { ...of, countPadding }));
}

/** A signal as an image of one line. */
function asImage(
  op: string,
  x: Tensor,
  window: number,
  {
    stride = window,
    padding = 0,
    ceilMode = false,
    channels = 'last',
  }: LineOptions & { readonly channels?: 'first' | 'last' },
  pool: (image: Tensor, window: Pair, options: PoolOptions) => Tensor,
): Tensor {
  checkFloats(op, { x });
  checkWhole(op, 'window', window, 1, { x: x.shape });
  checkWhole(op, 'stride', stride, 1, { x: x.shape });
  checkWhole(op, 'padding', padding, 0, { x: x.shape });
  checkChoice(op, 'channels', channels, ['first', 'last']);
  const [batch = 0, second = 0, third = 0] = x.shape;
  if (x.shape.length !== 3) {
    throw new ShapeError(op, `x must be ${channels === 'first' ? '[B, C, L]' : '[B, L, C]'}`, { x: x.shape });
  }
  const isFirst = channels === 'first';
  const image = reshape(x, isFirst ? [batch, second, 1, third] : [batch, 1, second, third]);
  const y = pool(image, [1, window], { channels, stride: [1, stride], padding: [0, padding], ceilMode });
  return reshape(
    y,
    y.shape.filter((_, i) => i !== (isFirst ? 2 : 1)),
  );
}
