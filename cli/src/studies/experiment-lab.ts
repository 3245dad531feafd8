/** What the runs of an experiment share: scenes and features, what is trained, what it is scored on. */
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import {
  chooseGrids,
  type EndedRun,
  type Metrics,
  metricsOf,
  type Setting,
  scoreRun,
  type TemplateSet,
  teacherIdentity,
} from '@zeroseg/core/internal';
import { freeParameters } from '@zeroseg/core/nn';
import {
  type CacheReader,
  type ClipSource,
  cachedData,
  makeVocabulary,
  modelFile,
  openModel,
  type ResolvedTraining,
  readCache,
  resolveConfig,
  SCORING_SEED,
  SceneMaker,
  type SceneOptions,
  scenePresets,
  sceneSide,
  scoringScenes,
  Trainer,
  type TrainingData,
  type Vocabulary,
  type ZeroSeg,
} from '@zeroseg/core/zeroseg';
import { newModel } from '../commands/train.ts';
import { resolveOptions } from '../commands/train-options.ts';
import { type FolderLock, hashFiles, nodeFileSystem } from '../files/index.ts';
import { loadAtlas, readSceneIndex } from '../photos/index.ts';
import { readBytes } from '../runs/index.ts';
import { type Context, count, Interrupted, type Interruption, Progress, version } from '../shell/index.ts';
import { kindOfPath, openWeights, teacherWeights } from '../weights/index.ts';
import { hashOf, type RunIdentity, RunStore, type ScoringIdentity } from './experiment-runs.ts';
import { cacheSceneViews, paintScenes } from './scene-data.ts';

export interface ExperimentArguments {
  readonly out: string;
  readonly seeds?: readonly number[];
  readonly steps?: number;
  readonly scenes?: number;
  readonly unseen?: number;
  readonly classes: number;
  readonly preset: keyof typeof scenePresets;
  readonly clip: string;
  readonly config: string;
  readonly set?: readonly string[];
  readonly init: string;
  readonly quick?: boolean;
  readonly adapter?: string;
}

/** For `--init`: not with the weights of a file. */
export const NEW = 'new';
/** All four views of the paper; tables of fewer take their rows. */
export const GRIDS: readonly number[] = [1, 2, 3, 4];
/** Of the scenes that are trained on; those of scoring have others. */
const TRAINING_SEED = 1;
/** Which unseen scenes: those of `zeroseg score --seed 1`. */
const UNSEEN_SEED = SCORING_SEED + 1;

/** How large an experiment is. */
export interface Sizes {
  readonly seeds: readonly number[];
  readonly steps: number;
  readonly scenes: number;
  readonly unseen: number;
  /** As `--set` takes them. */
  readonly set: readonly string[];
  /** Sentences around the names. */
  readonly templates: TemplateSet;
}

/** What all runs share. */
export interface Lab {
  readonly context: Context;
  readonly device: Device;
  readonly interruption: Interruption;
  /** The right to write to the folder of all runs. */
  readonly lock: FolderLock;
  /** `given`: what `--set` said, before what is set besides. */
  readonly options: ExperimentArguments & Sizes & { readonly given: readonly string[] };
  readonly clip: ClipSource;
  readonly teacher: string;
  readonly cache: CacheReader;
  readonly data: TrainingData;
  readonly base: ResolvedTraining;
  readonly init: string | null;
  readonly identity: RunIdentity['data'];
  readonly runs: RunStore;
  readonly unseen: SceneMaker;
  readonly scoring: ScoringIdentity;
}

export interface Planned {
  readonly setting: Setting;
  readonly seed: number;
  readonly identity: RunIdentity;
}

/** Scenes, the teacher's views of them, and what to score on. */
export async function prepare(
  begun: Pick<Lab, 'context' | 'device' | 'interruption' | 'options' | 'clip' | 'lock'>,
): Promise<Lab> {
  const { context, device, interruption, options, clip, lock } = begun;
  const { terminal } = context;
  if (clip.isRandom) terminal.note(`${clip.name}: its weights are random; what comes out means nothing`);
  const weights = await clip.weightsHash();
  const planned = { dim: clip.config.projection, grids: GRIDS, teacher: clip.name };
  const base = await resolveOptions(options, { folder: options.out, length: options.scenes, key: planned });
  for (const note of base.notes) terminal.out(note);
  const initFile = options.init === NEW ? undefined : await teacherWeights(options.init);
  const init = initFile === undefined ? null : await hashFiles((await openWeights(initFile)).files);
  const { image } = base.config;
  const size = sceneSide(base.config);
  const scenes: SceneOptions = { ...scenePresets[options.preset], size, classes: options.classes };
  const identity = { scenes, seed: TRAINING_SEED, count: options.scenes, teacher: weights };
  const folder = join(options.out, 'data', hashOf(identity));
  await paintMissing(begun, join(folder, 'scenes'), scenes);
  const views = join(folder, `views-${image}`);
  await cacheSceneViews(context, device, {
    scenes: join(folder, 'scenes'),
    cache: views,
    clip,
    grids: GRIDS,
    studentSize: image,
    signal: interruption.abortSignal,
  });
  const cache = await readCache(nodeFileSystem(views));
  try {
    const unseen = scoringScenes(await loadAtlas(), { classes: options.classes, size });
    const lab: Lab = {
      ...begun,
      teacher: teacherIdentity(clip.name, weights),
      cache,
      data: cachedData(cache, image),
      base,
      init,
      identity,
      runs: new RunStore(join(options.out, 'runs'), lock),
      unseen,
      scoring: {
        scenes: unseen.options,
        seed: UNSEEN_SEED,
        count: options.unseen,
        teacher: weights,
        templates: options.templates,
      },
    };
    const { settings } = base;
    terminal.out(
      `student '${base.preset}', ${count(options.scenes, 'scenes')}, ${count(options.steps, 'steps')} of ${settings.batch}, scored on ${count(options.unseen, 'unseen scenes')}, on ${device.name}`,
    );
    if (interruption.signal) throw new Interrupted(interruption.signal);
    return lab;
  } catch (error) {
    await cache.close();
    throw error;
  }
}

/** Scenes are painted again where the folder holds others, or none. */
async function paintMissing(
  { context, interruption, options }: Pick<Lab, 'context' | 'interruption' | 'options'>,
  folder: string,
  scenes: SceneOptions,
): Promise<void> {
  const [seed, count] = [TRAINING_SEED, options.scenes];
  if ((await kindOfPath(folder)) !== undefined) {
    const index = await readSceneIndex(folder);
    if (index.count === count && index.seed === seed) return;
  }
  const maker = new SceneMaker(await loadAtlas(), scenes);
  await paintScenes(context, folder, maker, { seed, count, signal: interruption.abortSignal });
}

/** A run for every setting and seed; all settings of a seed before the next seed, so that what is there can be compared. */
export function plan(
  { base, init, identity, options }: Lab,
  settings: readonly Setting[],
  seeds: readonly number[] = options.seeds,
): Planned[] {
  return seeds.flatMap((seed) =>
    settings.map((setting) => ({
      setting,
      seed,
      identity: {
        config: resolveConfig(setting.config, base.config),
        settings: { ...base.settings, seed },
        init: setting.isNew ? null : init,
        data: identity,
      },
    })),
  );
}

/** Trains what is missing. The runs that are there in the end; not all where a signal came. */
export async function trainMissing(lab: Lab, planned: readonly Planned[]): Promise<Planned[]> {
  const { context, runs, interruption, options } = lab;
  const { terminal } = context;
  const known = await Promise.all(planned.map(async (run) => ((await runs.find(run.identity)) ? [run] : [])));
  const ended: Planned[] = known.flat();
  const missing = planned.filter((run) => !ended.includes(run));
  if (ended.length > 0) terminal.out(`${count(ended.length, 'runs')} of ${planned.length} were done before`);
  if (missing.length === 0) return ended;
  const changes = new Set<string>();
  for (const run of missing) {
    for (const change of await runs.differences(run.setting.key, run.identity)) changes.add(change);
  }
  if (changes.size > 0) {
    terminal.note(
      `runs in ${runs.folder} were made with other settings (${[...changes].join('; ')}); they are kept, and not used`,
    );
  }
  const total = missing.length * options.steps;
  const progress = new Progress(terminal, 'training', total, 'steps');
  try {
    for (const [i, run] of missing.entries()) {
      if (interruption.signal) break;
      // Rows may come to the same settings: one training is enough.
      if (await runs.find(run.identity)) {
        ended.push(run);
        continue;
      }
      const place = `run ${i + 1} of ${missing.length}: ${run.setting.name}, seed ${run.seed}`;
      const isWhole = await trainRun(lab, run, (step, words) =>
        progress.at(i * options.steps + step, `${place}, ${words}`),
      );
      if (isWhole) ended.push(run);
    }
  } finally {
    progress.stop();
  }
  return ended;
}

/** Trains one run and keeps it; false where it was stopped. */
async function trainRun(
  { device, options, interruption, data, runs, teacher }: Lab,
  { setting, seed, identity }: Planned,
  progress: (step: number, words: string) => void,
): Promise<boolean> {
  const { config, settings } = identity;
  const { model } = await newModel(device, config, seed, identity.init === null ? null : options.init);
  try {
    using trainer = await Trainer.create(device, model, chooseGrids(data, GRIDS, config.grids), settings);
    const metrics: Metrics[] = [];
    const began = performance.now();
    for await (const step of trainer.run()) {
      metrics.push(metricsOf(step, settings.batch));
      progress(step.step, `loss ${step.loss.toPrecision(3)}`);
      if (interruption.signal) trainer.stop();
    }
    if (trainer.done < trainer.steps) return false;
    const seconds = (performance.now() - began) / 1000;
    await runs.save(
      { identity, setting: setting.key, steps: trainer.done, seconds, adapter: device.name, version },
      { model: await modelFile(model, { step: trainer.done, teacher }), metrics },
    );
    return true;
  } finally {
    freeParameters(model);
  }
}

/** The trained model of a run, on the GPU for as long as `work` goes on. */
export async function withModel<T>(
  { device, runs }: Lab,
  identity: RunIdentity,
  work: (model: ZeroSeg) => Promise<T>,
): Promise<T> {
  const file = join(runs.place(identity), 'model.safetensors');
  const { model } = openModel(device, await readBytes(file), file);
  try {
    return await work(model);
  } finally {
    freeParameters(model);
  }
}

export async function scoreRuns(lab: Lab, ended: readonly Planned[]): Promise<EndedRun[]> {
  const { context, device, runs, unseen, scoring, interruption } = lab;
  const progress = new Progress(context.terminal, 'scoring', ended.length, 'runs');
  const scored: EndedRun[] = [];
  let vocabulary: Vocabulary | undefined;
  try {
    for (const { setting, seed, identity } of ended) {
      const score = await runs.score(identity, scoring, async () => {
        vocabulary ??= await vocabularyOf(lab);
        const words = { scenes: unseen, seed: scoring.seed, count: scoring.count, vocabulary };
        return withModel(lab, identity, (model) => scoreRun(device, model, words));
      });
      scored.push({ setting: setting.key, seed, score });
      progress.at(scored.length);
      if (interruption.signal) break;
    }
  } finally {
    progress.stop();
  }
  return scored;
}

export async function vocabularyOf({ device, clip, unseen, options }: Lab): Promise<Vocabulary> {
  return makeVocabulary(device, await clip.text(device), await clip.tokens(), unseen.names, {
    templates: options.templates,
    scale: clip.scale,
  });
}
