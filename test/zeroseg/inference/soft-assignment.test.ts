import { describe, expect, it } from 'vitest';
import { freeParameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { argmax } from '../../../src/zeroseg/host/vectors.ts';
import type { Image } from '../../../src/zeroseg/image/image.ts';
import { resizeBilinear } from '../../../src/zeroseg/image/interpolate.ts';
import type { WindowBox } from '../../../src/zeroseg/image/windows.ts';
import { areaFactors } from '../../../src/zeroseg/inference/area-prior.ts';
import { centredWords, classAffinity } from '../../../src/zeroseg/inference/class-scores.ts';
import type { NamingRules } from '../../../src/zeroseg/inference/division.ts';
import type { WindowResult } from '../../../src/zeroseg/inference/mixtures.ts';
import { namePixels } from '../../../src/zeroseg/inference/name-pixels.ts';
import { nameSegments } from '../../../src/zeroseg/inference/name-segments.ts';
import { Segmenter } from '../../../src/zeroseg/inference/segmenter.ts';
import { resolveConfig, tinyConfig } from '../../../src/zeroseg/model/config.ts';
import type { ZeroSegConfig } from '../../../src/zeroseg/model/config-groups.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { close, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const small = { image: 16, patch: 4, dim: 32, depth: 1, dec_depth: 1, group_tokens: [4, 2], output_groups: [4, 2] };
const medoids = { ...small, assign_scale: 16, assign_rounds: 2, assign_start: 'medoids' } as const;
const model = (config: Partial<ZeroSegConfig>) =>
  new ZeroSeg(newWeights(device.current, 3), resolveConfig(config, tinyConfig));

const photo = (width: number, height: number, seed: number): Image => {
  const random = seeded(seed);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => Math.floor(256 * random())) };
};

function mirrored({ width, height, data }: Image): Image {
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at++) {
    const [pixel, channel] = [Math.floor(at / 3), at % 3];
    const x = pixel % width;
    out[3 * (pixel - x + width - 1 - x) + channel] = data[at]!;
  }
  return { width, height, data: out };
}

const words = { names: ['dog', 'grass', 'sky'], scale: 20 };

describe('soft and geometric assignment', () => {
  const random = seeded(5);
  const [rows, cols, segments, width] = [2, 2, 3, 4];
  const shares = () => {
    const of = Float32Array.from({ length: segments * rows * cols }, () => random());
    const sums = Array.from({ length: rows * cols }, (_, at) => of[at]! + of[4 + at]! + of[8 + at]!);
    return of.map((share, at) => share / sums[at % 4]!);
  };
  const values = (count: number) => Float32Array.from({ length: count }, () => random() - 0.5);
  const windows = (
    [
      [0, 0, 8, 8],
      [0, 4, 8, 12],
    ] as WindowBox[]
  ).map((box) => ({
    box,
    segmentOf: new Uint8Array(64),
    segments: values(segments * width),
    global: values(width),
    assignment: { rows, cols, shares: shares() },
  }));
  const vocabulary = { ...words, embeddings: values(3 * width) };
  const division = { width: 24, height: 16, resized: { width: 12, height: 8 }, windows };
  const planes = { width: 12, height: 8, data: values(3 * 96) };

  /** The class of each pixel: means over the windows of what patches score by their shares, logarithms where these are geometric. */
  function expected(named: readonly WindowResult[], assignment: 'soft' | 'geometric', temperature: number): number[] {
    const sums = new Float32Array(3 * 8 * 12);
    const covering = new Uint8Array(8 * 12);
    for (const [w, { affinity }] of named.entries()) {
      const share = (s: number, patch: number) => windows[w]!.assignment.shares[s * 4 + patch]! ** (1 / temperature);
      const mixed = Float32Array.from({ length: 3 * 4 }, (_, at) => {
        const [c, patch] = [Math.floor(at / 4), at % 4];
        let [sum, all] = [0, 0];
        for (let s = 0; s < segments; s++) {
          const score = affinity[s * 3 + c]!;
          sum += share(s, patch) * (assignment === 'soft' ? score : Math.log(Math.max(score, 1e-6)));
          all += share(s, patch);
        }
        return sum / all;
      });
      const large = resizeBilinear(mixed, 3, rows, cols, 8, 8);
      for (let at = 0; at < large.length; at++) {
        const [c, y, x] = [Math.floor(at / 64), Math.floor((at % 64) / 8), (at % 8) + 4 * w];
        sums[c * 96 + y * 12 + x]! += large[at]!;
        if (c === 0) covering[y * 12 + x]!++;
      }
    }
    const means = sums.map((sum, at) => sum / covering[at % 96]!);
    const wanted = resizeBilinear(means, 3, 8, 12, 16, 24);
    return Array.from({ length: 384 }, (_, at) => 1 + argmax([0, 1, 2].map((c) => wanted[c * 384 + at]!)));
  }

  const ways = [
    ['soft', 1],
    ['soft', 0.3],
    ['geometric', 1],
    ['geometric', 0.5],
  ] as const;
  for (const [assignment, assignmentTemperature] of ways) {
    it(`${assignment}, at temperature ${assignmentTemperature}, mixes all segments’ scores by a pixel’s shares, over all windows`, async () => {
      const rules = { assignment, assignmentTemperature, scoring: 'softmax' } as const;
      const { labels, windows: named } = await namePixels(device.current, division, vocabulary, rules);
      expect(nameSegments(division, vocabulary, rules).labels).toEqual(labels);
      const best = expected(named, assignment, assignmentTemperature);
      expect(new Set(best).size).toBeGreaterThan(1);
      expect([...labels.data]).toEqual(best);
      // What is refined, or too large for the host, is mixed on the GPU: here by PAMR without a step.
      const onGpu = await namePixels(device.current, { ...division, planes }, vocabulary, {
        ...rules,
        refine: { steps: 0 },
      });
      expect([...onGpu.labels.data]).toEqual(best);
    });
  }

  it('geometric: a pixel most of which lies in segments below the threshold is background, at any temperature', async () => {
    // Segment 0 is between both words, all others are surely the first.
    const [count, threshold] = [16, 0.6];
    const segments = Float32Array.from({ length: 2 * count }, (_, at) => (at === 1 || at % 2 === 0 ? 1 : 0.2));
    const two = { names: ['dog', 'grass'], embeddings: Float32Array.of(1, 0, 0, 1), scale: 10 };
    for (const assignmentTemperature of [1, 2.5]) {
      for (const [share, isBackground] of [
        [0.9999, true],
        [0.02, false],
      ] as const) {
        const shares = Float32Array.from({ length: count }, (_, s) => (s === 0 ? share : (1 - share) / (count - 1)));
        const window = {
          ...{ box: [0, 0, 1, 1] as WindowBox, segmentOf: new Uint8Array(1), segments, global: Float32Array.of(1, 0) },
          assignment: { rows: 1, cols: 1, shares },
        };
        const pixel = { width: 1, height: 1, resized: { width: 1, height: 1 }, windows: [window] };
        for (const refine of [undefined, { steps: 0 }]) {
          const { labels } = await namePixels(
            device.current,
            { ...pixel, planes: { width: 1, height: 1, data: new Float32Array(3) } },
            two,
            { assignment: 'geometric', assignmentTemperature, scoring: 'softmax', threshold, refine },
          );
          expect([share, labels.data[0]]).toEqual([share, isBackground ? 0 : 1]);
        }
      }
    }
  });

  it('differ in what they find', async () => {
    const found = await Promise.all(
      ways.map(async ([assignment, assignmentTemperature]) => {
        const rules = { assignment, assignmentTemperature, scoring: 'softmax' } as const;
        return (await namePixels(device.current, division, vocabulary, rules)).labels.data.join('');
      }),
    );
    expect(new Set(found).size).toBe(ways.length);
  });

  it('geometric: a name that one segment has none of is not out, and background is where segments below the threshold are', async () => {
    const rules = { assignment: 'geometric', scoring: 'groupvit', top: 1 } as const;
    const { labels } = await namePixels(device.current, division, vocabulary, rules);
    // The classes that windows let through are named, and no others.
    const { windows: named } = await namePixels(device.current, division, vocabulary, { ...rules, threshold: 1e9 });
    const passed = new Set(named.map(({ affinity }) => 1 + argmax(affinity.subarray(0, 3))));
    expect(passed.has(labels.data[0]!)).toBe(true);
    expect(named.some(({ scores }) => scores[0] === 1 || scores[4] === 1 || scores[8] === 1)).toBe(true);
    const scoring = 'softmax';
    const plain = await namePixels(device.current, division, vocabulary, { scoring });
    const bests = plain.windows.flatMap(({ affinity }) =>
      [0, 1, 2].map((s) => Math.max(...affinity.subarray(3 * s, 3 * s + 3))),
    );
    const threshold = bests.toSorted((a, b) => a - b)[4]!;
    const all = await namePixels(device.current, division, vocabulary, { assignment: 'geometric', scoring, threshold });
    const marks = all.windows.flatMap(({ scores }) => [scores[0]!, scores[4]!, scores[8]!]);
    expect(new Set(marks)).toEqual(new Set([0, 1]));
    expect(new Set(all.labels.data).has(0)).toBe(true);
  });

  it('refuses what means nothing', async () => {
    const name = (rules: NamingRules) => namePixels(device.current, division, vocabulary, rules);
    await expect(name({ assignment: 'geometric', scoring: 'cosine' })).rejects.toThrow(
      'Segmenter.name: assignment: geometric is for scores that are probabilities; with scoring: cosine take assignment: hard or soft',
    );
    await expect(name({ assignment: 'geometrical' as 'soft' })).rejects.toThrow(
      `Segmenter.name: assignment must be one of hard, soft, geometric; got "geometrical"`,
    );
    await expect(name({ assignment: 'soft', assignmentTemperature: 0 })).rejects.toThrow(
      'Segmenter.name: assignmentTemperature must be a number from 0.01 to 100; got 0',
    );
    const none = { refine: 'none' as unknown as false };
    const rule =
      'Segmenter.name: refine must be { steps, dilations }, of which either may be left out, or false; got "none"';
    await expect(name(none)).rejects.toThrow(rule);
    expect(() => nameSegments(division, vocabulary, none)).toThrow(rule);
    expect(() => nameSegments(division, vocabulary, { refine: {} })).toThrow(
      'nameSegments: refine takes a GPU; leave it out, or name the photo by Segmenter.name',
    );
    await expect(name({ centre: 1 })).rejects.toThrow(
      'Segmenter.name: centre must be a number from 0 to below 1; got 1',
    );
  });

  it('is refused where there are no segments to share', async () => {
    const windows = [
      {
        box: [0, 0, 1, 1] as WindowBox,
        segmentOf: new Uint8Array(1),
        segments: new Float32Array(4),
        global: new Float32Array(4),
      },
    ];
    const division = { width: 1, height: 1, resized: { width: 1, height: 1 }, windows };
    const vocabulary = { ...words, embeddings: Float32Array.from({ length: 12 }, (_, i) => i + 1) };
    await expect(namePixels(device.current, division, vocabulary, { assignment: 'soft' })).rejects.toThrow(
      'Segmenter.name: assignment: soft is for models that group patches into segments; leave it out for this one',
    );
  });
});

describe('a mirrored photo', () => {
  it('is looked at too, and its shares put back into their place', async () => {
    const net = model(small);
    using segmenter = new Segmenter(device.current, net);
    const image = photo(32, 16, 1);
    const options = { mode: 'whole', short: 16 } as const;
    const both = await segmenter.divide(image, { ...options, flip: true });
    const [other] = (await segmenter.divide(mirrored(image), options)).windows;
    expect(both.windows.map(({ box }) => box)).toEqual([
      [0, 0, 16, 32],
      [0, 0, 16, 32],
    ]);
    const { rows, cols, shares } = both.windows[1]!.assignment!;
    const back = shares.map((_, at) => shares[at - (at % cols) + cols - 1 - (at % cols)]!);
    expect([rows, cols]).toEqual([4, 8]);
    expect([...back]).toEqual([...other!.assignment!.shares]);
    expect([...both.windows[1]!.segments]).toEqual([...other!.segments]);
    // What is larger on the left of the one is so on the right of the other.
    expect([...both.windows[1]!.segmentOf]).toEqual(
      Array.from(other!.segmentOf, (_, at) => other!.segmentOf[at - (at % 32) + 31 - (at % 32)]!),
    );
    freeParameters(net);
  });
});

describe('the number of groups', () => {
  it('is free where they begin at medoids', async () => {
    const net = model(medoids);
    using segmenter = new Segmenter(device.current, net);
    const options = { mode: 'whole', short: 16 } as const;
    const [as, more] = [
      await segmenter.divide(photo(16, 16, 2), options),
      await segmenter.divide(photo(16, 16, 2), { ...options, groups: [7, 5] }),
    ];
    const width = net.config.clip_dim;
    expect([as, more].map(({ windows }) => windows[0]!.segments.length / width)).toEqual([2, 5]);
    expect(more.windows[0]!.assignment!.shares.length).toBe(5 * 16);
    // The configuration's own numbers change nothing.
    const same = await segmenter.divide(photo(16, 16, 2), { ...options, groups: [4, 2] });
    expect([...same.windows[0]!.segments]).toEqual([...as.windows[0]!.segments]);
    await expect(segmenter.divide(photo(16, 16, 2), { ...options, groups: [17, 5] })).rejects.toThrow(
      'segment: a stage can have no more groups than members, here 16; got 17, 5',
    );
    await expect(segmenter.divide(photo(16, 16, 2), { ...options, groups: [4] })).rejects.toThrow(
      'segment: groups must be 2 whole numbers from 1, one for each stage; got 4',
    );
    freeParameters(net);
  });

  it('is fixed where they begin at learnt tokens', async () => {
    const net = model(small);
    using segmenter = new Segmenter(device.current, net);
    await expect(segmenter.divide(photo(16, 16, 2), { mode: 'whole', groups: [8, 8] })).rejects.toThrow(
      'segment: the number of groups is free only where they begin at medoids; this model was trained with assign_start: queries, and has 4, 2',
    );
    freeParameters(net);
  });
});

describe('the area prior', () => {
  const window = {
    box: [0, 0, 2, 2] as WindowBox,
    segmentOf: Uint8Array.of(0, 0, 0, 1),
    affinity: Float32Array.of(0.8, 0.2, 0.4, 0.6),
    assignment: { rows: 1, cols: 2, shares: Float32Array.of(1, 0.5, 0, 0.5) },
  };

  it('weighs names by what they score over the photo', () => {
    // By pixels: (3 · 0.8 + 0.4) / 4 = 0.7 and 0.3; by shares: (1.5 · 0.8 + 0.5 · 0.4) / 2 = 0.7 and 0.3 again.
    for (const assignment of ['hard', 'soft', 'geometric'] as const) {
      const factors = areaFactors([window], 2, { prior: 0.5, assignment });
      close(factors, Float32Array.of(1, 1, Math.sqrt(0.31 / 0.71)), 1e-6, assignment);
    }
  });

  it('is refused where it means nothing', () => {
    expect(() => areaFactors([window], 2, { prior: -1 })).toThrow('prior must be a number from 0 to 100; got -1');
    expect(() => areaFactors([window], 2, { prior: 1, scoring: 'cosine' })).toThrow(
      'Segmenter.name: prior is for scores that are probabilities; with scoring: cosine take prior: 0',
    );
  });
});

describe('centred words', () => {
  it('are unit vectors without a part of their mean', () => {
    const text = Float32Array.of(3, 4, 0, 2);
    // Unit vectors (0.6, 0.8) and (0, 1), whose mean is (0.3, 0.9).
    close(centredWords(text, 2, 0.5), Float32Array.of(0.45, 0.35, -0.15, 0.55), 1e-6, 'centred');
    expect(centredWords(text, 2, 0)).toBe(text);
  });

  it('change no cosine where there is one word', () => {
    const [text, segments] = [Float32Array.of(3, 4), Float32Array.of(1, 0, 0, 1)];
    const of = (words: Float32Array) =>
      classAffinity(segments, Float32Array.of(1, 1), words, { scale: 1, top: 1, scoring: 'cosine' });
    close(of(centredWords(text, 2, 0.9)), of(text), 1e-6, 'cosines');
  });
});
