import { expect, test } from 'vitest';
import { builtInStudent } from '../../../cli/src/weights/built-in.ts';
import { openClip, openWeights } from '../../../cli/src/weights/index.ts';
import { buildModule } from '../../../src/nn/layers/index.ts';
import { Teacher } from '../../../src/zeroseg/clip/image-encoder.ts';
import type { ClipVision } from '../../../src/zeroseg/clip/towers.ts';
import { makeVocabulary } from '../../../src/zeroseg/clip/vocabulary.ts';
import { demoFindings } from '../../../src/zeroseg/demo/findings.ts';
import { heroPicture } from '../../../src/zeroseg/demo/hero.ts';
import { type LiveScore, scoreLive } from '../../../src/zeroseg/demo/live-scores.ts';
import {
  fittingSteps,
  type LiveTrainingOptions,
  liveStepLimits,
  planLiveTraining,
  trainLive,
} from '../../../src/zeroseg/demo/live-training.ts';
import { withoutNames } from '../../../src/zeroseg/demo/without-names.ts';
import type { Lettering } from '../../../src/zeroseg/drawing/lettering.ts';
import { imagenetMean, imagenetStd, teacherViews, toTensor } from '../../../src/zeroseg/image/index.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import type { Scene, SceneMaker } from '../../../src/zeroseg/scenes/index.ts';
import { scoringScenes } from '../../../src/zeroseg/studies/scoring-scenes.ts';
import { packagedAtlas } from '../../support/atlas.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Scenes to learn from, and what the teacher sees in them. */
async function sceneData(scenes: SceneMaker, vision: ClipVision, length: number) {
  using teacher = await Teacher.create(device.current, vision, { batch: 30 });
  const grids = [1, 2, 3, 4];
  const rows: { readonly image: Float32Array; readonly views: Float32Array }[] = [];
  for (let i = 0; i < length; i++) {
    const { image } = scenes.scene(2, i);
    const views = await teacher.features(teacherViews(image, { grids, ...teacher.pixels }));
    rows.push({ image: toTensor(image, imagenetMean, imagenetStd), views });
  }
  const joined = (numbers: readonly number[], of: 'image' | 'views') =>
    Float32Array.from(numbers.flatMap((i) => [...(rows[i]?.[of] ?? [])]));
  const data: LiveTrainingOptions['data'] = () => ({
    length,
    async batch(numbers) {
      return { images: joined(numbers, 'image'), views: joined(numbers, 'views') };
    },
  });
  return {
    features: { folder: 'memory', length, key: { teacher: 'built-in', dim: vision.config.projection, grids } },
    data,
  };
}

/** A letter is a black square. */
const lettering: Lettering = {
  measure: (text, size) => ({ width: Math.max(1, text.length * size), height: size, ascent: size }),
};

test('as many steps as fit beside the measurements, or none', () => {
  const times = { step: 0.1, measurement: 1 };
  // 92 of 100 seconds are planned for, and 10 + 1 of them measured.
  expect(fittingSteps(100, times, 10)).toBe(810);
  expect(fittingSteps(16.3, times, 10)).toBe(0);
  expect(fittingSteps(16.4, times, 10)).toBe(liveStepLimits.min);
  expect(fittingSteps(1e6, times, 10)).toBe(liveStepLimits.max);
  expect(fittingSteps(-1, times, 10)).toBe(0);
});

test('a student that has lost its names learns them again while it is watched, and its pictures are drawn', async () => {
  const scenes = scoringScenes(await packagedAtlas(), { classes: 3, size: 64, grounds: ['sky', 'grass', 'sand'] });
  const clip = await openClip('built-in');
  const vision = await clip.vision(device.current);
  const templates = ['a {}'];
  const words = await makeVocabulary(
    device.current,
    await clip.text(device.current),
    await clip.tokens(),
    scenes.names,
    {
      templates,
    },
  );
  const vocabulary = { ...words, names: scenes.names };
  const scoring = { scoring: 'softmax', top: 5 } as const;
  const watched = [0, 1, 2, 3].map((i) => scenes.scene(1, i));
  const [scene] = watched as [Scene, ...Scene[]];
  const student = await builtInStudent();
  const { tensors } = await openWeights(student);
  const weights = () => withoutNames(device.current, 1, tensors, student);
  const options: LiveTrainingOptions = {
    ...(await sceneData(scenes, vision, 16)),
    seed: 1,
    batch: 4,
    baseLr: 0.1,
    weights,
    steps: 12,
    watched,
    measurements: 3,
    vocabulary,
    scoring,
  };
  const plan = await planLiveTraining(device.current, options, 3600);
  expect(plan.stepSeconds).toBeGreaterThan(0);
  expect(plan.steps).toBeGreaterThanOrEqual(liveStepLimits.min);
  const told: number[] = [];
  const training = await trainLive(device.current, {
    ...options,
    onProgress: ({ report, measurement }) => told.push(report.step, measurement.step),
  });
  expect([training.settings.batch, training.settings.base_lr]).toEqual([4, 0.1]);
  const steps = Array.from({ length: 12 }, (_, i) => i + 1);
  expect(told).toEqual(steps.flatMap((step) => [step, step - (step % 4)]));
  expect(training.steps.map(({ step }) => step)).toEqual(steps);
  expect(training.measurements.map(({ step }) => step)).toEqual([0, 4, 8, 12]);
  for (const { used, things, accuracy } of training.measurements) {
    expect(used).toBeGreaterThanOrEqual(1);
    expect(things).toBe(watched.reduce((sum, { labels }) => sum + new Set(labels.data).size, 0) / watched.length);
    expect(accuracy).toBeLessThanOrEqual(1);
  }
  // On scenes that it does not learn from it is better than its start.
  const [before, after] = [
    training.measurements[0]?.accuracy as number,
    training.measurements.at(-1)?.accuracy as number,
  ];
  expect(after).toBeGreaterThan(before + 0.3);

  const start = await buildModule(weights(), (from) => new ZeroSeg(from, training.model.config));
  const students = { shipped: training.model, fresh: training.model, start };
  const findings = await demoFindings(device.current, {
    scenes,
    seed: 1,
    shown: 1,
    searched: 3,
    students,
    teacher: vision,
    vocabulary,
    scoring,
    photo: { name: 'scene.png', image: scene.image },
    film: { scene, measurements: training.measurements, vocabulary },
    lettering,
  });
  const [shown] = findings.scenes;
  expect(shown?.caption).toBe(scene.caption);
  const outputs = shown?.outputs;
  // One student under two names finds the same.
  expect(outputs?.fresh?.names).toEqual(outputs?.shipped.names);
  expect(outputs?.fresh?.objects).toEqual(outputs?.shipped.objects);
  expect(outputs?.start).toBeDefined();
  const own = outputs?.shipped;
  expect(own?.names.reduce((sum, { fraction }) => sum + fraction, 0)).toBeGreaterThan(0.9);
  const there = new Set(Array.from(scene.labels.data));
  expect(own?.truth.map(({ name }) => name).sort()).toEqual([...there].map((label) => scenes.names[label - 1]).sort());
  expect((own?.objects.there ?? 0) + (own?.grounds.there ?? 0)).toBe(there.size);
  const colours = new Map(own?.truth.map(({ name, colour }) => [name, colour]));
  for (const { name, colour } of own?.names ?? []) if (colours.has(name)) expect(colour).toEqual(colours.get(name));
  expect(findings.film?.frames.map(({ step }) => step)).toEqual([0, 4, 8, 12]);
  const pictures = [
    shown?.picture,
    shown?.exact,
    own?.segments,
    own?.named,
    own?.rightWrong,
    findings.hero.picture,
    findings.explained.patches,
    findings.explained.view,
    findings.film?.frames[0]?.named,
    findings.photo?.segments,
  ];
  for (const picture of pictures) expect([picture?.width, picture?.height]).toEqual([384, 384]);
  expect(findings.explained.names).toContain(findings.explained.name);

  // Without a second student, a photo or a film there is less to show.
  const little = await demoFindings(device.current, {
    ...{ scenes, seed: 1, shown: 1, searched: 1, vocabulary, scoring, lettering },
    students: { shipped: training.model },
    teacher: vision,
  });
  expect([little.photo, little.film]).toEqual([undefined, undefined]);
  expect(Object.keys(little.scenes[0]?.outputs ?? {})).toEqual(['shipped']);
  expect(little.hero.caption).toBe(little.scenes[0]?.caption);

  const hero = heroPicture(
    [
      { picture: little.hero.picture, title: 'a scene' },
      { picture: little.hero.exact, title: 'the truth', names: own?.truth },
    ],
    lettering,
  );
  expect(hero.width).toBe(2 * (384 + 20) + 20);
  const written = hero.shapes.flatMap((shape) => (shape.kind === 'text' ? [shape.text] : []));
  expect(written).toEqual(
    expect.arrayContaining(['a scene', 'the truth', ...(own?.truth.map(({ name }) => name) ?? [])]),
  );

  const scored: (readonly [number, number])[] = [];
  const scores = await scoreLive(device.current, {
    scenes,
    seed: 1,
    count: 6,
    limit: { seconds: 0, min: 5 },
    vocabulary,
    students,
    scoring,
    onProgress: ({ done, total }) => scored.push([done, total]),
  });
  // How many there will be is said before there is a bar, and kept.
  expect(scored).toEqual([
    [4, 5],
    [5, 5],
  ]);
  expect(scores.scenes).toBe(5);
  expect(scores.students['fresh']).toEqual(scores.students['shipped']);
  const { accuracy, found, objectsFound, objectsThere } = scores.students['shipped'] as LiveScore;
  expect(accuracy?.low).toBeLessThanOrEqual(accuracy?.value as number);
  expect(accuracy?.high).toBeGreaterThanOrEqual(accuracy?.value as number);
  expect(found?.value).toBe(objectsFound / objectsThere);
  const kinds = [0, 1, 2, 3, 4].map((i) => new Set(scenes.scene(1, i).objects.map(({ name }) => name)).size);
  expect(objectsThere).toBe(kinds.reduce((sum, value) => sum + value));

  // Stopped after its first step.
  const stop = new AbortController();
  const stopped = trainLive(device.current, {
    ...options,
    signal: stop.signal,
    onProgress: () => stop.abort('enough'),
  });
  await expect(stopped).rejects.toBe('enough');
});
