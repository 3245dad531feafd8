import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkOptions } from '../axis/index.ts';
import { reshape } from '../layout/index.ts';
import { type AvgPoolOptions, avgPool2d, maxPool2d, type PoolOptions } from './pool.ts';

export interface Pool1dOptions extends Omit<PoolOptions, 'padding'> {
  /** Places at each end that windows reach into, at most half of them. Default: 0. */
  readonly padding?: number;
}

export interface AvgPool1dOptions extends Omit<AvgPoolOptions, 'padding'> {
  /** Places at each end that windows reach into, at most half of them. Default: 0. */
  readonly padding?: number;
}

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
  checkOptions('maxPool1d', options, ['stride', 'padding', 'channels']);
  return asImage('maxPool1d', x, options, (image, of) => maxPool2d(image, [1, window], { stride: window, ...of }));
}

/** The mean of each window along one axis; shapes as {@link maxPool1d}, all else as {@link avgPool2d}. */
export function avgPool1d(x: Tensor, window: number, options: AvgPool1dOptions = {}): Tensor {
  checkOptions('avgPool1d', options, ['stride', 'padding', 'channels', 'countPadding']);
  return asImage('avgPool1d', x, options, (image, of) => avgPool2d(image, [1, window], { stride: window, ...of }));
}

/** A signal as an image of one line. */
function asImage<O extends Pool1dOptions>(
  op: string,
  x: Tensor,
  options: O,
  pool: (image: Tensor, options: Omit<O, 'padding'> & { readonly padding: readonly [number, number] }) => Tensor,
): Tensor {
  const { channels = 'last', padding = 0 } = options;
  checkChoice(op, 'channels', channels, ['first', 'last']);
  const [batch = 0, second = 0, third = 0] = x.shape;
  if (x.shape.length !== 3) {
    throw new ShapeError(op, `x must be ${channels === 'first' ? '[B, C, L]' : '[B, L, C]'}`, { x: x.shape });
  }
  const isFirst = channels === 'first';
  const image = reshape(x, isFirst ? [batch, second, 1, third] : [batch, 1, second, third]);
  const y = pool(image, { ...options, padding: [0, padding] });
  return reshape(
    y,
    y.shape.filter((_, i) => i !== (isFirst ? 2 : 1)),
  );
}
