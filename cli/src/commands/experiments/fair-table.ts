/** Tables 3 to 5 over objects and background, by the protocol of docs/fair-test.md. */
import {
  type BackgroundScenes,
  type ExperimentName,
  experiments,
  type FairScenes,
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
const choosing = (unseen: number): number => Math.ceil(0.4 * unseen);

/** How many scenes a run is scored on, of all kinds together. */
export function fairScenes(unseen: number): number {
  return choosing(unseen) + 2 * unseen;
}

/** Trains what is missing, scores all rows at their own thresholds, and writes which orderings came out. */
export async function fairTable(running: Running, name: ExperimentName): Promise<void> {
  const { context, study, files, options, signal } = running;
  const { terminal } = context;
  const began = performance.now();
  const experiment = experiments[name];
  const planned = planRuns(study, experiment.settings, options.seeds);
  await train(running, planned);
  const crowded = study.unseen;
  const asTrained = new SceneMaker(await loadAtlas(), { ...crowded.options, ...scenePresets[options.preset] });
  const scenesOf = (kind: FairScenes, scenes: SceneMaker): BackgroundScenes => ({
    scenes,
    seed: SCORING_SEED + seeds[kind],
    count: kind === 'choosing' ? choosing(options.unseen) : options.unseen,
  });
  const kinds = {
    choosing: scenesOf('choosing', asTrained),
    first: scenesOf('first', asTrained),
    crowded: scenesOf('crowded', crowded),
  };
  const progress = new Progress(terminal, 'scoring', planned.length, 'runs');
  const runs = await scoreBackgroundRuns(study, planned, kinds, { signal, onProgress: ({ done }) => progress.at(done) })
    .catch((error) => sayStopped(running, error, planned.length, planned.length))
    .finally(() => progress.stop());
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
