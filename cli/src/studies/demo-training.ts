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
  withoutNames,
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
import { builtIn, builtInStudent, builtInTeacher, kindOfPath, openWeights, teacherFile } from '../weights/index.ts';
import { cacheSceneViews, paintScenes } from './scene-data.ts';

/** Side of the scenes that are learnt from: the student's own. */
const LEARNT_SIZE = 64;
/** To learn from, however long the teacher takes. */
const MIN_SCENES = 64;
/** Learning rates for 256 scenes a step: new last layers on trained ones take larger steps. */
const BASE_RATES: Readonly<Record<StartKind, number>> = { names: 0.06, teacher: 0.02, new: 0.02 };
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
  readonly start: Start;
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
  /** Before its training, and what that was. */
  readonly start: ZeroSeg;
  readonly startKind: StartKind;
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
  const { kind: startKind, weights } = options.start;
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
  terminal.log(`head start: ${startWords[startKind]} (--init ${startKind})`);
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
    const setup: LiveSetup = {
      features: cache,
      data: (imageSize) => cachedData(cache, imageSize),
      baseLr: BASE_RATES[startKind],
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
    return { training, start, startKind, learnt };
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

/** What a fresh student can begin with. */
export const startKinds = ['names', 'teacher', 'new'] as const;
export type StartKind = (typeof startKinds)[number];

/** What a fresh student begins with. */
export interface Start {
  readonly kind: StartKind;
  /** The same at every call. */
  readonly weights: () => Weights;
}

/** In words, after a colon. */
const startWords: Readonly<Record<StartKind, string>> = {
  names: 'the built-in student with new last layers: it divides pictures, and has lost all names',
  teacher: "the teacher's image tower is its encoder; how to divide pictures it has to learn",
  new: 'none, all weights are random',
};

/**
 * What a student begins with: weights of the seed alone, the teacher's image tower as the encoder, or the built-in student that has lost its
 * names. Default: the last, where a processor stands in for a GPU and has time for little, or `clip` is none that a student can begin with; else
 * the teacher's.
 *
 * What is asked for is opened at once.
 */
export async function openStart(
  init: StartKind | undefined,
  clip: string,
  seed: number,
): Promise<(device: Device) => Promise<Start>> {
  const asked = init && (await weightsOf(init, clip, seed));
  const isTeacher = clip === builtIn || (await kindOfPath(await teacherPlace(clip))) === 'file';
  return async (device) => {
    const kind = init ?? (device.isSoftware || !isTeacher ? 'names' : 'teacher');
    const weights = asked ?? (await weightsOf(kind, clip, seed));
    return { kind, weights: () => weights(device) };
  };
}

type NewWeights = (device: Device) => Weights;

async function weightsOf(kind: StartKind, clip: string, seed: number): Promise<NewWeights> {
  if (kind === 'new') return (device) => newWeights(device, seed);
  if (kind === 'names') {
    const file = await builtInStudent();
    const { tensors } = await openWeights(file);
    return (device) => withoutNames(device, seed, tensors, file);
  }
  const file = await teacherPlace(clip === builtIn ? await builtInTeacher() : clip);
  const { tensors } = await openWeights(file);
  return (device) => initialWeights(device, seed, tensors, file, new Set());
}

/** The file of a teacher: in the folder that `zeroseg train-teacher` made, or by itself. */
async function teacherPlace(place: string): Promise<string> {
  return (await kindOfPath(place)) === 'folder' ? join(place, teacherFile) : place;
}
