import { describe, expect, it } from 'vitest';
import { ZeroSegError } from '../../../src/gpu/errors.ts';
import { sinCosPositions } from '../../../src/nn/layers/position.ts';
import { SegmentationScore } from '../../../src/zeroseg/evaluation/iou.ts';
import { gridBoxes } from '../../../src/zeroseg/image/grid-views.ts';
import { resizeBilinear } from '../../../src/zeroseg/image/interpolate.ts';
import { resizeImage } from '../../../src/zeroseg/image/resize.ts';
import { slidingWindows } from '../../../src/zeroseg/image/windows.ts';
import { baseConfig, configs, resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { checkSettings, defaultSettings } from '../../../src/zeroseg/training/settings.ts';

const beyond = [1e9, 2 ** 53, 1e21, 1e300, Number.MAX_VALUE, Number.POSITIVE_INFINITY, Number.NaN, -1];

describe('every number has a bound, told in one sentence before anything is made of it', () => {
  const numbers = Object.entries(baseConfig).filter(([, value]) => typeof value === 'number');
  const lists = Object.entries(baseConfig).filter(([, value]) => Array.isArray(value)) as [string, number[]][];
  it('of a configuration', () => {
    expect(numbers.length + lists.length).toBeGreaterThan(25);
    for (const value of beyond) {
      for (const [key] of numbers) {
        expect(() => resolveConfig({ [key]: value }), `${key} ${value}`).toThrow(/^configuration: [^\n]{1,300}$/);
      }
      for (const [key, list] of lists) {
        expect(() => resolveConfig({ [key]: list.map(() => value) }), `${key} ${value}`).toThrow(ZeroSegError);
      }
    }
    for (const [key] of lists) {
      expect(() => resolveConfig({ [key]: new Array(1e6).fill(1) }), key).toThrow(/^configuration: [^\n]{1,300}$/);
    }
  });

  it('of training', () => {
    for (const value of beyond.filter((one) => one !== 1e9)) {
      for (const [key, usual] of Object.entries(defaultSettings)) {
        if (typeof usual !== 'number') continue;
        const settings = { ...defaultSettings, batch: 8, [key]: value };
        expect(() => checkSettings(settings, 1e12), `${key} ${value}`).toThrow(/^training: [^\n]{1,300}$/);
      }
    }
  });

  it('of functions that take memory for them', () => {
    const image = { width: 1, height: 1, data: new Uint8Array(3) };
    for (const value of beyond) {
      for (const make of [
        () => resizeImage(image, value, value, 'bicubic'),
        () => resizeBilinear(new Float32Array(1), 1, 1, 1, value, value),
        () => slidingWindows(value, value, 1, 1),
        () => gridBoxes(100, [value]),
        () => new SegmentationScore(value),
        () => sinCosPositions(value, value, value, false),
      ]) {
        expect(make, `${make} ${value}`).toThrow(ZeroSegError);
      }
    }
  });

  it('products of sizes too', () => {
    for (const config of [
      { image: 16_384, patch: 1 },
      { dim: 65_536, heads: 1, seg_heads: 1 },
      { dim: 8192, heads: 8, seg_heads: 8, depth: 1024 },
      { patch: 4096, image: 4096, mask_ratio: 0, dim: 65_536, heads: 8, seg_heads: 8 },
      { proj_hidden: 65_536, clip_dim: 65_536 },
      { dec_dim: 65_536, dec_depth: 1024 },
    ]) {
      expect(() => resolveConfig(config), JSON.stringify(config)).toThrow(/are [\d.e+]+; at most \d+ are possible$/);
    }
  });
});

it('the largest models that were ever published are possible', () => {
  for (const config of Object.values(configs)) expect(resolveConfig({ ...config })).toEqual(config);
  // ViT-22B, and a photo of 2048 pixels in patches of 8.
  resolveConfig({ dim: 6144, depth: 48, heads: 48, seg_heads: 48, patch: 14, image: 224 });
  resolveConfig({ image: 2048, patch: 8 });
});
