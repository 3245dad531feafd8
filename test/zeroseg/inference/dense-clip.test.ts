import { describe, expect, test } from 'vitest';
import { DenseTeacher } from '../../../src/zeroseg/baselines/dense-teacher.ts';
import { cellLabels, cosineMaps } from '../../../src/zeroseg/baselines/patch-labels.ts';
import { openClipFiles } from '../../../src/zeroseg/clip-files/open.ts';
import type { Image } from '../../../src/zeroseg/image/image.ts';
import { namesAt } from '../../../src/zeroseg/inference/name-segments.ts';
import { openVocabulary } from '../../../src/zeroseg/open-vocabulary/open-vocabulary.ts';
import { seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { loadFixtureFile } from '../../support/fixture.ts';

const device = useDevice();
const weights = await loadFixtureFile('clip-tiny/clip-tiny');
const config = {
  vision_config: { num_attention_heads: 2, hidden_act: 'quick_gelu' },
  text_config: { num_attention_heads: 2 },
};
const clip = await openClipFiles({ weights, config });
const { image: side } = clip.config.vision;
const words = ['dog', 'grass', 'sky', 'a red car'];
const options = { clip, tokenizer: 'hash', templates: 'simple' } as const;

function noise(width: number, height: number): Image {
  const random = seeded(1);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => 256 * random()) };
}

describe('a CLIP by itself', () => {
  test.each([
    ['plain', 'plain'],
    ['maskclip', 'value'],
  ] as const)('labels are those of the baseline, by %s patches', async (dense, name) => {
    const photo = noise(2 * side, 2 * side);
    using model = await openVocabulary(device.current, { ...options, dense, short: 2 * side, mode: 'whole' });
    const { labels } = await model.segment(photo, words);
    using baseline = await DenseTeacher.create(device.current, await clip.vision(device.current), 2 * side);
    const features = await baseline.features(photo);
    const { embeddings } = await model.vocabulary(words);
    const wanted = cellLabels({
      scores: cosineMaps(features[name], embeddings, clip.config.projection),
      grid: features.grid,
    });
    expect([...labels.data]).toEqual([...wanted]);
    expect(new Set(wanted).size).toBeGreaterThan(1);
  });

  test('crops are named as the images that they are', async () => {
    const photo = noise(3 * side, 2 * side);
    using model = await openVocabulary(device.current, { ...options, dense: 'crops', short: 2 * side, mode: 'whole' });
    const division = await model.divide(photo);
    expect([division.resized, division.windows.map(({ box }) => box)]).toEqual([
      { width: 3, height: 2 },
      [[0, 0, 2, 3]],
    ]);
    // The crop in the second row and the third column, as a photo by itself.
    const crop: Image = { width: side, height: side, data: new Uint8Array(3 * side * side) };
    for (let y = 0; y < side; y++) {
      const from = 3 * ((side + y) * photo.width + 2 * side);
      (crop.data as Uint8Array).set(photo.data.subarray(from, from + 3 * side), 3 * y * side);
    }
    const alone = await model.divide(crop, { short: side });
    const features = division.windows[0]!.segments;
    const width = clip.config.projection;
    alone.windows[0]!.segments.forEach((value, c) => {
      expect(features[5 * width + c]).toBeCloseTo(value, 4);
    });
  });

  test('a photo of any shape: windows cover it, and pixels know their patches', async () => {
    using model = await openVocabulary(device.current, { ...options, dense: 'maskclip' });
    const photo = noise(5 * side + 3, 2 * side + 1);
    const division = await model.divide(photo);
    const { width, height } = division.resized;
    expect(height).toBe(1.5 * side);
    expect(division.windows.length).toBeGreaterThan(1);
    expect(division.windows.at(-1)!.box.slice(2)).toEqual([height, width]);
    const result = await model.name(division, words);
    expect([result.labels.width, result.labels.height]).toEqual([photo.width, photo.height]);
    expect(namesAt(result, 0, 0)).toHaveLength(words.length);
  });

  test('what makes no sense is refused', async () => {
    await expect(openVocabulary(device.current, {})).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: openVocabulary: give a model, or a clip to segment by itself]`,
    );
    await expect(
      openVocabulary(device.current, { ...options, model: weights, dense: 'maskclip' }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: openVocabulary: dense is how a CLIP segments by itself; leave the model out]`,
    );
    using model = await openVocabulary(device.current, { ...options, dense: 'crops' });
    await expect(model.divide(noise(9, 9), { short: side - 1 })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Segmenter.divide: short must be at least 16 pixels, a crop of the model; got 15]`,
    );
  });
});
