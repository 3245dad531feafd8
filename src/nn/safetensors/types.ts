/** What a safetensors file may hold: element types, tensors as they are stored, and the error of files that cannot be used. */
import { ZeroSegError } from '../../gpu/index.ts';

/** A file with weights or features that cannot be used. `file` is its name; the message starts with it. */
export class CheckpointError extends ZeroSegError {
  override readonly name = 'CheckpointError';
  readonly code = 'checkpoint';
  readonly file: string;

  constructor(file: string, message: string, options?: ErrorOptions) {
    super(`${file}: ${message}`, options);
    this.file = file;
  }
}

/** Bytes per element of each type that a file may hold. */
export const widths = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

/** An element type of the file format, of those that are read and written here. */
export type StoredDtype = keyof typeof widths;

/**
 * Any element type that a file may hold. Tensors of other types, such as F8_E4M3, C64 or F4, may be in a file: they can be listed, and
 * their values cannot be asked for.
 */
export type AnyDtype = StoredDtype | (string & {});

/** Bits per element of the format's other types: what is known of them is only how much room they take. */
export const otherBits: ReadonlyMap<string, number> = /*#__PURE__*/ new Map([
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['F8_E4M3', 8],
  ['F8_E5M2', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['C64', 64],
  ['C128', 128],
]);

/** A tensor as it is stored: nothing is converted before `toFloat32` or `toInt32` asks for it. */
export interface StoredTensor {
  readonly file: string;
  readonly name: string;
  readonly dtype: AnyDtype;
  readonly shape: readonly number[];
  /** The raw little-endian data; from `readSafetensors` a view of the file's bytes. */
  readonly bytes: Uint8Array;
}

/** The typed array that `writeSafetensors` takes for each type: halves also as floats, which it rounds. */
export interface ArrayOf {
  F64: Float64Array;
  F32: Float32Array;
  F16: Float32Array | Uint16Array;
  BF16: Uint16Array;
  I64: BigInt64Array;
  I32: Int32Array;
  I16: Int16Array;
  I8: Int8Array;
  U64: BigUint64Array;
  U32: Uint32Array;
  U16: Uint16Array;
  U8: Uint8Array;
  BOOL: Uint8Array;
}

/** Whether values of this type can be read and written here. */
export function isDtype(value: unknown): value is StoredDtype {
  return typeof value === 'string' && Object.hasOwn(widths, value);
}

export function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** The number of elements; not a number where a product on the way is too large to be exact. */
export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => (Number.isSafeInteger(product * size) ? product * size : Number.NaN), 1);
}
