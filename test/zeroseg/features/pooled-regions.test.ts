import { describe, expect, test } from 'vitest';
import { read, tensor } from '../../../src/index.ts';
import { type ClipConfig, randomClipText, randomClipVision } from '../../../src/zeroseg/clip/index.ts';
import type { ClipSource } from '../../../src/zeroseg/clip-files/index.ts';
import {
  type FillOptions,
  fillCache,
  type PhotoSource,
  type RegionFeatures,
  readCache,
} from '../../../src/zeroseg/features/index.ts';
import { cellWeights, mixedRegions } from '../../../src/zeroseg/features/pooled-regions.ts';
import { teacherViews } from '../../../src/zeroseg/image/index.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/index.ts';
import { hashedTokens } from '../../../src/zeroseg/text/index.ts';
import { close, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const config: ClipConfig = {
  vision: { width: 16, heads: 2, layers: 2, patch: 4, image: 8 },
  text: { width: 16, heads: 2, layers: 1, vocab: 50, context: 8 },
  projection: 6,
  activation: 'quick_gelu',
  layer_norm_eps: 1e-5,
};
const device = useDevice();
const clip: ClipSource = {
  name: 'tiny',
  config,
  scale: 1,
  isRandom: true,
  weightsHash: async () => 'abc',
  vision: async (device) => randomClipVision(device, config),
  text: async (device) => randomClipText(device, config),
  tokens: async () => hashedTokens(50),
};
const image = (seed: number) => {
  const random = seeded(seed);
  return { width: 20, height: 24, data: Uint8Array.from({ length: 20 * 24 * 3 }, () => random() * 256) };
};
const source: PhotoSource = {
  decoder: 'pixels',
  photos: [0, 1, 2].map((i) => ({
    path: `photo-${i}`,
    status: async () => ({ size: 1440, mtime: 1 }),
    bytes: async () => image(i).data,
  })),
  decode: async (data) => ({ ...image(0), data }),
};
const grids = [2, 1, 3];
const fill = async (regions: RegionFeatures, more: Partial<FillOptions> = {}) => {
  const files = memoryFileSystem();
  const options = { files, source, clip, grids, viewSource: 'native' as const, studentSize: 8, regions, ...more };
  await fillCache(device.current, options);
  const cache = await readCache(files);
  const features = await Promise.all([0, 1, 2].map((i) => cache.features(i)));
  await cache.close();
  return { features, key: cache.key, files };
};

describe('cellWeights', () => {
  test('the shares of a cell add up to 1, those of a grid to the patches', () => {
    for (const side of [1, 2, 3, 7]) {
      const weights = cellWeights(side, [1, 2, 3, 4]);
      const row = (view: number) => weights.subarray(view * side * side, (view + 1) * side * side);
      for (let view = 0; view < 30; view++) expect(row(view).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
      // A grid's cells cover every patch alike.
      for (let patch = 0; patch < side * side; patch++) {
        let sum = 0;
        for (let view = 5; view < 14; view++) sum += row(view)[patch] as number;
        expect(sum / 9).toBeCloseTo(1 / side ** 2, 6);
      }
    }
  });

  test('a cut through the middle patch gives each side half of it', () => {
    const weights = cellWeights(3, [2]);
    // Of 1.5 patches along a side: the first whole, the second half.
    const share = (y: number, x: number) => (y * x) / 1.5 ** 2;
    const expected = [share(1, 1), share(1, 0.5), 0, share(0.5, 1), share(0.5, 0.5), 0, 0, 0, 0];
    close(weights.subarray(0, 9), expected, 1e-6, 'shares');
  });
});

test('pooled features are those of the patches, averaged by hand', async () => {
  const { features, key } = await fill('pooled', { denseMode: 'plain', denseSize: 24 });
  expect(key).toMatchObject({ regions: 'pooled', denseMode: 'plain', denseSize: 24 });
  const vision = await clip.vision(device.current);
  const square = teacherViews(image(1), { grids: [1], size: 24 });
  const { patches, image: whole } = vision.denseFeatures(tensor(device.current, square, [1, 3, 24, 24]), 'plain');
  const [p, g] = [(await read(patches)) as Float32Array, (await read(whole)) as Float32Array];
  const length = Math.hypot(...g);
  const cell = (rows: readonly number[], cols: readonly number[]) => {
    const sum = new Array(6).fill(0);
    for (const y of rows) {
      for (const x of cols) {
        const patch = p.subarray((y * 6 + x) * 6, (y * 6 + x + 1) * 6);
        for (let i = 0; i < 6; i++) sum[i] += (patch[i] as number) / Math.hypot(...patch);
      }
    }
    return sum.map((value) => (length * value) / Math.hypot(...sum));
  };
  const [low, high] = [
    [0, 1, 2],
    [3, 4, 5],
  ] as const;
  const thirds = [
    [0, 1],
    [2, 3],
    [4, 5],
  ] as const;
  const expected = [
    ...[low, high].flatMap((rows) => [low, high].flatMap((cols) => cell(rows, cols))),
    ...g,
    ...thirds.flatMap((rows) => thirds.flatMap((cols) => cell(rows, cols))),
  ];
  // Kept as halves.
  close(features[1] as Float32Array, expected, 2e-3, 'features');
});

test('mixed features lie between both, as long as those of crops', async () => {
  const [crops, pooled, mixed] = await Promise.all([fill('crops'), fill('pooled'), fill('mixed', { batch: 7 })]);
  expect(crops.key).not.toHaveProperty('regions');
  expect(pooled.key).toMatchObject({ regions: 'pooled', denseMode: 'maskclip', denseSize: 16 });
  for (const i of [0, 1, 2]) {
    const [c, p, m] = [crops, pooled, mixed].map(({ features }) => features[i] as Float32Array) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    expect(p).not.toEqual(c);
    close(m, mixedRegions(c, p, 6), 5e-3, 'mixed');
    for (let at = 0; at < m.length; at += 6) {
      const cos = (a: Float32Array, b: Float32Array) => {
        const [x, y] = [a.subarray(at, at + 6), b.subarray(at, at + 6)];
        return x.reduce((sum, value, i) => sum + value * (y[i] as number), 0) / Math.hypot(...x) / Math.hypot(...y);
      };
      expect(cos(m, c)).toBeCloseTo(cos(m, p), 1);
      expect(Math.hypot(...m.subarray(at, at + 6))).toBeCloseTo(Math.hypot(...c.subarray(at, at + 6)), 1);
    }
  }
});

test('a cache of other features is not continued, and sizes that are no multiple of the patch are refused', async () => {
  const { files } = await fill('crops');
  const more = { files, source, clip, grids, viewSource: 'native', studentSize: 8 } as const;
  await expect(fillCache(device.current, { ...more, regions: 'pooled' })).rejects.toThrow(
    /regions is undefined in the cache, "pooled" now/,
  );
  await expect(fill('pooled', { denseSize: 10 })).rejects.toThrow(
    /multiple of the teacher's patches of 4 pixels; got 10/,
  );
});
