/** Arrays of numbers out of MATLAB files (level 5, what MATLAB calls v5 to v7): as much as label maps need. */
import { inflateSync } from 'node:zlib';
import { ZeroSegError } from '@zeroseg/core';

/** A MATLAB file is damaged, or not of the kind that can be read. */
export class MatError extends ZeroSegError {
  override readonly name = 'MatError';
  readonly code = 'mat-file';
}

/** Numbers down the columns, as MATLAB keeps them; fields of a structure; or what is not looked at. */
export type MatValue =
  | { readonly kind: 'numbers'; readonly shape: readonly number[]; readonly data: ArrayLike<number> }
  | { readonly kind: 'fields'; readonly fields: ReadonlyMap<string, MatValue> }
  | { readonly kind: 'other' };

/** Codes of the format: how values are stored, and what an array is. */
const MATRIX = 14;
const COMPRESSED = 15;
const STRUCT = 2;
const [DOUBLE_CLASS, UINT32_CLASS] = [6, 13];
const COMPLEX = 0x0800;
/** A label map of PASCAL takes half a megabyte. */
const LARGEST = 2 ** 28;
const DEEPEST = 8;

/** The size in bytes of stored values and how one is read, by code. */
const stored: Readonly<
  Record<number, readonly [size: number, read: (view: DataView, at: number, little: boolean) => number]>
> = {
  1: [1, (view, at) => view.getInt8(at)],
  2: [1, (view, at) => view.getUint8(at)],
  3: [2, (view, at, little) => view.getInt16(at, little)],
  4: [2, (view, at, little) => view.getUint16(at, little)],
  5: [4, (view, at, little) => view.getInt32(at, little)],
  6: [4, (view, at, little) => view.getUint32(at, little)],
  7: [4, (view, at, little) => view.getFloat32(at, little)],
  9: [8, (view, at, little) => view.getFloat64(at, little)],
};

/** The variables of a file by name. @throws MatError naming what is wrong. */
export function readMat(bytes: Uint8Array): Map<string, MatValue> {
  const text = String.fromCharCode(...bytes.subarray(0, 19));
  if (text.startsWith('MATLAB 7.3')) {
    throw new MatError("this is of MATLAB 7.3 (HDF5); save it with save(..., '-v7')");
  }
  const mark = bytes.length >= 128 ? String.fromCharCode(bytes[126]!, bytes[127]!) : '';
  if (mark !== 'IM' && mark !== 'MI') throw new MatError('this is no MATLAB file of level 5 (v5 to v7)');
  const little = mark === 'IM';
  const variables = new Map<string, MatValue>();
  for (const element of elements(viewOf(bytes, 128), little)) {
    const inner = element.type === COMPRESSED ? [...elements(viewOf(inflated(element.data), 0), little)] : [element];
    for (const { type, data } of inner) {
      if (type !== MATRIX) throw new MatError(`it holds an element of kind ${type} where a variable should be`);
      const { name, value } = matrix(data, little, 0);
      variables.set(name, value);
    }
  }
  return variables;
}

interface Element {
  readonly type: number;
  readonly data: DataView;
}

function viewOf(bytes: Uint8Array, from: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + from, bytes.length - from);
}

function inflated({ buffer, byteOffset, byteLength }: DataView): Uint8Array {
  try {
    return inflateSync(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength), { maxOutputLength: LARGEST });
  } catch (error) {
    throw new MatError(`it is damaged: ${(error as Error).message}`, { cause: error });
  }
}

/** Elements behind each other: a code, a length in bytes, and so many bytes, filled up to eight. */
function* elements(view: DataView, little: boolean): Generator<Element> {
  for (let at = 0; at + 8 <= view.byteLength; ) {
    const word = view.getUint32(at, little);
    // Up to four bytes may stand in the place of the length.
    const small = word >>> 16;
    const [type, size, from] = small ? [word & 0xffff, small, at + 4] : [word, view.getUint32(at + 4, little), at + 8];
    if (small > 4 || from + size > view.byteLength) throw new MatError('it is damaged or cut off');
    yield { type, data: new DataView(view.buffer, view.byteOffset + from, size) };
    // A compressed element is not filled up.
    at = small ? at + 8 : from + (type === COMPRESSED ? size : Math.ceil(size / 8) * 8);
  }
}

function matrix(view: DataView, little: boolean, depth: number): { name: string; value: MatValue } {
  if (view.byteLength === 0) return { name: '', value: { kind: 'other' } };
  if (depth > DEEPEST) throw new MatError('its structures are nested too deeply');
  const parts = elements(view, little);
  const next = (what: string): Element => {
    const { value, done } = parts.next();
    if (done) throw new MatError(`it is damaged: an array has no ${what}`);
    return value;
  };
  const flags = next('flags').data;
  if (flags.byteLength < 8) throw new MatError('it is damaged: an array has no flags');
  const word = flags.getUint32(0, little);
  const kind = word & 0xff;
  const shape = numbers(next('size'), little);
  const name = textOf(next('name'));
  const count = [...shape].reduce((product, side) => product * side, 1);
  if (!(count >= 0 && count <= LARGEST))
    throw new MatError(`an array is of ${[...shape].join(' x ')}, which is too large`);
  if (kind === STRUCT) {
    const [length = 0] = numbers(next('length of field names'), little);
    const all = textOf(next('field names'));
    if (!(length > 0 && length <= 64)) throw new MatError('it is damaged: field names have no length');
    const names = Array.from({ length: Math.floor(all.length / length) }, (_, i) =>
      all.slice(i * length, (i + 1) * length).replace(/\0.*$/s, ''),
    );
    if (count !== 1) return { name, value: { kind: 'other' } };
    const fields = names.map((field) => [field, matrix(next(`field ${field}`).data, little, depth + 1).value] as const);
    return { name, value: { kind: 'fields', fields: new Map(fields) } };
  }
  if (kind < DOUBLE_CLASS || kind > UINT32_CLASS || word & COMPLEX) return { name, value: { kind: 'other' } };
  const data = numbers(next('values'), little);
  if (data.length !== count) throw new MatError(`it is damaged: ${data.length} values where there should be ${count}`);
  return { name, value: { kind: 'numbers', shape: [...shape], data } };
}

function numbers({ type, data }: Element, little: boolean): Float64Array {
  const how = stored[type];
  if (!how) throw new MatError(`it holds values of kind ${type}, which are no numbers that label maps have`);
  const [size, read] = how;
  return Float64Array.from({ length: Math.floor(data.byteLength / size) }, (_, i) => read(data, i * size, little));
}

function textOf({ data }: Element): string {
  return new TextDecoder('latin1').decode(data);
}
