import { expect, test } from 'vitest';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { Teacher } from '../../../src/zeroseg/clip/image-encoder.ts';
import { randomClipVision } from '../../../src/zeroseg/clip/random-clip.ts';
import type { ClipConfig } from '../../../src/zeroseg/clip/towers.ts';
import { ViewQueue } from '../../../src/zeroseg/clip/view-queue.ts';
import { studentImage, teacherViews, viewCount } from '../../../src/zeroseg/image/grid-views.ts';
import type { Image } from '../../../src/zeroseg/image/image.ts';
import { clipMean, clipStd } from '../../../src/zeroseg/image/normalize.ts';
import { close, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const config: ClipConfig = {
  vision: { width: 16, heads: 2, layers: 1, patch: 4, image: 8 },
  text: { width: 16, heads: 2, layers: 1, vocab: 50, context: 8 },
  projection: 6,
  activation: 'quick_gelu',
  layer_norm_eps: 1e-5,
};
const device = useDevice();

/** Random pixels, many of them black or white: sums that overshoot at both ends. */
function photo(width: number, height: number, seed = width * height): Image {
  const random = seeded(seed);
  const data = Uint8Array.from({ length: 3 * width * height }, () => Math.max(0, Math.min(255, 500 * random() - 120)));
  return { width, height, data };
}

/** A teacher that gives back what it is shown. */
function mirror(size: number, batch: number): Teacher {
  const length = 3 * size * size;
  return {
    size,
    batch,
    dim: length,
    pixels: { size, mean: clipMean, std: clipStd },
    encode: async (views: Tensor, count: number) => (await read(views)).subarray(0, count * length),
  } as unknown as Teacher;
}

test("views that the GPU cuts are those of the host, to the bit, and so is the student's square beside them", async () => {
  for (const [size, grids, photos] of [
    // Cells smaller and larger than views, of the same size, one pixel wide; upright, lying, square, larger than what shares a step.
    [
      9,
      [1, 2, 3, 4],
      [photo(40, 31), photo(31, 47), photo(9, 9), photo(5, 4), photo(36, 36), photo(150, 130), photo(30, 29)],
    ],
    // More sides than a step keeps the weights of, and the first again.
    [9, [2, 3], [...Array.from({ length: 18 }, (_, i) => photo(7 + i, 9 + i)), photo(7, 9, 1), photo(24, 26, 2)]],
    [16, [3, 1], [photo(16, 20), photo(48, 48), photo(3, 3)]],
    [12, [8 / 3, 2], [photo(40, 31), photo(48, 48), photo(3, 4)]],
  ] as const) {
    // An odd number of pixels, more than most of the photos have.
    const cut = { grids, source: 'native', squareSize: 12, student: 13 } as const;
    using queue = new ViewQueue(device.current, mirror(size, viewCount(grids)), cut);
    for (const image of photos) {
      const { features, student } = await queue.add(image);
      const name = `${image.width} x ${image.height}`;
      expect(await features, name).toEqual(teacherViews(image, { grids, size }));
      expect(await student, name).toEqual(studentImage(image, 13));
    }
  }
});

test("views of the student's square are cut out of it", async () => {
  const [grids, image] = [[1, 2], photo(40, 31)];
  using queue = new ViewQueue(device.current, mirror(9, 5), { grids, source: 'resized', squareSize: 12, student: 12 });
  const { features, student } = await queue.add(image);
  expect(await student).toEqual(studentImage(image, 12));
  expect(await features).toEqual(teacherViews(image, { grids, size: 9, source: 'resized', squareSize: 12 }));
});

test('squares that are too large for a buffer are cut on the host', async () => {
  const [grids, small, large] = [[2, 1], photo(20, 21), photo(140, 150)];
  const cut = { grids, source: 'native', squareSize: 12, student: 8, largest: 4 * 128 ** 2 } as const;
  using queue = new ViewQueue(device.current, mirror(4, 5), cut);
  for (const image of [small, large, small]) {
    const { features, student } = await queue.add(image);
    expect(await features).toEqual(teacherViews(image, { grids, size: 4 }));
    expect(await student).toEqual(studentImage(image, 8));
  }
  expect(String(teacherViews(large, { grids, size: 4 }))).not.toBe(String(teacherViews(small, { grids, size: 4 })));
});

test('photos share batches: none but the last is partly filled, and each gets its own features', async () => {
  const vision = randomClipVision(device.current, config);
  const photos = [0, 1, 2, 3, 4, 5].map((i) => photo(20 + i, 16, i));
  const grids = [1, 2];
  using one = await Teacher.create(device.current, vision, { batch: 1 });
  for (const batch of [1, 4, 40]) {
    using teacher = await Teacher.create(device.current, vision, { batch });
    const sizes: number[] = [];
    const encode = teacher.encode.bind(teacher);
    teacher.encode = (views, count) => {
      sizes.push(count);
      return encode(views, count);
    };
    using queue = new ViewQueue(device.current, teacher, { grids, source: 'native', squareSize: 8, student: 5 });
    const queued = await Promise.all(photos.slice(0, 5).map((image) => queue.add(image)));
    expect(queued.at(-1)?.isIssued).toBe(25 % batch === 0);
    queue.flush();
    queue.flush();
    // One that comes while the rest of a batch is still to be read.
    queued.push(await queue.add(photos[5] as Image));
    queue.flush();
    expect(queued.every(({ isIssued }) => isIssued)).toBe(true);
    const parts = (n: number) => [...new Array<number>(Math.floor(n / batch)).fill(batch), n % batch].filter(Boolean);
    expect(sizes).toEqual([...parts(25), ...parts(5)]);
    for (const [i, { features, student }] of queued.entries()) {
      expect(await student).toEqual(studentImage(photos[i] as Image, 5));
      const views = teacherViews(photos[i] as Image, { grids, ...teacher.pixels });
      close(await features, await one.features(views), 1e-5, `photo ${i} in batches of ${batch}`);
    }
  }
});

test('a batch that fails is told to every photo in it', async () => {
  const teacher = mirror(8, 2);
  teacher.encode = () => {
    throw new Error('lost');
  };
  using queue = new ViewQueue(device.current, teacher, { grids: [1], source: 'native', squareSize: 8 });
  const queued = [await queue.add(photo(9, 8)), await queue.add(photo(8, 9))];
  for (const { features } of queued) await expect(features).rejects.toThrow('lost');
});

test('a photo that is too small for the grids is refused, and harms no other', async () => {
  using queue = new ViewQueue(device.current, mirror(8, 9), { grids: [3], source: 'native', squareSize: 8 });
  await expect(queue.add(photo(5, 2))).rejects.toThrowErrorMatchingInlineSnapshot(
    `[PixelError: teacherViews: a 5 x 2 photo cannot be cut into 3 x 3 views; leave it out]`,
  );
  const { features, student } = await queue.add(photo(5, 3));
  expect(student).toBeUndefined();
  expect(await features).toEqual(teacherViews(photo(5, 3), { grids: [3], size: 8 }));
});
