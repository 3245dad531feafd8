/** All that a run needs on the GPU while it trains: made once, and kept while it is paused. */
import type { Device } from '@zeroseg/core';
import { buildModule, newWeights } from '@zeroseg/core/nn';
import {
  type CacheReader,
  type ClipSource,
  cachedData,
  heldOutCount,
  type Image,
  initialWeights,
  type LabelMap,
  liveChoices,
  type Measurement,
  makeVocabulary,
  openRun,
  openWeightSource,
  pathsHash,
  presets,
  type ResolvedTraining,
  readCache,
  resizeImage,
  resolveTraining,
  rightWrongPicture,
  type SceneAtlas,
  TrainingRun,
  TrainingSheet,
  type TrainingStart,
  teacherIdentity,
  WatchedScenes,
  withoutNames,
  ZeroSeg,
} from '@zeroseg/core/zeroseg';
import { student, teacher } from '@zeroseg/pretrained';
import { version } from '../../../package.json';
import type { Phase } from '../messages.ts';
import type { Plan } from '../plan.ts';
import type { KeptRuns, PageRun } from './kept-runs.ts';
import { beside, HELD_OUT, heldOutSquares, SHEET_ROWS, stacked, WATCHED, watchedScenes } from './pictures.ts';

/** How often a run is looked at: samples are drawn, and scenes scored. */
export const LOOKS = 20;
/** Steps between looks, however short a run is: they take about as long as three steps. */
const LEAST_APART = 6;
/** Names are put into no sentence: word vectors come sooner, and nearly the same. */
const TEMPLATES = ['{}'];
const SCORING = { scoring: 'softmax', top: 5 } as const;

export interface SessionOptions {
  readonly device: Device;
  readonly kept: KeptRuns;
  readonly id: string;
  readonly page: PageRun;
  readonly clip: ClipSource;
  readonly atlas: () => Promise<SceneAtlas>;
  readonly tell: (phase: Phase) => void;
}

export interface Session {
  readonly run: TrainingRun;
  /** Steps between looks. */
  readonly every: number;
  /** The student as it is, on scenes that it does not learn from; undefined of a run on photos. */
  readonly measure: (() => Promise<Measurement>) | undefined;
  /** A sheet of samples of the student as it is: of scenes with a column for the names that are right. */
  draw(): Promise<Image>;
  close(): Promise<void>;
}

/** The settings of a plan as the library takes them, for so many pictures to learn from. */
export function resolvePlan(plan: Plan, features: Parameters<typeof resolveTraining>[1]): ResolvedTraining {
  const { steps, rate, mask, seed, weights } = plan;
  return resolveTraining(
    {
      preset: liveChoices.preset,
      set: { ...liveChoices.set, mask_ratio: mask, ...weights },
      steps,
      settings: { batch: Math.min(plan.batch, features.length), base_lr: rate, seed },
    },
    features,
  );
}

/** Opens a run, or begins it. What the teacher saw is there. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { kept, page } = options;
  const cache = await readCache(kept.features(page.features));
  const closing: (() => unknown)[] = [() => cache.close()];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).reverse()) await one();
  };
  try {
    return await open(options, cache, closing, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(
  { device, kept, id, page: { plan }, clip, atlas, tell }: SessionOptions,
  cache: CacheReader,
  closing: (() => unknown)[],
  close: () => Promise<void>,
): Promise<Session> {
  const isOfScenes = plan.source === 'scenes';
  const seen = isOfScenes ? watchedScenes(await atlas(), plan, WATCHED) : undefined;
  if (seen) tell('words');
  const vocabulary =
    seen &&
    (await makeVocabulary(device, await clip.text(device), await clip.tokens(), seen.names, {
      templates: TEMPLATES,
      scale: clip.scale,
    }));
  tell('preparing');
  const every = Math.max(LEAST_APART, Math.round(plan.steps / LOOKS));
  const validation = isOfScenes ? undefined : { fraction: HELD_OUT, every };
  const held = validation ? heldOutCount(cache.length, validation.fraction) : 0;
  const { config, settings, preset } = resolvePlan(plan, {
    folder: cache.folder,
    length: cache.length - held,
    key: cache.key,
  });
  const { key } = cache;
  let watched: WatchedScenes | undefined;
  let measured: Measurement | undefined;
  const start: TrainingStart = {
    device,
    data: cachedData(cache, config.image),
    description: {
      ...{ version, preset, config, settings, init: initOf(plan) },
      cache: { folder: cache.folder, photos: cache.length, paths: await pathsHash(cache.paths), key },
      ...(validation && { validation }),
    },
    teacher: teacherIdentity(key.teacher, key.weights),
    naming: presets[preset]?.naming,
    statisticsEvery: 1,
    ...(seen && {
      probe: {
        every,
        measure: async (_, step) => {
          measured = await (watched as WatchedScenes).measure(step);
          const { accuracy, used, things } = measured;
          return { accuracy, used, things };
        },
      },
    }),
    newModel: () => newModel(device, plan, config),
  };
  const files = kept.run(id);
  const isThere = (await files.status('config.json')) !== undefined;
  const run = isThere ? await resume(await openRun(files), start) : await TrainingRun.begin(files, start);
  closing.push(() => run.close());
  const { evaluated: model } = run.trainer;
  if (seen && vocabulary) {
    watched = await WatchedScenes.create(device, model, { scenes: seen.scenes, vocabulary, scoring: SCORING });
    closing.push(() => watched?.dispose());
  }
  const squares = seen
    ? seen.scenes.slice(0, SHEET_ROWS).map(({ image }) => image)
    : await heldOutSquares(cache, settings.seed);
  const sheet = await TrainingSheet.create(device, model, squares, { seed: settings.seed });
  closing.push(() => sheet.dispose());
  const measure = async (): Promise<Measurement> => {
    const { done } = run.trainer;
    if (measured?.step !== done) measured = await (watched as WatchedScenes).measure(done);
    return measured;
  };
  const draw = async (): Promise<Image> => {
    const drawn = await sheet.draw();
    if (!seen) return drawn;
    const { labels } = await measure();
    const tile = drawn.height / SHEET_ROWS;
    const column = seen.scenes.slice(0, SHEET_ROWS).map(({ image, labels: truth }, i) => {
      return resizeImage(rightWrongPicture(image, labels[i] as LabelMap, truth), tile, tile, 'bicubic');
    });
    return beside(drawn, stacked(column));
  };
  return { run, every, measure: seen && measure, draw, close };
}

async function resume(opened: Awaited<ReturnType<typeof openRun>>, start: TrainingStart): Promise<TrainingRun> {
  try {
    return await TrainingRun.resume(opened, start);
  } catch (error) {
    await opened.store.close();
    throw error;
  }
}

/** The file that weights come from, for the description of the run. */
function initOf({ start }: Plan): string | null {
  return start === 'new' ? null : start === 'teacher' ? 'teacher.safetensors' : 'student.safetensors';
}

async function newModel(device: Device, plan: Plan, config: ZeroSeg['config']): Promise<ZeroSeg> {
  const name = initOf(plan);
  if (name === null) return new ZeroSeg(newWeights(device, plan.seed), config);
  const { tensors } = await openWeightSource(plan.start === 'teacher' ? teacher.weights : student.weights, name);
  const weights =
    plan.start === 'names'
      ? withoutNames(device, plan.seed, tensors, name)
      : initialWeights(device, plan.seed, tensors, name, new Set());
  return buildModule(weights, (from) => new ZeroSeg(from, config));
}
