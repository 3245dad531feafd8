import { arrayKind, article, describe } from './describe.ts';
import { arrays, type DType, isFloat } from './dtype.ts';
import { fromHalf, toHalf } from './half.ts';
import { formatShape, type Shape, sameShape, size } from './shape.ts';

/** A typed array of numbers. */
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** Numbers, or true and false, or lists of one length each: nested lists have a shape, as NumPy reads them. */
export type NumberList = readonly (number | boolean | NumberList | NumberArray)[];

/**
 * What the host gives for a tensor. A flat list and a typed array fill any shape in order; nested lists must have the shape
 * itself.
 *
 * - f32: numbers, `Float32Array` and `Float64Array` round to the nearest; arrays of integers must fit exactly.
 * - f16: the same, rounded once to the nearest f16 (from 65520 on infinite); a `Uint16Array` holds bits.
 * - i32, u32: whole numbers from −2³¹ to 2³¹ − 1, or from 0 to 2³² − 1, in a list or any typed array.
 * - bool: true and false, or 1 and 0, in a list or any typed array.
 *
 * Whatever else comes is refused; the first element that does not fit is named.
 */
export type HostValues = number | boolean | NumberList | NumberArray;

/** Elements as they lie on the GPU: f16 as bits, and one more where their number is odd, since WebGPU copies whole words. */
export type Bits = Float32Array | Int32Array | Uint32Array | Uint16Array;

/** Makes the error of a caller from what was found, such as `5 values` or `-1 at [2], which is no u32`. */
export type Refuse = (found: string) => Error;

/** No tensor has so many axes: a list that holds itself ends here. */
const DEEPEST = 64;

/** Whether a dtype holds a number as it is. */
export const holds: Readonly<Record<DType, (value: number) => boolean>> = {
  f32: (value) => Math.fround(value) === value || Number.isNaN(value),
  f16: (value) => fromHalf(toHalf(new Float32Array([value])))[0] === value || Number.isNaN(value),
  i32: (value) => (value | 0) === value,
  u32: (value) => value >>> 0 === value,
  bool: (value) => value === 0 || value === 1,
};

/** The shape that nested lists have by themselves; undefined for a number, a flat list or a typed array, which fill any. */
export function nestedShape(values: unknown): Shape | undefined {
  if (!Array.isArray(values)) return undefined;
  const shape: number[] = [];
  let inner: unknown = values;
  while (Array.isArray(inner) && shape.length <= DEEPEST) {
    shape.push(inner.length);
    inner = inner[0];
  }
  if (arrayKind(inner) !== undefined) shape.push((inner as NumberArray).length);
  return shape.length > 1 ? shape : undefined;
}

/**
 * The elements of a tensor out of what the host gives for it: converted or refused, never reinterpreted. May be `values`
 * itself. Lists are laid out in `into` where there is one.
 */
export function fromHost(values: unknown, dtype: DType, shape: Shape, refuse: Refuse, into?: Bits): Bits {
  const n = size(shape);
  if (typeof values === 'number' || typeof values === 'boolean') {
    if (n !== 1) throw refuse(`a ${typeof values}`);
    return fromList([values], dtype, [1], refuse, into);
  }
  if (Array.isArray(values)) {
    const nested = nestedShape(values);
    if (nested && nested.length > DEEPEST) throw refuse(`a list nested more than ${DEEPEST} times`);
    if (nested && !sameShape(nested, shape)) {
      // A ragged list has no shape to name.
      fromList(values, dtype, nested, refuse);
      throw refuse(`a list of lists ${formatShape(nested)}`);
    }
    if (!nested && values.length !== n) throw refuse(counted(values.length));
    return fromList(values, dtype, nested ?? [n], refuse, into);
  }
  const kind = arrayKind(values);
  if (kind === undefined || kind.startsWith('Big')) throw refuse(describe(values));
  const array = values as NumberArray;
  if (array.length !== n) {
    throw refuse(`${counted(array.length)}${array.length === 0 ? ' (its buffer is empty, or was transferred)' : ''}`);
  }
  if (dtype !== 'bool' && kind === arrays[dtype].name) return even(alone(array) as Bits);
  if (dtype === 'f16' && kind === 'Float32Array') return even(toHalf(alone(array) as Float32Array));
  if (dtype === 'f32' && (kind === 'Float64Array' || kind === 'Float16Array')) return new Float32Array(array);
  return laidOut(dtype, n, undefined, (to) => {
    for (let i = 0; i < n; i++) to(i, checked(array[i] as number, dtype, kind, [i], refuse));
  });
}

/** An element of a typed array of another kind, if the dtype holds it. */
function checked(value: number, dtype: DType, kind: string, at: readonly number[], refuse: Refuse): number {
  const rounds = isFloat(dtype) && kind.startsWith('Float');
  if (!rounds && !holds[dtype](value)) {
    const remedy = isFloat(dtype) ? '; give a Float32Array to have it rounded' : '';
    throw refuse(`${value} at ${formatShape(at)} of ${article(kind)}, which ${dtype} does not hold${remedy}`);
  }
  return value;
}

/** The elements of lists that must have this shape. */
function fromList(list: readonly unknown[], dtype: DType, shape: Shape, refuse: Refuse, into?: Bits): Bits {
  const last = shape.length - 1;
  const path: number[] = [];
  return laidOut(dtype, size(shape), into, (to) => {
    let next = 0;
    const walk = (row: unknown, depth: number): void => {
      const kind = arrayKind(row);
      const isRow = Array.isArray(row) || (kind !== undefined && depth === last && !kind.startsWith('Big'));
      if (!isRow) throw refuse(`${describe(row)} at ${formatShape(path)}, where others are lists`);
      const { length } = row as readonly unknown[];
      if (length !== shape[depth]) {
        throw refuse(`a ragged list: ${counted(length)} at ${formatShape(path)}, ${shape[depth]} in others`);
      }
      if (kind === 'Uint16Array' && dtype === 'f16') {
        throw refuse(`a Uint16Array at ${formatShape(path)}; bits of f16 must be one flat Uint16Array`);
      }
      // By index: forEach would pass over holes.
      for (let i = 0; i < length; i++) {
        const given = (row as readonly unknown[])[i];
        const value = dtype === 'bool' && typeof given === 'boolean' ? Number(given) : given;
        if (depth < last) {
          path.push(i);
          walk(value, depth + 1);
          path.pop();
        } else if (typeof value !== 'number') {
          throw refuse(`${describe(value)} at ${formatShape([...path, i])}`);
        } else if (!isFloat(dtype) && !holds[dtype](value)) {
          throw refuse(`${value} at ${formatShape([...path, i])}, which is no ${dtype}`);
        } else {
          to(next++, kind === undefined ? value : checked(value, dtype, kind, [...path, i], refuse));
        }
      }
    };
    walk(list, 0);
  });
}

/** Elements in their dtype, given one by one. */
function laidOut(
  dtype: DType,
  n: number,
  into: Bits | undefined,
  give: (to: (i: number, value: number) => void) => void,
): Bits {
  if (dtype !== 'f16') {
    const array = into ?? new arrays[dtype](n);
    give((i, value) => {
      array[i] = value;
    });
    return array;
  }
  const floats = new Float32Array(n);
  const bits = new Uint32Array(floats.buffer);
  give((i, value) => {
    floats[i] = value;
    // To f32 as "round to odd": toward zero, and an odd last bit says that there was more. So the second rounding, to f16,
    // gives what one rounding would (Boldo and Melquiond, 2008, "Emulation of FMA and correctly rounded sums").
    const rounded = floats[i] as number;
    if (rounded === value || Number.isNaN(value)) return;
    if (Math.abs(rounded) > Math.abs(value)) bits[i] = (bits[i] as number) - 1;
    bits[i] = (bits[i] as number) | 1;
  });
  return even(toHalf(floats));
}

/** WebGPU copies multiples of four bytes. */
function even(bits: Bits): Bits {
  if (bits.byteLength % 4 === 0) return bits;
  const padded = new Uint16Array(bits.length + 1);
  padded.set(bits);
  return padded;
}

/** The array, or a copy where its memory may change under WebGPU's hands: it takes no shared and no resizable buffers. */
function alone(array: NumberArray): NumberArray {
  const { buffer } = array as { buffer: ArrayBufferLike & { resizable?: boolean } };
  return buffer instanceof ArrayBuffer && !buffer.resizable ? array : array.slice();
}

export function counted(values: number): string {
  return values === 1 ? '1 value' : `${values} values`;
}
