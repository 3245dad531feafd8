import { describe, expect, test } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../../src/nn/safetensors/index.ts';
import { makeVocabulary } from '../../../src/zeroseg/clip/vocabulary.ts';
import { openClipFiles } from '../../../src/zeroseg/clip-files/open.ts';
import type { Image } from '../../../src/zeroseg/image/image.ts';
import { dataSettings, segClipAndText } from '../../../src/zeroseg/open-vocabulary/model-and-text.ts';
import { openVocabulary } from '../../../src/zeroseg/open-vocabulary/open-vocabulary.ts';
import { hashedTokens } from '../../../src/zeroseg/text/hashed-tokens.ts';
import { seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { loadFixtureFile } from '../../support/fixture.ts';
import { segClipFile, textTower } from '../../support/segclip.ts';

const device = useDevice();
const names = ['dog', 'wet grass', 'sky'];

const random = seeded(1);
const photo: Image = { width: 40, height: 24, data: Uint8Array.from({ length: 40 * 24 * 3 }, () => 256 * random()) };

describe('a SegCLIP with its own words', () => {
  test('texts are those of the same tower in a file of OpenAI, averaged as SegCLIP does', async () => {
    using opened = await openVocabulary(device.current, { model: await segClipFile(), tokenizer: 'hash' });
    const found = await opened.vocabulary(names);
    const clip = await openClipFiles({ weights: writeSafetensors(textTower()) });
    const sentences = ['a photo of a {}.'];
    const tower = await clip.text(device.current);
    const wanted = await makeVocabulary(device.current, tower, hashedTokens(50), names, { templates: sentences });
    expect(found.embeddings.length).toBe(3 * 18);
    expect(Math.max(...found.embeddings.map((value, i) => Math.abs(value - wanted.embeddings[i]!)))).toBeLessThan(1e-6);
    expect(found.scale).toBeCloseTo(12, 4);

    // Raw features are averaged: with several sentences that is not the mean of unit vectors.
    using several = await openVocabulary(device.current, {
      ...{ model: await segClipFile(), tokenizer: 'hash', templates: 'subset' },
    });
    const subset = (await several.vocabulary(names)).embeddings;
    const by = async (meanFirst: boolean) =>
      (await makeVocabulary(device.current, tower, hashedTokens(50), names, { templates: 'subset', meanFirst }))
        .embeddings;
    const distance = (other: Float32Array) => Math.max(...subset.map((value, i) => Math.abs(value - other[i]!)));
    expect(distance(await by(true))).toBeLessThan(1e-6);
    expect(distance(await by(false))).toBeGreaterThan(1e-4);
  });

  test('a photo: windows of the side it was trained at, that do not overlap but where they are pulled back', async () => {
    using opened = await openVocabulary(device.current, { model: await segClipFile(), tokenizer: 'hash' });
    const { labels, windows, resized, names: all } = await opened.segment(photo, names);
    expect(all).toEqual(['background', ...names]);
    expect([labels.width, labels.height]).toEqual([40, 24]);
    expect(resized).toEqual({ width: 27, height: 16 });
    expect(windows.map(({ box }) => box)).toEqual([
      [0, 0, 16, 16],
      [0, 11, 16, 27],
    ]);
    expect(labels.data.every((label) => label >= 1 && label <= 3)).toBe(true);
  });

  test("its authors' thresholds", async () => {
    const bytes = await segClipFile();
    const opened = await segClipAndText({ name: 'segclip', ...readSafetensors(bytes, 'segclip') });
    expect(['voc', 'context', 'coco', 'ade'].map((data) => dataSettings(opened, data)?.threshold)).toEqual([
      0.8,
      0.25,
      0.65,
      undefined,
    ]);
  });

  test('an image tower by itself has no words, and texts of another width are no pair', async () => {
    const model = await loadFixtureFile('segclip-tiny/segclip-tiny');
    await expect(openVocabulary(device.current, { model })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model: has no text tower: there is no tensor 'clip.token_embedding.weight'; words need a file of the whole model]`,
    );
    const wide = textTower().map(([name, tensor]): ReturnType<typeof textTower>[number] =>
      name === 'text_projection'
        ? [name, { dtype: 'F32', shape: [64, 20], data: new Float32Array(64 * 20) }]
        : [name, tensor],
    );
    await expect(
      segClipFile(wide).then((file) => openVocabulary(device.current, { model: file })),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model: its texts have 20 values, and its segments 18; they must be of one space]`,
    );
  });
});
