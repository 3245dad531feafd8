import type { Device } from '../../gpu/index.ts';
import { checkDevice, fill, type Tensor, tensor } from '../../tensor/graph/index.ts';
import { checkShape, type DType, describe, dtypeRule, isDType, ShapeError, shown } from '../../tensor/values/index.ts';
import { checkNoMore, checkNumber, checkTensors } from '../axis/index.ts';

/**
 * Numbers at equal distances from `start` up to, but not with, `end`: `start + i · step`, ⌈(end − start) / step⌉ of them; `arange(device,
 * n)` counts from 0 to n − 1. Made on the host in float64, then f32; or i32 or u32, for indices.
 *
 * ```ts
 * await read(arange(device, 4)); // [0, 1, 2, 3]
 * await read(arange(device, 1, 2, 0.25)); // [1, 1.25, 1.5, 1.75]
 * await readU32(arange(device, 0, 6, 2, 'u32')); // [0, 2, 4]
 * ```
 *
 * @throws ShapeError when a number is not finite, or the step is 0 or leads away from the end.
 */
export function arange(device: Device, end: number): Tensor;
export function arange(device: Device, start: number, end: number, step?: number, dtype?: DType): Tensor;
export function arange(device: Device, first: number, second?: number, step = 1, dtype: DType = 'f32'): Tensor {
  checkDevice('arange', device);
  if (!isDType(dtype)) throw new ShapeError('arange', `${dtypeRule}; got ${describe(dtype)}`);
  const [start, end] = second === undefined ? [0, first] : [first, second];
  for (const [name, number] of Object.entries({ start, end, step })) checkNumber('arange', name, number);
  const count = Math.ceil((end - start) / step);
  // Less than a step away in the wrong direction the count is -0.
  if (!Number.isFinite(count) || (end - start) * step < 0) {
    throw new ShapeError('arange', `steps of ${step} do not lead from ${start} to ${end}`);
  }
  return tensor(
    device,
    Array.from({ length: count }, (_, i) => start + i * step),
    [count],
    dtype,
  );
}

/**
 * `count` numbers (f32) at equal distances from `start` to `end`, both among them; of one, it is `start`.
 *
 * ```ts
 * await read(linspace(device, 0, 1, 5)); // [0, 0.25, 0.5, 0.75, 1]
 * ```
 *
 * @throws ShapeError when a number is not finite, or the count no whole number.
 */
export function linspace(device: Device, start: number, end: number, count: number, ...more: never[]): Tensor {
  checkNoMore('linspace', more, 'device, start, end, count');
  checkDevice('linspace', device);
  for (const [name, number] of Object.entries({ start, end, count })) checkNumber('linspace', name, number);
  checkShape('linspace', [count]);
  if (!Number.isFinite(start) || !Number.isFinite(end)) {
    throw new ShapeError('linspace', `both ends must be finite (${start} and ${end})`);
  }
  // From both ends: the last one is met exactly.
  const at = (i: number) => (count === 1 ? start : (start * (count - 1 - i) + end * i) / (count - 1));
  return tensor(
    device,
    Array.from({ length: count }, (_, i) => at(i)),
    [count],
  );
}

/**
 * The matrix (f32 `[rows, cols]`) with ones where j = i + diagonal, and zeros elsewhere; square unless `cols` is given.
 *
 * ```ts
 * await read(eye(device, 2)); // [1, 0, 0, 1]
 * ```
 */
export function eye(device: Device, rows: number, cols: number = rows, diagonal = 0, ...more: never[]): Tensor {
  checkNoMore('eye', more, 'device, rows, cols, diagonal');
  checkDevice('eye', device);
  for (const [name, number] of Object.entries({ rows, cols, diagonal })) checkNumber('eye', name, number);
  checkShape('eye', [rows, cols]);
  if (!Number.isInteger(diagonal))
    throw new ShapeError('eye', `the diagonal must be a whole number (${shown(diagonal)})`);
  const values = new Float32Array(rows * cols);
  for (let i = Math.max(0, -diagonal); i < rows && i + diagonal < cols; i++) values[i * cols + i + diagonal] = 1;
  return tensor(device, values, [rows, cols]);
}

/**
 * A tensor of the shape, dtype and device of `x` with the same value everywhere, true and false as 1 and 0; {@link zerosLike} and
 * {@link onesLike} are 0 and 1. With a device and a shape instead: `fill(device, shape, value)`.
 *
 * ```ts
 * await read(fillLike(tensor(device, [1, 2]), 7)); // [7, 7]
 * ```
 */
export function fillLike(x: Tensor, value: number | boolean): Tensor {
  return like('fillLike', x, value);
}

function like(op: string, x: Tensor, value: number | boolean): Tensor {
  checkTensors(op, { x }, `of a shape make it by fill(device, shape, ${value})`);
  if (typeof value !== 'boolean') checkNumber(op, 'value', value);
  return fill(x.device, x.shape, value, x.dtype);
}

/** Zeros of the shape, dtype and device of `x`. */
export function zerosLike(x: Tensor): Tensor {
  return like('zerosLike', x, 0);
}

/** Ones of the shape, dtype and device of `x`. */
export function onesLike(x: Tensor): Tensor {
  return like('onesLike', x, 1);
}
