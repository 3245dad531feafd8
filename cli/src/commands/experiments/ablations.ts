/** The paper's ablations in miniature, on made-up scenes: tables 3 to 5, what goes beyond, and Fig. 3. */
import {
  type ExperimentName,
  experiments,
  planRuns,
  type Setting,
  STEP_ROUNDS,
  scoreRuns,
  timeSteps,
  withRunModel,
} from '@zeroseg/core/internal';
import type { ClipSource, FileSystem, ResolvedTraining, ZeroSeg } from '@zeroseg/core/zeroseg';
import { nodeFileSystem, refuseLinks } from '../../files/index.ts';
import { encodePng } from '../../photos/index.ts';
import { lossFigure, writeExperiment } from '../../reports/index.ts';
import {
  type Context,
  count,
  formatDuration,
  Progress,
  resolveOptions,
  UsageError,
  version,
  withDevice,
} from '../../shell/index.ts';
import { prepareStudy, STUDY_GRIDS } from '../../studies/index.ts';
import { openClip } from '../../weights/index.ts';
import { tellAblationPlan } from './ablation-plan.ts';
import {
  type AblationArguments,
  type AblationName,
  commandOf,
  type Running,
  type Sizes,
  sayStopped,
  train,
} from './ablation-run.ts';
import { choosingScenes, fairKinds, fairScenes, fairTable, rowThresholds } from './fair-table.ts';

/** Sizes with which table 4 takes some twenty-five minutes on two cores without a GPU, and those of `--quick`. */
export const sizes: Sizes = { seeds: [1, 2, 3], steps: 300, scenes: 1024, unseen: 200, set: [], templates: 'full' };
const quickSizes: Sizes = { seeds: [1, 2], steps: 4, scenes: 32, unseen: 6, set: ['batch=8'], templates: 'simple' };
/** Those whose rows can be held against the paper's over objects and background. */
const fairNames: readonly AblationName[] = ['table3', 'table4', 'table5', 'fig3'];
/** Scenes on a sheet of Fig. 3. */
const FIGURE_SCENES = 6;

/** `zeroseg experiment table3|table4|table5|beyond|fig3`. */
export async function experimentAblation(
  context: Context,
  name: AblationName,
  given: AblationArguments,
): Promise<void> {
  const { terminal } = context;
  if (given.objectsOnly && !fairNames.includes(name)) {
    throw new UsageError(`experiment: --objects-only is for ${fairNames.join(', ')}; leave it out for ${name}`);
  }
  const { set = [], ...rest } = given;
  const usual = given.quick ? quickSizes : sizes;
  // Only the paper's losses: what a configuration adds to them is left out here, unless it is asked for.
  const options = { ...usual, ...rest, set: ['w_compose=0', ...usual.set, ...set], given: set };
  const clip = await openClip(options.clip);
  // Whether its tokenizer fits is told before a GPU is looked for.
  await clip.tokens();
  const files = nodeFileSystem(options.out);
  if (options.plan) return plan(context, name, options, { clip, files });
  const lock = await files.lock('experiment');
  try {
    await refuseLinks(options.out, 'data', 'runs', 'times', name);
    await files.removeLeftovers();
    await withDevice(context, options.adapter, async (device, { abortSignal: signal }) => {
      if (clip.isRandom) terminal.note(`${clip.name}: its weights are random; what comes out means nothing`);
      const base = await baseOf(options, clip);
      for (const note of base.notes) terminal.log(note);
      const { study, close } = await prepareStudy(context, device, { ...options, files, clip, base, signal });
      try {
        terminal.log(
          `student '${base.preset}', ${count(options.scenes, 'scenes')}, ${count(options.steps, 'steps')} of ${base.settings.batch}, scored on ${count(options.unseen, 'unseen scenes')}, on ${device.name}`,
        );
        signal.throwIfAborted();
        const running = { context, study, files, base, options, signal };
        if (name === 'fig3') await figure3(running);
        else if (options.objectsOnly) await fairTable(running, name as ExperimentName);
        else await table(running, name as ExperimentName);
      } finally {
        await close();
      }
    });
  } finally {
    await lock.release();
  }
}

/** The training of which every row changes something. */
function baseOf(options: AblationArguments & Sizes, clip: ClipSource): Promise<ResolvedTraining> {
  const key = { dim: clip.config.projection, grids: STUDY_GRIDS, teacher: clip.name };
  return resolveOptions(options, { folder: options.out, length: options.scenes, key });
}

/** What is trained for a table or figure. */
function rowsOf(
  name: AblationName,
  { seeds, objectsOnly = false }: Pick<AblationArguments & Sizes, 'seeds' | 'objectsOnly'>,
): { rows: readonly Setting[]; seeds: readonly number[] } {
  if (name !== 'fig3') return { rows: experiments[name].settings, seeds };
  const rows = experiments.table4.settings.filter(({ key }) => key !== 'matching');
  // A threshold is that of all runs of a row, so all are needed, though one of each is shown.
  return { rows, seeds: objectsOnly ? seeds : seeds.slice(0, 1) };
}

async function plan(
  context: Context,
  name: AblationName,
  options: AblationArguments & Sizes,
  { clip, files }: { readonly clip: ClipSource; readonly files: FileSystem },
): Promise<void> {
  const base = await baseOf(options, clip);
  await withDevice(context, options.adapter, async (device, { abortSignal: signal }) => {
    const figureScenes = options.objectsOnly ? choosingScenes(options.unseen) : 0;
    const tableScenes = options.objectsOnly ? fairScenes(options.unseen) : options.unseen;
    await tellAblationPlan(context, device, {
      ...options,
      ...rowsOf(name, options),
      ...{ clip, files, base, signal },
      scoredScenes: name === 'fig3' ? figureScenes : tableScenes,
      timedRounds: name === 'table5' && !options.objectsOnly ? STEP_ROUNDS : 0,
    });
  });
}

async function table(running: Running, name: ExperimentName): Promise<void> {
  const { context, study, files, options, base, signal } = running;
  const { terminal } = context;
  const began = performance.now();
  const made = experiments[name];
  const planned = planRuns(study, made.settings, options.seeds);
  // First, while nothing else is warm: it is short, and its numbers are the ones that noise disturbs.
  const times = name === 'table5' ? await measureTimes(running, name) : undefined;
  await train(running, planned);
  const progress = new Progress(terminal, 'scoring', planned.length, 'runs');
  const runs = await scoreRuns(study, planned, { signal, onProgress: ({ done }) => progress.at(done) })
    .catch((error) => sayStopped(running, error, planned.length, planned.length))
    .finally(() => progress.stop());
  const written = await writeExperiment(files, name, {
    experiment: made,
    runs,
    planned: planned.length,
    times,
    about: {
      version,
      adapter: study.device.name,
      command: commandOf(name, options),
      seeds: options.seeds,
      steps: options.steps,
      preset: options.preset,
      teacher: study.teacher,
      training: study.identity,
      scoring: study.scoring,
      names: study.unseen.names.length,
      config: base.config,
      settings: base.settings,
      init: options.init,
      isQuick: options.quick ?? false,
    },
  });
  for (const line of written.lines) terminal.out(line);
  for (const file of written.files) terminal.out(file);
  terminal.log(`${count(planned.length, 'runs')} in ${formatDuration((performance.now() - began) / 1000)}`);
}

async function measureTimes({ context, study, files, signal }: Running, name: ExperimentName) {
  let progress: Progress | undefined;
  return timeSteps(study, experiments[name], {
    files: files.folder('times'),
    processorTime: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    signal,
    onProgress: ({ done, total }) => {
      progress ??= new Progress(context.terminal, 'timing', total, 'steps');
      progress.at(done);
    },
  }).finally(() => progress?.stop());
}

/** Fig. 3: three of table 4's models on the same unseen scenes. By the fair test's rules each row has its threshold. */
async function figure3(running: Running): Promise<void> {
  const { context, study, files, options } = running;
  const { rows, seeds } = rowsOf('fig3', options);
  const planned = planRuns(study, rows, seeds);
  await train(running, planned);
  const kinds = options.objectsOnly ? await fairKinds(running) : undefined;
  const thresholds = kinds && (await rowThresholds(running, planned, kinds.choosing));
  const { scenes, seed } = kinds?.first ?? { scenes: study.unseen, seed: study.scoring.seed };
  const sheet = await lossFigure({
    device: study.device,
    scenes: Array.from({ length: Math.min(FIGURE_SCENES, options.unseen) }, (_, i) => scenes.scene(seed, i)),
    names: scenes.names,
    vocabulary: await study.vocabulary(),
    models: planned
      .filter((run) => run.seed === seeds[0])
      .map(({ setting, identity }) => {
        const threshold = thresholds?.get(setting.key);
        return {
          name: threshold === undefined ? setting.name : `${setting.name}, threshold ${threshold}`,
          threshold,
          use: <T>(work: (model: ZeroSeg) => Promise<T>) => withRunModel(study, identity, work),
        };
      }),
  });
  await files.write('fig3.png', await encodePng(sheet));
  context.terminal.out(files.describe('fig3.png'));
}
