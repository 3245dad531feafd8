import { describe, expect, test } from 'vitest';
import { SegmentationScore } from '../../../src/zeroseg/evaluation/iou.ts';
import { classColour, pascalPalette } from '../../../src/zeroseg/image/palette.ts';
import { loadFixture } from '../../support/fixture.ts';

const rules = (await loadFixture('ops/rules')).manifest;

describe('SegmentationScore', () => {
  test('counts as the fixture says', () => {
    for (const { classes, ignore, preds, labels, intersection, iou, union, mean } of rules.iou) {
      const score = new SegmentationScore(classes, ignore);
      preds.forEach((map: number[][], i: number) => {
        score.add(map.flat(), labels[i].flat());
      });
      expect([...score.intersection]).toEqual(intersection);
      expect([...score.union()]).toEqual(union);
      expect(score.iou()).toEqual(iou);
      expect(score.meanIou()).toBeCloseTo(mean, 15);
      expect(score.images).toBe(preds.length);
    }
  });

  test('a class that never occurs is null and left out of the mean', () => {
    const score = new SegmentationScore(4);
    score.add([0, 0, 1, 1], [0, 1, 1, 255]);
    expect(score.iou()).toEqual([0.5, 0.5, null, null]);
    expect(score.meanIou()).toBe(0.5);
  });

  test('a class that is only predicted counts as 0', () => {
    const score = new SegmentationScore(3);
    score.add([0, 2], [0, 0]);
    expect(score.iou()).toEqual([0.5, null, 0]);
    expect(score.meanIou()).toBe(0.25);
    expect(score.meanIou({ background: false })).toBe(0);
  });

  test('nothing counted yet', () => {
    const score = new SegmentationScore(2);
    score.add([0], [255]);
    expect([score.meanIou(), score.pixelAccuracy()]).toEqual([null, null]);
  });

  test('what is predicted where the label is ignored does not matter', () => {
    const score = new SegmentationScore(2);
    score.add([1, 9], [1, 255]);
    expect(score.iou()).toEqual([null, 1]);
  });

  test('parts add up to the whole', () => {
    const parts = [new SegmentationScore(2), new SegmentationScore(2)];
    parts[0]!.add([0, 1], [0, 0]);
    parts[1]!.add([1, 1], [1, 0]);
    parts[0]!.merge(parts[1]!);
    const whole = new SegmentationScore(2);
    whole.add([0, 1, 1, 1], [0, 0, 1, 0]);
    expect(parts[0]!.iou()).toEqual(whole.iou());
    expect(parts[0]!.pixelAccuracy()).toBe(0.5);
  });

  test('refuses maps that do not fit, before it counts', () => {
    const score = new SegmentationScore(2);
    expect(() => score.add([0], [0, 1])).toThrowErrorMatchingInlineSnapshot(
      `[ScoreError: SegmentationScore.add: prediction and labels must have as many pixels; got 1 and 2]`,
    );
    expect(() => score.add([0, 0], [0, 2])).toThrowErrorMatchingInlineSnapshot(
      `[ScoreError: SegmentationScore.add: label 2 at pixel 1 is not one of the 2 classes (ignored: 255)]`,
    );
    expect(() => score.add([0, 7], [0, 1])).toThrowErrorMatchingInlineSnapshot(
      `[ScoreError: SegmentationScore.add: predicted class 7 at pixel 1 is not one of the 2 classes (ignored: 255)]`,
    );
    expect(() => score.merge(new SegmentationScore(3))).toThrowErrorMatchingInlineSnapshot(
      `[ScoreError: SegmentationScore.merge: both must count as many classes; got 2 and 3]`,
    );
    expect(score.labelled.every((n) => n === 0)).toBe(true);
  });
});

test('PASCAL colours', () => {
  expect(pascalPalette(4)).toEqual([
    [0, 0, 0],
    [128, 0, 0],
    [0, 128, 0],
    [128, 128, 0],
  ]);
  expect(classColour(15)).toEqual([192, 128, 128]);
  expect(classColour(20)).toEqual([0, 64, 128]);
  expect(classColour(255)).toEqual([224, 224, 192]);
});
