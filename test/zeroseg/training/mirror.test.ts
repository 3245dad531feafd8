import { expect, it } from 'vitest';
import type { TrainingData } from '../../../src/zeroseg/features/training-data.ts';
import { gridBoxes, viewCount } from '../../../src/zeroseg/image/grid-views.ts';
import { Batches } from '../../../src/zeroseg/training/batches.ts';
import { mirror, mirroredViews } from '../../../src/zeroseg/training/mirror.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';
import { seeded } from '../../support/check-op.ts';

const grids = [2, 1, 3, 4];
const SIDE = 12;

/** A teacher that sees the mean of each plane in each view. */
function teacher(image: Float32Array): Float32Array {
  return Float32Array.from(
    gridBoxes(SIDE, grids).flatMap(([x0, y0, x1, y1]) =>
      [0, 1, 2].map((plane) => {
        let sum = 0;
        for (let y = y0; y < y1; y++)
          for (let x = x0; x < x1; x++) sum += image[(plane * SIDE + y) * SIDE + x] as number;
        return sum / ((x1 - x0) * (y1 - y0));
      }),
    ),
  );
}

const photo = (seed: number) => {
  const random = seeded(seed);
  return Float32Array.from({ length: 3 * SIDE * SIDE }, () => Math.floor(256 * random()));
};

it('a mirrored photo has the features that a teacher without a left and a right sees in its views', () => {
  expect(mirroredViews([1, 2, 3])).toEqual([0, 2, 1, 4, 3, 7, 6, 5, 10, 9, 8, 13, 12, 11]);
  expect(mirroredViews([1.5])).toEqual([2, 1, 0, 5, 4, 3, 8, 7, 6]);
  const before = photo(1);
  const [image, features] = [before.slice(), teacher(before)];
  mirror(image, features, mirroredViews(grids));
  for (let i = 0; i < image.length; i++) expect(image[i]).toBe(before[i - (i % SIDE) + SIDE - 1 - (i % SIDE)]);
  expect(features).toEqual(teacher(image));
  expect(features).not.toEqual(teacher(before));
  mirror(image, features, mirroredViews(grids));
  expect([image, features]).toEqual([before, teacher(before)]);
});

it('mirrors half of the photos, others in every epoch, and always the same', async () => {
  const data: TrainingData = {
    length: 60,
    batch: async (numbers) => {
      const photos = numbers.map(photo);
      return {
        images: Float32Array.from(photos.flatMap((one) => [...one])),
        views: Float32Array.from(photos.flatMap((one) => [...teacher(one)])),
      };
    },
  };
  const settings = { ...defaultSettings, batch: 20, micro: 10, seed: 5 };
  const [plain, mirrored] = [
    new Batches(data, settings, grids),
    new Batches(data, { ...settings, mirror: true }, grids),
  ];
  const all: boolean[] = [];
  for (let step = 1; step <= 6; step++) {
    for (const part of [0, 1]) {
      const [a, b] = [await plain.make(step, part), await mirrored.make(step, part)];
      expect(b.key).toEqual(a.key);
      expect(await new Batches(data, { ...settings, mirror: true }, grids).make(step, part)).toEqual(b);
      const [pixels, features] = [a.image.length / 10, a.views.length / 10];
      expect(features).toBe(3 * viewCount(grids));
      for (let i = 0; i < 10; i++) {
        const [image, views] = [
          a.image.slice(i * pixels, (i + 1) * pixels),
          a.views.slice(i * features, (i + 1) * features),
        ];
        const isPlain = image.every((value, j) => value === b.image[i * pixels + j]);
        if (!isPlain) mirror(image as Float32Array, views as Float32Array, mirroredViews(grids));
        expect(b.image.slice(i * pixels, (i + 1) * pixels)).toEqual(image);
        expect(b.views.slice(i * features, (i + 1) * features)).toEqual(views);
        all.push(!isPlain);
      }
    }
  }
  // 120 draws of 1/2: five standard deviations are 27.
  expect(Math.abs(all.filter(Boolean).length - 60)).toBeLessThan(28);
  expect(all.slice(0, 60)).not.toEqual(all.slice(60));
});
