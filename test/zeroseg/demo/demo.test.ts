import { expect, test } from 'vitest';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { randomClips, randomClipVision } from '../../../src/zeroseg/clip/random-clip.ts';
import { demoFindings } from '../../../src/zeroseg/demo/findings.ts';
import { type LivePlan, type LiveTrainingOptions, trainLive } from '../../../src/zeroseg/demo/live-training.ts';
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

test('a student is trained while it is watched, and its pictures are drawn', async () => {
  const scenes = scoringScenes(await packagedAtlas(), { classes: 3, size: 64 });
  const vocabulary = { names: scenes.names, embeddings: noise(scenes.names.length * dim), scale: 100 };
  const scoring = { scoring: 'softmax', top: 5 } as const;
  const scene = scenes.scene(1, 0);
  const weights = () => newWeights(device.current, 1);
  const plans: LivePlan[] = [];
  const options: LiveTrainingOptions = {
    features,
    data,
    seed: 1,
    batch: 2,
    baseLr: 0.02,
    weights,
    steps: 3,
    seconds: 1,
    watched: [scene],
    measurements: 3,
    vocabulary,
    scoring,
    onPlan: (plan) => plans.push(plan),
  };
  const told: number[] = [];
  const training = await trainLive(device.current, {
    ...options,
    onProgress: ({ report, measurement }) => told.push(report.step, measurement.step),
  });
  expect(plans.map(({ steps, settings }) => [steps, settings.batch, settings.base_lr])).toEqual([[3, 2, 0.02]]);
  expect(plans[0]?.stepSeconds).toBeGreaterThan(0);
  expect(told).toEqual([1, 1, 2, 2, 3, 3]);
  expect(training.steps.map(({ step }) => step)).toEqual([1, 2, 3]);
  expect(training.measurements.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
  for (const { used, things, accuracy } of training.measurements) {
    expect(used).toBeGreaterThanOrEqual(1);
    expect(things).toBe(new Set(scene.labels.data).size);
    expect(accuracy).toBeLessThanOrEqual(1);
  }

  const start = new ZeroSeg(weights(), training.model.config);
  const findings = await demoFindings(device.current, {
    scenes,
    seed: 1,
    shown: 1,
    students: { shipped: training.model, fresh: training.model, start },
    teacher: randomClipVision(device.current, clip),
    vocabulary,
    scoring,
    photo: { name: 'scene.png', image: scene.image },
    film: { scene, measurements: training.measurements },
    lettering,
  });
  const [shown] = findings.scenes;
  expect(shown?.caption).toBe(scene.caption);
  // The last measurement was of this scene and this student.
  expect(shown?.outputs.fresh.accuracy).toBeCloseTo(training.measurements.at(-1)?.accuracy as number, 12);
  expect(shown?.outputs.start.accuracy).toBeCloseTo(training.measurements[0]?.accuracy as number, 12);
  expect(shown?.found.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  expect(findings.film.frames.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
  const pictures = [
    shown?.picture,
    shown?.exact,
    shown?.outputs.shipped.segments,
    shown?.outputs.shipped.named,
    findings.explained.patches,
    findings.explained.view,
    findings.film.frames[0]?.named,
    findings.photo.segments,
  ];
  for (const picture of pictures) expect([picture?.width, picture?.height]).toEqual([384, 384]);
  expect(findings.explained.names).toContain(findings.explained.name);

  // Stopped after its first step.
  const stop = new AbortController();
  const stopped = trainLive(device.current, {
    ...options,
    signal: stop.signal,
    onProgress: () => stop.abort('enough'),
  });
  await expect(stopped).rejects.toBe('enough');
});
