import { expect, test } from 'vitest';
import { scale } from '../../../src/kernels/elementwise/index.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import type { Tensor } from '../../../src/tensor/graph/index.ts';
import type { Vocabulary } from '../../../src/zeroseg/clip/index.ts';
import { openClipFiles } from '../../../src/zeroseg/clip-files/open.ts';
import type { Image } from '../../../src/zeroseg/image/image.ts';
import { DenseClip } from '../../../src/zeroseg/inference/dense-clip.ts';
import { Segmenter } from '../../../src/zeroseg/inference/segmenter.ts';
import type { SegmentingModel } from '../../../src/zeroseg/inference/segmenting-model.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';
import { loadFixtureFile } from '../../support/fixture.ts';

const device = useDevice();
const random = seeded(3);
const photo: Image = { width: 60, height: 32, data: Uint8Array.from({ length: 60 * 32 * 3 }, () => 256 * random()) };
const vocabulary: Vocabulary = {
  names: ['a', 'b', 'c', 'd'],
  embeddings: Float32Array.from({ length: 4 * 12 }, () => random() - 0.5),
  scale: 10,
};

/** Counts images of a pass. */
function watched(model: SegmentingModel): { model: SegmentingModel; passes: number[] } {
  const passes: number[] = [];
  const segment = (image: Tensor) => {
    passes.push(image.shape[0] as number);
    return model.segment(image);
  };
  const { config, pixels, short, window, stride, patches, cell } = model;
  return { model: { config, pixels, short, window, stride, patches, cell, segment }, passes };
}

async function models(): Promise<Record<string, SegmentingModel>> {
  const config = resolveConfig({
    ...{ image: 16, patch: 4, dim: 16, depth: 1, heads: 2, dec_dim: 16, dec_depth: 1, dec_heads: 2, clip_dim: 12 },
    ...{ seg_depths: [1, 1, 1], group_tokens: [4, 2], output_groups: [4, 2], seg_heads: 2, proj_hidden: 16 },
  });
  const clip = await openClipFiles({
    weights: await loadFixtureFile('clip-tiny/clip-tiny'),
    config: { vision_config: { num_attention_heads: 2 }, text_config: { num_attention_heads: 2 } },
  });
  const vision = await clip.vision(device.current);
  return {
    zeroseg: new ZeroSeg(newWeights(device.current, 1), config),
    sclip: new DenseClip(vision, 'sclip'),
    clearclip: new DenseClip(vision, 'clearclip'),
  };
}

test('windows that go through the GPU together are those that go by themselves', async () => {
  for (const [name, given] of Object.entries(await models())) {
    const { model, passes } = watched(given);
    using segmenter = new Segmenter(device.current, model);
    const progress: number[] = [];
    const options = { short: 32, window: 16, stride: 6 };
    const division = await segmenter.divide(photo, { ...options, onProgress: ({ done }) => void progress.push(done) });
    const count = division.windows.length;
    expect(count, name).toBeGreaterThan(16);
    // As few lengths as possible, none above eight, and nothing twice.
    expect([...new Set(passes)], name).toEqual([Math.ceil(count / Math.ceil(count / 8))]);
    expect(progress).toEqual(Array.from({ length: count }, (_, i) => i + 1));

    const planes = division.planes!;
    const alone = [];
    for (const { box } of division.windows) {
      const [y1, x1, y2, x2] = box;
      const crop = new Float32Array(3 * (y2 - y1) * (x2 - x1));
      let to = 0;
      for (let c = 0; c < 3; c++) {
        for (let y = y1; y < y2; y++) {
          for (let x = x1; x < x2; x++) crop[to++] = planes.data[(c * planes.height + y) * planes.width + x]!;
        }
      }
      const size = { width: x2 - x1, height: y2 - y1 };
      alone.push(await segmenter.dividePlanes(crop, size, size, { ...options, mode: 'whole' }));
    }
    for (const [i, { windows }] of alone.entries()) {
      const [one] = windows;
      const together = division.windows[i]!;
      expect(together.segmentOf, `${name} ${i}`).toEqual(one!.segmentOf);
      for (const key of ['segments', 'global'] as const) {
        const difference = together[key].map((value, at) => Math.abs(value - one![key][at]!));
        expect(together[key].length).toBe(one![key].length);
        expect(Math.max(...difference), `${name} ${i} ${key}`).toBeLessThan(1e-5);
      }
    }
    const { labels } = await segmenter.name(division, vocabulary, {});
    expect(labels.data).toHaveLength(60 * 32);
  }
});

test('a model whose weights are no numbers is told, and names nothing', async () => {
  const { zeroseg } = await models();
  const segment: SegmentingModel['segment'] = (image) => {
    const found = (zeroseg as SegmentingModel).segment(image);
    return { ...found, segments: scale(found.segments, Number.NaN) };
  };
  const { config } = zeroseg as SegmentingModel;
  using segmenter = new Segmenter(device.current, { config, segment });
  await expect(segmenter.divide(photo, { short: 32, window: 16 })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: Segmenter: NaN among the model's segments: its weights are damaged, or too large for their number format]`,
  );
});
