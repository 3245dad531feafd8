import { describe, expect, test } from 'vitest';
import { random } from '../../../src/nn/layers/random.ts';
import { majorityLabels } from '../../../src/zeroseg/baselines/ceiling.ts';
import { chanceScores } from '../../../src/zeroseg/baselines/chance.ts';
import { kMeans } from '../../../src/zeroseg/baselines/k-means.ts';
import { cellLabels, cosineMaps, enlargeLabels, nearestNames } from '../../../src/zeroseg/baselines/patch-labels.ts';
import { SegmentationScore } from '../../../src/zeroseg/evaluation/iou.ts';
import { sceneScore } from '../../../src/zeroseg/studies/score-scenes.ts';

describe('k-means', () => {
  /** Blobs of 20 points each, far apart, in random order of blobs. */
  const blobs = () => {
    const draw = random(5);
    const truth = Array.from({ length: 80 }, () => Math.floor(draw() * 4));
    const middle = [
      [0, 0],
      [10, 0],
      [0, 10],
      [10, 10],
    ];
    const rows = Float32Array.from(truth.flatMap((blob) => middle[blob]!.map((value) => value + draw() - 0.5)));
    return { truth, rows };
  };

  test('finds blobs that are apart, whatever the seed', () => {
    const { truth, rows } = blobs();
    for (let seed = 0; seed < 20; seed++) {
      const { cluster, centres } = kMeans(rows, 2, 4, seed);
      const pairs = new Set(truth.map((blob, i) => `${blob} ${cluster[i]}`));
      expect(pairs.size).toBe(4);
      expect(centres).toHaveLength(8);
    }
  });

  test('the same for the same seed', () => {
    const { rows } = blobs();
    expect(kMeans(rows, 2, 6, 3)).toEqual(kMeans(rows, 2, 6, 3));
  });

  test('no more clusters than rows that differ', () => {
    expect(kMeans(Float32Array.of(1, 1, 2, 2, 1), 1, 4, 0).centres.toSorted()).toEqual(Float32Array.of(1, 2));
    expect(kMeans(Float32Array.of(7), 1, 8, 0)).toEqual({ cluster: Uint32Array.of(0), centres: Float32Array.of(7) });
  });

  test('refuses what are no rows', () => {
    expect(() => kMeans(new Float32Array(5), 2, 2, 0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: kMeans: rows must be [n, width] with n from 1, and clusters a whole number from 1; got 5 values of width 2, 2 clusters]`,
    );
  });
});

describe('features and names', () => {
  const text = Float32Array.of(2, 0, 0, 0.5);

  test('cosines do not see lengths', () => {
    expect([...cosineMaps([3, 0, 0, 9, 1, 1], text, 2)].map((value) => Number(value.toFixed(2)))).toEqual([
      1, 0, 0.71, 0, 1, 0.71,
    ]);
    expect(nearestNames([3, 0, 0, 9, 1, 1], text, 2)).toEqual([0, 1, 0]);
  });

  test('a grid of features is enlarged bilinearly, then the largest', () => {
    const grid = { rows: 1, cols: 2, height: 2, width: 6 };
    expect([...cellLabels({ scores: cosineMaps([1, 0, 0, 1], text, 2), grid })]).toEqual([
      1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2,
    ]);
  });
});

describe('the ceiling of a grid', () => {
  test('of whole patches it is exact', () => {
    const data = Uint8Array.from({ length: 64 }, (_, i) => (i % 8 < 4 ? 3 : 1));
    const labels = majorityLabels({ width: 8, height: 8, data }, 4);
    expect([...labels]).toEqual([3, 1, 3, 1]);
    expect([...enlargeLabels(labels, { rows: 2, cols: 2, height: 8, width: 8 })]).toEqual([...data]);
  });

  test('the label of most pixels wins, the smallest on ties', () => {
    const data = Uint8Array.of(5, 5, 7, 9, 5, 2, 9, 7);
    expect([...majorityLabels({ width: 4, height: 2, data }, 2)]).toEqual([5, 7]);
    expect(() => majorityLabels({ width: 4, height: 2, data }, 8)).toThrowErrorMatchingInlineSnapshot(
      `[PixelError: majorityLabels: the map must hold a patch of 8 pixels; got 4 x 2]`,
    );
  });
});

describe('chance', () => {
  test('is what guessing comes to', () => {
    const counts = [0, 60, 30, 10];
    const draw = random(1);
    const guess = () => {
      const at = draw() * 100;
      return at < 60 ? 1 : at < 90 ? 2 : 3;
    };
    const score = new SegmentationScore(4, 0);
    for (let i = 0; i < 3000; i++) {
      const labels = counts.flatMap((count, label) => new Array<number>(count).fill(label));
      score.add(labels.map(guess), labels);
    }
    const { iou, accuracy } = chanceScores(counts);
    expect(iou).toEqual([null, 60 / 140, 30 / 170, 10 / 190]);
    score.iou().forEach((value, label) => {
      if (label > 0) expect(Math.abs(value! - iou[label]!)).toBeLessThan(0.005);
    });
    expect(Math.abs(score.pixelAccuracy()! - accuracy!)).toBeLessThan(0.005);
  });
});

test('objects and ground have means of their own; a perfect map scores 1', () => {
  const labels = [1, 1, 2, 4, 4, 5, 0];
  const perfect = new SegmentationScore(6, 0);
  perfect.add(labels, labels);
  expect(sceneScore(perfect, 3)).toEqual({ objects: 1, ground: 1, accuracy: 1 });
  const half = new SegmentationScore(6, 0);
  half.add([1, 1, 4, 4, 4, 4, 4], labels);
  // Object 2 is missed, object 3 never occurs; ground 4 is 2 of 4 pixels, 5 is missed.
  expect(sceneScore(half, 3)).toEqual({ objects: 1 / 2, ground: 1 / 4, accuracy: 4 / 6 });
});
