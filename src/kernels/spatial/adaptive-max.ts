import { type Tensor, tensor } from '../../tensor/graph/index.ts';
import { checkOptions, max } from '../axis/index.ts';
import { reshape, take } from '../layout/index.ts';
import { checkWhole } from './pairs.ts';
import { channelsLast } from './pool.ts';

/**
 * Maxima over windows that divide the image into `height × width` of equal size, or nearly: window i goes from ⌊i H / height⌋ up to
 * ⌈(i + 1) H / height⌉, as in PyTorch. `[B, H, W, C]` → `[B, height, width, C]`; channels first likewise. NaN if there is one. The gradient
 * goes to a maximum of each window.
 *
 * ```ts
 * adaptiveMaxPool2d(x, 7, 7).shape; // [B, 20, 30, 512] → [B, 7, 7, 512]
 * ```
 *
 * @throws ShapeError when x has no pixels, or a side is 0 or no whole number.
 */
export function adaptiveMaxPool2d(
  x: Tensor,
  height: number,
  width: number,
  options: { readonly channels?: 'first' | 'last' } = {},
): Tensor {
  const op = 'adaptiveMaxPool2d';
  checkOptions(op, options, ['channels']);
  const { channels = 'last' } = options;
  channelsLast(op, x, channels);
  checkWhole(op, 'height', height, 1, { x: x.shape });
  checkWhole(op, 'width', width, 1, { x: x.shape });
  const first = channels === 'first' ? 2 : 1;
  return maxima(maxima(x, first, height), first + 1, width);
}

/** The maxima of windows along one axis, laid out one after the other; shorter ones have their last place again. */
function maxima(x: Tensor, axis: number, count: number): Tensor {
  const own = x.shape[axis] as number;
  const starts = Array.from({ length: count }, (_, i) => Math.floor((i * own) / count));
  const ends = Array.from({ length: count }, (_, i) => Math.ceil(((i + 1) * own) / count));
  const length = Math.max(...ends.map((end, i) => end - (starts[i] as number)));
  const places = starts.flatMap((start, i) =>
    Array.from({ length }, (_, k) => Math.min(start + k, (ends[i] as number) - 1)),
  );
  const laid = count * length === own ? x : take(x, tensor(x.device, Uint32Array.from(places)), axis);
  const windows = reshape(laid, [...x.shape.slice(0, axis), count, length, ...x.shape.slice(axis + 1)]);
  return max(windows, { axes: axis + 1 });
}
