import { expect, test } from 'vitest';
import { ConfusionMatrix, SegmentationScore } from '../../../src/zeroseg/evaluation/index.ts';
import { seeded } from '../../support/check-op.ts';

test('diagonal, rows and columns are those of the score', () => {
  const random = seeded(3);
  const [score, confusion] = [new SegmentationScore(5), new ConfusionMatrix(5)];
  for (let image = 0; image < 3; image++) {
    const labels = Uint8Array.from({ length: 500 }, () => (random() < 0.1 ? 255 : 5 * random()));
    const prediction = Uint8Array.from(labels, (label) => (random() < 0.5 && label < 5 ? label : 5 * random()));
    score.add(prediction, labels);
    confusion.add(prediction, labels);
  }
  const at = (t: number, p: number) => confusion.counts[5 * t + p]!;
  const all = [0, 1, 2, 3, 4];
  expect(all.map((c) => at(c, c))).toEqual([...score.intersection]);
  expect([...confusion.labelled()]).toEqual([...score.labelled]);
  expect(all.map((p) => all.reduce((sum, t) => sum + at(t, p), 0))).toEqual([...score.predicted]);
  const worst = confusion.worst(100);
  expect(worst.map(({ pixels }) => pixels)).toEqual(worst.map(({ pixels }) => pixels).sort((a, b) => b - a));
  for (const { truth, predicted, pixels, fraction } of worst) {
    expect([pixels, fraction]).toEqual([at(truth, predicted), at(truth, predicted) / score.labelled[truth]!]);
  }
});

test('what does not fit is refused, and nothing of it counted', () => {
  const confusion = new ConfusionMatrix(2);
  expect(() => confusion.add([0, 1], [0])).toThrowErrorMatchingInlineSnapshot(
    `[ScoreError: ConfusionMatrix.add: prediction and labels must have as many pixels; got 2 and 1]`,
  );
  expect(() => confusion.add([0, 2], [0, 1])).toThrowErrorMatchingInlineSnapshot(
    `[ScoreError: ConfusionMatrix.add: label 1 or predicted class 2 at pixel 1 is not one of the 2 classes (ignored: 255)]`,
  );
  expect(() => new ConfusionMatrix(5000)).toThrowErrorMatchingInlineSnapshot(
    `[ScoreError: ConfusionMatrix: the number of classes must be a whole number from 1 to 4096; got 5000]`,
  );
  expect([...confusion.counts]).toEqual([0, 0, 0, 0]);
});
