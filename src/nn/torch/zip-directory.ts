/** The directory of a ZIP archive: where each of its files lies. */
import { CheckpointError, type RangeSource } from '../safetensors/index.ts';

/** A file in an archive. */
export interface ZipEntry {
  /** Where its header begins in the archive; its bytes follow. */
  readonly header: number;
  /** Bytes. */
  readonly size: number;
  /** Whether its bytes stand there as they are, neither compressed nor encrypted. */
  readonly isStored: boolean;
}

/** Files of an archive by path. Those with weights are stored as they are: PyTorch compresses nothing but code. */
export interface ZipDirectory {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Bytes `from` to `to` (exclusive) of a file. @throws CheckpointError when they are compressed or encrypted. */
  read(path: string, from?: number, to?: number): Promise<Uint8Array>;
}

/** The record at the end, with the longest comment that it can have. */
const LONGEST_END = 22 + 0xffff;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
/** Of each central record, without its texts. */
const CENTRAL_SIZE = 46;
const LOCAL_SIZE = 30;
/** A directory of a checkpoint with 100,000 tensors has about 10 MB. */
const LARGEST_DIRECTORY = 2 ** 28;

/**
 * Reads the directory of a ZIP archive (with ZIP64: of any size); what its files hold is read when it is asked for.
 *
 * @throws CheckpointError when it is no archive, or is cut off.
 */
export async function readZipDirectory(source: RangeSource, name: string): Promise<ZipDirectory> {
  const fail = (reason: string): never => {
    throw new CheckpointError(name, reason);
  };
  const read = async (start: number, end: number): Promise<DataView> => {
    if (start < 0 || end > source.size || start > end)
      return fail('the archive is damaged: it refers to bytes that it does not have');
    const bytes = await source.readRange(start, end);
    if (bytes.length !== end - start) fail('the file has changed since it was opened');
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  };
  const { start, end, count } = await findDirectory(source.size, read, fail);
  if (end - start > LARGEST_DIRECTORY) fail('the directory of the archive is too large');
  const entries = parseDirectory(await read(start, end), count, start, fail);
  const beginnings = new Map<string, number>();
  return {
    entries,
    async read(path, from = 0, to) {
      const entry = entries.get(path) ?? fail(`the archive has no file ${path}`);
      if (!entry.isStored) {
        fail(
          `${path} is compressed or encrypted, which PyTorch never does: this is another kind of ZIP archive; unpack it`,
        );
      }
      let begin = beginnings.get(path);
      if (begin === undefined) {
        begin = await findContent(path, entry, read, fail);
        beginnings.set(path, begin);
      }
      const last = to ?? entry.size;
      if (last > entry.size) fail(`${path} has ${entry.size} bytes, and bytes up to ${last} are needed`);
      const view = await read(begin + from, begin + last);
      return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    },
  };
}

type Read = (start: number, end: number) => Promise<DataView>;
type Fail = (reason: string) => never;

interface Place {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

async function findDirectory(size: number, read: Read, fail: Fail): Promise<Place> {
  const begin = Math.max(0, size - LONGEST_END);
  const tail = await read(begin, size);
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0) return fail('the archive is cut off: its directory, at the end, is missing; get the file again');
  const place = {
    count: tail.getUint16(at + 10, true),
    start: tail.getUint32(at + 16, true),
    end: tail.getUint32(at + 16, true) + tail.getUint32(at + 12, true),
  };
  const locator = begin + at - 20;
  if (locator < 0) return place;
  const found = await read(locator, locator + 20);
  if (found.getUint32(0, true) !== LOCATOR_64) return place;
  const record = await read(whole(found, 8, fail), whole(found, 8, fail) + 56);
  if (record.getUint32(0, true) !== END_64)
    return fail('the archive is damaged: its 64-bit directory is not where it should be');
  const start = whole(record, 48, fail);
  return { count: whole(record, 32, fail), start, end: start + whole(record, 40, fail) };
}

function parseDirectory(view: DataView, count: number, offset: number, fail: Fail): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  const text = new TextDecoder();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_SIZE > view.byteLength || view.getUint32(at, true) !== CENTRAL) {
      fail(`the archive is damaged: entry ${i} of ${count} of its directory cannot be read`);
    }
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    const nameSize = view.getUint16(at + 28, true);
    const extraSize = view.getUint16(at + 30, true);
    const next = at + CENTRAL_SIZE + nameSize + extraSize + view.getUint16(at + 32, true);
    if (next > view.byteLength) fail(`the archive is damaged: entry ${i} of its directory is cut off`);
    const path = text.decode(new Uint8Array(view.buffer, view.byteOffset + at + CENTRAL_SIZE, nameSize));
    const sizes = longSizes(view, at, at + CENTRAL_SIZE + nameSize, extraSize, fail);
    if (sizes.header + LOCAL_SIZE + sizes.stored > offset)
      fail(`the archive is damaged: ${path} reaches into its directory`);
    if (entries.has(path)) fail(`the archive has two files ${path}`);
    const isEncrypted = (flags & 1) !== 0;
    const isStored = !isEncrypted && method === 0 && sizes.stored === sizes.size;
    entries.set(path, { header: sizes.header, size: sizes.size, isStored });
    at = next;
  }
  return entries;
}

/** Sizes of a central record: those that do not fit into 32 bits stand behind its name, in this order. */
function longSizes(view: DataView, at: number, extra: number, extraSize: number, fail: Fail) {
  const sizes = {
    size: view.getUint32(at + 24, true),
    stored: view.getUint32(at + 20, true),
    header: view.getUint32(at + 42, true),
  };
  let field = extra;
  while (field + 4 <= extra + extraSize) {
    const [kind, length] = [view.getUint16(field, true), view.getUint16(field + 2, true)];
    if (kind === 1) {
      let value = field + 4;
      for (const key of ['size', 'stored', 'header'] as const) {
        if (sizes[key] !== 0xffffffff) continue;
        if (value + 8 > field + 4 + length || value + 8 > extra + extraSize)
          fail('the archive is damaged: a 64-bit size is missing');
        sizes[key] = whole(view, value, fail);
        value += 8;
      }
    }
    field += 4 + length;
  }
  return sizes;
}

/** Where a file's bytes begin: behind its own header, whose texts may be longer than those of the directory. */
async function findContent(path: string, { header, size }: ZipEntry, read: Read, fail: Fail): Promise<number> {
  const local = await read(header, header + LOCAL_SIZE);
  if (local.getUint32(0, true) !== LOCAL) fail(`the archive is damaged: ${path} is not where its directory says`);
  const begin = header + LOCAL_SIZE + local.getUint16(26, true) + local.getUint16(28, true);
  await read(begin + size, begin + size); // throws where that is behind the end
  return begin;
}

function whole(view: DataView, at: number, fail: Fail): number {
  const value = Number(view.getBigUint64(at, true));
  return Number.isSafeInteger(value) ? value : fail('the archive is damaged: it has a size that no file can have');
}
