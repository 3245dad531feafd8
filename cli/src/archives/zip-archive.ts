import { promisify } from 'node:util';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { FileError } from '../files/index.ts';
import type { Archive, ArchivedFile } from './archive.ts';

/** Entries of a directory that are looked at before it counts as a trap: ImageNet has 1.3 million photos. */
const MOST_FILES = 5_000_000;

/** The files of a zip archive. @throws FileError when it is damaged. */
export async function openZip(path: string): Promise<Archive> {
  const damaged = (error: unknown, what = 'the zip archive'): FileError =>
    new FileError('archive', path, `${what} is damaged or cut off (${(error as Error).message}); copy it again`, {
      cause: error,
    });
  const zip = await promisify<string, yauzl.Options, ZipFile>(yauzl.open)(path, {
    autoClose: false,
    lazyEntries: true,
  }).catch((error) => {
    throw damaged(error);
  });
  try {
    if (zip.entryCount > MOST_FILES)
      throw new FileError('archive', path, `it has ${zip.entryCount} files, which is no data set`);
    const entries = await readEntries(zip).catch((error) => {
      throw damaged(error);
    });
    const files = entries.map((entry): [string, ArchivedFile] => [
      entry.fileName,
      {
        size: entry.uncompressedSize,
        mtime: entry.getLastModDate().getTime(),
        read: async (max) => {
          if (entry.uncompressedSize > max)
            throw new FileError('archive', path, `${entry.fileName} holds more than ${max} bytes`);
          if (entry.isEncrypted()) {
            throw new FileError(
              'archive',
              path,
              `${entry.fileName} is encrypted; unpack the archive with its password`,
            );
          }
          return readEntry(zip, entry).catch((error) => {
            throw damaged(error, entry.fileName);
          });
        },
      },
    ]);
    return { path, files: new Map(files) };
  } catch (error) {
    zip.close();
    throw error;
  }
}

function readEntries(zip: ZipFile): Promise<Entry[]> {
  return new Promise((resolve, reject) => {
    const entries: Entry[] = [];
    zip.on('error', reject);
    zip.on('end', () => resolve(entries));
    zip.on('entry', (entry: Entry) => {
      if (!entry.fileName.endsWith('/')) entries.push(entry);
      zip.readEntry();
    });
    zip.readEntry();
  });
}

async function readEntry(zip: ZipFile, entry: Entry): Promise<Uint8Array<ArrayBuffer>> {
  const stream = await promisify<Entry, NodeJS.ReadableStream>(zip.openReadStream.bind(zip))(entry);
  const out = new Uint8Array(entry.uncompressedSize);
  let at = 0;
  // yauzl refuses more or fewer bytes than the directory says.
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
