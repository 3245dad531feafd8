/**
 * The files of the feature cache. A shard is two of them: `features-00000.safetensors` with the numbers, and
 * `features-00000.json` with what they belong to. The second is written last; without it the first does not count.
 */

import {
  fromHalf,
  type HeaderEntry,
  headerSize,
  parseHeader,
  type WritableTensor,
  writeSafetensors,
} from '../../nn/safetensors/index.ts';
import { sha256 } from '../host/index.ts';
import {
  brokenField,
  type Check,
  FileError,
  type FileSystem,
  hasFields,
  isListOf,
  isNumber,
  isText,
  isWhole,
  type OpenFile,
  readJsonFile,
  reasons,
} from '../storage/index.ts';
import { CacheError } from './cache-error.ts';
import type { PhotoStamp } from './photo-source.ts';
import { squaresOf } from './squares.ts';

/** A row of a shard. */
export interface ShardRow extends PhotoStamp {
  /** Checksums of the row's features and of its student image. */
  readonly sums: readonly [features: string, image: string];
}

/** A shard's index. */
export interface ShardIndex {
  /** Length of the data file, in bytes. */
  readonly bytes: number;
  readonly rows: readonly ShardRow[];
}

/** Sizes that all shards of a cache share. */
export interface RowShape {
  readonly views: number;
  readonly dim: number;
  /** Side of the student's square; null when images are not kept. */
  readonly studentSize: number | null;
  /** As in the key: how they are kept where it is not as pixels. */
  readonly squares?: string;
}

/** A row to be written: features as half floats, the student's square as RGB bytes or as a file of its own. */
export interface NewRow {
  readonly stamp: PhotoStamp;
  readonly features: Uint16Array<ArrayBuffer>;
  readonly image: Uint8Array<ArrayBuffer> | undefined;
}

async function checksum(values: Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | undefined): Promise<string> {
  if (!values) return '';
  return (await sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))).slice(0, 16);
}

export function shardName(shard: number): string {
  return `features-${String(shard).padStart(5, '0')}`;
}

/** Numbers of the complete shards in a folder, ascending, and names of data that a killed process left without its index. */
export async function listShards(files: FileSystem): Promise<{ shards: number[]; leftovers: string[] }> {
  const names = await files.list();
  const complete = new Set(names.flatMap((name) => /^(features-\d+)\.json$/.exec(name)?.[1] ?? []));
  const leftovers = names.filter((name) => {
    const data = /^(features-\d+)\.safetensors$/.exec(name)?.[1];
    return data !== undefined && !complete.has(data);
  });
  const shards = [...complete].map((name) => Number(name.slice('features-'.length)));
  return { shards: shards.sort((a, b) => a - b), leftovers };
}

export const shardMetadata = { format: 'zeroseg feature cache' } as const;

/** What the file of so many rows holds; `coded` are the bytes of all squares that are files of their own. */
export function shardTensors(
  rows: number,
  shape: RowShape,
  coded = 0,
): {
  readonly name: 'features' | 'images' | 'ends';
  readonly dtype: 'F16' | 'U8' | 'U32';
  readonly shape: readonly number[];
}[] {
  const { views, dim, studentSize: side } = shape;
  const features = { name: 'features', dtype: 'F16', shape: [rows, views, dim] } as const;
  const squares = squaresOf(shape);
  if (squares === 'none' || side === null) return [features];
  if (squares === 'raw') return [features, { name: 'images', dtype: 'U8', shape: [rows, side, side, 3] }];
  // Where each begins and ends among all bytes: the first begins at 0.
  return [features, { name: 'ends', dtype: 'U32', shape: [rows] }, { name: 'images', dtype: 'U8', shape: [coded] }];
}

/** Writes a shard: first the numbers, then the index that makes them count. */
export async function writeShard(
  files: FileSystem,
  shard: number,
  rows: readonly NewRow[],
  shape: RowShape,
): Promise<ShardIndex> {
  const { views, dim } = shape;
  const features = new Uint16Array(rows.length * views * dim);
  const ends = new Uint32Array(rows.length);
  let end = 0;
  rows.forEach((row, i) => {
    features.set(row.features, i * views * dim);
    ends[i] = end += row.image?.length ?? 0;
  });
  const images = new Uint8Array(end);
  rows.forEach(({ image }, i) => {
    if (image) images.set(image, (ends[i] as number) - image.length);
  });
  const name = shardName(shard);
  const data = { features, images, ends };
  const tensors = shardTensors(rows.length, shape, end);
  const bytes = writeSafetensors(
    tensors.map(({ name, ...tensor }) => [name, { ...tensor, data: data[name] } as WritableTensor]),
    shardMetadata,
    name,
  );
  await files.write(`${name}.safetensors`, bytes);
  const index: ShardIndex = {
    bytes: bytes.length,
    rows: await Promise.all(
      rows.map(async ({ stamp, features, image }) => ({
        ...stamp,
        sums: [await checksum(features), await checksum(image)] as const,
      })),
    ),
  };
  await writeIndex(files, shard, index);
  return index;
}

export async function writeIndex(files: FileSystem, shard: number, index: ShardIndex): Promise<void> {
  // A line a row: a person can read it, and a difference shows the photo.
  const rows = index.rows.map((row) => JSON.stringify(row)).join(',\n');
  const text = `{"bytes":${index.bytes},"rows":[\n${rows}\n]}\n`;
  await files.write(`${shardName(shard)}.json`, text);
}

const isSums: Check = (value) => isListOf(isText)(value) && (value as unknown[]).length === 2;
const isRow = hasFields({ path: isText, size: isWhole(0), mtime: isNumber, hash: isText, sums: isSums });

/** Reads a shard's index and checks that the data file is there and has its length. */
export async function readIndex(files: FileSystem, shard: number): Promise<ShardIndex> {
  const name = shardName(shard);
  let index: ShardIndex;
  try {
    index = (await readJsonFile(files, `${name}.json`)) as ShardIndex;
  } catch (error) {
    throw damaged(files, `${name}.json`, (error as Error).message, error);
  }
  const broken = brokenField(index, { bytes: isWhole(0), rows: isListOf(isRow) });
  if (broken !== undefined) throw damaged(files, `${name}.json`, broken);
  const size = (await files.status(`${name}.safetensors`))?.size;
  if (size === undefined) throw damaged(files, `${name}.safetensors`, reasons.missing);
  if (size !== index.bytes) {
    throw damaged(files, `${name}.safetensors`, `the file has ${size} bytes, its index says ${index.bytes}`);
  }
  return index;
}

/** Whether the data of a shard has this length. */
export async function hasLength(files: FileSystem, shard: number, bytes: number): Promise<boolean> {
  return (await files.status(`${shardName(shard)}.safetensors`))?.size === bytes;
}

export function damaged(files: FileSystem, file: string, reason: string, cause?: unknown): CacheError {
  const remedy = 'open the cache with repair (--repair) to drop it and compute its photos again';
  return new CacheError(`cache: ${files.describe(file)}: the shard is damaged (${reason}); ${remedy}`, { cause });
}

/** Removes a shard, the index first, so that a kill in between leaves nothing that counts. */
export async function removeShard(files: FileSystem, shard: number): Promise<void> {
  await files.remove(`${shardName(shard)}.json`);
  await files.remove(`${shardName(shard)}.safetensors`);
}

interface OpenShard {
  readonly file: OpenFile;
  readonly features: HeaderEntry;
  readonly images: HeaderEntry | undefined;
  /** Of squares that are files of their own. */
  readonly ends: Uint32Array | undefined;
}

/**
 * Reads single rows out of shards by their place in the file, and checks each against its checksum. Only a few file
 * handles stay open; the operating system keeps what is read often.
 */
export class ShardReader {
  readonly #files: FileSystem;
  readonly #shape: RowShape;
  readonly #limit: number;
  // A Map keeps its order of insertion, so its first key is the one that was not used for longest.
  readonly #open = new Map<number, Promise<OpenShard>>();

  constructor(files: FileSystem, shape: RowShape, limit = 64) {
    this.#files = files;
    this.#shape = shape;
    this.#limit = limit;
  }

  /** Features of a row as floats, [views * dim]. */
  async features(shard: number, row: number, of: ShardRow): Promise<Float32Array> {
    const length = this.#shape.views * this.#shape.dim * 2;
    const bytes = await this.#range(shard, row, 'features', length);
    if ((await checksum(bytes)) !== of.sums[0]) throw this.#mismatch(shard, row, of, 'features');
    return fromHalf(new Uint16Array(bytes.buffer));
  }

  /** The student's square of a row: RGB bytes, or the bytes of its file. */
  async image(shard: number, row: number, of: ShardRow): Promise<Uint8Array<ArrayBuffer>> {
    const isRaw = squaresOf(this.#shape) === 'raw';
    const bytes = isRaw
      ? await this.#range(shard, row, 'images', this.#shape.studentSize! ** 2 * 3)
      : await this.#coded(shard, row);
    if ((await checksum(bytes)) !== of.sums[1]) throw this.#mismatch(shard, row, of, 'image');
    return bytes;
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    // Of one that could not be opened, whoever wanted to read it was told.
    const files = (await Promise.allSettled(all)).flatMap((shard) => ('value' in shard ? [shard.value.file] : []));
    const closed = await Promise.allSettled(files.map((file) => file.close()));
    for (const one of closed) if ('reason' in one) throw one.reason;
  }

  #mismatch(shard: number, row: number, { path }: ShardRow, what: string): CacheError {
    return damaged(this.#files, `${shardName(shard)}.safetensors`, `${what} of row ${row}, ${path}: wrong checksum`);
  }

  async #range(
    shard: number,
    row: number,
    tensor: 'features' | 'images',
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { file, [tensor]: entry } = await this.#shard(shard);
    const name = `${shardName(shard)}.safetensors`;
    if (!entry) throw damaged(this.#files, name, `it holds no ${tensor}`);
    const start = entry.start + row * length;
    if (start + length > entry.end) throw damaged(this.#files, name, `it holds no row ${row} of ${tensor}`);
    return file.readRange(start, start + length);
  }

  async #coded(shard: number, row: number): Promise<Uint8Array<ArrayBuffer>> {
    const { file, images, ends } = await this.#shard(shard);
    const name = `${shardName(shard)}.safetensors`;
    const [from, to] = [row === 0 ? 0 : (ends?.[row - 1] ?? 0), ends?.[row]];
    if (!images || to === undefined || from > to || images.start + to > images.end) {
      throw damaged(this.#files, name, `it holds no row ${row} of images`);
    }
    return file.readRange(images.start + from, images.start + to);
  }

  #shard(shard: number): Promise<OpenShard> {
    let found = this.#open.get(shard);
    this.#open.delete(shard);
    if (!found) {
      found = this.#start(shard);
      found.catch(() => this.#open.delete(shard));
    }
    this.#open.set(shard, found);
    if (this.#open.size > this.#limit) {
      const [oldest, value] = this.#open.entries().next().value!;
      this.#open.delete(oldest);
      // Closing waits for reads that are under way.
      void value.then(({ file }) => file.close()).catch(() => undefined);
    }
    return found;
  }

  async #start(shard: number): Promise<OpenShard> {
    const name = `${shardName(shard)}.safetensors`;
    let file: OpenFile | undefined;
    try {
      file = await this.#files.open(name);
      const first = await file.readRange(0, Math.min(8, file.size));
      const header = await file.readRange(0, headerSize(first, file.size, name));
      const { entries } = parseHeader(header, file.size, name);
      const places = entries.get('ends');
      const bytes = places && (await file.readRange(places.start, places.end));
      const ends = bytes && new Uint32Array(bytes.buffer, 0, Math.floor(bytes.length / 4));
      return { file, features: entries.get('features')!, images: entries.get('images'), ends };
    } catch (error) {
      await file?.close();
      const reason = error instanceof FileError ? error.reason : (error as Error).message;
      throw damaged(this.#files, name, reason, error);
    }
  }
}
