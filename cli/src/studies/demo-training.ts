/** The fresh student of a demo: scenes, what the teacher sees in them, and as many steps as there is time for. */
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import { defaultGrids, teacherIdentity, type ZeroSegAndText } from '@zeroseg/core/internal';
import { buildModule, newWeights, type Weights } from '@zeroseg/core/nn';
import {
  cachedData,
  initialWeights,
  type LiveSetup,
  type LiveTraining,
  liveStepLimits,
  modelFile,
  planLiveTraining,
  readCache,
  type Scene,
  SceneMaker,
  scenePresets,
  Teacher,
  teacherViews,
  trainLive,
  type Vocabulary,
  viewCount,
  ZeroSeg,
} from '@zeroseg/core/zeroseg';
import { type FolderLock, nodeFileSystem, writeFileAtomic } from '../files/index.ts';
import { loadAtlas } from '../photos/index.ts';
import {
  type Context,
  count,
  formatDuration,
  formatPercent,
  formatRate,
  type Interruption,
  Progress,
} from '../shell/index.ts';
import { builtIn, builtInTeacher, kindOfPath, openWeights, teacherFile } from '../weights/index.ts';
import { cacheSceneViews, paintScenes } from './scene-data.ts';

/** Side of the scenes that are learnt from: the student's own. */
const LEARNT_SIZE = 64;
/** To learn from, however long the teacher takes. */
const MIN_SCENES = 64;
/** Of the student's training, for 256 scenes a step. */
const BASE_RATE = 0.02;
/** Fraction of the time for the teacher; the rest is for steps. */
const TEACHER_FRACTION = 0.25;
/** Scenes on which the teacher is timed, of which the first ones are not counted: they compile. */
const TIMED = 6;
const UNCOUNTED = 2;
/** Reading a scene and writing what was seen come on top of encoding. */
const OVERHEAD = 1.3;

export interface FreshStudentOptions {
  readonly out: string;
  readonly lock: FolderLock;
  readonly opened: ZeroSegAndText;
  /** What the student begins with: the same at every call. */
  readonly newStart: (device: Device) => Weights;
  readonly seed: number;
  /** Kinds of objects. */
  readonly classes: number;
  /** Scenes to learn from: so many, or as many as there is time for up to `max`. */
  readonly scenes?: number | undefined;
  readonly max: number;
  /** Steps: so many, or as many as there is time for. */
  readonly steps?: number | undefined;
  readonly batch: number;
  /** For all of it. */
  readonly seconds: number;
  readonly watched: readonly Scene[];
  readonly measurements: number;
  readonly vocabulary: Vocabulary;
  readonly scoring: LiveSetup['scoring'];
  readonly interruption: Interruption;
}

export interface FreshStudent {
  readonly training: LiveTraining;
  readonly start: ZeroSeg;
  /** Scenes that it learnt from. */
  readonly learnt: number;
}

/** Trains it and writes its files; undefined where there is no time to learn anything. */
export async function trainFresh(
  context: Context,
  device: Device,
  options: FreshStudentOptions,
): Promise<FreshStudent | undefined> {
  const { terminal } = context;
  const { out, opened, seed, interruption } = options;
  const began = performance.now();
  const left = (): number => Math.max(0, options.seconds - (performance.now() - began) / 1000);
  const signal = interruption.abortSignal;
  const scenes = new SceneMaker(await loadAtlas(), {
    ...scenePresets.mixed,
    size: LEARNT_SIZE,
    classes: options.classes,
  });
  const learnt = options.scenes ?? (await sceneCount(device, scenes, options));
  const grounds = scenes.names.length - scenes.objectCount;
  terminal.log(`${count(learnt, 'scenes')} of ${count(scenes.objectCount, 'objects')} on ${grounds} kinds of ground`);
  await paintScenes(context, join(out, 'scenes'), scenes, { seed, count: learnt, signal });
  const cachingBegan = performance.now();
  await cacheSceneViews(context, device, {
    scenes: join(out, 'scenes'),
    cache: join(out, 'cache'),
    clip: opened.clip,
    grids: defaultGrids,
    studentSize: LEARNT_SIZE,
    signal,
  });
  const seconds = (performance.now() - cachingBegan) / 1000;
  terminal.log(
    `the teacher saw ${viewCount(defaultGrids)} views of each, in ${formatDuration(seconds)} (${formatRate(learnt / seconds, 'scenes')})`,
  );
  const cache = await readCache(nodeFileSystem(join(out, 'cache')));
  try {
    const weights = (): Weights => options.newStart(device);
    const setup: LiveSetup = {
      features: cache,
      data: (imageSize) => cachedData(cache, imageSize),
      baseLr: BASE_RATE,
      weights,
      seed,
      batch: options.batch,
      watched: options.watched,
      measurements: options.measurements,
      vocabulary: options.vocabulary,
      scoring: options.scoring,
    };
    const steps = options.steps ?? (await plannedSteps(context, device, setup, left()));
    if (steps === 0) return undefined;
    const training = await trainWatched(context, device, { ...setup, steps, signal });
    const teacher = teacherIdentity(opened.clip.name, await opened.clip.weightsHash());
    const file = await modelFile(training.model, {
      step: training.steps.length,
      teacher,
      naming: { scoring: options.scoring.scoring },
    });
    await writeFileAtomic(join(out, 'model.safetensors'), file, options);
    const metrics = training.steps.map((step) => `${JSON.stringify(step)}\n`).join('');
    await writeFileAtomic(join(out, 'metrics.jsonl'), metrics, options);
    const start = await buildModule(weights(), (from) => new ZeroSeg(from, training.model.config));
    return { training, start, learnt };
  } finally {
    await cache.close();
  }
}

/** As many steps as there is time for; 0, and why, where that is too few. */
async function plannedSteps({ terminal }: Context, device: Device, setup: LiveSetup, seconds: number): Promise<number> {
  const { steps, stepSeconds } = await planLiveTraining(device, setup, seconds);
  const each = `a step of ${setup.batch} scenes takes ${stepSeconds.toFixed(2)} s`;
  terminal.log(
    steps > 0
      ? `${each}: ${count(steps, 'steps')} in about ${formatDuration(seconds)}`
      : `${each}: fewer than ${liveStepLimits.min} fit into ${formatDuration(seconds)}, too few to learn anything; the time goes to more scenes`,
  );
  return steps;
}

async function trainWatched(
  { terminal }: Context,
  device: Device,
  options: LiveSetup & { readonly steps: number; readonly signal: AbortSignal },
): Promise<LiveTraining> {
  const progress = new Progress(terminal, 'training', options.steps, 'steps');
  const training = await trainLive(device, {
    ...options,
    onProgress: ({ report: { step, loss }, measurement: { accuracy } }) =>
      progress.at(step, `loss ${loss.toFixed(2)} · ${formatPercent(accuracy, 0)} of pixels right`),
  }).finally(() => progress.stop());
  const [first, last] = [training.measurements[0], training.measurements.at(-1)];
  terminal.log(
    `${count(training.steps.length, 'steps')} in ${formatDuration(training.seconds)}: pixels right ${formatPercent(first?.accuracy, 0)} → ${formatPercent(last?.accuracy, 0)} on ${count(options.watched.length, 'scenes')} that it does not learn from`,
  );
  return training;
}

/** As many scenes as the teacher can encode in its fraction of the time. */
async function sceneCount(
  device: Device,
  scenes: SceneMaker,
  { opened, seed, seconds, max }: FreshStudentOptions,
): Promise<number> {
  using teacher = await Teacher.create(device, await opened.clip.vision(device), { batch: viewCount(defaultGrids) });
  let began = performance.now();
  for (let index = 0; index < TIMED; index++) {
    if (index === UNCOUNTED) began = performance.now();
    await teacher.features(teacherViews(scenes.scene(seed, index).image, { grids: defaultGrids, ...teacher.pixels }));
  }
  const each = (OVERHEAD * (performance.now() - began)) / 1000 / (TIMED - UNCOUNTED);
  return Math.max(MIN_SCENES, Math.min(max, Math.floor((TEACHER_FRACTION * seconds) / each)));
}

/** Weights of the seed alone, or with the teacher's image tower as the encoder. */
export async function startingWeights(
  init: 'new' | 'teacher',
  clip: string,
  seed: number,
): Promise<(device: Device) => Weights> {
  if (init === 'new') return (device) => newWeights(device, seed);
  const place = clip === builtIn ? await builtInTeacher() : clip;
  const file = (await kindOfPath(place)) === 'folder' ? join(place, teacherFile) : place;
  const { tensors } = await openWeights(file);
  return (device) => initialWeights(device, seed, tensors, file, new Set());
}
