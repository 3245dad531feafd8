import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ClassRegion, classRegions, classRle, decodeRle, softMask } from '../../../src/zeroseg/regions/index.ts';

const map = (...rows: string[]) => ({
  width: rows[0]!.length,
  height: rows.length,
  data: Uint8Array.from(rows.join(''), Number),
});

const anyMap = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }))
  .chain(([width, height, labels]) =>
    fc
      .array(fc.integer({ min: 0, max: labels - 1 }), { minLength: width * height, maxLength: width * height })
      .map((values) => ({ width, height, data: Uint8Array.from(values) })),
  );

/** Even-odd filling by the crossings of the vertical edges to the left of a pixel's centre. */
function filled(regions: readonly ClassRegion[], width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height).fill(99);
  for (const { label, parts } of regions) {
    for (const { polygon } of parts) {
      const inside = new Uint8Array(width * height);
      for (const ring of [polygon.outer, ...polygon.holes]) {
        for (let i = 0; i < ring.length; i += 2) {
          const [x1, y1] = [ring[i]!, ring[i + 1]!];
          const [x2, y2] = [ring[(i + 2) % ring.length]!, ring[(i + 3) % ring.length]!];
          if (x1 !== x2) continue;
          for (let y = Math.min(y1, y2); y < Math.max(y1, y2); y++) {
            for (let x = x1; x < width; x++) inside[y * width + x]! ^= 1;
          }
        }
      }
      inside.forEach((is, at) => {
        if (is) out[at] = out[at] === 99 ? label : 98;
      });
    }
  }
  return out;
}

const ringArea = (ring: readonly number[]): number => {
  let sum = 0;
  for (let i = 0; i < ring.length; i += 2) {
    sum += ring[i]! * ring[(i + 3) % ring.length]! - ring[(i + 2) % ring.length]! * ring[i + 1]!;
  }
  return sum / 2;
};

test('a ring, its hole, and what lies in it', () => {
  const regions = classRegions(map('11110', '10010', '10310', '11110'));
  expect(
    regions.map(({ label, pixels, box, parts }) => ({
      label,
      pixels,
      box,
      polygons: parts.map(({ polygon }) => polygon),
    })),
  ).toMatchInlineSnapshot(`
    [
      {
        "box": {
          "height": 4,
          "width": 4,
          "x": 0,
          "y": 0,
        },
        "label": 1,
        "pixels": 12,
        "polygons": [
          {
            "holes": [
              [
                3,
                3,
                3,
                1,
                1,
                1,
                1,
                3,
              ],
            ],
            "outer": [
              4,
              0,
              4,
              4,
              0,
              4,
              0,
              0,
            ],
          },
        ],
      },
      {
        "box": {
          "height": 4,
          "width": 4,
          "x": 1,
          "y": 0,
        },
        "label": 0,
        "pixels": 7,
        "polygons": [
          {
            "holes": [],
            "outer": [
              5,
              0,
              5,
              4,
              4,
              4,
              4,
              0,
            ],
          },
          {
            "holes": [],
            "outer": [
              3,
              1,
              3,
              2,
              2,
              2,
              2,
              3,
              1,
              3,
              1,
              1,
            ],
          },
        ],
      },
      {
        "box": {
          "height": 1,
          "width": 1,
          "x": 2,
          "y": 2,
        },
        "label": 3,
        "pixels": 1,
        "polygons": [
          {
            "holes": [],
            "outer": [
              3,
              2,
              3,
              3,
              2,
              3,
              2,
              2,
            ],
          },
        ],
      },
    ]
  `);
});

test('pixels that touch at a corner are two parts; the part around both has one hole that touches itself', () => {
  const [around, inner] = classRegions(map('0000', '0100', '0010', '0000'));
  expect(inner?.parts.map(({ polygon }) => polygon.outer)).toEqual([
    [2, 1, 2, 2, 1, 2, 1, 1],
    [3, 2, 3, 3, 2, 3, 2, 2],
  ]);
  expect(around?.parts).toHaveLength(1);
  expect(around?.parts[0]?.polygon.holes.map(ringArea)).toEqual([-2]);
});

test('filled, polygons are the label map; areas, boxes and run lengths are those of its pixels', () => {
  fc.assert(
    fc.property(anyMap, (labels) => {
      const { width, height, data } = labels;
      const regions = classRegions(labels);
      expect(filled(regions, width, height)).toEqual(data);
      for (const { label, pixels, fraction, box, rle, parts } of regions) {
        const own = [...data.keys()].filter((at) => data[at] === label);
        const [xs, ys] = [own.map((at) => at % width), own.map((at) => Math.floor(at / width))];
        expect(pixels).toBe(own.length);
        expect(fraction).toBe(own.length / data.length);
        expect([box.x, box.y]).toEqual([Math.min(...xs), Math.min(...ys)]);
        expect([box.x + box.width, box.y + box.height]).toEqual([Math.max(...xs) + 1, Math.max(...ys) + 1]);
        expect([...decodeRle(rle).data]).toEqual(Array.from(data, (one) => (one === label ? 1 : 0)));
        for (const { pixels: area, polygon } of parts) {
          const areas = [polygon.outer, ...polygon.holes].map(ringArea);
          expect(areas[0]).toBeGreaterThan(0);
          expect(areas.slice(1).every((one) => one < 0)).toBe(true);
          expect(areas.reduce((sum, one) => sum + one)).toBe(area);
        }
        expect(parts.map((one) => one.pixels)).toEqual(parts.map((one) => one.pixels).sort((a, b) => b - a));
      }
    }),
    { numRuns: 100 },
  );
});

test('run lengths are those of pycocotools', () => {
  // By pycocotools.mask.encode(np.asfortranarray(mask)).
  expect(classRle(map('011', '010'))).toEqual(
    new Map([
      [0, { size: [2, 3], counts: '023O' }],
      [1, { size: [2, 3], counts: '231' }],
    ]),
  );
  expect(classRle(map('11', '11')).get(1)).toEqual({ size: [2, 2], counts: '04' });
  const band = { width: 100, height: 100, data: new Uint8Array(10_000) };
  band.data.fill(1, 5020, 5080);
  expect(classRle(band).get(1)?.counts).toBe(`RP21S3${'0'.repeat(117)}nl1`);
});

test('run lengths of sixteen bits of labels', () => {
  const labels = { width: 2, height: 1, data: Uint16Array.of(300, 65_535) };
  expect([...classRle(labels).keys()]).toEqual([300, 65_535]);
});

test('what is no run length text is refused', () => {
  expect(() => decodeRle({ size: [2, 2], counts: '05' })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: decodeRle: run 2 ends outside; counts are pycocotools' text for 2 x 2 pixels]`,
  );
  expect(() => decodeRle({ size: [2, 2], counts: '03' })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: decodeRle: the runs take 3 pixels; counts are pycocotools' text for 2 x 2 pixels]`,
  );
  expect(() => decodeRle({ size: [2, 2], counts: ' ' })).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: decodeRle: letter 1 is none of the text; counts are pycocotools' text for 2 x 2 pixels]`,
  );
});

test('scores are means over pixels', () => {
  const labels = map('110', '001');
  const scores = [
    [0.5, 0.25, 1],
    [0, 0.5, 1],
  ];
  const [zero, one] = classRegions(labels, { scores });
  expect([zero?.score, one?.score]).toEqual([0.5, 1.75 / 3]);
  expect(one?.parts.map(({ score }) => score)).toEqual([0.375, 1]);
  expect(classRegions(labels)[0]?.score).toBeUndefined();
});

test('a soft mask is full inside, half on the border, and knows no border at the edge of the image', () => {
  const labels = { width: 24, height: 3, data: Uint8Array.from({ length: 72 }, (_, i) => (i % 24 < 12 ? 1 : 0)) };
  const row = softMask(labels, 1, 4).subarray(24, 48);
  expect([...row]).toEqual([
    255,
    255,
    255,
    255,
    255,
    255,
    255,
    255,
    245,
    224,
    194,
    153,
    102,
    61,
    31,
    10,
    ...Array(8).fill(0),
  ]);
  expect(row[11]! + row[12]!).toBe(255);
});

test('labels that are not those of their size are refused', () => {
  const wrong = { width: 3, height: 2, data: new Uint8Array(5) };
  expect(() => classRegions(wrong)).toThrowErrorMatchingInlineSnapshot(
    `[PixelError: classRegions: 3 x 2 labels are 6 values; got 5]`,
  );
  expect(() => softMask(wrong, 1)).toThrowErrorMatchingInlineSnapshot(
    `[PixelError: softMask: 3 x 2 labels are 6 values; got 5]`,
  );
});
