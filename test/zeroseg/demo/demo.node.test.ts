import { expect, test } from 'vitest';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { randomClips, randomClipVision } from '../../../src/zeroseg/clip/random-clip.ts';
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
import type { Lettering } from '../../../src/zeroseg/drawing/lettering.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { scoringScenes } from '../../../src/zeroseg/studies/scoring-scenes.ts';
import { packagedAtlas } from '../../support/atlas.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const clip = randomClips['random-tiny']!;
const dim = clip.projection;

/** Views of noise, and images likewise: what is learnt does not matter here. */
const noise = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * i));
const features = { folder: 'memory', length: 16, key: { teacher: 'random-tiny', dim, grids: [1, 2, 3, 4] } };
const data: LiveTrainingOptions['data'] = (image) => ({
  length: features.length,
  async batch(numbers) {
    return { images: noise(numbers.length * 3 * image * image), views: noise(numbers.length * 30 * dim) };
  },
});

/** A letter is a black square. */
const lettering: Lettering = {
  measure: (text, size) => ({ width: Math.max(1, text.length * size), height: size, ascent: size }),
};

test('as many steps as fit beside the measurements, or none', () => {
  const times = { step: 0.1, measurement: 1 };
  // 92 of 100 seconds are planned for, and 10 + 1 of them measured.
  expect(fittingSteps(100, times, 10)).toBe(810);
  expect(fittingSteps(22.8, times, 10)).toBe(0);
  expect(fittingSteps(22.9, times, 10)).toBe(liveStepLimits.min);
  expect(fittingSteps(1e6, times, 10)).toBe(liveStepLimits.max);
  expect(fittingSteps(-1, times, 10)).toBe(0);
});

test('a student is trained while it is watched, and its pictures are drawn', async () => {
  const scenes = scoringScenes(await packagedAtlas(), { classes: 3, size: 64 });
  const vocabulary = { names: scenes.names, embeddings: noise(scenes.names.length * dim), scale: 100 };
  const scoring = { scoring: 'softmax', top: 5 } as const;
  const scene = scenes.scene(1, 0);
  const weights = () => newWeights(device.current, 1);
  const options: LiveTrainingOptions = {
    features,
    data,
    seed: 1,
    batch: 2,
    baseLr: 0.02,
    weights,
    steps: 3,
    watched: [scene],
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
  expect([training.settings.batch, training.settings.base_lr]).toEqual([2, 0.02]);
  expect(told).toEqual([1, 1, 2, 2, 3, 3]);
  expect(training.steps.map(({ step }) => step)).toEqual([1, 2, 3]);
  expect(training.measurements.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
  for (const { used, things, accuracy } of training.measurements) {
    expect(used).toBeGreaterThanOrEqual(1);
    expect(things).toBe(new Set(scene.labels.data).size);
    expect(accuracy).toBeLessThanOrEqual(1);
  }

  const start = new ZeroSeg(weights(), training.model.config);
  const students = { shipped: training.model, fresh: training.model, start };
  const findings = await demoFindings(device.current, {
    scenes,
    seed: 1,
    shown: 1,
    searched: 3,
    students,
    teacher: randomClipVision(device.current, clip),
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
  expect(findings.film?.frames.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
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
    teacher: randomClipVision(device.current, clip),
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
