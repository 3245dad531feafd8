import { open } from 'node:fs/promises';
import { formatBytes } from '@zeroseg/core/internal';
import { FileError } from '@zeroseg/core/zeroseg';

/**
 * A whole file, or what comes out of a pipe or a device, if it is at most so many bytes: a device may never end.
 *
 * @throws FileError when there is more; what Node throws when it cannot be read.
 */
export async function readBounded(op: string, path: string, max: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = (): FileError =>
    new FileError(op, path, `it holds more than ${formatBytes(max)}, which is no such file`);
  const file = await open(path, 'r');
  try {
    const found = await file.stat();
    if (found.size > max) throw tooLarge();
    if (found.isFile() && found.size > 0) return plain(await file.readFile());
    const parts: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const part = new Uint8Array(2 ** 16);
      const { bytesRead } = await file.read(part, 0, part.length, null);
      if (bytesRead === 0) return plain(Buffer.concat(parts));
      total += bytesRead;
      if (total > max) throw tooLarge();
      parts.push(part.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** The bytes as what every platform has; those of a Node Buffer's methods that copy elsewhere do not copy there. */
function plain(bytes: Buffer<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
