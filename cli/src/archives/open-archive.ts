import type { FileHandle } from 'node:fs/promises';
import { open, stat } from 'node:fs/promises';
import { FileError, systemReason } from '../files/index.ts';
import type { Archive } from './archive.ts';
import { readTarIndex } from './tar-index.ts';
import { openZip } from './zip-archive.ts';

/** Endings of names of archives that can be read where they are. */
export const archiveEndings: readonly string[] = ['.tar', '.zip'];
/** For those in a folder and below. */
export const archivePattern: string = '**/*.{tar,zip}';
/** For those that are compressed as a whole. */
export const compressedPattern: string = '**/*.{tar.gz,tgz,tar.bz2,tbz2,tar.xz,txz,tar.zst,tzst,7z,rar}';

/** How archives are unpacked that cannot be read where they are, by the first bytes of the file. */
const compressed: readonly (readonly [kind: string, first: readonly number[], remedy: (path: string) => string])[] = [
  ['gzip', [0x1f, 0x8b], (path) => `tar -xzf ${path}`],
  ['bzip2', [0x42, 0x5a, 0x68], (path) => `tar -xjf ${path}`],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a], (path) => `tar -xJf ${path}`],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd], (path) => `tar --zstd -xf ${path}`],
  ['7z', [0x37, 0x7a, 0xbc, 0xaf], (path) => `7z x ${path}`],
  ['rar', [0x52, 0x61, 0x72, 0x21], (path) => `unrar x ${path}`],
];

/**
 * Opens a tar or zip archive, told by its content. A tar is gone through by its headers; nothing of what its files hold is read.
 *
 * @throws FileError when it is neither, is compressed as a whole, or is damaged.
 */
export async function openArchive(path: string): Promise<Archive> {
  let file: FileHandle | undefined;
  try {
    if ((await stat(path)).isDirectory()) throw new FileError('archive', path, 'this is a folder');
    file = await open(path, 'r');
    const first = new Uint8Array(512);
    const { bytesRead } = await file.read(first, 0, 512, 0);
    const kind = compressed.find(([, magic]) => magic.every((byte, i) => first[i] === byte));
    if (kind) {
      const [name, , remedy] = kind;
      throw new FileError(
        'archive',
        path,
        `it is compressed as a whole (${name}), so its files cannot be read one by one; unpack it: ${remedy(path)}`,
      );
    }
    if (first[0] === 0x50 && first[1] === 0x4b) {
      return await openZip(path);
    }
    if (bytesRead < 512) throw new FileError('archive', path, 'this is neither a tar nor a zip archive');
    return { path, files: await readTarIndex(file, path) };
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError('archive', path, systemReason(error), { cause: error });
  } finally {
    await file?.close();
  }
}
