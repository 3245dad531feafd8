// The safetensors file format: 8 bytes with the length of the header (little-endian), a JSON header
// `{name: {dtype, shape, data_offsets}}`, then the raw little-endian data. Offsets count from the header's end.
// https://github.com/huggingface/safetensors
//
// Tensors are read through typed arrays, which use the machine's byte order. Every machine with WebGPU or Node 20
// is little-endian (Node's s390x builds aside, and Dawn has none), so nothing is swapped.

import { ZeroSegError } from '../gpu/errors.ts';
import { parseJson as parseNested, shownValue } from '../gpu/json.ts';
import { fromHalf, toHalf } from './half.ts';

export { fromHalf, toHalf };

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
const widths = {
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

/** An element type of the file format. */
export type StoredDtype = keyof typeof widths;

/** Where a tensor lies in its file: bytes `start` up to `end`, counted from the start of the file. */
export interface HeaderEntry {
  readonly file: string;
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** A tensor as it is stored: nothing is converted before {@link toFloat32} or {@link toInt32} asks for it. */
export interface StoredTensor {
  readonly file: string;
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** The raw little-endian data; from {@link readSafetensors} a view of the file's bytes. */
  readonly bytes: Uint8Array;
}

export interface SafetensorsHeader {
  readonly metadata: Record<string, string>;
  /** In the order of the header. */
  readonly entries: Map<string, HeaderEntry>;
}

export interface SafetensorsFile {
  readonly metadata: Record<string, string>;
  readonly tensors: Map<string, StoredTensor>;
}

/** The typed array that {@link writeSafetensors} takes for each type: halves also as floats, which it rounds. */
interface ArrayOf {
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

/** A tensor to be written. */
export type WritableTensor = {
  [D in StoredDtype]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: ArrayOf[D] };
}[StoredDtype];

// The limit of the format's own reader. It turns a file that is no safetensors file into an error, not into an
// attempt to read gigabytes of header.
const longestHeader = 100_000_000;

/**
 * The number of bytes at the start of a file that {@link parseHeader} needs, told by the first eight.
 *
 * @throws {CheckpointError} if they cannot be the start of a safetensors file of `fileSize` bytes.
 */
export function headerSize(first: Uint8Array, fileSize: number = first.length, file = 'safetensors'): number {
  if (fileSize < 8 || first.length < 8) {
    const size = Math.min(fileSize, first.length);
    throw new CheckpointError(file, `a safetensors file starts with 8 bytes of header length; got ${size} bytes`);
  }
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > longestHeader) {
    throw new CheckpointError(
      file,
      `the header may take up to ${longestHeader} bytes; the first 8 bytes say ${length}, so this is no safetensors file`,
    );
  }
  const end = 8 + Number(length);
  if (end > fileSize) {
    throw new CheckpointError(
      file,
      `the file is cut off: its header ends at byte ${end}; the file has ${fileSize} bytes`,
    );
  }
  return end;
}

/**
 * Reads the header of a file from its first bytes, so that a file too large for memory can be read by ranges.
 *
 * ```ts
 * const size = headerSize(await read(0, 8), fileSize, 'model.safetensors');
 * const { entries } = parseHeader(await read(0, size), fileSize, 'model.safetensors');
 * for (const entry of entries.values()) {
 *   const values = toFloat32({ ...entry, bytes: await read(entry.start, entry.end) });
 * }
 * ```
 *
 * @param bytes The start of the file: {@link headerSize} bytes or more.
 * @param fileSize The size of the whole file.
 * @param file A name for error messages.
 * @throws {CheckpointError} if the header is no JSON of the right form, or if its tensors do not cover the data of a
 *   file of this size exactly, without overlaps or holes, each with the bytes that its shape and type take.
 */
export function parseHeader(
  bytes: Uint8Array,
  fileSize: number = bytes.length,
  file = 'safetensors',
): SafetensorsHeader {
  const dataStart = headerSize(bytes, fileSize, file);
  if (dataStart > bytes.length) {
    throw new CheckpointError(file, `the header ends at byte ${dataStart}; only ${bytes.length} bytes were given`);
  }
  const json = parseJson(bytes.subarray(8, dataStart), file);

  let metadata: Record<string, string> = {};
  const entries = new Map<string, HeaderEntry>();
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = checkMetadata(value, file);
    else entries.set(name, checkEntry(name, value, dataStart, file));
  }
  checkCoverage(entries, dataStart, fileSize, file);
  return { metadata, entries };
}

/**
 * Reads a whole file. The tensors are views of `bytes`: nothing is copied or converted.
 *
 * ```ts
 * const { tensors } = readSafetensors(bytes, 'model.safetensors');
 * const scale = toFloat32(tensors.get('logit_scale')!);
 * ```
 *
 * @param name A name for error messages.
 * @throws {CheckpointError} as {@link parseHeader}.
 */
export function readSafetensors(bytes: Uint8Array, name = 'safetensors'): SafetensorsFile {
  const { metadata, entries } = parseHeader(bytes, bytes.length, name);
  const tensors = new Map<string, StoredTensor>();
  for (const { start, end, ...entry } of entries.values()) {
    tensors.set(entry.name, { ...entry, bytes: bytes.subarray(start, end) });
  }
  return { metadata, tensors };
}

function parseJson(bytes: Uint8Array, file: string): object {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    json = parseNested(text);
  } catch (cause) {
    throw new CheckpointError(file, 'the header is no JSON, so this is no safetensors file', { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new CheckpointError(file, 'the header must be a JSON object of tensors by name');
  }
  const twice = firstDuplicateKey(text);
  if (twice !== undefined) throw new CheckpointError(file, `the header has the key "${twice}" twice`);
  return json;
}

/** JSON.parse keeps the last of two equal keys without a word. `json` must be valid. */
function firstDuplicateKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  let lastString = '';
  for (const [token] of json.matchAll(/"(?:[^"\\]+|\\.)*"|[{}:]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (token === ':') {
      const key: string = JSON.parse(lastString);
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    } else lastString = token;
  }
  return undefined;
}

function checkMetadata(value: unknown, file: string): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CheckpointError(file, '__metadata__ must be an object of strings');
  }
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== 'string') {
      throw new CheckpointError(file, `__metadata__ must be an object of strings; "${key}" holds ${shownValue(item)}`);
    }
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, dataStart: number, file: string): HeaderEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const fail = (problem: string): never => {
    throw new CheckpointError(file, `tensor "${name}": ${problem}`);
  };
  if (!isDtype(dtype)) {
    return fail(`the type must be one of ${Object.keys(widths).join(', ')}; got ${shownValue(dtype)}`);
  }
  if (!isSizes(shape)) return fail(`the shape must be a list of sizes; got ${shownValue(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    return fail(`data_offsets must be two byte positions; got ${shownValue(offsets)}`);
  }
  const [start, end] = offsets as [number, number];
  const bytes = count(shape) * widths[dtype];
  if (end - start !== bytes) {
    return fail(
      `shape [${shape.join(', ')}] of ${dtype} takes ${bytes} bytes; data_offsets [${start}, ${end}] hold ${end - start}`,
    );
  }
  return { file, name, dtype, shape, start: dataStart + start, end: dataStart + end };
}

// The format demands that the data holds every byte of every tensor once and nothing else. Its own reader refuses
// other files too, so nothing that a checkpoint's author could load is refused here.
function checkCoverage(entries: Map<string, HeaderEntry>, dataStart: number, fileSize: number, file: string): void {
  let at = dataStart;
  let before = '';
  for (const { name, start, end } of [...entries.values()].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (end > fileSize) {
      throw new CheckpointError(
        file,
        `the file is cut off: tensor "${name}" ends at byte ${end}; the file has ${fileSize} bytes`,
      );
    }
    if (start < at) throw new CheckpointError(file, `tensors "${before}" and "${name}" overlap at byte ${start}`);
    if (start > at) {
      throw new CheckpointError(file, `bytes ${at} to ${start}, before tensor "${name}", belong to no tensor`);
    }
    at = end;
    before = name;
  }
  if (at !== fileSize) throw new CheckpointError(file, `bytes ${at} to ${fileSize}, at the end, belong to no tensor`);
}

function isDtype(value: unknown): value is StoredDtype {
  return typeof value === 'string' && Object.hasOwn(widths, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * The elements as floats, in row-major order. Halves and integers become the same value; F64 is rounded.
 *
 * The result of an F32 tensor may be a view of its bytes: copy it before changing it.
 *
 * @throws {CheckpointError} if an integer has no float of the same value (beyond 2^24).
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
  if (values instanceof Float64Array) return new Float32Array(values);
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

type Elements = ArrayOf[StoredDtype];

/** The stored elements in the typed array of their type; 16-bit floats as their bits. */
function elements({ file, name, dtype, shape, bytes }: StoredTensor): Elements {
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
  const list = [...tensors].sort(([, a], [, b]) => widths[b.dtype] - widths[a.dtype]);
  const header = new Map<string, unknown>();
  if (metadata && Object.keys(metadata).length > 0) header.set('__metadata__', checkMetadata(metadata, name));

  let size = 0;
  for (const [tensorName, { dtype, shape, data }] of list) {
    if (tensorName === '__metadata__' || header.has(tensorName)) {
      throw new CheckpointError(name, `tensor "${tensorName}": the name is taken already`);
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
    const end = size + data.length * widths[dtype];
    header.set(tensorName, { dtype, shape, data_offsets: [size, end] });
    size = end;
  }

  // fromEntries defines its properties, so even a tensor called `__proto__` is written.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const dataStart = Math.ceil((8 + json.length) / 8) * 8;
  const file = new Uint8Array(dataStart + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(dataStart - 8), true);
  file.fill(0x20, 8, dataStart).set(json, 8);

  let at = dataStart;
  for (const [tensorName, { dtype, data }] of list) {
    const raw = dtype === 'F16' && data instanceof Float32Array ? halves(data, tensorName, name) : data;
    file.set(new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength), at);
    at += raw.byteLength;
  }
  return file;
}

function halves(values: Float32Array, tensor: string, file: string): Uint16Array {
  const bits = toHalf(values);
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i]! & 0x7fff) === 0x7c00 && Number.isFinite(values[i])) {
      throw new CheckpointError(
        file,
        `tensor "${tensor}": element ${i}, ${values[i]}, is too large for F16, which ends at 65504; write F32 instead`,
      );
    }
  }
  return bits;
}
