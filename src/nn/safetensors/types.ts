/** What a safetensors file may hold: element types, tensors as they are stored, and the error of files that cannot be used. */
import { shownValue, ZeroSegError } from '../../gpu/index.ts';

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

/** Bytes of an element; undefined of types that are packed, or not known. */
export function elementBytes(dtype: AnyDtype): number | undefined {
  if (isDtype(dtype)) return widths[dtype];
  const bytes = (otherBits.get(dtype) ?? 0) / 8;
  return bytes >= 1 ? bytes : undefined;
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

// The limit of the format's own reader. It turns a file that is no safetensors file into an error, not into an
// attempt to read gigabytes of header.
export const longestHeader = 100_000_000;

export function checkMetadata(value: unknown, file: string): Record<string, string> {
  // The format's own reader takes null for none.
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new CheckpointError(file, '__metadata__ must be an object of strings');
  }
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== 'string') {
      throw new CheckpointError(file, `__metadata__ must be an object of strings; "${key}" holds ${shownValue(item)}`);
    }
  }
  return value as Record<string, string>;
}
