import { describe, expect, test } from 'vitest';
import { segmentCentres } from '../../../src/zeroseg/drawing/label-positions.ts';
import { createLettering } from '../../../src/zeroseg/drawing/lettering.ts';
import { blendLabels, classShares, drawSegmentation } from '../../../src/zeroseg/drawing/overlay.ts';
import type { Image, LabelMap } from '../../../src/zeroseg/image/image.ts';
import { loadFont } from '../../support/fixture.ts';

const lettering = createLettering([await loadFont('latin'), await loadFont('greek')]);

function flat(width: number, height: number, value: number): Image {
  return { width, height, data: new Uint8Array(width * height * 3).fill(value) };
}

/** A label map drawn in digits, one row a string. */
function map(...rows: string[]): LabelMap {
  return { width: rows[0]!.length, height: rows.length, data: Uint8Array.from([...rows.join('')].map(Number)) };
}

function pixel({ width, data }: Image, x: number, y: number): number[] {
  return [...data.slice((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

describe('blendLabels', () => {
  test('half photo, half class colour; the background stays', () => {
    const got = blendLabels(flat(2, 1, 100), map('01'), { borders: false });
    expect([pixel(got, 0, 0), pixel(got, 1, 0)]).toEqual([
      [100, 100, 100],
      [114, 50, 50],
    ]);
  });

  test('without a background class 0 is tinted too, and colours can be given', () => {
    const got = blendLabels(flat(1, 1, 100), map('0'), {
      background: null,
      opacity: 0.25,
      colour: () => [200, 0, 100],
    });
    expect(pixel(got, 0, 0)).toEqual([125, 75, 100]);
  });

  test('borders are light, and only where classes meet', () => {
    const got = blendLabels(flat(4, 1, 0), map('0011'));
    expect(pixel(got, 0, 0)).toEqual([0, 0, 0]);
    expect(pixel(got, 1, 0)).toEqual([191, 191, 191]);
    expect(pixel(got, 3, 0)).toEqual([64, 0, 0]);
  });

  test('the photo is left alone', () => {
    const photo = flat(2, 1, 100);
    blendLabels(photo, map('11'));
    expect([...photo.data]).toEqual(Array(6).fill(100));
  });

  test('refuses labels of another size', () => {
    expect(() => blendLabels(flat(2, 2, 0), map('01'))).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: blendLabels: photo and labels must have one size; got 2 x 2 and 2 x 1]`,
    );
  });
});

describe('segmentCentres', () => {
  test('one for each connected segment, largest first', () => {
    const labels = map('11100', '11100', '11102', '00000', '10022');
    expect(segmentCentres(labels.data, 5, 5, 2).map(({ label, area }) => [label, area])).toEqual([
      [0, 12],
      [1, 9],
      [2, 2],
    ]);
    expect(segmentCentres(labels.data, 5, 5, 4)[1]).toEqual({ label: 1, x: 1, y: 1, area: 9 });
  });

  test('the name of a ring is not in its hole', () => {
    const side = 41;
    const data = new Uint8Array(side * side).map((_, i) => {
      const r = Math.hypot((i % side) - 20, Math.floor(i / side) - 20);
      return r > 10 && r < 20 ? 1 : 0;
    });
    const ring = segmentCentres(data, side, side).find(({ label }) => label === 1)!;
    expect(Math.hypot(ring.x - 20, ring.y - 20)).toBeGreaterThan(12);
    expect(data[ring.y * side + ring.x]).toBe(1);
  });

  test('a wide segment is named in its middle', () => {
    const data = new Uint8Array(61 * 21).fill(3);
    expect(segmentCentres(data, 61, 21)).toEqual([{ label: 3, x: 30, y: 10, area: 1281 }]);
  });
});

test('classShares: largest first, ties by class', () => {
  expect(classShares([2, 1, 1, 5])).toEqual([
    { label: 1, share: 0.5 },
    { label: 2, share: 0.25 },
    { label: 5, share: 0.25 },
  ]);
});

describe('drawSegmentation', () => {
  const labels: LabelMap = {
    width: 400,
    height: 300,
    data: new Uint8Array(120_000).map((_, i) => (i % 400 < 250 ? 1 : 0)),
  };
  const photo = flat(400, 300, 120);

  test('adds a legend below and a dark box with the name at the centre', () => {
    const got = drawSegmentation(photo, labels, { names: ['background', 'dog'], lettering });
    expect(got.width).toBe(400);
    expect(got.height).toBeGreaterThan(320);
    expect(got.data.length).toBe(got.width * got.height * 3);
    const box = Array.from({ length: 40 }, (_, i) => pixel(got, 105 + i, 150));
    expect(box.some((rgb) => Math.max(...rgb) < 80)).toBe(true);
    expect(box.some((rgb) => Math.min(...rgb) > 240)).toBe(true);
    expect(pixel(got, 399, got.height - 1)).toEqual([255, 255, 255]);
  });

  test('names and legend can be left out', () => {
    const got = drawSegmentation(photo, labels, { names: ['', 'dog'], lettering, labels: false, legend: false });
    const want = blendLabels(photo, labels).data;
    expect(got.data.length).toBe(want.length);
    expect(got.data.every((value, i) => value === want[i])).toBe(true);
  });

  test('small photos are enlarged by a whole factor', () => {
    const small = drawSegmentation(
      flat(100, 50, 9),
      { width: 100, height: 50, data: new Uint8Array(5000) },
      {
        names: ['background'],
        lettering,
        legend: false,
      },
    );
    expect([small.width, small.height]).toEqual([400, 200]);
  });

  test('more classes than 256, long names, and names in a narrow picture', () => {
    const narrow = { width: 60, height: 400, data: new Uint16Array(24_000).fill(900) };
    const names: string[] = [];
    names[900] = 'a very long name that cannot possibly fit';
    const got = drawSegmentation(flat(60, 400, 30), narrow, { names, lettering });
    expect(got.width).toBe(60);
    expect(got.height).toBeGreaterThan(400);
  });
});

describe('lettering', () => {
  const ink = (text: string, size: number): number =>
    lettering.line(text, size).coverage.reduce((a, b) => a + b, 0) / 255;

  test('coverage is area: it grows with the square of the size', () => {
    expect(ink('dog & Ωmega', 64) / ink('dog & Ωmega', 16)).toBeCloseTo(16, 0);
  });

  test('a full stop is covered fully inside', () => {
    const { coverage } = lettering.line('.', 60);
    expect(Math.max(...coverage)).toBe(255);
    expect(coverage.filter((value) => value > 0 && value < 255).length).toBeLessThan(60);
  });

  test('letters of the second font, and boxes for what no font has', () => {
    expect(ink('λ', 30)).toBeGreaterThan(20);
    expect(ink('猫', 30)).toBeGreaterThan(20);
    expect(lettering.line('', 30).width).toBe(1);
  });

  test('refuses bytes that are no font', () => {
    expect(() => createLettering([new Uint8Array(100)])).toThrowErrorMatchingInlineSnapshot(
      `[FontError: createLettering: font 0 is no whole TrueType, OpenType or WOFF file: it is of another kind]`,
    );
    expect(() => createLettering([])).toThrowErrorMatchingInlineSnapshot(
      `[FontError: createLettering: at least one font is needed; got none]`,
    );
  });
});
