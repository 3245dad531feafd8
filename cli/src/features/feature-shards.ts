/**
 * The files of the feature cache. A shard is two of them: `features-00000.safetensors` with the numbers, and
 * `features-00000.json` with what they belong to. The second is written last; without it the first does not count.
 */

import { createHash } from 'node:crypto';
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ZeroSegError } from '@zeroseg/core';
import type { HeaderEntry } from '@zeroseg/core/internal';
import { fromHalf, headerSize, parseHeader, writeSafetensors } from '@zeroseg/core/nn';
import {
  brokenField,
  type Check,
  hasFields,
  isListOf,
  isNumber,
  isText,
  isWhole,
  readJson,
  systemReason,
  type WriteOptions,
  writeFileAtomic,
} from '../files/index.ts';

/** The cache is damaged, in use, or belongs to other settings. */
export class CacheError extends ZeroSegError {
  override readonly name = 'CacheError';
  readonly code = 'cache';
}

/** What a photo file was when its features were computed. */
export interface PhotoStamp {
  /** Relative to the folder of photos, with `/`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Time of the last change, in whole milliseconds since 1970. */
  readonly mtime: number;
  /** {@link hashBytes} of the file. */
  readonly hash: string;
}

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
}

/** A row to be written: features as half floats, the student's square as RGB bytes. */
export interface NewRow {
  readonly stamp: PhotoStamp;
  readonly features: Uint16Array;
  readonly image: Uint8Array | undefined;
}

/** 128 bits of SHA-256, in hexadecimal. */
export function hashBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

function checksum(bytes: ArrayBufferView | undefined): string {
  if (!bytes) return '';
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return createHash('sha256').update(view).digest('hex').slice(0, 16);
}

export function shardName(shard: number): string {
  return `features-${String(shard).padStart(5, '0')}`;
}

/** Numbers of the complete shards in a folder, ascending, and names of data that a killed process left without its index. */
export async function listShards(folder: string): Promise<{ shards: number[]; leftovers: string[] }> {
  const names = await readdir(folder);
  const complete = new Set(names.flatMap((name) => /^(features-\d+)\.json$/.exec(name)?.[1] ?? []));
  const leftovers = names.filter((name) => {
    const data = /^(features-\d+)\.safetensors$/.exec(name)?.[1];
    return data !== undefined && !complete.has(data);
  });
  const shards = [...complete].map((name) => Number(name.slice('features-'.length)));
  return { shards: shards.sort((a, b) => a - b), leftovers };
}

/** Writes a shard: first the numbers, then the index that makes them count. */
export async function writeShard(
  folder: string,
  shard: number,
  rows: readonly NewRow[],
  { views, dim, studentSize: side }: RowShape,
  lock: WriteOptions['lock'],
): Promise<ShardIndex> {
  const features = new Uint16Array(rows.length * views * dim);
  const pixels = side === null ? 0 : side * side * 3;
  const images = new Uint8Array(rows.length * pixels);
  rows.forEach((row, i) => {
    features.set(row.features, i * views * dim);
    if (row.image) images.set(row.image, i * pixels);
  });
  const name = shardName(shard);
  const bytes = writeSafetensors(
    [
      ['features', { dtype: 'F16', shape: [rows.length, views, dim], data: features }],
      ...(side === null
        ? []
        : [['images', { dtype: 'U8', shape: [rows.length, side, side, 3], data: images }] as const]),
    ],
    { format: 'zeroseg feature cache' },
    name,
  );
  await writeFileAtomic(join(folder, `${name}.safetensors`), bytes, { lock });
  const index: ShardIndex = {
    bytes: bytes.length,
    rows: rows.map((row) => ({ ...row.stamp, sums: [checksum(row.features), checksum(row.image)] })),
  };
  await writeIndex(folder, shard, index, lock);
  return index;
}

export async function writeIndex(
  folder: string,
  shard: number,
  index: ShardIndex,
  lock: WriteOptions['lock'],
): Promise<void> {
  // A line a row: a person can read it, and a difference shows the photo.
  const rows = index.rows.map((row) => JSON.stringify(row)).join(',\n');
  const text = `{"bytes":${index.bytes},"rows":[\n${rows}\n]}\n`;
  await writeFileAtomic(join(folder, `${shardName(shard)}.json`), text, { lock });
}

const isSums: Check = (value) => isListOf(isText)(value) && (value as unknown[]).length === 2;
const isRow = hasFields({ path: isText, size: isWhole(0), mtime: isNumber, hash: isText, sums: isSums });

/** Reads a shard's index and checks that the data file is there and has its length. */
export async function readIndex(folder: string, shard: number): Promise<ShardIndex> {
  const name = shardName(shard);
  let index: ShardIndex;
  try {
    index = (await readJson(join(folder, `${name}.json`))) as ShardIndex;
  } catch (error) {
    throw damaged(folder, `${name}.json`, (error as Error).message, error);
  }
  const broken = brokenField(index, { bytes: isWhole(0), rows: isListOf(isRow) });
  if (broken !== undefined) throw damaged(folder, `${name}.json`, broken);
  const file = join(folder, `${name}.safetensors`);
  const size = await stat(file).then(
    (found) => found.size,
    (error) => {
      throw damaged(folder, `${name}.safetensors`, systemReason(error), error);
    },
  );
  if (size !== index.bytes) {
    throw damaged(folder, `${name}.safetensors`, `the file has ${size} bytes, its index says ${index.bytes}`);
  }
  return index;
}

export function damaged(folder: string, file: string, reason: string, cause?: unknown): CacheError {
  const remedy = 'open the cache with repair (--repair) to drop it and compute its photos again';
  return new CacheError(`cache: ${join(folder, file)}: the shard is damaged (${reason}); ${remedy}`, { cause });
}

/** Removes a shard, the index first, so that a kill in between leaves nothing that counts. */
export async function removeShard(folder: string, shard: number): Promise<void> {
  await rm(join(folder, `${shardName(shard)}.json`), { force: true });
  await rm(join(folder, `${shardName(shard)}.safetensors`), { force: true });
}

interface OpenShard {
  readonly file: FileHandle;
  readonly features: HeaderEntry;
  readonly images: HeaderEntry | undefined;
}

/**
 * Reads single rows out of shards by their place in the file, and checks each against its checksum. Only a few file
 * handles stay open; the operating system keeps what is read often.
 */
export class ShardReader {
  readonly #folder: string;
  readonly #shape: RowShape;
  readonly #limit: number;
  // A Map keeps its order of insertion, so its first key is the one that was not used for longest.
  readonly #open = new Map<number, Promise<OpenShard>>();

  constructor(folder: string, shape: RowShape, limit = 64) {
    this.#folder = folder;
    this.#shape = shape;
    this.#limit = limit;
  }

  /** Features of a row as floats, [views * dim]. */
  async features(shard: number, row: number, of: ShardRow): Promise<Float32Array> {
    const length = this.#shape.views * this.#shape.dim * 2;
    const bytes = await this.#range(shard, row, 'features', length);
    if (checksum(bytes) !== of.sums[0]) throw this.#mismatch(shard, row, of, 'features');
    return fromHalf(new Uint16Array(bytes.buffer));
  }

  /** The student's square of a row, RGB bytes. */
  async image(shard: number, row: number, of: ShardRow): Promise<Uint8Array> {
    const bytes = await this.#range(shard, row, 'images', this.#shape.studentSize! ** 2 * 3);
    if (checksum(bytes) !== of.sums[1]) throw this.#mismatch(shard, row, of, 'image');
    return bytes;
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(all.map(async (shard) => (await shard).file.close()));
  }

  #mismatch(shard: number, row: number, { path }: ShardRow, what: string): CacheError {
    return damaged(this.#folder, `${shardName(shard)}.safetensors`, `${what} of row ${row}, ${path}: wrong checksum`);
  }

  async #range(
    shard: number,
    row: number,
    tensor: 'features' | 'images',
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { file, [tensor]: entry } = await this.#shard(shard);
    const name = `${shardName(shard)}.safetensors`;
    if (!entry) throw damaged(this.#folder, name, `it holds no ${tensor}`);
    const start = entry.start + row * length;
    if (start + length > entry.end) throw damaged(this.#folder, name, `it holds no row ${row} of ${tensor}`);
    const bytes = new Uint8Array(length);
    await readFully(file, bytes, start);
    return bytes;
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
    let file: FileHandle | undefined;
    try {
      file = await open(join(this.#folder, name), 'r');
      const { size } = await file.stat();
      const first = new Uint8Array(8);
      await readFully(file, first, 0);
      const header = new Uint8Array(headerSize(first, size, name));
      await readFully(file, header, 0);
      const { entries } = parseHeader(header, size, name);
      return { file, features: entries.get('features')!, images: entries.get('images') };
    } catch (error) {
      await file?.close();
      throw damaged(this.#folder, name, systemReason(error), error);
    }
  }
}

async function readFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0) throw new CacheError(`the file ends at byte ${position + at}`);
    at += bytesRead;
  }
}
