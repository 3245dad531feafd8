import { expect, test } from 'vitest';
import { interLettering } from '../../../cli/src/photos/lettering.ts';
import { rasterise } from '../../../cli/src/photos/pictures.ts';
import { nameLettering } from '../../../cli/src/photos/system-lettering.ts';

// Which fonts a system has, is not what is tested: no font has what Unicode keeps for private use on plane 16.
const nobodys = '\u{10fffd}';

test('names that Inter has are drawn by Inter alone', async () => {
  const { lettering, drawnAs } = await nameLettering(['sofa', 'Ελλάδα', 'Москва', 'ě']);
  expect(drawnAs.size).toBe(0);
  expect(lettering).toBe(interLettering());
});

test('what no font has becomes its number; the other names stay', async () => {
  const { lettering, drawnAs } = await nameLettering(['sofa', `a${nobodys}`, 'couch', nobodys]);
  expect([...drawnAs]).toEqual([
    [`a${nobodys}`, '#2'],
    [nobodys, '#4'],
  ]);
  expect(lettering.measure('#2', 20)).toEqual(interLettering().measure('#2', 20));
  expect(lettering.path?.('sofa', 20, 0, 0)).toBe(interLettering().path('sofa', 20, 0, 0));
});

test.each(['قطة', '猫', 'חתול', '😀', 'แมว', 'बिल्ली'])(
  '%s is drawn within its measured width, or is a number',
  async (name) => {
    const { lettering, drawnAs } = await nameLettering([name]);
    if (drawnAs.has(name)) return expect(drawnAs.get(name)).toBe('#1');
    expect(lettering.path?.(name, 40, 0, 0)).toBeUndefined();
    const { width, height, ascent } = lettering.measure(name, 40);
    const [left, all] = [20, width + 60];
    const black = { width: all, height: 2 * height, data: new Uint8Array(6 * all * height) };
    const shapes = [{ kind: 'text', text: name, size: 40, x: left, y: ascent, colour: [255, 255, 255] }] as const;
    const pixels = await rasterise({ ...black, shapes }, lettering)
      .raw()
      .toBuffer();
    const inked = [...pixels.keys()].filter((i) => i % 3 === 0 && pixels[i]! > 100).map((i) => (i / 3) % all);
    expect(inked.length).toBeGreaterThan(50);
    expect(Math.min(...inked)).toBeGreaterThanOrEqual(left - 3);
    expect(Math.max(...inked)).toBeLessThanOrEqual(left + width + 3);
  },
);
