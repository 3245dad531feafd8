import { expect, test } from 'vitest';
import { Sha256, sha256 } from '../../../src/zeroseg/host/hash.ts';

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
