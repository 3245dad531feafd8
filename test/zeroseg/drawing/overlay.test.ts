import { describe, expect, test } from 'vitest';
import { blendLabels, classFractions } from '../../../src/zeroseg/drawing/blend.ts';
import { type RectangleShape, svgOf, type TextShape } from '../../../src/zeroseg/drawing/drawing.ts';
import { segmentCentres } from '../../../src/zeroseg/drawing/label-positions.ts';
import { drawSegmentation } from '../../../src/zeroseg/drawing/overlay.ts';
import type { Image, LabelMap } from '../../../src/zeroseg/image/image.ts';

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
  expect(classFractions([2, 1, 1, 5])).toEqual([
    { label: 1, fraction: 0.5 },
    { label: 2, fraction: 0.25 },
    { label: 5, fraction: 0.25 },
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
    const got = drawSegmentation(photo, labels, { names: ['background', 'dog'] });
    expect(got.width).toBe(400);
    expect(got.height).toBeGreaterThan(320);
    expect(got.data.length).toBe(got.width * got.height * 3);
    // The legend's ground is white.
    expect(pixel(got, 399, 300)).toEqual([255, 255, 255]);
    const texts = got.shapes.filter((shape): shape is TextShape => shape.kind === 'text');
    expect(texts.map(({ text }) => text)).toEqual(['dog', 'dog', '63 %', 'background', '38 %']);
    const [box, stripe] = got.shapes as RectangleShape[];
    expect(box).toMatchObject({ colour: [24, 26, 30], opacity: 0.78, radius: 3 });
    expect(stripe).toMatchObject({ x: box!.x, width: 3, colour: [128, 0, 0], corners: 'left' });
    // Around the middle of the segment, of which it is the name.
    expect(Math.abs(box!.x + box!.width / 2 - 125)).toBeLessThan(2);
    expect(Math.abs(box!.y + box!.height / 2 - 150)).toBeLessThan(2);
    expect(texts[0]!.x).toBeGreaterThan(box!.x + stripe!.width);
    for (const { y } of texts.slice(1)) expect(y).toBeGreaterThan(300);
  });

  test('names that would cover each other move, and a name that is too long is cut', () => {
    const data = new Uint8Array(120_000).map((_, i) => Math.min(2, Math.floor((i % 400) / 20)));
    const names = ['a', 'b', 'a name that is far too long to be written on a picture of four hundred pixels'];
    const { shapes } = drawSegmentation(
      photo,
      { width: 400, height: 300, data },
      { names, background: null, legend: false },
    );
    const boxes = shapes.filter(
      (shape): shape is RectangleShape => shape.kind === 'rectangle' && shape.corners !== 'left',
    );
    expect(boxes).toHaveLength(3);
    for (const [i, a] of boxes.entries()) {
      for (const b of boxes.slice(i + 1)) {
        const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        expect(apart).toBe(true);
      }
    }
    expect(shapes.some((shape) => shape.kind === 'text' && /^a name .*…$/.test(shape.text))).toBe(true);
  });

  test('names and legend can be left out', () => {
    const got = drawSegmentation(photo, labels, { names: ['', 'dog'], labels: false, legend: false });
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
        legend: false,
      },
    );
    expect([small.width, small.height]).toEqual([400, 200]);
  });

  test('more classes than 256, long names, and names in a narrow picture', () => {
    const narrow = { width: 60, height: 400, data: new Uint16Array(24_000).fill(900) };
    const names: string[] = [];
    names[900] = 'a very long name that cannot possibly fit';
    const got = drawSegmentation(flat(60, 400, 30), narrow, { names });
    expect(got.width).toBe(60);
    expect(got.height).toBeGreaterThan(400);
  });
});

describe('svgOf', () => {
  const drawing = {
    ...flat(40, 20, 0),
    shapes: [
      { kind: 'rectangle', x: 1, y: 2, width: 8, height: 6, colour: [255, 0, 16], opacity: 0.5, radius: 2 },
      { kind: 'rectangle', x: 1, y: 2, width: 3, height: 6, colour: [0, 0, 0], radius: 2, corners: 'left' },
      { kind: 'text', x: 4, y: 7, text: 'a<b', size: 10, colour: [255, 255, 255] },
    ] as const,
  };

  test('shapes in their order, over the image or alone', () => {
    expect(svgOf(drawing)).toMatchInlineSnapshot(`
      "<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" viewBox="0 0 40 20">
      <rect x="1" y="2" width="8" height="6" rx="2" fill="#ff0010" fill-opacity="0.5"/>
      <path d="M4 2v6H3a2 2 0 0 1 -2 -2V4a2 2 0 0 1 2 -2z" fill="#000000"/>
      <text x="4" y="7" textLength="17" lengthAdjust="spacingAndGlyphs" font-family="Inter, system-ui, sans-serif" font-weight="600" font-size="10" fill="#ffffff">a&#60;b</text>
      </svg>
      "
    `);
    expect(svgOf(drawing, { href: 'a.png?b&c' }).split('\n')[1]).toBe(
      '<image href="a.png?b&#38;c" width="40" height="20"/>',
    );
  });

  test('outlines of a lettering, and a part of the drawing', () => {
    const lettering = { measure: () => ({ width: 1, height: 1, ascent: 1 }), path: () => 'M1 2z' };
    const svg = svgOf(drawing, { lettering, region: { x: 4, y: 0, width: 5, height: 6 } });
    expect(svg).toContain('viewBox="4 0 5 6"');
    expect(svg).toContain('<path d="M1 2z" fill="#ffffff"/>');
    expect(svg).not.toContain('<text');
  });
});
