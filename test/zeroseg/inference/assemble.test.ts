import { expect, test } from 'vitest';
import { argmax } from '../../../src/zeroseg/host/vectors.ts';
import { resizeBilinear } from '../../../src/zeroseg/image/interpolate.ts';
import { slidingWindows } from '../../../src/zeroseg/image/windows.ts';
import { assemble, scoreRows } from '../../../src/zeroseg/inference/assemble.ts';
import { seeded } from '../../support/check-op.ts';

const resized = { width: 40, height: 24 };
const names = 3;
const segments = 4;

/** Overlapping windows, in blocks of four pixels of one segment, with scores of some threshold's kind. */
function windows(seed: number) {
  const random = seeded(seed);
  return slidingWindows(resized.height, resized.width, 16, 8).map((box) => {
    const side = box[2] - box[0];
    const cell = Uint8Array.from({ length: 16 }, () => Math.floor(segments * random()));
    const segmentOf = Uint8Array.from(
      { length: side * side },
      (_, i) => cell[4 * Math.floor(i / side / 4) + Math.floor((i % side) / 4)]!,
    );
    const scores = Float32Array.from({ length: segments * (names + 1) }, (_, i) => (i % (names + 1) ? random() : 0));
    return { box, segmentOf, scores, affinity: scores.filter((_, i) => i % (names + 1) !== 0) };
  });
}

/** Every score at every pixel of the resized image, averaged and enlarged as planes: what `assemble` never makes. */
function planes(found: ReturnType<typeof windows>, output: { width: number; height: number }): Float32Array {
  const all = new Float32Array((names + 1) * resized.width * resized.height);
  const covered = new Uint8Array(resized.width * resized.height);
  for (const { box, segmentOf, scores } of found) {
    const [y1, x1, y2, x2] = box;
    for (let y = y1; y < y2; y++) {
      for (let x = x1; x < x2; x++) {
        const at = y * resized.width + x;
        const segment = segmentOf[(y - y1) * (x2 - x1) + x - x1]!;
        for (let c = 0; c <= names; c++) all[c * covered.length + at]! += scores[segment * (names + 1) + c]!;
        covered[at]!++;
      }
    }
  }
  for (let i = 0; i < all.length; i++) all[i]! /= covered[i % covered.length]!;
  return resizeBilinear(all, names + 1, resized.height, resized.width, output.height, output.width);
}

test.each([
  [40, 24],
  [97, 61],
  [23, 11],
])('labels of %i × %i pixels are the largest of all averaged and resized scores', (width, height) => {
  for (const seed of [1, 2, 3]) {
    const found = windows(seed);
    const scores = planes(found, { width, height });
    const { data } = assemble(found, resized, { width, height }, names, false);
    const rows = [...scoreRows(found, resized, { width, height }, names, [0, 1, 2, 3])].length;
    expect(rows).toBe(height);
    const wrong: number[] = [];
    for (let at = 0; at < width * height; at++) {
      const pixel = Array.from({ length: names }, (_, c) => scores[(c + 1) * width * height + at]!);
      if (data[at] !== 1 + argmax(pixel)) wrong.push(at);
    }
    expect(wrong).toEqual([]);
  }
});
