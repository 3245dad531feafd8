/**
 * Which photo is in which row of which shard, as columns: of ImageNet's 1.28 million photos 110 MB, where objects of their own would take six
 * times that. Names stand one behind the other in one array of bytes, each code unit as UTF-8 writes it by itself (CESU-8): so names compare
 * by bytes as strings do by code units, and every string that a page may give comes back as it was.
 */
import type { ShardRow } from './shards.ts';

/** Where a photo's features are, and what is known of its file. */
export interface Place {
  readonly shard: number;
  readonly row: number;
  readonly of: ShardRow;
}

/** The columns of a table: element `i` is of photo `i`. */
export interface RowColumns {
  readonly sizes: Float64Array;
  readonly mtimes: Float64Array;
  readonly shards: Uint32Array;
  readonly rows: Uint32Array;
  /** Where each name ends in `names`; it begins where the one before ends. */
  readonly ends: Uint32Array;
  /** 16 bytes of a photo's hash and twice 8 of checksums; zeros where there is no square. */
  readonly digests: Uint8Array;
  readonly names: Uint8Array;
}

const DIGEST = 32;
/** A table of slots is at most so full. */
const FULL = 0.7;

export class RowTable {
  #columns: RowColumns;
  #count: number;
  /** Photos in front that are in ascending order of their names. */
  #sorted: number;
  /** Photo numbers by the hash of their names, plus 1; 0 is free. Made when a name is first looked for. */
  #slots: Uint32Array | undefined;
  /** Hashes and checksums of other forms than ours. */
  readonly #others = new Map<number, Pick<ShardRow, 'hash' | 'sums'>>();
  #scratch = new Uint8Array(1024);

  /** A table of photos in ascending order of their names, or one without photos. */
  constructor(sorted: RowColumns = emptyColumns(0, 0)) {
    this.#columns = sorted;
    this.#count = sorted.ends.length;
    this.#sorted = this.#count;
  }

  get count(): number {
    return this.#count;
  }

  /** The number of a photo, or -1. */
  find(path: string): number {
    const length = this.#encode(path);
    return (this.#slotsOf()[this.#slot(length)] as number) - 1;
  }

  path(photo: number): string {
    const { names, ends } = this.#columns;
    return decode(names, photo === 0 ? 0 : (ends[photo - 1] as number), ends[photo] as number);
  }

  place(photo: number): Place {
    const { sizes, mtimes, shards, rows, digests } = this.#columns;
    const at = photo * DIGEST;
    const { hash, sums } = this.#others.get(photo) ?? {
      hash: hexadecimal(digests, at, at + 16),
      sums: [sumOf(digests, at + 16), sumOf(digests, at + 24)] as const,
    };
    return {
      shard: shards[photo] as number,
      row: rows[photo] as number,
      of: { path: this.path(photo), size: sizes[photo] as number, mtime: mtimes[photo] as number, hash, sums },
    };
  }

  size(photo: number): number {
    return this.#columns.sizes[photo] as number;
  }

  mtime(photo: number): number {
    return this.#columns.mtimes[photo] as number;
  }

  setMtime(photo: number, mtime: number): void {
    this.#columns.mtimes[photo] = mtime;
  }

  /** Adds a row; one of a photo that is there takes the place of its row of before. Gives the photo's number. */
  put(shard: number, row: number, of: ShardRow): number {
    const length = this.#encode(of.path);
    const slots = this.#slotsOf();
    const slot = this.#slot(length);
    let photo = (slots[slot] as number) - 1;
    if (photo < 0) {
      photo = this.#append(length);
      slots[slot] = photo + 1;
      if (this.#count > FULL * slots.length) this.#slots = undefined;
    }
    const { sizes, mtimes, shards, rows, digests } = this.#columns;
    sizes[photo] = of.size;
    mtimes[photo] = of.mtime;
    shards[photo] = shard;
    rows[photo] = row;
    const at = photo * DIGEST;
    const isOurs =
      putDigest(digests, at, at + 16, of.hash) &&
      of.sums.every((sum, i) => putDigest(digests, at + 16 + 8 * i, at + 24 + 8 * i, sum || NO_SUM)) &&
      !of.sums.includes(NO_SUM);
    if (!isOurs) this.#others.set(photo, { hash: of.hash, sums: of.sums });
    else if (this.#others.size > 0) this.#others.delete(photo);
    return photo;
  }

  /** Numbers of the photos in ascending order of their names. */
  order(): Uint32Array {
    const first = this.#sorted;
    const behind = Array.from({ length: this.#count - first }, (_, i) => first + i);
    behind.sort((a, b) => this.compare(a, b));
    const order = new Uint32Array(this.#count);
    for (let at = 0, i = 0, k = 0; at < order.length; at++) {
      const takesFirst = k === behind.length || (i < first && this.compare(i, behind[k] as number) < 0);
      order[at] = takesFirst ? i++ : (behind[k++] as number);
    }
    return order;
  }

  /** The columns in the order of the names; undefined where there are hashes of other forms, which they do not hold. */
  sortedColumns(): RowColumns | undefined {
    if (this.#others.size > 0) return undefined;
    const old = this.#columns;
    const order = this.order();
    const made = emptyColumns(order.length, this.#count > 0 ? (old.ends[this.#count - 1] as number) : 0);
    let end = 0;
    order.forEach((photo, at) => {
      for (const name of ['sizes', 'mtimes', 'shards', 'rows'] as const) made[name][at] = old[name][photo] as number;
      made.digests.set(old.digests.subarray(photo * DIGEST, (photo + 1) * DIGEST), at * DIGEST);
      const name = old.names.subarray(photo === 0 ? 0 : old.ends[photo - 1], old.ends[photo]);
      made.names.set(name, end);
      end += name.length;
      made.ends[at] = end;
    });
    return made;
  }

  #append(length: number): number {
    const photo = this.#count;
    const from = photo === 0 ? 0 : (this.#columns.ends[photo - 1] as number);
    const { ends, names } = this.#columns;
    if (photo >= ends.length || from + length > names.length) {
      const room = photo >= ends.length ? 2 * photo + 256 : ends.length;
      const bytes = from + length > names.length ? 2 * (from + length) : names.length;
      const made = emptyColumns(room, bytes);
      for (const name of Object.keys(made) as (keyof RowColumns)[]) made[name].set(this.#columns[name] as never);
      this.#columns = made;
    }
    this.#columns.names.set(this.#scratch.subarray(0, length), from);
    this.#columns.ends[photo] = from + length;
    this.#count++;
    return photo;
  }

  #slotsOf(): Uint32Array {
    if (this.#slots) return this.#slots;
    const slots = new Uint32Array(2 ** Math.ceil(Math.log2(this.#count / FULL + 64)));
    const { names, ends } = this.#columns;
    for (let photo = 0, from = 0; photo < this.#count; photo++) {
      const to = ends[photo] as number;
      let slot = hashOf(names, from, to) & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = photo + 1;
      from = to;
    }
    this.#slots = slots;
    return slots;
  }

  /** The slot of the name in the scratch bytes: the photo's, or a free one. */
  #slot(length: number): number {
    const slots = this.#slots as Uint32Array;
    const { names, ends } = this.#columns;
    const scratch = this.#scratch;
    let slot = hashOf(scratch, 0, length) & (slots.length - 1);
    for (; ; slot = (slot + 1) & (slots.length - 1)) {
      const photo = (slots[slot] as number) - 1;
      if (photo < 0) return slot;
      const from = photo === 0 ? 0 : (ends[photo - 1] as number);
      if ((ends[photo] as number) - from !== length) continue;
      let i = 0;
      while (i < length && names[from + i] === scratch[i]) i++;
      if (i === length) return slot;
    }
  }

  /** Writes a name into the scratch bytes and gives its length. */
  #encode(path: string): number {
    if (3 * path.length > this.#scratch.length) this.#scratch = new Uint8Array(6 * path.length);
    const bytes = this.#scratch;
    let at = 0;
    for (let i = 0; i < path.length; i++) {
      const unit = path.charCodeAt(i);
      if (unit < 0x80) bytes[at++] = unit;
      else if (unit < 0x800) {
        bytes[at++] = 0xc0 | (unit >> 6);
        bytes[at++] = 0x80 | (unit & 0x3f);
      } else {
        bytes[at++] = 0xe0 | (unit >> 12);
        bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
        bytes[at++] = 0x80 | (unit & 0x3f);
      }
    }
    return at;
  }

  /** Compares the name of a photo with that of one of this table or of another, by code units. */
  compare(a: number, b: number, other: RowTable = this): number {
    const { names, ends } = this.#columns;
    const { names: otherNames, ends: otherEnds } = other.#columns;
    let i = a === 0 ? 0 : (ends[a - 1] as number);
    let k = b === 0 ? 0 : (otherEnds[b - 1] as number);
    const [endA, endB] = [ends[a] as number, otherEnds[b] as number];
    for (; i < endA && k < endB; i++, k++) {
      const difference = (names[i] as number) - (otherNames[k] as number);
      if (difference !== 0) return difference;
    }
    return endA - i - (endB - k);
  }
}

function emptyColumns(photos: number, bytes: number): RowColumns {
  return {
    sizes: new Float64Array(photos),
    mtimes: new Float64Array(photos),
    shards: new Uint32Array(photos),
    rows: new Uint32Array(photos),
    ends: new Uint32Array(photos),
    digests: new Uint8Array(photos * DIGEST),
    names: new Uint8Array(bytes),
  };
}

/** FNV-1a, mixed once more for its low bits. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

const units = /*#__PURE__*/ new Uint16Array(4096);

function decode(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  let count = 0;
  for (let i = from; i < to; ) {
    const first = bytes[i++] as number;
    if (first < 0x80) units[count++] = first;
    else if (first < 0xe0) units[count++] = ((first & 0x1f) << 6) | ((bytes[i++] as number) & 0x3f);
    else {
      units[count++] =
        ((first & 0x0f) << 12) | (((bytes[i++] as number) & 0x3f) << 6) | ((bytes[i++] as number) & 0x3f);
    }
    if (count === units.length) {
      text += String.fromCharCode(...units);
      count = 0;
    }
  }
  return text + String.fromCharCode.apply(undefined, units.subarray(0, count) as unknown as number[]);
}

/** What stands for no checksum. */
const NO_SUM = '0'.repeat(16);

function sumOf(bytes: Uint8Array, from: number): string {
  const sum = hexadecimal(bytes, from, from + 8);
  return sum === NO_SUM ? '' : sum;
}

function hexadecimal(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) text += (bytes[i] as number).toString(16).padStart(2, '0');
  return text;
}

/** Writes digits in hexadecimal, in lower case, as bytes. Whether they were such, and as many as there is room for. */
function putDigest(bytes: Uint8Array, from: number, to: number, text: string): boolean {
  if (text.length !== 2 * (to - from)) return false;
  for (let i = 0; i < text.length; i += 2) {
    const [high, low] = [digit(text.charCodeAt(i)), digit(text.charCodeAt(i + 1))];
    if ((high | low) < 0) return false;
    bytes[from + i / 2] = (high << 4) | low;
  }
  return true;
}

function digit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  return unit >= 0x61 && unit <= 0x66 ? unit - 0x57 : -1;
}
