// The safetensors file format: 8 bytes with the length of the header (little-endian), a JSON header
// `{name: {dtype, shape, data_offsets}}`, then the raw little-endian data. Offsets count from the header's end.
// https://github.com/huggingface/safetensors
//
// Tensors are read through typed arrays, which use the machine's byte order. Every machine with WebGPU or Node 20
// is little-endian (Node's s390x builds aside, and Dawn has none), so nothing is swapped.

import { ArgumentError, parseJson as parseNested, shownValue } from '../../gpu/index.ts';
import { describe, fromHalf, toHalf } from '../../tensor/values/index.ts';
import {
  type AnyDtype,
  CheckpointError,
  checkMetadata,
  count,
  isDtype,
  isSizes,
  longestHeader,
  otherBits,
  type StoredTensor,
  widths,
} from './types.ts';

export { type AnyDtype, CheckpointError, type StoredDtype, type StoredTensor } from './types.ts';
export { toFloat32, toInt32 } from './values.ts';
export { fromHalf, toHalf };

/** Where a tensor lies in its file: bytes `start` up to `end`, counted from the start of the file. */
export interface HeaderEntry {
  readonly file: string;
  readonly name: string;
  readonly dtype: AnyDtype;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
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

/**
 * The number of bytes at the start of a file that {@link parseHeader} needs, told by the first eight.
 *
 * @throws {ArgumentError} for what is no Uint8Array.
 * @throws {CheckpointError} if they cannot be the start of a safetensors file of `fileSize` bytes.
 */
export function headerSize(first: Uint8Array, fileSize: number = first?.length, file = 'safetensors'): number {
  if ((first as Partial<Uint8Array> | undefined)?.[Symbol.toStringTag] !== 'Uint8Array') {
    throw new ArgumentError(`safetensors: the bytes of a file are a Uint8Array; got ${describe(first)}`);
  }
  if (fileSize < 8 || first.length < 8) {
    const size = Math.min(fileSize, first.length);
    throw new CheckpointError(file, `this is no safetensors file: it has ${size} bytes`);
  }
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > longestHeader) {
    throw new CheckpointError(file, 'this is no safetensors file: such a file begins with the length of its header');
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
 *   file of this size exactly, without overlaps or holes, each with the bytes that its shape and type take. A type that is not read
 *   here is no error before its values are asked for.
 */
export function parseHeader(
  bytes: Uint8Array,
  fileSize: number = bytes?.length,
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
  const { metadata, entries } = parseHeader(bytes, undefined, name);
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
    // A byte order mark is no JSON: the format's own reader wants a brace first.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    json = parseNested(text);
  } catch (cause) {
    throw new CheckpointError(file, 'this is no safetensors file: its header is no JSON', { cause });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new CheckpointError(file, 'the header must be a JSON object of tensors by name');
  }
  const twice = firstDuplicateKey(text);
  if (twice !== undefined) throw new CheckpointError(file, `the header has the key "${twice}" twice`);
  return json;
}

const [quote, backslash, open, close, colon] = [0x22, 0x5c, 0x7b, 0x7d, 0x3a];

/**
 * JSON.parse keeps the last of two equal keys without a word. `json` must be valid. By characters, since a regular expression runs out
 * of stack in a string with a million escapes, and settings are kept in metadata as JSON in JSON.
 */
function firstDuplicateKey(json: string): string | undefined {
  const objects: Set<string>[] = [];
  let [from, to] = [0, 0];
  for (let i = 0; i < json.length; i++) {
    const at = json.charCodeAt(i);
    if (at === quote) {
      from = i++;
      while (json.charCodeAt(i) !== quote) i += json.charCodeAt(i) === backslash ? 2 : 1;
      to = i + 1;
    } else if (at === open) objects.push(new Set());
    else if (at === close) objects.pop();
    else if (at === colon) {
      const key: string = JSON.parse(json.slice(from, to));
      const keys = objects.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}

function checkEntry(name: string, value: unknown, dataStart: number, file: string): HeaderEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const fail = (problem: string): never => {
    throw new CheckpointError(file, `tensor "${name}": ${problem}`);
  };
  if (typeof dtype !== 'string' || !/^[A-Z][A-Z0-9_]{0,31}$/.test(dtype)) {
    return fail(`the type must be a name such as F32, F16, BF16 or I64; got ${shownValue(dtype)}`);
  }
  if (!isSizes(shape)) return fail(`the shape must be a list of sizes; got ${shownValue(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    return fail(`data_offsets must be two byte positions; got ${shownValue(offsets)}`);
  }
  const [start, end] = offsets as [number, number];
  const elements = count(shape);
  if (!Number.isSafeInteger(elements))
    return fail(`shape [${shape.join(', ')}] holds more elements than can be counted`);
  const bits = isDtype(dtype) ? 8 * widths[dtype] : otherBits.get(dtype);
  const room = end - start;
  // Of a type that is not known not even the room is; those of less than a byte are packed, or each in a byte of its own.
  const isOneEach = bits !== undefined && bits < 8 && room === elements;
  const bytes = bits === undefined ? Math.max(0, room) : isOneEach ? room : (elements * bits) / 8;
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
