import { expect, test } from 'vitest';
import { Teacher, ViewQueue } from '../../../src/zeroseg/clip/image-encoder.ts';
import { randomClipVision } from '../../../src/zeroseg/clip/random-clip.ts';
import type { ClipConfig } from '../../../src/zeroseg/clip/towers.ts';
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

test('features do not depend on the batches they were computed in', async () => {
  const vision = randomClipVision(device.current, config);
  const random = seeded(1);
  const views = Float32Array.from({ length: 7 * 3 * 8 * 8 }, () => 2 * random() - 1);
  using one = await Teacher.create(device.current, vision, { batch: 1 });
  using three = await Teacher.create(device.current, vision, { batch: 3 });
  const alone = await one.features(views);
  expect(alone).toHaveLength(7 * 6);
  close(await three.features(views), alone, 1e-5, 'features');
  // What is left over of a batch, of two sizes.
  close(await three.features(views.subarray(0, 4 * 192)), alone.subarray(0, 24), 1e-5, 'features of four');
  close(await three.features(views.subarray(0, 5 * 192)), alone.subarray(0, 30), 1e-5, 'features of five');
  expect(alone.subarray(0, 6)).not.toEqual(alone.subarray(6, 12));
  expect(await three.features(new Float32Array(0))).toHaveLength(0);
});

test('views of another size are refused', async () => {
  using teacher = await Teacher.create(device.current, randomClipVision(device.current, config), { batch: 2 });
  await expect(teacher.features(new Float32Array(100))).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: features: views must be [n, 3, 8, 8]; got 100 values]`,
  );
});

test('photos share batches: none but the last is partly filled, and each gets its own features', async () => {
  const vision = randomClipVision(device.current, config);
  const random = seeded(2);
  const photos = [2, 5, 1, 0, 4, 9, 3].map((n) => Float32Array.from({ length: n * 192 }, () => 2 * random() - 1));
  using one = await Teacher.create(device.current, vision, { batch: 1 });
  for (const batch of [1, 3, 4, 30]) {
    using teacher = await Teacher.create(device.current, vision, { batch });
    const sizes: number[] = [];
    const encode = teacher.encode.bind(teacher);
    teacher.encode = (views, count) => {
      sizes.push(count);
      return encode(views, count);
    };
    const queue = new ViewQueue(teacher);
    const queued = photos.map((views) => queue.add(views));
    const last = queued.at(-1);
    expect(last?.isIssued).toBe(24 % batch === 0);
    queue.flush();
    queue.flush();
    expect(queued.every(({ isIssued }) => isIssued)).toBe(true);
    const whole = new Array<number>(Math.floor(24 / batch)).fill(batch);
    expect(sizes).toEqual(24 % batch === 0 ? whole : [...whole, 24 % batch]);
    for (const [i, { features }] of queued.entries()) {
      close(await features, await one.features(photos[i] as Float32Array), 1e-5, `photo ${i} in batches of ${batch}`);
    }
  }
});

test('a batch that fails is told to every photo in it', async () => {
  using teacher = await Teacher.create(device.current, randomClipVision(device.current, config), { batch: 2 });
  const queue = new ViewQueue(teacher);
  teacher.encode = () => {
    throw new Error('lost');
  };
  const queued = [queue.add(new Float32Array(192)), queue.add(new Float32Array(192))];
  for (const { features } of queued) await expect(features).rejects.toThrow('lost');
});
