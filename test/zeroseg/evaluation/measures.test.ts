/** What is said of a data set, against numpy's numbers and a count pixel by pixel. */
import { describe, expect, it } from 'vitest';
import { random } from '../../../src/nn/layers/random.ts';
import { BoundaryScore } from '../../../src/zeroseg/evaluation/boundary.ts';
import { ConfusionMatrix } from '../../../src/zeroseg/evaluation/confusion.ts';
import { EvaluationMeasures } from '../../../src/zeroseg/evaluation/measures.ts';
import made from '../../fixtures/evaluation/measures.json' with { type: 'json' };

const photos = made.photos.map(({ width, height, prediction, labels }) => ({
  prediction: { width, height, data: Uint8Array.from(prediction) },
  labels: { width, height, data: Uint8Array.from(labels) },
}));

const counted = (ignore?: number): EvaluationMeasures => {
  const measures = new EvaluationMeasures(made.classes, ignore);
  for (const { prediction, labels } of photos) measures.add(prediction, labels);
  return measures;
};

/** IoU of a class over some photos, pixel by pixel; null where it is in none. */
function iouOf(c: number, chosen: readonly number[]): number | null {
  let [both, either] = [0, 0];
  for (const i of chosen) {
    const { prediction, labels } = photos[i]!;
    for (let p = 0; p < labels.data.length; p++) {
      if (labels.data[p] === 255) continue;
      const [isFound, isTrue] = [prediction.data[p] === c, labels.data[p] === c];
      if (isFound && isTrue) both++;
      if (isFound || isTrue) either++;
    }
  }
  return either === 0 ? null : both / either;
}

function meanIouOf(chosen: readonly number[]): number {
  const ious = Array.from({ length: made.classes }, (_, c) => iouOf(c, chosen)).filter((iou) => iou !== null);
  return ious.reduce((sum, iou) => sum + iou, 0) / ious.length;
}

describe('measures of a data set', () => {
  it("are numpy's", () => {
    const { score, boundary } = counted();
    expect(score.images).toBe(photos.length);
    score.iou().forEach((iou, c) => {
      expect(iou).toBeCloseTo(made.iou[c]!, 12);
    });
    expect(score.meanIou()).toBeCloseTo(made.mean_iou, 12);
    expect(score.meanIou({ background: false })).toBeCloseTo(made.mean_iou_without_background, 12);
    expect(score.frequencyWeightedIou()).toBeCloseTo(made.frequency_weighted_iou, 12);
    expect(score.pixelAccuracy()).toBeCloseTo(made.pixel_accuracy, 12);
    boundary.scores().forEach((f, c) => {
      expect(f).toBeCloseTo(made.boundary_f[c]!, 12);
    });
    expect(boundary.mean()).toBeCloseTo(made.mean_boundary_f, 12);
    const confusion = new ConfusionMatrix(made.classes);
    for (const { prediction, labels } of photos) confusion.add(prediction.data, labels.data);
    expect([...confusion.counts]).toEqual(made.confusion.flat());
  });

  it('are those of a count pixel by pixel', () => {
    const all = photos.map((_, i) => i);
    expect(counted().score.meanIou()).toBeCloseTo(meanIouOf(all), 12);
    const { score } = counted();
    let [weighted, total, right] = [0, 0, 0];
    for (const { prediction, labels } of photos) {
      for (let p = 0; p < labels.data.length; p++) {
        const label = labels.data[p]!;
        if (label === 255) continue;
        total++;
        weighted += iouOf(label, all)!;
        if (prediction.data[p] === label) right++;
      }
    }
    expect(score.frequencyWeightedIou()).toBeCloseTo(weighted / total, 12);
    expect(score.pixelAccuracy()).toBeCloseTo(right / total, 12);
  });

  it('intervals are percentiles of the same photos drawn anew, and the same for a seed', () => {
    const measures = counted();
    const drawn = random(3, 'bootstrap');
    const means = Array.from({ length: 40 }, () =>
      meanIouOf(photos.map(() => Math.floor(drawn() * photos.length))),
    ).sort((a, b) => a - b);
    const { meanIou } = measures.intervals({ resamples: 40, seed: 3 });
    // 2.5 % of 39 steps: between the first and the second.
    expect(meanIou!.low).toBeCloseTo(means[0]! + 0.975 * (means[1]! - means[0]!), 12);
    expect(meanIou!.high).toBeCloseTo(means[38]! + 0.025 * (means[39]! - means[38]!), 12);
    expect(measures.intervals({ seed: 3 })).toEqual(measures.intervals({ seed: 3 }));
    expect(measures.intervals({ seed: 3 })).not.toEqual(measures.intervals({ seed: 4 }));
    const wide = measures.intervals().meanIou!;
    expect(wide.low).toBeLessThanOrEqual(measures.score.meanIou()!);
    expect(wide.high).toBeGreaterThanOrEqual(measures.score.meanIou()!);
  });

  it('one photo has no interval; nothing counted is null', () => {
    const one = new EvaluationMeasures(made.classes);
    one.add(photos[0]!.prediction, photos[0]!.labels);
    expect(one.intervals().meanIou).toBeNull();
    const none = new EvaluationMeasures(2);
    const nothing = { width: 1, height: 1, data: Uint8Array.of(255) };
    none.add({ width: 1, height: 1, data: Uint8Array.of(0) }, nothing);
    expect([none.score.frequencyWeightedIou(), none.boundary.mean()]).toEqual([null, null]);
    expect(() => none.intervals({ resamples: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: EvaluationMeasures.intervals: resamples must be from 1 to a million; got 0]`,
    );
  });
});

describe('BoundaryScore', () => {
  const map = (...rows: string[]) => ({
    width: rows[0]!.length,
    height: rows.length,
    data: Uint8Array.from(rows.join(''), (letter) => (letter === '.' ? 255 : Number(letter))),
  });

  it('outlines that are the same are 1; one that is a pixel away is 0, or 1 with a tolerance', () => {
    const [left, right] = [map('00011111', '00011111'), map('00001111', '00001111')];
    const of = (tolerance: number, prediction = right): number | null => {
      const score = new BoundaryScore(2, { tolerance });
      score.add(prediction, left);
      return score.mean();
    };
    expect(of(0, left)).toBe(1);
    expect(of(0)).toBe(0);
    expect(of(0.1)).toBe(0);
    // The diagonal is 8.2; a tenth of it is less than a pixel: so of a larger picture.
    const [wide, moved] = [map('0'.repeat(9) + '1'.repeat(9)), map('0'.repeat(10) + '1'.repeat(8))];
    const score = new BoundaryScore(2, { tolerance: 0.1 });
    score.add(moved, wide);
    expect(score.scores()).toEqual([1, 1]);
  });

  it('labels grow into a border that does not count; what is far from them stays out', () => {
    const score = new BoundaryScore(2, { tolerance: 0 });
    // Without growing nothing of the truth is a boundary. A tolerance of 0 does not grow.
    score.add(map('00.111'), map('00.111'));
    expect(score.mean()).toBeNull();
    const grown = new BoundaryScore(2, { tolerance: 0.01 });
    grown.add(map('000111'), map('00.111'));
    expect(grown.scores()).toEqual([1, 1]);
  });

  it('refuses maps that do not fit', () => {
    const score = new BoundaryScore(2);
    const messages = [
      () => score.add(map('01'), map('010')),
      () => score.add(map('01', '01'), map('0101')),
      () => score.add(map('02'), map('01')),
      () => new BoundaryScore(2, { tolerance: 1 }),
    ].map((call) => {
      try {
        call();
        return 'none';
      } catch (error) {
        return String(error);
      }
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "ScoreError: BoundaryScore.add: prediction and labels must have as many pixels; got 2 and 3",
        "ScoreError: BoundaryScore.add: widths must be equal; got 2 and 4",
        "ScoreError: BoundaryScore.add: class 2 is none of the 2",
        "ArgumentError: BoundaryScore: tolerance must be from 0 to 0.1 of the diagonal; got 1",
      ]
    `);
    expect(score.mean()).toBeNull();
  });
});
