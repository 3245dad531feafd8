import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { squareCodecs } from '../../../cli/src/features/square-codecs.ts';
import { readPhoto } from '../../../cli/src/photos/image-files.ts';
import { type Image, studentImage } from '../../../src/zeroseg/image/index.ts';

const folder = fileURLToPath(new URL('../../../pretrained/photos/', import.meta.url));

/** Decibels; infinite where nothing is lost. */
function psnr(a: Image, b: Image): number {
  const squared = a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0);
  return 10 * Math.log10(255 ** 2 / (squared / a.data.length));
}

test('squares of photos come back without loss, or as good as 40 dB in a seventh of their bytes', async () => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jpg')).slice(0, 4);
  for (const name of names) {
    const square = studentImage(await readPhoto(folder + name), 224);
    const sizes = await Promise.all(
      Object.values(squareCodecs).map(async (codec) => {
        const bytes = await codec.encode(square);
        return { bytes: bytes.length, psnr: psnr(square, await codec.decode(bytes, name)) };
      }),
    );
    const [jpeg, lossless] = sizes as [(typeof sizes)[0], (typeof sizes)[0]];
    expect(lossless.psnr).toBe(Number.POSITIVE_INFINITY);
    expect(lossless.bytes).toBeLessThan(square.data.length / 2);
    expect(jpeg.psnr).toBeGreaterThan(40);
    expect(jpeg.bytes).toBeLessThan(square.data.length / 7);
  }
});

test('squares of one pixel, and of one colour', async () => {
  for (const codec of Object.values(squareCodecs)) {
    for (const side of [1, 3, 17]) {
      const square = { width: side, height: side, data: new Uint8Array(3 * side * side).fill(77) };
      expect(await codec.decode(await codec.encode(square), 'x')).toEqual(square);
    }
  }
});
