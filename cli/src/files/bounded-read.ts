import { open } from 'node:fs/promises';
import { formatBytes } from '@zeroseg/core/internal';
import { FileError } from './file-error.ts';

/**
 * A whole file, or what comes out of a pipe or a device, if it is at most so many bytes: a device may never end.
 *
 * @throws FileError when there is more; what Node throws when it cannot be read.
 */
export async function readBounded(op: string, path: string, most: number): Promise<Uint8Array> {
  const tooLarge = (): FileError =>
    new FileError(op, path, `it holds more than ${formatBytes(most)}, which is no such file`);
  const file = await open(path, 'r');
  try {
    const found = await file.stat();
    if (found.size > most) throw tooLarge();
    if (found.isFile() && found.size > 0) return await file.readFile();
    const parts: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const part = new Uint8Array(2 ** 16);
      const { bytesRead } = await file.read(part, 0, part.length, null);
      if (bytesRead === 0) return Buffer.concat(parts);
      total += bytesRead;
      if (total > most) throw tooLarge();
      parts.push(part.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
