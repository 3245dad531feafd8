import { describe, expect, it } from 'vitest';
import { cocoMask } from '../../../src/zeroseg/regions/coco-mask.ts';
import { classRle, decodeRle } from '../../../src/zeroseg/regions/run-length.ts';
import masks from '../../fixtures/coco-masks/masks.json' with { type: 'json' };

describe('cocoMask', () => {
  it('fills polygons as pycocotools does, also beyond the edges', () => {
    expect(masks.length).toBeGreaterThan(50);
    for (const { polygons, size, counts, area } of masks) {
      const [height, width] = size as [number, number];
      const found = cocoMask(polygons, height, width);
      const true_ = decodeRle({ size: [height, width], counts }).data;
      expect([...found], JSON.stringify(polygons)).toEqual([...true_]);
      expect(found.reduce((sum, value) => sum + value, 0)).toBe(area);
    }
  });

  it('reads run lengths as numbers and as text', () => {
    const data = Uint8Array.of(0, 1, 1, 0, 1, 0);
    const size = [2, 3] as const;
    // Down the columns: 0 0, 1 1, 1 0.
    expect([...cocoMask({ size, counts: [2, 3, 1] }, 2, 3)]).toEqual([...data]);
    expect([...cocoMask(classRle({ width: 3, height: 2, data }).get(1)!, 2, 3)]).toEqual([...data]);
  });

  it('refuses what is no segmentation of such an image', () => {
    const wrong: unknown[] = [
      [[0, 0, 1, 1]],
      [[0, 0, 1, 1, Number.NaN, 2]],
      { size: [3, 2], counts: [6] },
      { size: [2, 3], counts: [7] },
    ];
    const messages = [...wrong, { size: [2, 3], counts: [5] }, undefined].map((one) => {
      try {
        cocoMask(one as number[][], 2, 3);
        return 'none';
      } catch (error) {
        return String(error);
      }
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "ArgumentError: cocoMask: polygon 1 must be an even number of coordinates x, y, at least three points; got [0,0,1,1]",
        "ArgumentError: cocoMask: polygon 1 must be an even number of coordinates x, y, at least three points; got [0,0,1,1,null,2]",
        "ArgumentError: cocoMask: run lengths must be of 2 x 3 pixels; got size [3,2]",
        "ArgumentError: cocoMask: run 1 of 7 pixels ends outside of 2 x 3",
        "ArgumentError: cocoMask: the runs take 5 of 2 x 3 pixels",
        "ArgumentError: cocoMask: run lengths must be of 2 x 3 pixels; got size nothing",
      ]
    `);
  });
});
