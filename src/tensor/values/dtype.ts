/** Element types: `f32`, `f16` (storage only; sums are f32), `u32` (indices, seeds, bits). */
export type DType = 'f32' | 'f16' | 'u32';

/** What the host sees: f16 is widened when it is read. */
export type HostArray = Float32Array | Uint32Array;

export function bytesPerElement(dtype: DType): number {
  return dtype === 'f16' ? 2 : 4;
}

export function isDType(dtype: unknown): dtype is DType {
  return dtype === 'f32' || dtype === 'f16' || dtype === 'u32';
}
