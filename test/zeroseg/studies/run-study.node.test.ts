import { expect, test } from 'vitest';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { SegmentationScore } from '../../../src/zeroseg/evaluation/iou.ts';
import { meanOf } from '../../../src/zeroseg/host/statistics.ts';
import { tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { SceneMaker } from '../../../src/zeroseg/scenes/scene.ts';
import { objectsOnly, scenePresets } from '../../../src/zeroseg/scenes/scene-options.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/memory-file-system.ts';
import { experiments } from '../../../src/zeroseg/studies/ablations.ts';
import { backgroundThresholds } from '../../../src/zeroseg/studies/objects-and-background.ts';
import { RunArchive } from '../../../src/zeroseg/studies/run-archive.ts';
import {
  planRuns,
  type StudyContext,
  scoreBackgroundRuns,
  scoreRuns,
  studyState,
  trainRuns,
  withRunModel,
} from '../../../src/zeroseg/studies/run-study.ts';
import { scoringScenes } from '../../../src/zeroseg/studies/scoring-scenes.ts';
import { timeSteps } from '../../../src/zeroseg/studies/step-times.ts';
import { SceneStudent, studentNames } from '../../../src/zeroseg/studies/student-output.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';
import { packagedAtlas } from '../../support/atlas.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

test('a study trains what is missing, scores it, and does neither again', async () => {
  const width = 12;
  const config = { ...tinyConfig, dim: 16, depth: 1, seg_depths: [1, 1, 1], clip_dim: width, grids: [1, 2] };
  const noise = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * i));
  const unseen = scoringScenes(await packagedAtlas(), { classes: 3, size: 64 });
  const files = memoryFileSystem();
  let vocabularies = 0;
  const study: StudyContext = {
    device: device.current,
    runs: new RunArchive(files.folder('runs')),
    data: {
      length: 8,
      async batch(numbers) {
        return {
          images: noise(numbers.length * 3 * config.image * config.image),
          views: noise(numbers.length * 5 * width),
        };
      },
    },
    grids: [1, 2],
    base: { config, settings: { ...defaultSettings, batch: 4, micro: 4, epochs: 2, warmup: 0 } },
    init: null,
    weights: (seed) => newWeights(device.current, seed),
    identity: { scenes: {}, seed: 1, count: 8, teacher: 'abc' },
    teacher: 'random sha256:abc',
    unseen,
    scoring: { scenes: unseen.options, seed: 5, count: 2, teacher: 'abc', templates: 'simple' },
    vocabulary: async () => {
      vocabularies++;
      return { names: unseen.names, embeddings: noise(unseen.names.length * width), scale: 100 };
    },
    version: '1.2.3',
  };
  const [base, both] = experiments.table4.settings.filter(({ key }) => key === 'base' || key === 'both');
  // The last row comes to the same run as the one before it.
  const settings = [base!, both!, { ...both!, key: 'again' }];
  const planned = planRuns(study, settings, [1]);
  expect((await studyState(study, planned)).missing).toEqual(planned);

  // Stopped in the second run: the first one is kept.
  const stop = new AbortController();
  const told: string[] = [];
  const stopped = trainRuns(study, planned, {
    signal: stop.signal,
    onProgress: ({ run, index, step, steps }) => {
      told.push(`${index} ${run.setting.key} ${step}/${steps}`);
      if (index === 1) stop.abort('enough');
    },
  });
  await expect(stopped).rejects.toBe('enough');
  // The step that was on the device already may still be told.
  expect(told.slice(0, 5)).toEqual([...[1, 2, 3, 4].map((step) => `0 base ${step}/4`), '1 both 1/4']);
  expect(told.length).toBeLessThanOrEqual(6);
  const { ended, missing } = await studyState(study, planned);
  expect(ended).toEqual(planned.slice(0, 1));

  told.length = 0;
  await trainRuns(study, missing, { onProgress: ({ run, step }) => told.push(`${run.setting.key} ${step}`) });
  expect(told).toEqual(['both 1', 'both 2', 'both 3', 'both 4']);
  expect((await studyState(study, planned)).missing).toEqual([]);
  const count = await withRunModel(study, planned[1]!.identity, async (model) => model.config.depth);
  expect(count).toBe(1);

  const scored: number[] = [];
  const scores = await scoreRuns(study, planned, { onProgress: ({ done }) => scored.push(done) });
  expect(scored).toEqual([1, 2, 3]);
  expect(scores.map(({ setting }) => setting)).toEqual(['base', 'both', 'again']);
  expect(scores[2]?.score).toEqual(scores[1]?.score);
  expect(scores[0]?.score.groupsUsed).toBeGreaterThanOrEqual(1);
  expect(await scoreRuns(study, planned)).toEqual(scores);
  expect(vocabularies).toBe(1);

  // Over objects and background: each scene at all thresholds, the same as label by label.
  const bare = new SceneMaker(await packagedAtlas(), { ...scenePresets.crowded, ...objectsOnly, classes: 3, size: 64 });
  expect(bare.names).toHaveLength(3);
  const words = { names: bare.names, embeddings: noise(3 * width), scale: 2 };
  const objects: StudyContext = { ...study, unseen: bare, vocabulary: async () => words };
  const kinds = { first: { scenes: bare, seed: 7, count: 2 } };
  const curves = await scoreBackgroundRuns(objects, planned.slice(1), kinds);
  expect(curves.map(({ setting }) => setting)).toEqual(['both', 'again']);
  const at = backgroundThresholds.indexOf(0.35);
  const expected = await withRunModel(objects, planned[1]!.identity, async (model) => {
    using student = await SceneStudent.create(device.current, model, 64);
    const score = new SegmentationScore(4, -1);
    for (const index of [0, 1]) {
      const { image, labels } = bare.scene(7, index);
      const { segmentOf, labelOf, scoreOf } = studentNames(await student.predict(image), words, {
        scoring: 'softmax',
        top: 5,
      });
      const found = Array.from(segmentOf, (s) => (scoreOf[s]! < 0.35 ? 0 : labelOf[s]!));
      score.add(found, labels.data);
    }
    return meanOf(score.iou());
  });
  expect(curves[0]?.scores.first.meanIou[at]).toBe(expected);
  expect(await scoreBackgroundRuns(objects, planned.slice(1), kinds)).toEqual(curves);

  // Other settings: what differs is told.
  const changed = planRuns({ ...study, base: { ...study.base, config: { ...config, tau: 2 } } }, settings, [1]);
  expect((await studyState(study, changed)).differences).toEqual(['config.tau was 1, is 2 now']);

  // Times are measured once, by the processor's clock where there is one and it counts.
  let ticks = 0;
  const rows = { ...experiments.table5, settings: experiments.table5.settings.slice(5, 6) };
  const options = { files: files.folder('times'), processorTime: () => ticks++ };
  const times = await timeSteps(study, rows, options);
  expect(Object.keys(times.seconds)).toEqual(['decoder', '0.6']);
  if (device.current.isSoftware) expect(times).toEqual({ clock: 'processor', seconds: { decoder: 1, '0.6': 1 } });
  const before = ticks;
  expect(await timeSteps(study, rows, options)).toEqual(times);
  expect(ticks).toBe(before);
});
