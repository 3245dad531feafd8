/** Values out of stored tensors. */
import { fromHalf } from '../../tensor/values/index.ts';
import { type ArrayOf, CheckpointError, count, isDtype, type StoredDtype, type StoredTensor, widths } from './types.ts';

/**
 * The elements as floats, in row-major order. Halves and integers become the same value; F64 is rounded.
 *
 * The result of an F32 tensor may be a view of its bytes: copy it before changing it.
 *
 * @throws {CheckpointError} if an integer has no float of the same value (beyond 2^24), if a finite F64 is beyond all floats, or if
 *   the tensor is of a type that is not read here.
 */
export function toFloat32(tensor: StoredTensor): Float32Array {
  const values = elements(tensor);
  if (tensor.dtype === 'F16') return fromHalf(values as Uint16Array);
  if (tensor.dtype === 'BF16') {
    const bits = new Uint32Array(values.length);
    for (let i = 0; i < bits.length; i++) bits[i] = (values as Uint16Array)[i]! << 16;
    return new Float32Array(bits.buffer);
  }
  if (values instanceof Float32Array) return values;
  if (values instanceof Float64Array) return fromDouble(tensor, values);
  return convert(tensor, values, new Float32Array(values.length), 'a float of 32 bits');
}

/**
 * The elements as 32-bit integers, in row-major order; BOOL gives 0 and 1.
 *
 * The result of an I32 tensor may be a view of its bytes: copy it before changing it.
 *
 * @throws {CheckpointError} if the tensor holds floats, or an integer out of range.
 */
export function toInt32(tensor: StoredTensor): Int32Array {
  const values = elements(tensor);
  if (['F64', 'F32', 'F16', 'BF16'].includes(tensor.dtype)) {
    throw new CheckpointError(tensor.file, `tensor "${tensor.name}" must hold integers; its type is ${tensor.dtype}`);
  }
  if (values instanceof Int32Array) return values;
  return convert(tensor, values, new Int32Array(values.length), 'an integer of 32 bits');
}

/** {@link toInt32}, but U32 as it is: what i32, u32 and bool are filled with. */
export function toWhole(tensor: StoredTensor): Int32Array | Uint32Array {
  const values = elements(tensor);
  return values instanceof Uint32Array ? values : toInt32(tensor);
}

/** The bits of the nearest floats of 16 bits with the exponent of one of 32 (bfloat16), ties to even; a NaN becomes the quiet one of its sign. */
export function toBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const one = bits[i]!;
    const isNone = (one & 0x7fffffff) > 0x7f800000;
    out[i] = isNone ? ((one >>> 16) & 0x8000) | 0x7fc0 : (one + 0x7fff + ((one >>> 16) & 1)) >>> 16;
  }
  return out;
}

function fromDouble(tensor: StoredTensor, values: Float64Array): Float32Array {
  const out = new Float32Array(values);
  const lost = out.findIndex((value, i) => !Number.isFinite(value) && Number.isFinite(values[i]));
  if (lost < 0) return out;
  throw new CheckpointError(
    tensor.file,
    `tensor "${tensor.name}": element ${lost}, ${values[lost]}, is too large for a float of 32 bits`,
  );
}

type Elements = ArrayOf[StoredDtype];

/** The stored elements in the typed array of their type; 16-bit floats as their bits. */
function elements({ file, name, dtype, shape, bytes }: StoredTensor): Elements {
  if (!isDtype(dtype)) {
    const known = Object.keys(widths).join(', ');
    throw new CheckpointError(
      file,
      `tensor "${name}" is of type ${dtype}, which cannot be read here; convert it to one of ${known}`,
    );
  }
  const width = widths[dtype];
  if (bytes.length !== count(shape) * width) {
    throw new CheckpointError(
      file,
      `tensor "${name}": shape [${shape.join(', ')}] of ${dtype} takes ${count(shape) * width} bytes; got ${bytes.length}`,
    );
  }
  // A typed array must start at a multiple of its element's size; where the data does not, it is copied. Not by
  // slice(): that of a Node Buffer copies nothing.
  const data = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  const make = <T>(type: new (buffer: ArrayBufferLike, offset: number, length: number) => T): T =>
    new type(data.buffer, data.byteOffset, data.length / width);
  switch (dtype) {
    case 'F64':
      return make(Float64Array);
    case 'F32':
      return make(Float32Array);
    case 'F16':
    case 'BF16':
    case 'U16':
      return make(Uint16Array);
    case 'I64':
      return make(BigInt64Array);
    case 'I32':
      return make(Int32Array);
    case 'I16':
      return make(Int16Array);
    case 'I8':
      return make(Int8Array);
    case 'U64':
      return make(BigUint64Array);
    case 'U32':
      return make(Uint32Array);
    case 'U8':
    case 'BOOL':
      return make(Uint8Array);
  }
}

function convert<T extends Float32Array | Int32Array>(tensor: StoredTensor, from: Elements, to: T, kind: string): T {
  for (let i = 0; i < from.length; i++) {
    const value = from[i]!;
    to[i] = Number(value);
    // Loose on purpose: a bigint equals a number of the same value.
    // biome-ignore lint/suspicious/noDoubleEquals: see above
    if (to[i]! != value) {
      throw new CheckpointError(tensor.file, `tensor "${tensor.name}": element ${i}, ${value}, is not ${kind}`);
    }
  }
  return to;
}
