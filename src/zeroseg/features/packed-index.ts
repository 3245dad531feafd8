/**
 * `cache.index`: the indices of all shards in one file, so that a cache of a million photos opens in a second. It says nothing that the
 * shards' own do not say, and is made again from them wherever it is missing, damaged, or older than they are. Inside it is a safetensors file.
 */
import { readSafetensors, type WritableTensor, writeSafetensors } from '../../nn/safetensors/index.ts';
import { type FileSystem, LARGEST_READ } from '../storage/index.ts';
import { CacheError } from './cache-error.ts';
import { type RowColumns, RowTable } from './row-table.ts';

export const PACKED_INDEX = 'cache.index';

export interface PackedIndex {
  readonly table: RowTable;
  /** Bytes of the data of each shard, by its number. */
  readonly shards: ReadonlyMap<number, number>;
}

const FORMAT = 'zeroseg cache index 1';
const columnTypes = {
  sizes: 'F64',
  mtimes: 'F64',
  shards: 'U32',
  rows: 'U32',
  ends: 'U32',
  digests: 'U8',
  names: 'U8',
} as const;
const arrayTypes = { F64: Float64Array, U32: Uint32Array, U8: Uint8Array } as const;
type ColumnName = keyof typeof columnTypes;
const columnNames = Object.keys(columnTypes) as ColumnName[];

/** Writes the index of a table; none where it would be too large to be read, or where rows hold what it has no place for. */
export async function writePackedIndex(
  files: FileSystem,
  table: RowTable,
  shards: ReadonlyMap<number, number>,
): Promise<void> {
  const columns = table.sortedColumns();
  if (!columns) return;
  const lengths = Float64Array.from([...shards].flat());
  const tensors = columnNames.map((name): [string, WritableTensor] => {
    const data = columns[name];
    return [name, { dtype: columnTypes[name], shape: [data.length], data } as WritableTensor];
  });
  tensors.push(['files', { dtype: 'F64', shape: [shards.size, 2], data: lengths }]);
  const sum = columnNames.reduce((sum, name) => mixed(sum, columns[name]), mixed(0, lengths));
  const bytes = writeSafetensors(tensors, { format: FORMAT, sum: String(sum) }, PACKED_INDEX);
  if (bytes.length <= LARGEST_READ) await files.write(PACKED_INDEX, bytes);
}

/** Reads the index. @throws CacheError or CheckpointError telling what is wrong with it. */
export function parsePackedIndex(bytes: Uint8Array<ArrayBuffer>): PackedIndex {
  const { metadata, tensors } = readSafetensors(bytes, PACKED_INDEX);
  if (metadata['format'] !== FORMAT) throw damaged(`its format is not '${FORMAT}'`);
  const column = (name: string, dtype: keyof typeof arrayTypes) => {
    const found = tensors.get(name);
    if (found?.dtype !== dtype) throw damaged(`it holds no ${name}`);
    const { bytes: raw } = found;
    const made = arrayTypes[dtype];
    const isAligned = raw.byteOffset % made.BYTES_PER_ELEMENT === 0;
    const { buffer, byteOffset } = isAligned ? raw : raw.slice();
    return new made(buffer as ArrayBuffer, byteOffset, raw.length / made.BYTES_PER_ELEMENT);
  };
  const columns = Object.fromEntries(
    columnNames.map((name) => [name, column(name, columnTypes[name])]),
  ) as unknown as RowColumns;
  const lengths = column('files', 'F64') as Float64Array;
  const sum = columnNames.reduce((sum, name) => mixed(sum, columns[name]), mixed(0, lengths));
  if (metadata['sum'] !== String(sum)) throw damaged('wrong checksum');
  const { ends, names, digests } = columns;
  const photos = ends.length;
  const isWhole = (['sizes', 'mtimes', 'shards', 'rows'] as const).every((name) => columns[name].length === photos);
  const isOrdered = ends.every((end, i) => end >= (ends[i - 1] ?? 0)) && (ends.at(-1) ?? 0) === names.length;
  if (!isWhole || !isOrdered || digests.length !== 32 * photos || lengths.length % 2 !== 0) {
    throw damaged('its columns do not fit each other');
  }
  const shards = new Map<number, number>();
  for (let i = 0; i < lengths.length; i += 2) shards.set(lengths[i] as number, lengths[i + 1] as number);
  return { table: new RowTable(columns), shards };
}

function damaged(reason: string): CacheError {
  return new CacheError(`${PACKED_INDEX}: ${reason}`);
}

/** A checksum of arrays one after the other, by words of 32 bits: a seventh of the time of a cryptographic one, and no copy. */
function mixed(before: number, array: Float64Array | Uint32Array | Uint8Array): number {
  const words = Math.floor(array.byteLength / 4);
  let sum = Math.imul(before ^ array.byteLength, 0x9e3779b1);
  if (array.byteOffset % 4 === 0) {
    const list = new Uint32Array(array.buffer, array.byteOffset, words);
    for (let i = 0; i < words; i++) sum = Math.imul((sum << 5) ^ (sum >>> 27) ^ (list[i] as number), 0x01000193);
  } else {
    const view = new DataView(array.buffer, array.byteOffset, array.byteLength);
    for (let i = 0; i < words; i++)
      sum = Math.imul((sum << 5) ^ (sum >>> 27) ^ view.getUint32(4 * i, true), 0x01000193);
  }
  const rest = new Uint8Array(array.buffer, array.byteOffset + 4 * words, array.byteLength - 4 * words);
  for (const byte of rest) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum >>> 0;
}
