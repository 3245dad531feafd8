/// <reference lib="esnext.disposable" preserve="true" />
/** A study: runs are planned, those that are missing are trained, and all are scored on the same unseen scenes. */
import type { Device } from '../../gpu/index.ts';
import { buildModule, freeParameters, type Weights } from '../../nn/layers/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import type { TrainingData } from '../features/index.ts';
import type { Progress, WorkOptions } from '../host/index.ts';
import { modelFile, openModel, resolveConfig, ZeroSeg, type ZeroSegConfig } from '../model/index.ts';
import type { SceneMaker } from '../scenes/index.ts';
import { type Metrics, metricsOf, Trainer, type TrainSettings } from '../training/index.ts';
import type { Setting } from './ablations.ts';
import { chooseGrids } from './choose-grids.ts';
import { type BackgroundScore, scoreBackground } from './objects-and-background.ts';
import type { EndedRun } from './orderings.ts';
import {
  parseBackgroundScore,
  parseScore,
  type RunArchive,
  type RunIdentity,
  type ScoringIdentity,
} from './run-archive.ts';
import { scoreRun } from './score-run.ts';

/** What all runs of a study share. */
export interface StudyContext {
  readonly device: Device;
  readonly runs: RunArchive;
  /** Features of all the `grids`; a run takes the rows of its own. */
  readonly data: TrainingData;
  readonly grids: readonly number[];
  /** Of a run without anything changed. */
  readonly base: { readonly config: ZeroSegConfig; readonly settings: TrainSettings };
  /** What runs begin with: the SHA-256 of a file of weights, or null; and how they are made. */
  readonly init: string | null;
  readonly weights: (seed: number, isNew: boolean) => Weights | Promise<Weights>;
  /** Scenes that are trained on, for the identity of runs; and the teacher, for their model files. */
  readonly identity: RunIdentity['data'];
  readonly teacher: string;
  /** Scenes that are scored on, and how; the vocabulary is asked for when a score is computed. */
  readonly unseen: SceneMaker;
  readonly scoring: ScoringIdentity;
  readonly vocabulary: () => Promise<Vocabulary>;
  /** Of the program, for the files of runs. */
  readonly version: string;
}

export interface PlannedRun {
  readonly setting: Setting;
  readonly seed: number;
  readonly identity: RunIdentity;
}

/** A run for every setting and seed; all settings of a seed before the next seed, so that what is there can be compared. */
export function planRuns(
  { base, init, identity }: Pick<StudyContext, 'base' | 'init' | 'identity'>,
  settings: readonly Setting[],
  seeds: readonly number[],
): PlannedRun[] {
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

/** Which of the planned runs are there, which are not, and how runs that are there differ from those that are not. */
export interface StudyState {
  readonly ended: readonly PlannedRun[];
  readonly missing: readonly PlannedRun[];
  /** Such as `config.tau was 1, is 2 now`: why a run of before is not used. */
  readonly differences: readonly string[];
}

export async function studyState(
  { runs }: Pick<StudyContext, 'runs'>,
  planned: readonly PlannedRun[],
): Promise<StudyState> {
  const known = await Promise.all(planned.map(({ identity }) => runs.find(identity)));
  const missing = planned.filter((_, i) => known[i] === undefined);
  const differences = new Set<string>();
  for (const { setting, identity } of missing) {
    for (const one of await runs.differences(setting.key, identity)) differences.add(one);
  }
  return { ended: planned.filter((_, i) => known[i] !== undefined), missing, differences: [...differences] };
}

/** A step of one of the runs that are trained. */
export interface StudyProgress {
  readonly run: PlannedRun;
  /** Which of the runs, from 0 on. */
  readonly index: number;
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
}

/**
 * Trains the runs that are missing, one after the other, and keeps each when it has ended. Stopped by the signal, the run in progress is
 * given up, and those before it are kept.
 */
export async function trainRuns(
  context: StudyContext,
  missing: readonly PlannedRun[],
  { signal, onProgress }: WorkOptions<StudyProgress> = {},
): Promise<void> {
  for (const [index, run] of missing.entries()) {
    signal?.throwIfAborted();
    // Rows may come to the same settings: one training is enough.
    if (await context.runs.find(run.identity)) continue;
    const onStep = (progress: Pick<StudyProgress, 'step' | 'steps' | 'loss'>) =>
      onProgress?.({ run, index, ...progress });
    await trainRun(context, run, { signal, onProgress: onStep });
  }
}

async function trainRun(
  { device, data, grids, runs, teacher, version, weights }: StudyContext,
  { setting, seed, identity }: PlannedRun,
  { signal, onProgress }: WorkOptions<Pick<StudyProgress, 'step' | 'steps' | 'loss'>>,
): Promise<void> {
  const { config, settings } = identity;
  const model = await buildModule(await weights(seed, identity.init === null), (from) => new ZeroSeg(from, config));
  try {
    using trainer = await Trainer.create(device, model, chooseGrids(data, grids, config.grids), settings);
    const metrics: Metrics[] = [];
    const began = performance.now();
    // Only the trained model is looked at.
    for await (const step of trainer.run({ needsModel: () => false })) {
      metrics.push(metricsOf(step, settings.batch));
      onProgress?.({ step: step.step, steps: trainer.steps, loss: step.loss });
      if (signal?.aborted) trainer.stop();
    }
    if (trainer.done < trainer.steps) signal?.throwIfAborted();
    const seconds = (performance.now() - began) / 1000;
    await runs.save(
      { identity, setting: setting.key, steps: trainer.done, seconds, adapter: device.name, version },
      {
        model: await modelFile(trainer.evaluated, {
          step: trainer.done,
          teacher,
          naming: { scoring: 'softmax' },
          ema: settings.ema,
        }),
        metrics,
      },
    );
  } finally {
    freeParameters(model);
  }
}

/** The trained model of a run, on the GPU for as long as `work` goes on. */
export async function withRunModel<T>(
  { device, runs }: Pick<StudyContext, 'device' | 'runs'>,
  identity: RunIdentity,
  work: (model: ZeroSeg) => Promise<T>,
): Promise<T> {
  const { bytes, file } = await runs.model(identity);
  const { model } = await openModel(device, bytes, file);
  try {
    return await work(model);
  } finally {
    freeParameters(model);
  }
}

/** Scores runs that ended; what was scored before is read. */
export async function scoreRuns(
  context: StudyContext,
  ended: readonly PlannedRun[],
  { signal, onProgress }: WorkOptions<Progress> = {},
): Promise<EndedRun[]> {
  const { device, runs, unseen: scenes, scoring } = context;
  const { seed: scenesFrom, count } = scoring;
  const scored: EndedRun[] = [];
  let vocabulary: Vocabulary | undefined;
  for (const { setting, seed, identity } of ended) {
    signal?.throwIfAborted();
    const compute = async () => {
      vocabulary ??= await context.vocabulary();
      const options = { scenes, seed: scenesFrom, count, vocabulary };
      return withRunModel(context, identity, (model) => scoreRun(device, model, options));
    };
    const score = await runs.score(identity, scoring, { parse: parseScore, compute });
    scored.push({ setting: setting.key, seed, score });
    onProgress?.({ done: scored.length, total: ended.length });
  }
  return scored;
}

/** Scenes whose grounds have no name, to choose thresholds on or to score on. */
export interface BackgroundScenes {
  readonly scenes: SceneMaker;
  readonly seed: number;
  readonly count: number;
}

/** A run's scores on several kinds of such scenes, by what these are called. */
export interface BackgroundRun<Kind extends string> {
  readonly setting: string;
  readonly seed: number;
  readonly scores: Readonly<Record<Kind, BackgroundScore>>;
}

/** Scores runs that ended over objects and background; what was scored before is read. */
export async function scoreBackgroundRuns<Kind extends string>(
  context: StudyContext,
  ended: readonly PlannedRun[],
  kinds: Readonly<Record<Kind, BackgroundScenes>>,
  { signal, onProgress }: WorkOptions<Progress> = {},
): Promise<BackgroundRun<Kind>[]> {
  const { device, runs, scoring } = context;
  const { teacher, templates } = scoring;
  const scored: BackgroundRun<Kind>[] = [];
  let vocabulary: Vocabulary | undefined;
  for (const { setting, seed, identity } of ended) {
    const scores: [string, BackgroundScore][] = [];
    for (const [kind, { scenes, ...which }] of Object.entries<BackgroundScenes>(kinds)) {
      signal?.throwIfAborted();
      const measured = {
        measure: 'objects and background',
        scenes: scenes.options,
        ...which,
        teacher,
        templates,
      } as const;
      const compute = async () => {
        vocabulary ??= await context.vocabulary();
        const options = { scenes, ...which, vocabulary };
        return withRunModel(context, identity, (model) => scoreBackground(device, model, options));
      };
      scores.push([kind, await runs.score(identity, measured, { parse: parseBackgroundScore, compute })]);
    }
    scored.push({ setting: setting.key, seed, scores: Object.fromEntries(scores) as Record<Kind, BackgroundScore> });
    onProgress?.({ done: scored.length, total: ended.length });
  }
  return scored;
}
