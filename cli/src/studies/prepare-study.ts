/** What the runs of an experiment share: scenes and the teacher's features of them on disk, initial weights, and what is scored. */
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import {
  hashOf,
  objectsOnly,
  RunArchive,
  type StudyContext,
  type TemplateSet,
  teacherIdentity,
} from '@zeroseg/core/internal';
import { newWeights } from '@zeroseg/core/nn';
import {
  type ClipSource,
  cachedData,
  type FileSystem,
  initialWeights,
  makeVocabulary,
  type ResolvedTraining,
  readCache,
  SCORING_SEED,
  SceneMaker,
  type SceneOptions,
  scenePresets,
  sceneSide,
  scoringScenes,
} from '@zeroseg/core/zeroseg';
import { hashFiles, nodeFileSystem } from '../files/index.ts';
import { loadAtlas, readSceneIndex } from '../photos/index.ts';
import { type Context, version } from '../shell/index.ts';
import { kindOfPath, openWeights, teacherWeights } from '../weights/index.ts';
import { cacheSceneViews, paintScenes } from './scene-data.ts';

/** All four grids of the paper; tables of fewer take their rows. */
export const STUDY_GRIDS: readonly number[] = [1, 2, 3, 4];
/** For `--init`: not with the weights of a file. */
export const NEW = 'new';
/** Of the scenes that are trained on; those of scoring have others. */
const TRAINING_SEED = 1;
/** Which unseen scenes: those of `zeroseg score --seed 1`. */
const UNSEEN_SEED = SCORING_SEED + 1;

export interface StudyOptions {
  /** The folder of all runs, as a path and as a file system. */
  readonly out: string;
  readonly files: FileSystem;
  readonly clip: ClipSource;
  readonly base: ResolvedTraining;
  /** Scenes to learn from, and to score on. */
  readonly scenes: number;
  readonly unseen: number;
  readonly classes: number;
  readonly preset: keyof typeof scenePresets;
  /** No ground has a name. */
  readonly objectsOnly?: boolean;
  readonly templates: TemplateSet;
  /** A file of weights, or {@link NEW}. */
  readonly init: string;
  readonly signal: AbortSignal;
}

/** What is known of a study before anything is made: what decides its runs, and where its files lie. */
export interface PlannedStudy {
  readonly base: ResolvedTraining;
  readonly init: string | null;
  readonly identity: StudyContext['identity'];
  /** The folder of painted scenes, and of features of them. */
  readonly painted: string;
  readonly views: string;
}

/** Finds out what a study would be; nothing is written. */
export async function planStudy({ out, clip, base, init, ...options }: StudyOptions): Promise<PlannedStudy> {
  const named = options.objectsOnly ? objectsOnly : {};
  const { preset, classes } = options;
  const scenes: SceneOptions = { ...scenePresets[preset], size: sceneSide(base.config), classes, ...named };
  const teacher = await clip.weightsHash();
  const identity = { scenes, seed: TRAINING_SEED, count: options.scenes, teacher };
  const folder = join(out, 'data', await hashOf(identity));
  return {
    base,
    init: init === NEW ? null : await hashFiles((await openWeights(await teacherWeights(init))).files),
    identity,
    painted: join(folder, 'scenes'),
    views: join(folder, `views-${base.config.image}`),
  };
}

/** Paints scenes and caches features where they are missing. Whoever is done with the study closes it. */
export async function prepareStudy(
  context: Context,
  device: Device,
  options: StudyOptions,
): Promise<{ study: StudyContext; close(): Promise<void> }> {
  const { clip, base, classes, files, signal } = options;
  const { init, identity, painted, views } = await planStudy(options);
  const { scenes, teacher } = identity;
  const { image } = base.config;
  const size = sceneSide(base.config);
  if (!(await holdsScenes(painted, options.scenes))) {
    const maker = new SceneMaker(await loadAtlas(), scenes);
    await paintScenes(context, painted, maker, { seed: TRAINING_SEED, count: options.scenes, signal });
  }
  const features = { scenes: painted, cache: views, clip, grids: STUDY_GRIDS, studentSize: image, signal };
  await cacheSceneViews(context, device, features);
  const unseen = options.objectsOnly
    ? new SceneMaker(await loadAtlas(), { ...scenePresets.crowded, size, classes, ...objectsOnly })
    : scoringScenes(await loadAtlas(), { classes, size });
  const { templates } = options;
  const cache = await readCache(nodeFileSystem(views));
  const study: StudyContext = {
    device,
    runs: new RunArchive(files.folder('runs')),
    data: cachedData(cache, image),
    grids: STUDY_GRIDS,
    base,
    init,
    weights: await startingWeights(device, options.init),
    identity,
    teacher: teacherIdentity(clip.name, teacher),
    unseen,
    scoring: { scenes: unseen.options, seed: UNSEEN_SEED, count: options.unseen, teacher, templates },
    vocabulary: async () =>
      makeVocabulary(device, await clip.text(device), await clip.tokens(), unseen.names, {
        templates,
        scale: clip.scale,
      }),
    version,
  };
  return { study, close: () => cache.close() };
}

async function holdsScenes(folder: string, count: number): Promise<boolean> {
  if ((await kindOfPath(folder)) === undefined) return false;
  const index = await readSceneIndex(folder);
  return index.count === count && index.seed === TRAINING_SEED;
}

/** How a run begins: with the weights of a file, or with new ones. */
async function startingWeights(device: Device, init: string): Promise<StudyContext['weights']> {
  if (init === NEW) return (seed) => newWeights(device, seed);
  const { tensors } = await openWeights(await teacherWeights(init));
  return (seed, isNew) => (isNew ? newWeights(device, seed) : initialWeights(device, seed, tensors, init, new Set()));
}
