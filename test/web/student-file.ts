import { readFile } from 'node:fs/promises';
import { student } from '@zeroseg/pretrained';

/** The built-in student's file with another header. */
export async function studentWith(change: (metadata: Record<string, string>) => void): Promise<Buffer> {
  const bytes = await readFile(student.weights);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  change(header.__metadata__);
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([size, padded, bytes.subarray(8 + length)]);
}
