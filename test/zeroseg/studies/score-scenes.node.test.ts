import { expect, test } from 'vitest';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { randomClips, randomClipVision } from '../../../src/zeroseg/clip/random-clip.ts';
import { Segmenter } from '../../../src/zeroseg/inference/segmenter.ts';
import { tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { SceneMaker } from '../../../src/zeroseg/scenes/scene.ts';
import { scenePresets } from '../../../src/zeroseg/scenes/scene-options.ts';
import { type ScoreScenesOptions, scoreScenes } from '../../../src/zeroseg/studies/score-scenes.ts';
import {
  groupUse,
  nearestGrids,
  SceneStudent,
  type StudentOutput,
  studentLabels,
} from '../../../src/zeroseg/studies/student-output.ts';
import { packagedAtlas } from '../../support/atlas.ts';
import { useDevice } from '../../support/device.ts';
import { processGroup } from '../../support/process-group.ts';

const device = useDevice();

test('groups in use and their entropy', () => {
  // Three patches, two groups, two segments: the first two patches in group 0, the last in group 1; both in segment 1.
  const first = Float32Array.of(1, 0.75, 0, 0, 0.25, 1);
  const second = Float32Array.of(0, 0.5, 1, 0.5);
  const rollout = Float32Array.of(0, 0.125, 0.5, 1, 0.875, 0.5);
  const use = groupUse({ rollout, softMaps: [first, second], groups: 2 });
  // Equal shares: the first segment.
  expect([...use.segmentOf]).toEqual([1, 1, 0]);
  expect(use.used).toBe(2);
  const entropy = (p: number) => -p * Math.log(p) - (1 - p) * Math.log(1 - p);
  expect(use.entropy).toBeCloseTo((entropy(0.125) + Math.log(2)) / 3, 6);
  expect(use.stages[0]).toBeCloseTo(entropy(0.25) / 3, 6);
  expect(use.stages[1]).toBeCloseTo(Math.log(2) / 2, 6);
});

test('the grid of the nearest view, of segments in use', () => {
  const views = Float32Array.of(0, 10, 20, 30, 40);
  expect(nearestGrids(Float32Array.of(1, 19, 41, 0), views, 1, [1, 2], [0, 1, 1, 2])).toEqual([1 / 3, 2 / 3]);
  expect(nearestGrids(new Float32Array(1), views, 1, [1, 2], [])).toEqual([0, 0]);
});

test('a student whose segments are the things of the picture scores all of it', () => {
  const grid = { rows: 1, cols: 2, height: 2, width: 4 };
  const view: StudentOutput = {
    segments: Float32Array.of(0, 3, 5, 0),
    global: Float32Array.of(1, 1),
    rollout: Float32Array.of(0.9, 0, 0.1, 1),
    softMaps: [Float32Array.of(1, 0, 0, 1), Float32Array.of(1, 0, 0, 1)],
    groups: 2,
    patches: new Float32Array(2),
    grid,
  };
  const vocabulary = { names: ['dog', 'grass'], embeddings: Float32Array.of(1, 0, 0, 1), scale: 100 };
  for (const scoring of ['groupvit', 'softmax', 'cosine'] as const) {
    expect([...studentLabels(view, vocabulary, { scoring, top: 5 })]).toEqual([2, 2, 1, 1, 2, 2, 1, 1]);
  }
});

test('students and baselines on scenes', async () => {
  const clip = randomClips['random-tiny']!;
  const width = clip.projection;
  const atlas = await packagedAtlas();
  const scenes = new SceneMaker(atlas, { ...scenePresets.crowded, size: 128, classes: 4, named: 1 });
  const config = { ...tinyConfig, dim: 16, depth: 1, seg_depths: [1, 1, 1], clip_dim: width };
  const model = new ZeroSeg(newWeights(device.current, 1), config);
  const embeddings = Float32Array.from({ length: scenes.names.length * width }, (_, i) => Math.sin(i * i));
  const vocabulary = { names: scenes.names, embeddings, scale: 100 };
  const options = { scenes, seed: 3, count: 3, vocabulary, teacher: randomClipVision(device.current, clip) };
  const told: number[] = [];
  const result = await scoreScenes(device.current, {
    ...options,
    students: { fresh: model },
    onProgress: ({ done }) => told.push(done),
  });
  expect(told).toEqual([1, 2, 3]);
  expect(Object.keys(result.baselines)).toEqual(['crops', 'plain', 'value', 'kmeans', 'ceiling', 'chance']);
  const { objects, ground, accuracy } = result.baselines['ceiling']!;
  expect(objects).toBeGreaterThan(0.6);
  expect(ground).toBeGreaterThan(0.8);
  expect(accuracy).toBeGreaterThan(0.9);
  const { fresh } = result.students;
  expect(fresh?.groupsUsed).toBeGreaterThanOrEqual(1);
  expect(fresh?.entropy.rollout).toBeLessThanOrEqual(Math.log(8));
  expect(Object.values(fresh?.nearestGrids ?? {}).reduce((a, b) => a + b)).toBeCloseTo(1);
  // The same again.
  expect(await scoreScenes(device.current, { ...options, students: { fresh: model } })).toEqual(result);

  // Out of time after the first: a score of what is done. Stopped: none.
  const limited = { ...options, students: { fresh: model }, limit: { seconds: 0, min: 1 } };
  expect((await scoreScenes(device.current, limited)).scenes).toBe(1);
  const stop = new AbortController();
  const stopped = scoreScenes(device.current, {
    ...options,
    students: { fresh: model },
    signal: stop.signal,
    onProgress: () => stop.abort('enough'),
  });
  await expect(stopped).rejects.toBe('enough');

  // Processes that share the scenes: the first counts what one does, in the same order.
  const shared = (more: Partial<ScoreScenesOptions>) =>
    processGroup(2).map((group) =>
      scoreScenes(device.current, { ...options, students: { fresh: model }, group, ...more }),
    );
  const counted: number[] = [];
  const [first, second] = await Promise.all(shared({ onProgress: ({ done }) => counted.push(done) }));
  expect(first).toEqual(result);
  expect(counted).toEqual([1, 2, 3]);
  expect([second?.scenes, second?.baselines['ceiling']?.objects]).toEqual([0, null]);
  const both = await Promise.all(shared({ limit: { seconds: 0, min: 1 } }));
  expect(both.map((one) => one.scenes)).toEqual([2, 0]);
  const stops = await Promise.allSettled(shared({ signal: AbortSignal.abort('enough') }));
  expect(stops.map((one) => (one as PromiseRejectedResult).reason)).toEqual(['enough', 'enough']);

  // Its labels are the segmenter's.
  const { image } = scenes.scene(3, 0);
  using student = await SceneStudent.create(device.current, model);
  using segmenter = new Segmenter(device.current, model);
  const scoring = { scoring: 'groupvit', top: 5 } as const;
  const { labels } = await segmenter.segment(image, vocabulary, scoring);
  expect([...studentLabels(await student.predict(image), vocabulary, scoring)]).toEqual([...labels.data]);
});
