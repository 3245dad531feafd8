import { describe, expect, test } from 'vitest';
import { gridBoxes, studentImage, teacherViews, viewCount } from '../../../src/zeroseg/image/grid-views.ts';
import { centreSquare, crop, type Image, shortSideSize } from '../../../src/zeroseg/image/image.ts';
import { clipMean, clipStd, toTensor } from '../../../src/zeroseg/image/normalize.ts';
import { resizeImage } from '../../../src/zeroseg/image/resize.ts';
import { loadFixture } from '../../support/fixture.ts';

const rules = (await loadFixture('ops/rules')).manifest;

function waves(width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3).map((_, i) => 128 + 120 * Math.sin(i * 0.37) * Math.cos(i * 0.011));
  return { width, height, data };
}

describe('gridBoxes', () => {
  test('cuts as the fixture says', () => {
    for (const { size, grids, out } of rules.grid_boxes) expect(gridBoxes(size, grids)).toEqual(out);
  });

  test('boxes of a grid cover every pixel once', () => {
    for (const side of [1, 2, 5, 7, 224, 333]) {
      for (const k of [1, 2, 3, 4, 5].filter((k) => k <= side)) {
        const area = gridBoxes(side, [k]).reduce((sum, [x0, y0, x1, y1]) => sum + (x1 - x0) * (y1 - y0), 0);
        expect(area).toBe(side * side);
      }
    }
  });

  test('a grid that is no whole number has cells of its part of the side, from border to border, which overlap by about half', () => {
    expect(viewCount([8 / 3])).toBe(25);
    const [first] = gridBoxes(128, [8 / 3]);
    expect(first).toEqual([0, 0, 48, 48]);
    expect(gridBoxes(128, [8 / 3]).slice(0, 5)).toEqual([0, 20, 40, 60, 80].map((x) => [x, 0, x + 48, 48]));
    for (const side of [2, 7, 31, 224, 333]) {
      for (const k of [1.5, 8 / 3, 2.667, 1.01].filter((k) => k <= side)) {
        const boxes = gridBoxes(side, [k]);
        expect(boxes.length).toBe(viewCount([k]));
        expect(boxes.at(-1)?.slice(2)).toEqual([side, side]);
        for (const [x0, y0, x1, y1] of boxes) {
          for (const length of [x1 - x0, y1 - y0]) expect(Math.abs(length - side / k)).toBeLessThanOrEqual(1);
        }
      }
    }
  });

  test('thirty views by default', () => {
    expect(viewCount([1, 2, 3, 4])).toBe(30);
    expect(viewCount([1])).toBe(1);
  });

  test('refuses grids that cut nothing', () => {
    expect(() => viewCount([])).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: grids: a list of up to 64 numbers from 1 to 64, such as 1,2,3,4; got []]`,
    );
    expect(() => gridBoxes(10, [2, 0.5])).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: grids: a list of up to 64 numbers from 1 to 64, such as 1,2,3,4; got [2,0.5]]`,
    );
  });
});

describe('teacherViews', () => {
  const photo = waves(45, 31);
  const size = 8;
  const length = 3 * size * size;

  test('cuts the native square and resizes each cell once', () => {
    const views = teacherViews(photo, { grids: [1, 3], size });
    expect(views.length).toBe(10 * length);
    const square = centreSquare(photo);
    gridBoxes(31, [1, 3]).forEach(([x0, y0, x1, y1], i) => {
      const cell = crop(square, { x: x0, y: y0, width: x1 - x0, height: y1 - y0 });
      const want = toTensor(resizeImage(cell, size, size, 'bicubic'), clipMean, clipStd);
      expect(views.slice(i * length, (i + 1) * length)).toEqual(want);
    });
  });

  test("resized: the first view is CLIP's usual preprocessing", () => {
    const views = teacherViews(photo, { grids: [1, 2], size, source: 'resized' });
    const [width, height] = shortSideSize(photo.width, photo.height, size);
    const whole = crop(resizeImage(photo, width, height, 'bicubic'), { x: 2, y: 0, width: size, height: size });
    expect([width, height]).toEqual([11, 8]);
    expect(views.slice(0, length)).toEqual(toTensor(whole, clipMean, clipStd));
    const quarter = resizeImage(crop(whole, { x: 4, y: 0, width: 4, height: 4 }), size, size, 'bicubic');
    expect(views.slice(2 * length, 3 * length)).toEqual(toTensor(quarter, clipMean, clipStd));
  });

  test('writes into a target of the right size', () => {
    const target = new Float32Array(5 * length);
    expect(teacherViews(photo, { grids: [1, 2], size }, target)).toBe(target);
    expect(target).toEqual(teacherViews(photo, { grids: [1, 2], size }));
    expect(() => teacherViews(photo, { grids: [1], size }, target)).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: teacherViews: the target must hold 192 values; got 960]`,
    );
  });

  test('refuses a photo with fewer pixels than cells', () => {
    expect(() => teacherViews(waves(9, 3), { size })).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: teacherViews: a 9 x 3 photo cannot be cut into 4 x 4 views; leave it out]`,
    );
  });
});

test('studentImage: the centre of the resized photo', () => {
  const photo = waves(45, 31);
  const whole = resizeImage(photo, 23, 16, 'bicubic');
  // (23 - 16) / 2 = 3.5, and halves go to the even number.
  expect(studentImage(photo, 16)).toEqual(crop(whole, { x: 4, y: 0, width: 16, height: 16 }));
});
