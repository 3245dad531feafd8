import { describe, expect, test } from 'vitest';
import { studentImage } from '../../../src/zeroseg/image/grid-views.ts';
import {
  centreRegion,
  centreSquare,
  crop,
  type Image,
  imageFromRgba,
  keepRatioSize,
  roundHalfEven,
  shortSideSize,
} from '../../../src/zeroseg/image/image.ts';
import { resizeBilinear } from '../../../src/zeroseg/image/interpolate.ts';
import { clipMean, clipStd, imagenetMean, type Rgb, toTensor } from '../../../src/zeroseg/image/normalize.ts';
import { type ResizeFilter, resizeImage } from '../../../src/zeroseg/image/resize.ts';
import { type FixtureTensor, loadFixture } from '../../support/fixture.ts';

const resize = await loadFixture('ops/pillow_resize');
const preprocess = await loadFixture('ops/preprocess');
const rules = (await loadFixture('ops/rules')).manifest;

function toImage({ shape, data }: FixtureTensor): Image {
  return { width: shape[1]!, height: shape[0]!, data: data as Uint8Array };
}

/** Pixels that no two neighbours share, so that a shifted row or a swapped channel shows. */
function noise(width: number, height: number): Image {
  let state = 1;
  const data = new Uint8Array(width * height * 3).map(() => (state = (state * 48271) % 0x7fffffff) & 255);
  return { width, height, data };
}

interface ResizeCase {
  name: string;
  attrs: { mode: ResizeFilter; height: number; width: number };
  in: { x: string };
  out: { y: string };
}

describe('resizeImage', () => {
  for (const { name, attrs, in: input, out } of resize.manifest.cases as ResizeCase[]) {
    test(`equals Pillow: ${name}`, () => {
      const got = resizeImage(toImage(resize.get(input.x)), attrs.width, attrs.height, attrs.mode);
      expect([got.height, got.width, 3]).toEqual(resize.get(out.y).shape);
      expect(got.data).toEqual(resize.get(out.y).data);
    });
  }

  for (const [width, height] of [
    [41, 29],
    [7, 90],
    [37, 9],
    [64, 53],
    [37, 53],
  ] as const) {
    test(`a region of ${width} x ${height} equals resizing and cropping`, () => {
      const image = noise(37, 53);
      const region = { x: 2, y: 3, width: 4, height: 5 };
      const whole = resizeImage(image, width, height, 'bicubic');
      expect(resizeImage(image, width, height, 'bicubic', region)).toEqual(crop(whole, region));
    });
  }

  test('one pixel grows into a flat image', () => {
    const dot = { width: 1, height: 1, data: Uint8Array.of(7, 128, 255) };
    const got = resizeImage(dot, 3, 2, 'bicubic');
    expect([...got.data]).toEqual(Array.from({ length: 6 }, () => [7, 128, 255]).flat());
  });

  test('the result is a copy even when nothing changes', () => {
    const image = noise(3, 3);
    expect(resizeImage(image, 3, 3, 'bilinear').data).not.toBe(image.data);
  });

  test('refuses what is no image', () => {
    const short = { width: 2, height: 2, data: new Uint8Array(11) };
    expect(() => resizeImage(short, 1, 1, 'bicubic')).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: resizeImage: 2 x 2 RGB needs 12 bytes; got 11]`,
    );
    expect(() => resizeImage(noise(2, 2), 0, 1, 'bicubic')).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: resizeImage: width and height must be whole numbers from 1; got 0 x 1]`,
    );
  });
});

describe('sizes', () => {
  test('shortSideSize and the centre crop', () => {
    for (const { w, h, size, out, crop } of rules.short_side_resize) {
      const [width, height] = shortSideSize(w, h, size);
      expect([width, height]).toEqual(out);
      const { x, y } = centreRegion(width, height, size, size);
      expect([x, y]).toEqual(crop);
    }
  });

  test('keepRatioSize', () => {
    for (const { w, h, short, long, out } of rules.keep_ratio_resize) {
      expect(keepRatioSize(w, h, short, long)).toEqual(out);
    }
    expect(keepRatioSize(10_000, 1)).toEqual([2048, 1]);
  });

  test('halves are rounded to the even number', () => {
    expect([0.5, 1.5, 2.5, 2.4, 2.6, 3, -0.5, -1.5].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3, 3, 0, -2]);
  });
});

test('what a canvas gives loses its alpha', () => {
  const data = Uint8ClampedArray.of(1, 2, 3, 255, 4, 5, 6, 0);
  expect(imageFromRgba({ width: 2, height: 1, data })).toEqual({
    width: 2,
    height: 1,
    data: Uint8Array.of(1, 2, 3, 4, 5, 6),
  });
  expect(() => imageFromRgba({ width: 3, height: 1, data })).toThrowErrorMatchingInlineSnapshot(
    `[PixelError: imageFromRgba: 3 x 1 RGBA needs 12 bytes; got 8]`,
  );
});

describe('crop', () => {
  test('keeps the pixels of the region', () => {
    const image = noise(5, 4);
    const got = crop(image, { x: 1, y: 2, width: 3, height: 2 });
    const at = (x: number, y: number): number[] => [...image.data.slice((y * 5 + x) * 3, (y * 5 + x) * 3 + 3)];
    const want = [at(1, 2), at(2, 2), at(3, 2), at(1, 3), at(2, 3), at(3, 3)].flat();
    expect([...got.data]).toEqual(want);
  });

  test('centreSquare takes the middle of the longer side', () => {
    const image = noise(5, 2);
    expect(centreSquare(image)).toEqual(crop(image, { x: 2, y: 0, width: 2, height: 2 }));
  });

  test('refuses a region that sticks out', () => {
    expect(() => crop(noise(4, 3), { x: 2, y: 0, width: 3, height: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: crop: the region must lie inside 4 x 3; got 3 x 1 at (2, 0)]`,
    );
  });
});

interface PreprocessCase {
  name: string;
  attrs: { size: number; mean: Rgb; std: Rgb };
  tol: { fwd: number };
  in: { x: string };
  out: { y: string };
}

describe('toTensor', () => {
  for (const { name, attrs, tol, in: input, out } of preprocess.manifest.cases as PreprocessCase[]) {
    test(`resize, crop and normalise: ${name}`, () => {
      const image = toImage(preprocess.get(input.x));
      const got = toTensor(studentImage(image, attrs.size), attrs.mean, attrs.std);
      const want = preprocess.get(out.y).data;
      const top = Math.max(...want.map(Math.abs));
      const worst = got.reduce((max, value, i) => Math.max(max, Math.abs(value - want[i]!)), 0);
      expect(got.length).toBe(want.length);
      expect(worst).toBeLessThanOrEqual(tol.fwd * top);
    });
  }

  test('the constants are those of the fixtures', () => {
    expect(preprocess.manifest.cases[0].attrs.mean).toEqual(clipMean);
    expect(preprocess.manifest.cases[0].attrs.std).toEqual(clipStd);
    expect(preprocess.manifest.cases[1].attrs.mean).toEqual(imagenetMean);
  });

  test('refuses a target that is too small', () => {
    const call = () => toTensor(noise(2, 2), clipMean, clipStd, new Float32Array(20), 10);
    expect(call).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: toTensor: 12 values from 10 must fit the target; it holds 20]`,
    );
  });
});

describe('resizeBilinear', () => {
  test('equals the definition', () => {
    const [h, w, H, W] = [3, 5, 7, 4];
    const data = Float32Array.from({ length: 2 * h * w }, (_, i) => Math.sin(i * 1.7));
    const pixel = (c: number, y: number, x: number): number =>
      data[(c * h + Math.min(h - 1, y)) * w + Math.min(w - 1, x)]!;
    const got = resizeBilinear(data, 2, h, w, H, W);
    for (let c = 0; c < 2; c++) {
      for (let y = 0; y < H; y++) {
        for (let x = 0; x < W; x++) {
          const v = Math.max(0, ((y + 0.5) * h) / H - 0.5);
          const u = Math.max(0, ((x + 0.5) * w) / W - 0.5);
          const [i, j] = [Math.floor(v), Math.floor(u)];
          const want =
            (1 - v + i) * ((1 - u + j) * pixel(c, i, j) + (u - j) * pixel(c, i, j + 1)) +
            (v - i) * ((1 - u + j) * pixel(c, i + 1, j) + (u - j) * pixel(c, i + 1, j + 1));
          expect(got[(c * H + y) * W + x]).toBeCloseTo(want, 6);
        }
      }
    }
  });

  test('the same size changes nothing', () => {
    const data = Float32Array.from({ length: 12 }, (_, i) => i / 7);
    expect(resizeBilinear(data, 1, 3, 4, 3, 4)).toEqual(data);
  });

  test('refuses data of another size', () => {
    expect(() => resizeBilinear(new Float32Array(5), 1, 2, 3, 4, 4)).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: resizeBilinear: [1, 2, 3] needs 6 values; got 5]`,
    );
  });
});
