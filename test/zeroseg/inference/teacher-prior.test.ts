import { describe, expect, it } from 'vitest';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import type { Teacher } from '../../../src/zeroseg/clip/image-encoder.ts';
import type { Image } from '../../../src/zeroseg/image/image.ts';
import { nameSegments } from '../../../src/zeroseg/inference/name-segments.ts';
import { Segmenter } from '../../../src/zeroseg/inference/segmenter.ts';
import { type TeacherLook, teacherFactors, teacherLook } from '../../../src/zeroseg/inference/teacher-prior.ts';
import { resolveConfig, tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** A photo whose red tells the column and whose green tells the row. */
const ramp = (width: number, height: number): Image => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const at = Math.floor(i / 3);
    return [at % width, Math.floor(at / width), 0][i % 3] as number;
  }),
});

/** A teacher whose features are the mean red and green of a view: where its middle lies. */
const means = {
  pixels: { size: 4, mean: [0, 0, 0], std: [1, 1, 1] },
  features: async (views: Float32Array) =>
    Float32Array.from({ length: views.length / 24 }, (_, i) => {
      const plane = views.subarray(Math.floor(i / 2) * 48 + (i % 2) * 16, Math.floor(i / 2) * 48 + (i % 2) * 16 + 16);
      return (255 * plane.reduce((sum, value) => sum + value, 0)) / 16;
    }),
} as unknown as Teacher;

describe("the teacher's prior", () => {
  it('looks at squares of three sizes all over the photo', async () => {
    const { features, counts } = await teacherLook(means, ramp(128, 128), 1);
    expect(counts).toEqual([36, 25, 1]);
    const middle = (i: number) => [...features.subarray(2 * i, 2 * i + 2)].map(Math.round);
    // 48 pixels wide, 16 apart: the first, the second, the last; 64 wide; the whole.
    expect([0, 1, 35, 36, 60, 61].map(middle)).toEqual([
      [24, 24],
      [40, 24],
      [104, 104],
      [32, 32],
      [96, 96],
      [64, 64],
    ]);
    // The last ends with the photo, whatever is left over.
    const wide = await teacherLook(means, ramp(150, 64), 1);
    expect(wide.counts).toEqual([17 * 6, 16 * 5, 4]);
    expect(Math.round(wide.features.at(-2) as number)).toBe(118);
    expect((await teacherLook(means, ramp(1, 1), 1)).counts).toEqual([1, 1, 1]);
  });

  // Two names at right angles; three crops of the first size see the first, the second and nothing; the others the second only.
  const vocabulary = { names: ['a', 'b'], embeddings: Float32Array.of(2, 0, 0, 3), scale: 100 };
  const look: TeacherLook = {
    features: Float32Array.of(5, 0, 0, 1, 1, 1, 0, 2, 0, 4),
    counts: [3, 1, 1],
    scale: Math.log(3),
  };

  it('is the product over sizes of the best that any crop gives to a name', () => {
    // A crop that sees one name gives it 3/4 and the other 1/4.
    const of = (first: number, second: number, whole: number) =>
      (first + 0.01) * (second + 0.01) ** 0.2 * (whole + 0.01) ** 0.1;
    const [background, a, b] = teacherFactors(look, vocabulary);
    expect([background, b]).toEqual([1, 1]);
    expect(a).toBeCloseTo(of(0.75, 0.25, 0.25) / of(0.75, 0.75, 0.75), 6);
  });

  it('multiplies the scores of names, and is refused where nobody looked', async () => {
    const config = resolveConfig({ image: 16, patch: 4, dim: 32, depth: 1, dec_depth: 1, clip_dim: 2 }, tinyConfig);
    const model = new ZeroSeg(newWeights(device.current, 3), config);
    using segmenter = new Segmenter(device.current, model, async () => look);
    const options = { short: 16, scoring: 'softmax', teacherPrior: true } as const;
    const division = await segmenter.divide(ramp(16, 16), options);
    const plain = nameSegments(division, vocabulary, { scoring: 'softmax' });
    const found = nameSegments(division, vocabulary, options);
    const factors = teacherFactors(look, vocabulary);
    for (const [w, { scores }] of found.windows.entries()) {
      scores.forEach((score, i) => {
        expect(score).toBeCloseTo(plain.windows[w]!.scores[i]! * factors[i % 3]!, 6);
      });
    }
    const { look: _, ...without } = division;
    expect(() => nameSegments(without, vocabulary, options)).toThrow(
      'Segmenter.name: teacherPrior needs what the teacher sees; divide the photo with teacherPrior: true',
    );
    using alone = new Segmenter(device.current, model);
    await expect(alone.divide(ramp(16, 16), options)).rejects.toThrow(
      'Segmenter.divide: teacherPrior is for a ZeroSeg with its teacher; leave it out',
    );
  });
});
