import type { Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { checkChoice, checkFloats, checkOptions } from '../axis/index.ts';
import { reshape } from '../layout/index.ts';
import { type Pair, type Triple, tripleOf, windowCount } from './pairs.ts';
import { type AvgPoolOptions, avgPool2d, type MaxPoolOptions, maxPool2d, type PoolOptions } from './pool.ts';

interface VolumeOptions {
  /** Places from one window to the next. Default: the window's own size. */
  readonly stride?: Triple;
  /** Places around that windows reach into, at most half of them, on each side of each axis. Default: 0. */
  readonly padding?: Triple;
}

export interface MaxPool3dOptions extends Omit<PoolOptions, 'stride' | 'padding'>, VolumeOptions {}

export interface AvgPool3dOptions extends Omit<AvgPoolOptions, 'stride' | 'padding'>, VolumeOptions {}

/**
 * The maximum of each window of volumes, or of images in time: `x [B, T, H, W, C]` (with channels first `[B, C, T, H, W]`) → `[B, t, h, w, C]`
 * (`[B, C, t, h, w]`), with t = ⌊(T + 2 padding - window) / stride⌋ + 1, and h, w alike. Window, stride and padding may be `[through, down,
 * across]`. {@link maxPool2d} of the images, then through them: as that in everything else.
 *
 * ```ts
 * maxPool3d(x, 2).shape; // [B, 16, 32, 32, 8] → [B, 8, 16, 16, 8]
 * ```
 *
 * @throws ShapeError as {@link maxPool2d}.
 */
export function maxPool3d(x: Tensor, window: Triple, options: MaxPool3dOptions = {}): Tensor {
  checkOptions('maxPool3d', options, ['stride', 'padding', 'ceilMode', 'channels']);
  return pooled('maxPool3d', x, window, options, maxPool2d);
}

/** The mean of each window of volumes; shapes as {@link maxPool3d}, all else as {@link avgPool2d}. */
export function avgPool3d(x: Tensor, window: Triple, options: AvgPool3dOptions = {}): Tensor {
  checkOptions('avgPool3d', options, ['stride', 'padding', 'ceilMode', 'channels', 'countPadding']);
  const { countPadding = true, ...rest } = options;
  return pooled('avgPool3d', x, window, rest, (image, one, of) => avgPool2d(image, one, { ...of, countPadding }));
}

function pooled(
  op: string,
  x: Tensor,
  window: Triple,
  { stride, padding = 0, ceilMode = false, channels = 'last' }: MaxPool3dOptions,
  pool: (image: Tensor, window: Pair, options: MaxPoolOptions) => Tensor,
): Tensor {
  checkFloats(op, { x });
  checkChoice(op, 'channels', channels, ['first', 'last']);
  const isFirst = channels === 'first';
  const shapes = { x: x.shape };
  const axes = isFirst ? x.shape.slice(2) : x.shape.slice(1, 4);
  if (x.shape.length !== 5 || axes.includes(0)) {
    throw new ShapeError(op, `x must be ${isFirst ? '[B, C, T, H, W]' : '[B, T, H, W, C]'}, with pixels`, shapes);
  }
  const sides = tripleOf(op, 'window', window, 1, shapes);
  const steps = tripleOf(op, 'stride', stride ?? sides, 1, shapes);
  const around = tripleOf(op, 'padding', padding, 0, shapes);
  if (around.some((zeros, axis) => 2 * zeros > (sides[axis] as number))) {
    const rule = `the padding must be at most half of the window (${around.join(', ')} of ${sides.join(' × ')})`;
    throw new ShapeError(op, rule, shapes);
  }
  const most = (axis: number) => 2 * (around[axis] as number) + (ceilMode ? (steps[axis] as number) - 1 : 0);
  if (sides.some((side, k) => windowCount(axes[k] as number, side, most(k), steps[k] as number, 1) < 1)) {
    const rule = `a window of ${sides.join(' × ')} does not fit, with padding ${around.join(', ')}`;
    throw new ShapeError(op, rule, shapes);
  }
  // Each channel is a volume of one where they are first.
  const [length, height, across] = axes as [number, number, number];
  const [batch, width] = isFirst
    ? [(x.shape[0] as number) * (x.shape[1] as number), 1]
    : [x.shape[0] as number, x.shape[4] as number];
  const flat = pool(reshape(x, [batch * length, height, across, width]), [sides[1], sides[2]], {
    stride: [steps[1], steps[2]],
    padding: [around[1], around[2]],
    ceilMode,
  });
  const [, rows, cols] = flat.shape as [number, number, number, number];
  const y = pool(reshape(flat, [batch, length, rows * cols, width]), [sides[0], 1], {
    stride: [steps[0], 1],
    padding: [around[0], 0],
    ceilMode,
  });
  const made = y.shape[1] as number;
  return reshape(y, isFirst ? [...x.shape.slice(0, 2), made, rows, cols] : [batch, made, rows, cols, width]);
}
