import type { Tensor } from '../../tensor/graph/index.ts';
import { normalizeAxis, ShapeError, sameShape, shown, size } from '../../tensor/values/index.ts';
import { checkList, checkNoMore, checkTensors } from '../axis/index.ts';
import { broadcastTo, concat, firstOf, permute, reshape, view } from './layout.ts';

/**
 * Drops axes of 1: all of them, or those that are named (one or several; negative ones count from the end). Nothing is launched.
 *
 * ```ts
 * squeeze(x).shape; // [1, 3, 1, 2] → [3, 2]
 * squeeze(x, 0).shape; // [1, 3, 1, 2] → [3, 1, 2]
 * ```
 *
 * @throws ShapeError when an axis that is named is not 1.
 */
export function squeeze(x: Tensor, axes?: number | readonly number[], ...more: never[]): Tensor {
  checkNoMore('squeeze', more, 'x, axes');
  checkTensors('squeeze', { x });
  if (axes === undefined) {
    return view(
      x,
      x.shape.filter((axis) => axis !== 1),
    );
  }
  const named = [axes].flat().map((axis) => normalizeAxis('squeeze', axis, x.shape));
  const long = named.find((axis) => x.shape[axis] !== 1);
  if (long !== undefined) throw new ShapeError('squeeze', `axis ${long} must be 1 to be dropped`, { x: x.shape });
  return view(
    x,
    x.shape.filter((_, i) => !named.includes(i)),
  );
}

/**
 * Puts an axis of 1 where `axis` says: it is the place in the result; negative ones count from the end, −1 is the last. NumPy's
 * `expand_dims`. Nothing is launched.
 *
 * ```ts
 * unsqueeze(x, 0).shape; // [3, 2] → [1, 3, 2]
 * unsqueeze(x, -1).shape; // [3, 2] → [3, 2, 1]
 * ```
 */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = axisOfMore('unsqueeze', x, axis);
  return view(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/**
 * Makes one axis of those from `start` to `end` (with it): `flatten(x)` is one axis, `flatten(x, 1)` keeps the first. A scalar
 * becomes `[1]`. Nothing is launched.
 *
 * ```ts
 * flatten(x, 1).shape; // [B, 8, 8, 3] → [B, 192]
 * ```
 *
 * @throws ShapeError when `end` lies before `start`.
 */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  checkTensors('flatten', { x });
  if (x.shape.length === 0) return view(x, [1]);
  const first = normalizeAxis('flatten', start, x.shape);
  const last = normalizeAxis('flatten', end, x.shape);
  if (last < first) throw new ShapeError('flatten', `axis ${end} lies before axis ${start}`, { x: x.shape });
  return view(x, [...x.shape.slice(0, first), size(x.shape.slice(first, last + 1)), ...x.shape.slice(last + 1)]);
}

/**
 * Exchanges two axes: `permute` with an order that differs in two places; for the last two, the transpose. One launch, none where
 * one of them is 1 and they are neighbours.
 *
 * ```ts
 * swapAxes(x, -1, -2).shape; // [B, N, C] → [B, C, N]
 * ```
 */
export function swapAxes(x: Tensor, a: number, b: number): Tensor {
  checkTensors('swapAxes', { x });
  const [first, second] = [normalizeAxis('swapAxes', a, x.shape), normalizeAxis('swapAxes', b, x.shape)];
  return permute(
    x,
    x.shape.map((_, i) => (i === first ? second : i === second ? first : i)),
  );
}

/**
 * Moves an axis to another place; the others keep their order.
 *
 * ```ts
 * moveAxis(image, 1, -1).shape; // channels last: [B, C, H, W] → [B, H, W, C]
 * ```
 */
export function moveAxis(x: Tensor, source: number, destination: number): Tensor {
  checkTensors('moveAxis', { x });
  const [start, end] = [normalizeAxis('moveAxis', source, x.shape), normalizeAxis('moveAxis', destination, x.shape)];
  const others = x.shape.flatMap((_, i) => (i === start ? [] : [i]));
  return permute(x, [...others.slice(0, end), start, ...others.slice(end)]);
}

/**
 * Joins tensors of one shape along a new axis, whose place in the result is `axis`: `y[…, i, …] = xs[i][…]`. One launch for up to
 * seven. Of any dtype.
 *
 * ```ts
 * stack([a, b]).shape; // two of [3, 2] → [2, 3, 2]
 * ```
 *
 * @throws ShapeError when there is none, or when shapes or dtypes differ.
 */
export function stack(xs: readonly Tensor[], axis = 0): Tensor {
  const first = firstOf('stack', xs);
  const other = xs.find((x) => x.dtype !== first.dtype || !sameShape(x.shape, first.shape));
  if (other) {
    const shapes = Object.fromEntries(xs.map((x, i) => [`x${i}`, x.shape]));
    const rule = other.dtype === first.dtype ? 'one shape' : `one dtype (${first.dtype} and ${other.dtype})`;
    throw new ShapeError('stack', `all must have ${rule}`, shapes);
  }
  const at = axisOfMore('stack', first, axis);
  return concat(
    xs.map((x) => unsqueeze(x, at)),
    at,
  );
}

/**
 * Lays copies of the whole side by side: `y[i₀, i₁, …] = x[i₀ mod n₀, i₁ mod n₁, …]`, `counts[k]` of them along axis k. Counts are
 * aligned at the end; of a longer list the first make new axes. NumPy's `tile`, PyTorch's `repeat`. The gradient is summed over the
 * copies. Of any dtype.
 *
 * ```ts
 * await read(tile(tensor(device, [1, 2]), [3])); // [1, 2, 1, 2, 1, 2]
 * ```
 */
export function tile(x: Tensor, counts: readonly number[]): Tensor {
  checkTensors('tile', { x });
  checkList('tile', 'counts', counts, '[2, 1]');
  for (const count of counts) checkCount('tile', x, count);
  const rank = Math.max(counts.length, x.shape.length);
  const aligned = (list: readonly number[]) => [...Array<number>(rank - list.length).fill(1), ...list];
  const [shape, copies] = [aligned(x.shape), aligned(counts)];
  const single = shape.flatMap((axis) => [1, axis]);
  const copied = shape.flatMap((axis, i) => [copies[i] as number, axis]);
  return reshape(
    broadcastTo(reshape(x, single), copied),
    shape.map((axis, i) => axis * (copies[i] as number)),
  );
}

/**
 * Repeats each element along an axis: `y[…, i, …] = x[…, ⌊i / count⌋, …]`. NumPy's `repeat`, PyTorch's `repeat_interleave`; for
 * copies of the whole there is {@link tile}. The gradient is summed over the copies. Of any dtype.
 *
 * ```ts
 * await read(repeat(tensor(device, [1, 2]), 3, 0)); // [1, 1, 1, 2, 2, 2]
 * ```
 */
export function repeat(x: Tensor, count: number, axis: number): Tensor {
  checkTensors('repeat', { x });
  const at = normalizeAxis('repeat', axis, x.shape);
  checkCount('repeat', x, count);
  const before = x.shape.slice(0, at + 1);
  const after = x.shape.slice(at + 1);
  return reshape(
    broadcastTo(reshape(x, [...before, 1, ...after]), [...before, count, ...after]),
    x.shape.map((one, i) => (i === at ? one * count : one)),
  );
}

function checkCount(op: string, x: Tensor, count: number): void {
  if (Number.isInteger(count) && count >= 0) return;
  throw new ShapeError(op, `counts must be whole numbers, 0 or more (${shown(count)})`, { x: x.shape });
}

/** A place among the axes of a result that has one more. */
function axisOfMore(op: string, x: Tensor, axis: number): number {
  checkTensors(op, { x });
  const rank = x.shape.length + 1;
  const at = Number.isInteger(axis) && axis < 0 ? axis + rank : axis;
  if (Number.isInteger(at) && at >= 0 && at < rank) return at;
  throw new ShapeError(op, `axis ${shown(axis)} does not exist in a result of ${rank} axes`, { x: x.shape });
}
