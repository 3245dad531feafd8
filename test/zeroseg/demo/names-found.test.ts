import { expect, test } from 'vitest';
import { namesFound } from '../../../src/zeroseg/demo/names-found.ts';

test('a name is found where its area and the true one agree by half or more', () => {
  // Eight pixels: a large thing of 4, a small one of 2, ground without a name, and one more.
  const truth = [1, 1, 1, 1, 2, 2, 0, 3];
  const labels = [1, 1, 1, 4, 4, 2, 3, 3];
  const { there, extra } = namesFound(labels, truth);
  expect(there).toEqual([
    { label: 1, fraction: 0.5, iou: 0.75, isFound: true },
    { label: 2, fraction: 0.25, iou: 0.5, isFound: true },
    // What is named where the ground has no name does not count.
    { label: 3, fraction: 0.125, iou: 1, isFound: true },
  ]);
  expect(extra).toEqual([{ label: 4, fraction: 0.25 }]);
});

test('a name that no pixel got, or too few, is not found', () => {
  const { there, extra } = namesFound([1, 1, 1, 1], [1, 2, 2, 2]);
  expect(there.map(({ label, iou, isFound }) => [label, iou, isFound])).toEqual([
    [2, 0, false],
    [1, 0.25, false],
  ]);
  expect(extra).toEqual([]);
});

test('a crumb of a name that is not there is not worth a word', () => {
  const truth = new Array<number>(1000).fill(1);
  const labels = truth.map((label, i) => (i < 9 ? 2 : label));
  expect(namesFound(labels, truth).extra).toEqual([]);
  labels[9] = 2;
  expect(namesFound(labels, truth).extra).toEqual([{ label: 2, fraction: 0.01 }]);
});
