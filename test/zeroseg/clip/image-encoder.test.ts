import { expect, test } from 'vitest';
import { Teacher } from '../../../src/zeroseg/clip/image-encoder.ts';
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
