import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { createLettering, interLettering } from '../../../cli/src/photos/lettering.ts';
import { rasterise } from '../../../cli/src/photos/pictures.ts';

const { resolve } = createRequire(import.meta.url);
const font = (script: string) => readFile(resolve(`@fontsource/inter/files/inter-${script}-600-normal.woff`));
const lettering = createLettering([await font('latin'), await font('greek')]);

/** Pixels that a text covers, white on black. */
async function ink(text: string, size: number): Promise<number> {
  const { width, height, ascent } = lettering.measure(text, size);
  const black = { width, height, data: new Uint8Array(3 * width * height) };
  const shapes = [{ kind: 'text', text, size, x: 0, y: ascent, colour: [255, 255, 255] }] as const;
  const data = await rasterise({ ...black, shapes })
    .raw()
    .toBuffer();
  expect(data.length).toBe(black.data.length);
  return data.reduce((sum, value) => sum + value, 0) / 3 / 255;
}

describe('lettering', () => {
  test('covered area grows with the square of the size', async () => {
    expect((await ink('dog & Ωmega', 64)) / (await ink('dog & Ωmega', 16))).toBeCloseTo(16, 0);
  });

  test('letters of the second font, and boxes for what no font has', async () => {
    expect(await ink('λ', 30)).toBeGreaterThan(20);
    expect(await ink('猫', 30)).toBeGreaterThan(20);
    expect(lettering.measure('', 30).width).toBe(1);
  });

  test('needs no fonts on the system', () => {
    expect(interLettering().measure('тест ζωή sofa', 20).width).toBeGreaterThan(80);
    expect(interLettering().path('тест ζωή sofa', 20, 3, 20)).toMatch(/^M[\d.]+[ -][-\d.]+[LCQ]/);
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

test('shapes are drawn over pixels, also far beyond what one SVG may hold', async () => {
  const [width, height] = [40_000, 2];
  const image = { width, height, data: new Uint8Array(3 * width * height).fill(9) };
  const colour = [255, 0, 0] as const;
  const shapes = [{ kind: 'rectangle', x: 4090, y: 0, width: 35_000, height: 1, colour }] as const;
  const data = await rasterise({ ...image, shapes })
    .raw()
    .toBuffer();
  const row = Array.from({ length: width }, (_, x) => data[3 * x]);
  expect(row.every((red, x) => red === (x >= 4090 && x < 39_090 ? 255 : 9))).toBe(true);
  expect(data.subarray(3 * width).every((value) => value === 9)).toBe(true);
});
