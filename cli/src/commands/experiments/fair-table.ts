/** Tables 3 to 5 over objects and background, by the protocol of docs/fair-test.md. */
import {
  type BackgroundRun,
  type BackgroundScenes,
  backgroundThresholds,
  bestThreshold,
  type ExperimentName,
  experiments,
  type FairScenes,
  type PlannedRun,
  planRuns,
  scoreBackgroundRuns,
} from '@zeroseg/core/internal';
import { SCORING_SEED, SceneMaker, scenePresets } from '@zeroseg/core/zeroseg';
import { loadAtlas } from '../../photos/index.ts';
import { writeFairTable } from '../../reports/index.ts';
import { count, formatDuration, Progress, version } from '../../shell/index.ts';
import { commandOf, type Running, sayStopped, train } from './ablation-run.ts';

/** Which scenes thresholds are chosen on, and which are scored on; thresholds take two fifths as many. */
const seeds: Readonly<Record<FairScenes, number>> = { choosing: 201, first: 301, crowded: 401 };

/** How many scenes thresholds are chosen on. */
export function choosingScenes(unseen: number): number {
  return Math.ceil(0.4 * unseen);
}

/** How many scenes a run is scored on, of all kinds together. */
export function fairScenes(unseen: number): number {
  return choosingScenes(unseen) + 2 * unseen;
}

/** Trains what is missing, scores all rows at their own thresholds, and writes which orderings came out. */
export async function fairTable(running: Running, name: ExperimentName): Promise<void> {
  const { context, study, files, options } = running;
  const { terminal } = context;
  const began = performance.now();
  const experiment = experiments[name];
  const planned = planRuns(study, experiment.settings, options.seeds);
  await train(running, planned);
  const kinds = await fairKinds(running);
  const runs = await score(running, planned, kinds);
  const { lines, written } = await writeFairTable(files, name, {
    experiment,
    runs,
    about: {
      version,
      command: commandOf(name, options),
      steps: options.steps,
      teacher: study.teacher,
      adapter: study.device.name,
      scored: Object.fromEntries(Object.entries(kinds).map(([kind, { seed, count }]) => [kind, { seed, count }])),
      isQuick: options.quick ?? false,
    },
  });
  for (const line of lines) terminal.out(line);
  for (const file of written) terminal.out(file);
  terminal.log(`${count(planned.length, 'runs')} in ${formatDuration((performance.now() - began) / 1000)}`);
}

/** The scenes of the protocol. */
export async function fairKinds({ study, options }: Running): Promise<Readonly<Record<FairScenes, BackgroundScenes>>> {
  const crowded = study.unseen;
  const asTrained = new SceneMaker(await loadAtlas(), { ...crowded.options, ...scenePresets[options.preset] });
  const scenesOf = (kind: FairScenes, scenes: SceneMaker): BackgroundScenes => ({
    scenes,
    seed: SCORING_SEED + seeds[kind],
    count: kind === 'choosing' ? choosingScenes(options.unseen) : options.unseen,
  });
  return {
    choosing: scenesOf('choosing', asTrained),
    first: scenesOf('first', asTrained),
    crowded: scenesOf('crowded', crowded),
  };
}

/** Of each row, by its key, the threshold that is best over its runs. */
export async function rowThresholds(
  running: Running,
  planned: readonly PlannedRun[],
  choosing: BackgroundScenes,
): Promise<ReadonlyMap<string, number>> {
  const runs = await score(running, planned, { choosing });
  const keys = [...new Set(runs.map(({ setting }) => setting))];
  return new Map(
    keys.map((key) => {
      const own = runs.filter(({ setting }) => setting === key).map(({ scores }) => scores.choosing);
      return [key, backgroundThresholds[bestThreshold(own)] as number];
    }),
  );
}

/** Scores what was not scored before, with progress. */
async function score<Kind extends string>(
  running: Running,
  planned: readonly PlannedRun[],
  kinds: Readonly<Record<Kind, BackgroundScenes>>,
): Promise<BackgroundRun<Kind>[]> {
  const { context, study, signal } = running;
  const progress = new Progress(context.terminal, 'scoring', planned.length, 'runs');
  return scoreBackgroundRuns(study, planned, kinds, { signal, onProgress: ({ done }) => progress.at(done) })
    .catch((error) => sayStopped(running, error, planned.length, planned.length))
    .finally(() => progress.stop());
}
