import { type Tensor, unchanged } from '../../tensor/graph/index.ts';
import { describe, holds, isFloat, normalizeAxis, type Shape, ShapeError, shown } from '../../tensor/values/index.ts';
import { checkChoice, checkNoMore, checkNumber, checkOptions, checkTensors } from '../axis/index.ts';
import { axisMap, mapped } from './axis-maps.ts';

export interface PadOptions {
  /** What is put around: `value`, the nearest element (`edge`), or the mirror image without the border itself (`reflect`). Default: constant. */
  readonly mode?: 'constant' | 'edge' | 'reflect';
  /** Of constant padding. Default: 0. */
  readonly value?: number;
}

/**
 * Puts elements around x: along axis k `widths[k] = [before, after]`, a number for both; widths are aligned at the end, axes without
 * one stay. The shape grows by before + after. One launch, whatever the number of axes.
 *
 * Of an axis `1 2 3`, padded by 2: constant `0 0 1 2 3 0 0`, edge `1 1 1 2 3 3 3`, reflect `3 2 1 2 3 2 1`. The gradient is summed over
 * all places that show an element; the constant has none. Of any dtype.
 *
 * ```ts
 * pad(image, [1, 1], { mode: 'edge' }).shape; // [B, C, H, W] → [B, C, H + 2, W + 2]
 * pad(tokens, [[0, 3], 0]).shape; // [B, N, C] → [B, N + 3, C], zeros at the end
 * ```
 *
 * @throws ShapeError when widths are no whole numbers, 0 or more, or, for edge and reflect, when there is too little to show: reflect
 * needs widths below the axis.
 */
export function pad(
  x: Tensor,
  widths: readonly (number | readonly [before: number, after: number])[],
  options: PadOptions = {},
): Tensor {
  checkTensors('pad', { x });
  checkOptions('pad', options, ['mode', 'value']);
  const { mode = 'constant', value = 0 } = options;
  checkChoice('pad', 'mode', mode, ['constant', 'edge', 'reflect']);
  checkNumber('pad', 'value', value);
  if (!Array.isArray(widths) || widths.length > x.shape.length) {
    const got = Array.isArray(widths) ? `${widths.length} for ${x.shape.length} axes` : describe(widths);
    throw new ShapeError('pad', `widths are a list, one for each of the last axes; got ${got}`, { x: x.shape });
  }
  if (!isFloat(x.dtype) && !holds[x.dtype](value)) {
    throw new ShapeError('pad', `${value} is no value of ${x.dtype}`, { x: x.shape });
  }
  const first = x.shape.length - widths.length;
  const maps = x.shape.map((length, i) => {
    if (i < first) return undefined;
    const both = [widths[i - first] as number | readonly number[]].flat() as number[];
    const [before, after] = both.length === 1 ? [both[0] as number, both[0] as number] : (both as [number, number]);
    if (both.length > 2 || !both.every((width) => Number.isInteger(width) && width >= 0) || both.length === 0) {
      throw new ShapeError('pad', `the width of axis ${i} must be [before, after], whole numbers, 0 or more`, {
        x: x.shape,
      });
    }
    if (before === 0 && after === 0) return undefined;
    const needed = mode === 'constant' ? 0 : mode === 'edge' ? 1 : Math.max(before, after) + 1;
    if (length < needed) {
      throw new ShapeError('pad', `mode ${mode} of ${before} and ${after} needs an axis ${i} of at least ${needed}`, {
        x: x.shape,
      });
    }
    return axisMap(before + length + after, length, (at) => placeShown(at - before, length, mode));
  });
  return mapped(x, maps, value);
}

/** Which element of an axis is shown at a place beside it. */
function placeShown(at: number, length: number, mode: 'constant' | 'edge' | 'reflect'): number {
  if (mode === 'constant') return at;
  if (mode === 'edge') return Math.min(Math.max(at, 0), length - 1);
  return length - 1 - Math.abs(length - 1 - Math.abs(at));
}

/**
 * Reverses the order along axes (one or several; negative ones count from the end; default: all): `y[…, i, …] = x[…, n − 1 − i, …]`.
 * The gradient is turned back. Of any dtype.
 *
 * ```ts
 * await read(flip(tensor(device, [1, 2, 3]), 0)); // [3, 2, 1]
 * flip(image, -1); // mirrored: [B, C, H, W]
 * ```
 */
export function flip(x: Tensor, axes?: number | readonly number[], ...more: never[]): Tensor {
  checkNoMore('flip', more, 'x, axes');
  checkTensors('flip', { x });
  const turned = axesOf('flip', x.shape, axes);
  return mapped(
    x,
    x.shape.map((length, i) => (turned.includes(i) ? axisMap(length, length, (at) => length - 1 - at) : undefined)),
  );
}

/**
 * Shifts elements along an axis, around its end: `y[…, i, …] = x[…, (i − shift) mod n, …]`. Negative shifts go to the front. The
 * gradient is shifted back. Of any dtype.
 *
 * ```ts
 * await read(roll(tensor(device, [1, 2, 3, 4]), 1, 0)); // [4, 1, 2, 3]
 * ```
 *
 * @throws ShapeError when the shift is no whole number.
 */
export function roll(x: Tensor, shift: number, axis: number): Tensor {
  checkTensors('roll', { x });
  const at = normalizeAxis('roll', axis, x.shape);
  if (!Number.isInteger(shift)) {
    throw new ShapeError('roll', `the shift must be a whole number (${shown(shift)})`, { x: x.shape });
  }
  const length = x.shape[at] as number;
  if (length === 0 || shift % length === 0) return unchanged(x);
  const by = ((shift % length) + length) % length;
  return mapped(
    x,
    x.shape.map((_, i) => (i === at ? axisMap(length, length, (place) => (place + length - by) % length) : undefined)),
  );
}

function axesOf(op: string, shape: Shape, axes: number | readonly number[] | undefined): readonly number[] {
  if (axes === undefined) return shape.map((_, i) => i);
  return [axes].flat().map((axis) => normalizeAxis(op, axis, shape));
}
