import { type FileHandle, open } from 'node:fs/promises';
import { Header, Pax } from 'tar';
import { FileError } from '../files/index.ts';
import type { ArchivedFile } from './archive.ts';

const BLOCK = 512;
/** Of the headers that hold long names. */
const LONGEST_NAME = 2 ** 20;

/** The files of a tar archive: from header to header, over what lies between. @throws FileError when it is none, or is cut off. */
export async function readTarIndex(file: FileHandle, path: string): Promise<Map<string, ArchivedFile>> {
  const fail = (reason: string): never => {
    throw new FileError('archive', path, reason);
  };
  const { size: total, mtimeMs } = await file.stat();
  const read = async (at: number, length: number, from: FileHandle = file): Promise<Buffer<ArrayBuffer>> => {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await from.read(bytes, 0, length, at);
    if (bytesRead < length) fail(`it is cut off at byte ${at + bytesRead}; copy it again`);
    return bytes;
  };
  const files = new Map<string, ArchivedFile>();
  let global: Pax | undefined;
  let extended: Pax | undefined;
  let longName: string | undefined;
  let isEnded = false;
  let at = 0;
  while (at + BLOCK <= total) {
    const header = new Header(await read(at, BLOCK), 0, extended, global);
    at += BLOCK;
    if (header.nullBlock) {
      isEnded = true;
      continue;
    }
    if (!header.cksumValid) {
      fail(
        at === BLOCK ? 'this is neither a tar nor a zip archive' : `it is damaged at byte ${at - BLOCK}; copy it again`,
      );
    }
    const size = header.size ?? 0;
    if (!Number.isSafeInteger(size) || size < 0)
      fail(`the size of a file at byte ${at - BLOCK} is damaged; copy it again`);
    const end = at + Math.ceil(size / BLOCK) * BLOCK;
    if (at + size > total) fail(`it is cut off: ${header.path ?? 'a file'} ends beyond it; copy it again`);
    const { type } = header;
    if (
      type === 'ExtendedHeader' ||
      type === 'OldExtendedHeader' ||
      type === 'GlobalExtendedHeader' ||
      type === 'NextFileHasLongPath'
    ) {
      if (size > LONGEST_NAME) fail(`a name at byte ${at - BLOCK} has ${size} bytes, which is no name`);
      const text = (await read(at, size)).toString('utf8');
      if (type === 'NextFileHasLongPath') longName = text.replace(/\0.*$/s, '');
      else if (type === 'GlobalExtendedHeader') global = Pax.parse(text, global, true);
      else extended = Pax.parse(text, extended, false);
    } else {
      if (type === 'File' || type === 'OldFile' || type === 'ContiguousFile') {
        const name = (longName ?? header.path ?? '').replace(/^(\.?\/)+/, '');
        const from = at;
        const mtime = header.mtime?.getTime() ?? Number.NaN;
        files.set(name, {
          size,
          mtime: Number.isFinite(mtime) ? mtime : Math.floor(mtimeMs),
          read: async (max) => {
            if (size > max) fail(`${name} holds more than ${max} bytes`);
            // Opened anew: whoever reads some photos of a shard has nothing to close.
            await using again = await open(path, 'r');
            const bytes = await read(from, size, again);
            return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
          },
        });
      }
      [extended, longName] = [undefined, undefined];
    }
    at = end;
  }
  // Some writers leave out the empty blocks at the end, but none ends within a block.
  if (!isEnded && at !== total) fail(`it is cut off at byte ${total}; copy it again`);
  return files;
}
