import { join } from 'node:path';
import { Command } from 'commander';
import { median } from '../bench/meter.ts';
import type { Device } from '../gpu/device.ts';
import { freeParameters } from '../nn/module.ts';
import { builtIn, teacherWeights } from '../node/built-in.ts';
import { cachedData } from '../node/cached-data.ts';
import { type ClipSource, openClip, teacherIdentity } from '../node/clip-folder.ts';
import { type CacheReader, readCache } from '../node/feature-cache.ts';
import { hashFiles, readJson, writeFileAtomic } from '../node/files.ts';
import { fillCache } from '../node/fill-cache.ts';
import { listPhotos } from '../node/photos.ts';
import { type Metrics, readBytes } from '../node/run-folder.ts';
import { loadAtlas, readSceneIndex, writeScenes } from '../node/scene-folder.ts';
import { kindOfPath, openWeights } from '../node/weight-files.ts';
import { modelFile, openModel } from '../zeroseg/checkpoint.ts';
import { configs, patchCount, resolveConfig } from '../zeroseg/config.ts';
import {
  chooseGrids,
  type EndedRun,
  type Experiment,
  type ExperimentName,
  experiments,
  type Setting,
  scoreRun,
} from '../zeroseg/experiments.ts';
import type { ZeroSeg } from '../zeroseg/model.ts';
import { SceneMaker, type SceneOptions, scenePresets } from '../zeroseg/scenes/scene.ts';
import type { Vocabulary } from '../zeroseg/segmenter.ts';
import { Trainer, type TrainingData } from '../zeroseg/trainer.ts';
import { makeVocabulary, type TemplateSet } from '../zeroseg/vocabulary.ts';
import { gather, wholeNumber, wholeNumbers } from './arguments.ts';
import { adapterOption, type Context, withDevice } from './context.ts';
import { Interrupted, UsageError } from './errors.ts';
import { lossFigure } from './experiment-figure.ts';
import { type StepTimes, writeExperiment } from './experiment-report.ts';
import { hashOf, type RunIdentity, RunStore, type ScoringIdentity } from './experiment-runs.ts';
import type { Interruption } from './interruption.ts';
import { SCORING_SEED, scoringScenes } from './score.ts';
import { count, formatDuration, Progress } from './terminal.ts';
import { newModel } from './train.ts';
import { type Resolved, resolveTraining } from './train-options.ts';
import { version } from './version.ts';

interface ExperimentArguments {
  readonly out: string;
  readonly seeds?: readonly number[];
  readonly steps?: number;
  readonly scenes?: number;
  readonly unseen?: number;
  readonly classes: number;
  readonly clip: string;
  readonly config: string;
  readonly set?: readonly string[];
  readonly init?: string;
  readonly quick?: boolean;
  readonly adapter?: string;
}

/** All four views of the paper; tables of fewer take their rows. */
const GRIDS: readonly number[] = [1, 2, 3, 4];
/** Of the scenes that are trained on; those of scoring have others. */
const TRAINING_SEED = 1;
/** Which unseen scenes: those of `zeroseg score --seed 1`. */
const UNSEEN_SEED = SCORING_SEED + 1;
interface Sizes {
  readonly seeds: readonly number[];
  readonly steps: number;
  readonly scenes: number;
  readonly unseen: number;
  /** As `--set` takes them. */
  readonly set: readonly string[];
  /** Sentences around the names. */
  readonly templates: TemplateSet;
}

/** Sizes with which table 4 takes some twenty-five minutes on two cores without a GPU, and those of `--quick`. */
const sizes: Sizes = { seeds: [1, 2, 3], steps: 300, scenes: 1024, unseen: 200, set: [], templates: 'full' };
const quickSizes: Sizes = { seeds: [1, 2], steps: 4, scenes: 32, unseen: 6, set: ['batch=8'], templates: 'simple' };
/** Rounds in which every mask ratio makes a step, after those in which the GPU's programs are made. */
const ROUNDS = { timed: 12, before: 2 };
/** Scenes on a sheet of Fig. 3. */
const FIGURE_SCENES = 6;

const names = [...Object.keys(experiments), 'fig3'] as (ExperimentName | 'fig3')[];

/** `zeroseg experiment`: the paper's ablations on made-up scenes. */
export function experimentCommand(context: Context): Command {
  return new Command('experiment')
    .description(
      'repeat an ablation of the paper in miniature: table3 (grids), table4 (losses), table5 (mask ratio), fig3; or add one option\n' +
        'beyond the paper after the other: beyond',
    )
    .argument('<name>', names.join(', '))
    .requiredOption('--out <folder>', 'table, plot, and all runs; one that was stopped goes on')
    .option('--seeds <list>', 'trainings of every row, by seed (default: 1,2,3)', wholeNumbers)
    .option('--steps <n>', `length of a training (default: ${sizes.steps})`, wholeNumber())
    .option('--scenes <n>', `scenes to train on (default: ${sizes.scenes})`, wholeNumber())
    .option('--unseen <n>', `scenes to score on, never seen in training (default: ${sizes.unseen})`, wholeNumber())
    .option('--classes <n>', 'kinds of objects', wholeNumber(), 40)
    .option('--clip <place>', 'the teacher', builtIn)
    .option('--config <name>', 'the student: a configuration or a JSON file', 'scenes')
    .option('--set <key=value>', 'another value for a key of the configuration; may come more than once', gather)
    .option('--init <file>', 'begin with the weights of a file, as `zeroseg train` does')
    .option('--quick', 'a few steps on a few scenes: shows that it works, and means nothing')
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg experiment table4 --out out/ablations\n' +
        '  zeroseg experiment fig3 --out out/ablations\n\n' +
        'In one folder they share scenes, features and runs. Stop at any time: the same command goes on.',
    )
    .action((name: string, options: ExperimentArguments) => experiment(context, name, options));
}

/** What all runs share. */
interface Lab {
  readonly context: Context;
  readonly device: Device;
  readonly interruption: Interruption;
  /** `given`: what `--set` said, before what is set besides. */
  readonly options: ExperimentArguments & Sizes & { readonly given: readonly string[] };
  readonly clip: ClipSource;
  readonly teacher: string;
  readonly cache: CacheReader;
  readonly data: TrainingData;
  readonly base: Resolved;
  readonly init: string | null;
  readonly identity: RunIdentity['data'];
  readonly runs: RunStore;
  readonly unseen: SceneMaker;
  readonly scoring: ScoringIdentity;
}

interface Planned {
  readonly setting: Setting;
  readonly seed: number;
  readonly identity: RunIdentity;
}

async function experiment(context: Context, name: string, given: ExperimentArguments): Promise<void> {
  if (!names.includes(name as ExperimentName)) {
    throw new UsageError(`experiment: there is no '${name}'; give ${names.join(', ')}`);
  }
  const { set = [], ...rest } = given;
  const usual = given.quick ? quickSizes : sizes;
  // Only the paper's losses: what a configuration adds to them is left out here, unless it is asked for.
  const options = { ...usual, ...rest, set: ['w_compose=0', ...usual.set, ...set], given: set };
  const clip = await openClip(options.clip);
  await withDevice(context, options.adapter, async (device, interruption) => {
    const lab = await prepare({ context, device, interruption, options, clip });
    try {
      if (name === 'fig3') await figure3(lab);
      else await table(lab, name as ExperimentName);
    } finally {
      await lab.cache.close();
    }
  });
}

/** Scenes, the teacher's views of them, and what to score on. */
async function prepare(begun: Pick<Lab, 'context' | 'device' | 'interruption' | 'options' | 'clip'>): Promise<Lab> {
  const { context, device, interruption, options, clip } = begun;
  const { terminal } = context;
  if (clip.isRandom) terminal.note(`${clip.name}: its weights are random; what comes out means nothing`);
  const weights = await clip.weightsHash();
  const { image } = configs[options.config] ?? { image: configs['scenes']!.image };
  const scenes: SceneOptions = { ...scenePresets.objectCentric, size: 2 * image, classes: options.classes };
  const identity = { scenes, seed: TRAINING_SEED, count: options.scenes, teacher: weights };
  const folder = join(options.out, 'data', hashOf(identity));
  await makeScenes(begun, join(folder, 'scenes'), scenes);
  await cacheViews(begun, join(folder, 'scenes', 'JPEGImages'), join(folder, 'cache'), image);
  const cache = await readCache(join(folder, 'cache'));
  try {
    const base = await resolveTraining(options, cache);
    for (const note of base.notes) terminal.out(note);
    const initFile = options.init && (await teacherWeights(options.init));
    const unseen = await scoringScenes({ classes: options.classes, size: 2 * base.config.image });
    const lab: Lab = {
      ...begun,
      teacher: teacherIdentity(clip.name, weights),
      cache,
      data: cachedData(cache, base.config.image),
      base,
      init: initFile === undefined ? null : await hashFiles((await openWeights(initFile)).files),
      identity,
      runs: new RunStore(join(options.out, 'runs')),
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

async function makeScenes(
  { context, interruption, options }: Pick<Lab, 'context' | 'interruption' | 'options'>,
  folder: string,
  scenes: SceneOptions,
): Promise<void> {
  if ((await kindOfPath(folder)) !== undefined) {
    const index = await readSceneIndex(folder);
    if (index.count === options.scenes && index.seed === TRAINING_SEED) return;
  }
  const maker = new SceneMaker(await loadAtlas(), scenes);
  const progress = new Progress(context.terminal, 'painting', options.scenes, 'scenes');
  const isWhole = await writeScenes(folder, maker, {
    seed: TRAINING_SEED,
    count: options.scenes,
    progress: (done) => {
      progress.at(done);
      return interruption.signal === undefined;
    },
  }).finally(() => progress.stop());
  if (!isWhole && interruption.signal) throw new Interrupted(interruption.signal);
}

async function cacheViews(
  { context, device, interruption, clip }: Pick<Lab, 'context' | 'device' | 'interruption' | 'clip'>,
  photos: string,
  folder: string,
  studentSize: number,
): Promise<void> {
  let progress: Progress | undefined;
  await fillCache(device, {
    photos,
    paths: await listPhotos(photos),
    clip,
    folder,
    grids: GRIDS,
    viewSource: 'native',
    studentSize,
    stopped: () => interruption.signal !== undefined,
    planned: ({ missing }) => {
      if (missing > 0) progress = new Progress(context.terminal, 'teacher looks', missing, 'scenes');
    },
    done: (n) => progress?.at(n),
  }).finally(() => progress?.stop());
  if (interruption.signal) throw new Interrupted(interruption.signal);
}

/** A run for every setting and seed; all settings of a seed before the next seed, so that what is there can be compared. */
function plan({ base, init, identity, options }: Lab, settings: readonly Setting[], seeds = options.seeds): Planned[] {
  return seeds.flatMap((seed) =>
    settings.map((setting) => ({
      setting,
      seed,
      identity: {
        config: resolveConfig(setting.config, base.config),
        settings: { ...base.settings, seed },
        init,
        data: identity,
      },
    })),
  );
}

/** Trains what is missing. The runs that are there in the end; not all where a signal came. */
async function trainMissing(lab: Lab, planned: readonly Planned[]): Promise<Planned[]> {
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
  const { model } = await newModel(device, config, seed, options.init ?? null);
  try {
    using trainer = await Trainer.create(device, model, chooseGrids(data, GRIDS, config.grids), settings);
    const metrics: Metrics[] = [];
    const began = performance.now();
    for await (const { steps: _, ...step } of trainer.run()) {
      metrics.push({ ...step, imagesPerSecond: settings.batch / step.seconds });
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
async function withModel<T>(
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

async function scoreRuns(lab: Lab, ended: readonly Planned[]): Promise<EndedRun[]> {
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

async function vocabularyOf({ device, clip, unseen, options }: Lab): Promise<Vocabulary> {
  return makeVocabulary(device, clip.text(device), await clip.tokens(), unseen.names, {
    templates: options.templates,
    scale: clip.scale,
  });
}

async function table(lab: Lab, name: ExperimentName): Promise<void> {
  const { context, device, options, interruption, base, scoring, identity } = lab;
  const { terminal } = context;
  const began = performance.now();
  const made = experiments[name];
  const planned = plan(lab, made.settings);
  // First, while nothing else is warm: it is short, and its numbers are the ones that noise disturbs.
  const times = name === 'table5' ? await timeSteps(lab, made) : undefined;
  const ended = await trainMissing(lab, planned);
  const scored = interruption.signal ? [] : await scoreRuns(lab, ended);
  if (interruption.signal) {
    terminal.out(
      `stopped: ${ended.length} of ${count(planned.length, 'runs')} are done and kept in ${options.out}; the same command goes on`,
    );
    throw new Interrupted(interruption.signal);
  }
  const files = await writeExperiment(options.out, name, {
    experiment: made,
    runs: scored,
    planned: planned.length,
    times,
    about: {
      version,
      adapter: device.name,
      command: commandOf(name, options),
      seeds: options.seeds,
      steps: options.steps,
      teacher: lab.teacher,
      training: identity,
      scoring,
      names: lab.unseen.names.length,
      config: base.config,
      settings: base.settings,
      init: options.init ?? null,
      isQuick: options.quick ?? false,
    },
  });
  for (const line of files.lines) terminal.out(line);
  for (const file of files.files) terminal.out(file);
  terminal.out(`${count(planned.length, 'runs')} in ${formatDuration((performance.now() - began) / 1000)}`);
}

/** The command with all that decides its numbers, to be run again. */
function commandOf(name: ExperimentName, options: Lab['options']): string {
  const { seeds, steps, scenes, unseen, classes, clip, config, init, quick } = options;
  const words = [`zeroseg experiment ${name} --out ${options.out} --seeds ${seeds.join(',')} --steps ${steps}`];
  words.push(`--scenes ${scenes} --unseen ${unseen} --classes ${classes} --clip ${clip} --config ${config}`);
  for (const one of options.given) words.push(`--set ${one}`);
  if (init !== undefined) words.push(`--init ${init}`);
  if (quick) words.push('--quick');
  return words.join(' ');
}

/**
 * Seconds of a step for every mask ratio: they take turns, so that what disturbs disturbs all alike, and the median of each
 * counts. Without masking there is nothing to rebuild, and no decoder; `decoder` is the step that hides a single patch. On a
 * software adapter processor time counts: other programs on the machine do not disturb it.
 */
async function timeSteps(lab: Lab, { settings }: Experiment): Promise<StepTimes> {
  const { context, device, base, data, options, interruption } = lab;
  const one = { key: 'decoder', config: { mask_ratio: 0.5 / patchCount(base.config) } };
  const rows = [one, ...settings.map(({ key, config }) => ({ key, config }))];
  const configured = rows.map(({ key, config }) => ({ key, config: resolveConfig(config, base.config) }));
  const file = join(
    options.out,
    'times',
    `${hashOf({ configured, batch: base.settings.batch, device: device.name, ROUNDS })}.json`,
  );
  if ((await kindOfPath(file)) === 'file') return (await readJson(file)) as StepTimes;
  const rounds = ROUNDS.timed + ROUNDS.before;
  const progress = new Progress(context.terminal, 'timing', rounds * rows.length, 'steps');
  const open: { key: string; trainer: Trainer; model: ZeroSeg; times: number[] }[] = [];
  try {
    for (const { key, config } of configured) {
      const { model } = await newModel(device, config, 0, null);
      const settings = { ...base.settings, epochs: Math.max(base.settings.epochs, rounds) };
      const trainer = await Trainer.create(device, model, chooseGrids(data, GRIDS, config.grids), settings, {
        watch: 0,
      });
      open.push({ key, trainer, model, times: [] });
    }
    const steps = open.map(({ trainer }) => trainer.run());
    for (let round = 0; round < rounds; round++) {
      for (const [i, row] of open.entries()) {
        if (interruption.signal) throw new Interrupted(interruption.signal);
        const before = process.cpuUsage();
        const { value } = await (steps[i] as (typeof steps)[number]).next();
        const { user, system } = process.cpuUsage(before);
        const seconds = device.isSoftware ? (user + system) / 1e6 : (value?.seconds ?? 0);
        if (round >= ROUNDS.before) row.times.push(seconds);
        progress.at(round * open.length + i + 1);
      }
    }
  } finally {
    progress.stop();
    for (const { trainer, model } of open) {
      trainer.dispose();
      freeParameters(model);
    }
  }
  const found: StepTimes = {
    clock: device.isSoftware ? 'processor' : 'wall',
    seconds: Object.fromEntries(open.map(({ key, times }) => [key, median(times)])),
  };
  await writeFileAtomic(file, `${JSON.stringify(found, undefined, 2)}\n`);
  return found;
}

/** Fig. 3: three of table 4's models on the same unseen scenes. */
async function figure3(lab: Lab): Promise<void> {
  const { context, options, interruption, device, unseen, scoring } = lab;
  const shown = experiments.table4.settings.filter(({ key }) => key !== 'matching');
  const seed = options.seeds[0] as number;
  const planned = plan(lab, shown, [seed]);
  const ended = await trainMissing(lab, planned);
  if (interruption.signal) {
    context.terminal.out(
      `stopped: ${ended.length} of ${count(planned.length, 'runs')} are kept; the same command goes on`,
    );
    throw new Interrupted(interruption.signal);
  }
  const vocabulary = await vocabularyOf(lab);
  const scenes = Array.from({ length: Math.min(FIGURE_SCENES, options.unseen) }, (_, i) =>
    unseen.scene(scoring.seed, i),
  );
  const models = planned.map(({ setting, identity }) => ({
    name: setting.name,
    look: <T>(work: (model: ZeroSeg) => Promise<T>) => withModel(lab, identity, work),
  }));
  const file = join(options.out, 'fig3.png');
  await lossFigure(file, { device, scenes, names: unseen.names, vocabulary, models });
  context.terminal.out(file);
}
