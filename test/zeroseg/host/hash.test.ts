import { expect, test } from 'vitest';
import { joinedSums, Sha256, sha256, sha256OfPieces } from '../../../src/zeroseg/host/hash.ts';

test('a hash of pieces is that of the whole, whatever the pieces are', async () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 89 + length);
    for (const piece of [1, 37, 64, 1001]) {
      const hash = new Sha256();
      for (let at = 0; at < length; at += piece) hash.update(bytes.subarray(at, at + piece));
      expect(hash.digest()).toBe(await sha256(bytes));
    }
  }
});

test('the hash of a file by pieces is that of the hashes of its pieces, or of the one that it is', async () => {
  const bytes = Uint8Array.from({ length: 10 }, (_, i) => i);
  const source = { size: 10, readRange: async (start: number, end: number) => bytes.slice(start, end) };
  const sums = await Promise.all([bytes.slice(0, 4), bytes.slice(4, 8), bytes.slice(8)].map(sha256));
  const joined = await sha256(new TextEncoder().encode(sums.join('')));
  expect(await sha256OfPieces(source, 4)).toBe(joined);
  expect(await joinedSums(sums)).toBe(joined);
  for (const piece of [10, 11]) expect(await sha256OfPieces(source, piece)).toBe(await sha256(bytes));
  expect(await sha256OfPieces({ ...source, size: 0 }, 4)).toBe(await sha256(new Uint8Array(0)));
});
