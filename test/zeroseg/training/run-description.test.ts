import { expect, test } from 'vitest';
import { sha256 } from '../../../src/zeroseg/host/hash.ts';
import { pathsHash } from '../../../src/zeroseg/training/run-description.ts';

test('the hash of paths is that of their lines, however many there are, and one by one', async () => {
  const paths = Array.from({ length: 9000 }, (_, i) => `n${i % 7}/${'日é😀\ud83d'.slice(i % 5)}${i}.jpg`);
  // Parts of 4096 end before, at and behind the last path.
  for (const count of [0, 1, 2, 4095, 4096, 4097, 8191, 8192, 9000]) {
    const some = paths.slice(0, count);
    const whole = (await sha256(new TextEncoder().encode(some.join('\n')))).slice(0, 16);
    expect(await pathsHash(some), `${count} paths`).toBe(whole);
    expect(await pathsHash(some.values()), `${count} paths`).toBe(whole);
  }
  expect(await pathsHash(['a', 'b'])).not.toBe(await pathsHash(['ab']));
  expect(await pathsHash(['a', ''])).not.toBe(await pathsHash(['a']));
});
