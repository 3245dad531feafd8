import { zlibSync } from 'fflate';
import { expect, it } from 'vitest';
import { inspectPng } from '../../../src/zeroseg/image/png.ts';

/** A grey PNG of so many pixels by its header, with this data: checksums are left to whoever decodes it. */
function png(width: number, height: number, data: Uint8Array): Uint8Array {
  const chunk = (type: string, body: Uint8Array): number[] => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, body.length);
    return [...length, ...new TextEncoder().encode(type), ...body, 0, 0, 0, 0];
  };
  const header = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  const parts = [chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', new Uint8Array(0))];
  return Uint8Array.from([signature, ...parts].flat());
}

// Each limit by itself: what one lets through, another may refuse in other words.
it.each([
  [
    'more pixels than are read',
    png(2 ** 14 + 1, 2 ** 14, new Uint8Array(1)),
    /^16385 x 16384 pixels are more than the/,
  ],
  ['as many as are read, of nearly nothing', png(2 ** 14, 2 ** 14, new Uint8Array(9)), /^its end is missing$/],
  ['more pixels than its data can be', png(100, 104, new Uint8Array(10)), /^its end is missing$/],
  ['no pixels', png(0, 5, new Uint8Array(9)), /^its header is damaged$/],
  [
    'a bomb behind a small header',
    png(2, 2, zlibSync(new Uint8Array(2 ** 26))),
    /^it holds more data than its pixels take$/,
  ],
])('refuses %s before it is inflated', (_, bytes, reason) => {
  const began = performance.now();
  expect(() => inspectPng(bytes)).toThrow(reason);
  expect(performance.now() - began).toBeLessThan(5000);
});

it('takes the largest that its data can be', () => {
  expect(inspectPng(png(102, 100, new Uint8Array(10))).header).toMatchObject({ width: 102, height: 100 });
  expect(inspectPng(png(2, 2, zlibSync(new Uint8Array(6)))).header).toMatchObject({ channels: 1 });
});
