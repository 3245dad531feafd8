/**
 * Element types: `f32`, `f16` (sums are f32, unless `useHalfSums` asks otherwise), `i32`, `u32` (indices, seeds, bits), and `bool`, which lies on the GPU as a
 * u32 that is 1 or 0, four bytes each: WGSL has no bool in memory.
 */
export type DType = 'f32' | 'f16' | 'i32' | 'u32' | 'bool';

/** What the host sees: f16 is widened when it is read, and bool is a byte each, 1 or 0. */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint8Array;

/** How elements lie in memory. */
export const arrays: {
  readonly f32: typeof Float32Array;
  readonly f16: typeof Uint16Array;
  readonly i32: typeof Int32Array;
  readonly u32: typeof Uint32Array;
  readonly bool: typeof Uint32Array;
} = { f32: Float32Array, f16: Uint16Array, i32: Int32Array, u32: Uint32Array, bool: Uint32Array };

export function bytesPerElement(dtype: DType): number {
  return arrays[dtype].BYTES_PER_ELEMENT;
}

export function isDType(dtype: unknown): dtype is DType {
  return typeof dtype === 'string' && Object.hasOwn(arrays, dtype);
}

/** What a dtype must be, for messages. */
export const dtypeRule = "the dtype must be 'f32', 'f16', 'i32', 'u32' or 'bool'";

/** Whether a dtype holds floats: only these have gradients. The others are words, of which a kernel may bind any as u32, its bits. */
export function isFloat(dtype: DType): dtype is 'f32' | 'f16' {
  return dtype === 'f32' || dtype === 'f16';
}
