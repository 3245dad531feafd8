import { expect, test } from 'vitest';
import type { ProcessGroup } from '../../../src/nn/distributed/process-group.ts';
import type { Vocabulary } from '../../../src/zeroseg/clip/vocabulary.ts';
import { evaluate } from '../../../src/zeroseg/evaluation/evaluate.ts';
import type { Image, LabelMap } from '../../../src/zeroseg/image/image.ts';
import { assemble } from '../../../src/zeroseg/inference/assemble.ts';
import { pixelScores } from '../../../src/zeroseg/inference/class-scores.ts';
import type { Division, NamingRules } from '../../../src/zeroseg/inference/division.ts';
import type { Segmenter } from '../../../src/zeroseg/inference/segmenter.ts';
import { processGroup } from '../../support/process-group.ts';

const vocabulary: Vocabulary = { names: ['dog', 'sofa'], embeddings: new Float32Array(4), scale: 100 };
const image: Image = { width: 4, height: 1, data: new Uint8Array(12) };
const affinity = Float32Array.of(0.9, 0.1, 0.2, 0.6);

/** Two segments: the left half scores 0.9 for dog, the right half 0.6 for sofa. Counts how often it is asked. */
function twoHalves(): { segmenter: Segmenter; calls: () => number } {
  let calls = 0;
  const segmenter = {
    divide: async () => {
      calls++;
      return {};
    },
    name: async (_: Division, __: Vocabulary, { threshold }: NamingRules) => {
      const resized = { width: 4, height: 1 };
      const windows = [
        {
          box: [0, 0, 1, 4] as [number, number, number, number],
          segmentOf: Uint8Array.of(0, 0, 1, 1),
          affinity,
          scores: pixelScores(affinity, 2, threshold),
        },
      ];
      return { windows, resized, labels: assemble(windows, resized, image, 2, threshold !== undefined) };
    },
  };
  return { segmenter: segmenter as unknown as Segmenter, calls: () => calls };
}

const photo = (id: string, ...data: number[]) => ({
  id,
  load: async (): Promise<{ image: Image; labels: LabelMap }> => ({
    image,
    labels: { width: 4, height: 1, data: Uint8Array.from(data) },
  }),
});

test('a score for each threshold, from one look at each photo', async () => {
  const { segmenter, calls } = twoHalves();
  const photos = [photo('a', 1, 1, 0, 255), photo('b', 1, 1, 2, 2)];
  const scores = await evaluate(segmenter, photos, vocabulary, { thresholds: [0.5, 0.7, 0.75, 0.95] });
  expect(calls()).toBe(2);
  // At 0.5 the right half is sofa, from 0.7 on background; 0.95 is more than any score and counts as 0.9.
  expect(scores.map((score) => score.iou())).toEqual([
    [0, 1, 2 / 3],
    [1 / 3, 1, 0],
    [1 / 3, 1, 0],
    [1 / 3, 1, 0],
  ]);
  expect(scores[0]?.meanIou({ background: false })).toBeCloseTo(5 / 6);
});

test('where pixels are named one by one, thresholds are held against their probabilities', async () => {
  const pixels = { labels: Uint16Array.of(1, 1, 2, 2), scores: Float32Array.of(0.9, 0.6, 0.8, 0.3), leftOut: [] };
  const labels = { width: 4, height: 1, data: Uint8Array.of(1, 1, 2, 2) };
  const segmenter = { divide: async () => ({}), name: async () => ({ labels, windows: [], resized: labels, pixels }) };
  const photos = [photo('a', 1, 1, 2, 0)];
  const scores = await evaluate(segmenter as unknown as Segmenter, photos, vocabulary, { thresholds: [0.1, 0.5, 0.7] });
  expect(scores.map((score) => score.iou())).toEqual([
    [0, 1, 1 / 2],
    [1, 1, 1],
    [1 / 2, 1 / 2, 1],
  ]);
});

test('photos that cannot be used are told and left out', async () => {
  const { segmenter } = twoHalves();
  const broken = { id: 'c', load: () => Promise.reject(new Error('the file is damaged')) };
  const failed: string[] = [];
  const done: number[] = [];
  const [score] = await evaluate(segmenter, [broken, photo('d', 1, 7, 0, 0), photo('e', 1, 1, 2, 2)], vocabulary, {
    thresholds: [0.5],
    failed: (id, reason) => failed.push(`${id}: ${reason}`),
    onProgress: (progress) => done.push(progress.done),
  });
  expect(failed).toMatchInlineSnapshot(`
    [
      "c: the file is damaged",
      "d: its label map has label 7; classes are numbered 0 to 2",
    ]
  `);
  expect(done).toEqual([1, 2, 3]);
  expect(score?.images).toBe(1);
});

test('processes that share the photos count what one counts, in the first, in the same order', async () => {
  const broken = { id: 'c', load: () => Promise.reject(new Error('the file is damaged')) };
  const photos = [
    photo('a', 1, 1, 0, 255),
    photo('b', 1, 1, 2, 2),
    broken,
    photo('d', 1, 7, 0, 0),
    photo('e', 2, 1, 0, 2),
  ];
  const evaluateIn = async (group: ProcessGroup | undefined) => {
    const { segmenter, calls } = twoHalves();
    const told: unknown[] = [];
    const scores = await evaluate(segmenter, photos, vocabulary, {
      ...{ thresholds: [0.5, 0.75], group },
      failed: (id, reason) => told.push([id, reason]),
      onPhoto: ({ id, labels, prediction }) => void told.push([id, labels, prediction]),
      onProgress: ({ done }) => told.push(done),
    });
    return { scores, told, calls: calls() };
  };
  const alone = await evaluateIn(undefined);
  expect(alone.calls).toBe(3);
  for (const size of [2, 3, 7]) {
    const [first, ...others] = await Promise.all(processGroup(size).map(evaluateIn));
    expect(first?.scores).toEqual(alone.scores);
    expect(first?.told).toEqual(alone.told);
    expect(others.flatMap(({ told }) => told)).toEqual([]);
    expect([first, ...others].reduce((sum, one) => sum + (one?.calls ?? 0), 0)).toBe(3);
  }
});

test('processes that share the photos stop together, whichever is asked to', async () => {
  const photos = Array.from({ length: 6 }, (_, i) => photo(String(i), 1, 1, 2, 2));
  const stop = new AbortController();
  const done: number[] = [];
  const stopped = processGroup(2).map((group) => {
    const signal = group.rank === 1 ? stop.signal : undefined;
    const onProgress = (progress: { done: number }) => {
      done.push(progress.done);
      stop.abort('enough');
    };
    return evaluate(twoHalves().segmenter, photos, vocabulary, { thresholds: [0.5], group, signal, onProgress });
  });
  const [first, second] = (await Promise.allSettled(stopped)) as PromiseRejectedResult[];
  expect(first?.reason).toMatchInlineSnapshot(`[StepError: another of the processes was stopped]`);
  expect(second?.reason).toBe('enough');
  expect(done.length).toBeLessThan(6);
});

test('is stopped by its signal', async () => {
  const { segmenter, calls } = twoHalves();
  const photos = Array.from({ length: 5 }, (_, i) => photo(String(i), 1, 1, 2, 2));
  const stop = new AbortController();
  const onProgress = ({ done }: { done: number }) => {
    if (done === 2) stop.abort('enough');
  };
  const stopped = evaluate(segmenter, photos, vocabulary, { thresholds: [0.5], signal: stop.signal, onProgress });
  await expect(stopped).rejects.toBe('enough');
  expect(calls()).toBe(2);
});
