/** Writes safetensors files: from memory at once, or tensor by tensor. */
import { toHalf } from '../../tensor/values/index.ts';
import type { WeightTensor } from './open-weights.ts';
import {
  type AnyDtype,
  type ArrayOf,
  CheckpointError,
  checkMetadata,
  count,
  elementBytes,
  isDtype,
  isSizes,
  longestHeader,
  type StoredDtype,
  type StoredTensor,
  widths,
} from './types.ts';
import { toBfloat16, toFloat32 } from './values.ts';

/** A tensor to be written. */
export type WritableTensor = {
  [D in StoredDtype]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: ArrayOf[D] };
}[StoredDtype];

/**
 * Writes a file. Tensors are laid out by falling element size, so that each starts at a multiple of it and can be
 * read without a copy; among equals the given order stays.
 *
 * ```ts
 * const bytes = writeSafetensors([['weight', { dtype: 'F16', shape: [2, 2], data: new Float32Array(4) }]]);
 * ```
 *
 * F16 takes floats and rounds them to the nearest, ties to even.
 *
 * @throws {CheckpointError} if a tensor's data does not fit its shape or type, if a name comes twice, or if a finite
 *   float is too large for F16. The error's `file` is `name`.
 */
export function writeSafetensors(
  tensors: Iterable<readonly [string, WritableTensor]>,
  metadata?: Readonly<Record<string, string>>,
  name = 'safetensors',
): Uint8Array<ArrayBuffer> {
  const list = [...tensors];
  for (const [tensorName, { dtype, shape, data }] of list) {
    if (!isDtype(dtype)) {
      const known = Object.keys(widths).join(', ');
      throw new CheckpointError(
        name,
        `tensor "${tensorName}": the type must be one of ${known}; got ${JSON.stringify(dtype)}`,
      );
    }
    if (!isSizes(shape) || data.length !== count(shape)) {
      throw new CheckpointError(
        name,
        `tensor "${tensorName}": shape [${shape.join(', ')}] holds ${count(shape)} elements; got ${data.length}`,
      );
    }
    const rounds = dtype === 'F16' && data instanceof Float32Array;
    if (!rounds && data.BYTES_PER_ELEMENT !== widths[dtype]) {
      throw new CheckpointError(
        name,
        `tensor "${tensorName}": ${dtype} takes ${widths[dtype]} bytes an element; got ${data.constructor.name}`,
      );
    }
  }
  const { header, order, size } = layOut(
    list.map(([tensor, { dtype, shape }]) => ({ name: tensor, dtype, shape })),
    metadata,
    name,
  );
  const file = new Uint8Array(header.length + size);
  file.set(header);
  let at = header.length;
  for (const index of order) {
    const [tensorName, { dtype, data }] = list[index] as (typeof list)[number];
    const raw = dtype === 'F16' && data instanceof Float32Array ? rounded(dtype, data, tensorName, name) : data;
    file.set(new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength), at);
    at += raw.byteLength;
  }
  return file;
}

/** Bytes of the file that {@link writeSafetensors} makes of tensors of these types and shapes. */
export function safetensorsSize(
  tensors: readonly { readonly name: string; readonly dtype: AnyDtype; readonly shape: readonly number[] }[],
  metadata?: Readonly<Record<string, string>>,
): number {
  const { header, size } = layOut(tensors, metadata, 'safetensors');
  return header.length + size;
}

/** How {@link streamSafetensors} writes. */
export interface StreamOptions {
  /** The type of all floats in the file; other tensors stay as they are. Default: every tensor's own. */
  readonly dtype?: 'F32' | 'F16' | 'BF16' | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** A name for error messages. */
  readonly name?: string | undefined;
}

/** Bytes of a tensor that are in memory at once, where it can be read in parts. */
const PART = 2 ** 24;

/**
 * The bytes of a safetensors file, one part after another, of tensors that are read as their turn comes: of a checkpoint of gigabytes, some
 * megabytes are in memory.
 *
 * ```ts
 * const { tensors, metadata } = await openTorch(blobRanges(file), file.name);
 * for await (const part of streamSafetensors(tensors, { dtype: 'F16', metadata })) await writable.write(part);
 * ```
 *
 * @throws {CheckpointError} if a tensor cannot be read, is of a type that is not written here, or holds a finite float that is too
 *   large for the type that was asked for.
 */
export async function* streamSafetensors(
  tensors: ReadonlyMap<string, WeightTensor>,
  { dtype, metadata, name = 'safetensors' }: StreamOptions = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
  const list = [...tensors].map(([as, tensor]) => ({
    name: as,
    tensor,
    shape: tensor.shape,
    dtype: writtenAs(tensor, dtype),
  }));
  const { header, order } = layOut(list, metadata, name);
  yield header;
  for (const index of order) {
    const { name: as, tensor, dtype: target } = list[index] as (typeof list)[number];
    let first = 0;
    for await (const part of partsOf(tensor)) {
      const isSame = part.dtype === target;
      const values = isSame ? part.bytes : rounded(target as 'F16', toFloat32(part), as, name, first);
      yield new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
      first += count(part.shape);
    }
  }
}

const floats: readonly string[] = ['F64', 'F32', 'F16', 'BF16'];

function writtenAs({ file, name, dtype }: WeightTensor, wanted: StreamOptions['dtype']): AnyDtype {
  if (wanted !== undefined && floats.includes(dtype)) return wanted;
  if (elementBytes(dtype) !== undefined) return dtype;
  throw new CheckpointError(file, `tensor "${name}" is of type ${dtype}, which is not written here`);
}

/** A tensor's elements in row-major order, in pieces of one axis. */
async function* partsOf(tensor: WeightTensor): AsyncGenerator<StoredTensor, void, undefined> {
  const elements = count(tensor.shape);
  const step = Math.max(1, Math.floor(PART / (elementBytes(tensor.dtype) ?? 1)));
  if ('bytes' in tensor) yield tensor;
  else if (!tensor.readPart || elements <= step) yield await tensor.read();
  else {
    const { file, name, dtype } = tensor;
    for (let start = 0; start < elements; start += step) {
      const end = Math.min(elements, start + step);
      yield { file, name, dtype, shape: [end - start], bytes: await tensor.readPart(start, end) };
    }
  }
}

interface Entry {
  readonly name: string;
  readonly dtype: AnyDtype;
  readonly shape: readonly number[];
}

/** The first bytes of a file, the order of its tensors, and how many bytes these take. */
function layOut(
  entries: readonly Entry[],
  metadata: Readonly<Record<string, string>> | undefined,
  file: string,
): { readonly header: Uint8Array<ArrayBuffer>; readonly order: readonly number[]; readonly size: number } {
  const width = ({ dtype }: Entry): number => elementBytes(dtype) ?? 1;
  const strange = [...entries.map(({ name }) => name), ...Object.entries(metadata ?? {}).flat()].find(isBroken);
  if (strange !== undefined) {
    throw new CheckpointError(
      file,
      `${JSON.stringify(strange)} holds half a character, which no other program can read`,
    );
  }
  const header = new Map<string, unknown>();
  if (metadata && Object.keys(metadata).length > 0) header.set('__metadata__', checkMetadata(metadata, file));
  const order = [...entries.keys()].sort((a, b) => width(entries[b] as Entry) - width(entries[a] as Entry));
  let size = 0;
  for (const index of order) {
    const entry = entries[index] as Entry;
    const { name, dtype, shape } = entry;
    if (name === '__metadata__' || header.has(name)) {
      throw new CheckpointError(file, `tensor "${name}": the name is taken already`);
    }
    const end = size + count(shape) * width(entry);
    header.set(name, { dtype, shape, data_offsets: [size, end] });
    size = end;
  }
  // fromEntries defines its properties, so even a tensor called `__proto__` is written.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const dataStart = Math.ceil((8 + json.length) / 8) * 8;
  if (dataStart - 8 > longestHeader) {
    throw new CheckpointError(
      file,
      `the header would take ${dataStart - 8} bytes; readers take up to ${longestHeader}`,
    );
  }
  const bytes = new Uint8Array(dataStart);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(dataStart - 8), true);
  bytes.fill(0x20, 8).set(json, 8);
  return { header: bytes, order, size };
}

/** Half of a surrogate pair: JSON can hold it, and readers in other languages refuse it. */
function isBroken(text: unknown): boolean {
  return typeof text === 'string' && /\p{Surrogate}/u.test(text);
}

const largest = { F16: 65504, BF16: 3.3895313892515355e38 };

/** Floats in another type. `first` is the place in its tensor of the first of them, for messages. */
function rounded(
  dtype: 'F32' | 'F16' | 'BF16',
  values: Float32Array,
  tensor: string,
  file: string,
  first = 0,
): Uint16Array | Float32Array {
  if (dtype === 'F32') return values;
  const [bits, infinite] = dtype === 'F16' ? [toHalf(values), 0x7c00] : [toBfloat16(values), 0x7f80];
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i]! & 0x7fff) === infinite && Number.isFinite(values[i])) {
      throw new CheckpointError(
        file,
        `tensor "${tensor}": element ${first + i}, ${values[i]}, is too large for ${dtype}, which ends at ${largest[dtype]}; write F32 instead`,
      );
    }
  }
  return bits;
}
