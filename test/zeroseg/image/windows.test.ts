import { expect, test } from 'vitest';
import { slidingWindows } from '../../../src/zeroseg/image/windows.ts';
import { loadFixture } from '../../support/fixture.ts';

const rules = (await loadFixture('ops/rules')).manifest;

test('windows as the fixture says', () => {
  for (const { h, w, crop, stride, out } of rules.windows) expect(slidingWindows(h, w, crop, stride)).toEqual(out);
});

test('every pixel is seen', () => {
  for (const [height, width, side, stride] of [
    [1, 1, 4, 2],
    [9, 5, 4, 3],
    [17, 23, 8, 8],
    [16, 8, 8, 5],
  ] as const) {
    const seen = new Uint8Array(height * width);
    for (const [y1, x1, y2, x2] of slidingWindows(height, width, side, stride)) {
      for (let y = y1; y < y2; y++) seen.fill(1, y * width + x1, y * width + x2);
    }
    expect(seen.every((value) => value === 1)).toBe(true);
  }
});

test('refuses windows with gaps and sizes that are none', () => {
  expect(() => slidingWindows(10, 10, 4, 5)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: slidingWindows: a stride of 5 would leave gaps between windows of 4]`,
  );
  expect(() => slidingWindows(0, 10)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: slidingWindows: height must be a whole number from 1; got 0]`,
  );
});
