import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Device } from '@zeroseg/core';
import { defaultGrids, teacherIdentity, type ZeroSegAndText } from '@zeroseg/core/internal';
import { buildModule, newWeights, type Weights } from '@zeroseg/core/nn';
import {
  cachedData,
  type DemoStudents,
  demoFindings,
  type Image,
  initialWeights,
  type LiveTraining,
  liveStepLimits,
  modelFile,
  type NameShare,
  readCache,
  SCORING_SEED,
  type Scene,
  SceneMaker,
  type SceneScores,
  scenePresets,
  scoreScenes,
  scoringScenes,
  trainLive,
  type Vocabulary,
  viewCount,
  ZeroSeg,
} from '@zeroseg/core/zeroseg';
import { photos } from '@zeroseg/pretrained';
import { Command, Option } from 'commander';
import { FolderLock, nodeFileSystem, writeFileAtomic } from '../files/index.ts';
import { interLettering, loadAtlas, readPhoto } from '../photos/index.ts';
import { demoPage, encodeFindings, scoreTable } from '../reports/index.ts';
import {
  adapterOption,
  type Context,
  count,
  embedNames,
  formatDuration,
  formatRate,
  formatShare,
  Interrupted,
  type Interruption,
  loadModel,
  oneOf,
  openModelAndClip,
  Progress,
  parseClasses,
  seedRange,
  UsageError,
  version,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';
import { cacheSceneViews, checkKept, clearFolder, paintScenes, refuseOthers } from '../studies/index.ts';
import { builtIn, builtInTeacher, kindOfPath, openWeights, teacherFile } from '../weights/index.ts';

export interface DemoArguments {
  readonly out: string;
  readonly classes?: string;
  readonly photo: string;
  readonly quick?: boolean;
  readonly steps?: number;
  readonly scenes?: number;
  readonly scored?: number;
  readonly seed: number;
  readonly init: 'new' | 'teacher';
  readonly model: string;
  readonly clip: string;
  readonly adapter?: string;
}

/** The photograph that is segmented where none is given. */
const packagedPhoto = fileURLToPath(photos.boats);

/** Kinds of objects: those that the built-in teacher knows. */
const CLASSES = 40;
/** Added to the seed: the scenes that training is watched on are neither those it learns from nor those it is scored on. */
const WATCHED_SEED = 400_000_000;
/** Side of the scenes that are learnt from: the student's own. */
const LEARNT_SIZE = 64;
/** Side of the scenes that students are watched, shown and scored on. */
const SHOWN_SIZE = 128;
/** Of the student's training, for 256 scenes a step. */
const BASE_RATE = 0.02;
const scoring = { scoring: 'softmax', top: 5 } as const;

/** What a demo does, and the seconds that it has. What is measured on the way decides the rest. */
interface Plan {
  readonly seconds: number;
  readonly scenes: number;
  /** Scenes a step: the fewer, the more steps there are. */
  readonly batch: number;
  readonly watched: number;
  readonly measurements: number;
  /** Scenes in the report, and at least and at most for scores. */
  readonly shown: number;
  readonly scored: readonly [min: number, max: number];
}

const quickPlan: Plan = { seconds: 75, scenes: 400, batch: 8, watched: 4, measurements: 8, shown: 4, scored: [8, 40] };
const fullPlan: Plan = {
  seconds: 215,
  scenes: 900,
  batch: 8,
  watched: 12,
  measurements: 20,
  shown: 6,
  scored: [30, 200],
};
/** SwiftShader, which comes by npm, takes several times as long for everything. */
const slowPlan: Plan = { ...fullPlan, seconds: 530, watched: 6, measurements: 12 };
const slowQuickPlan: Plan = { ...quickPlan, watched: 2, measurements: 5, shown: 3, scored: [5, 20] };

/** Shares of the time that is left when it begins. */
const CACHING = 0.22;
const TRAINING = 0.75;
const SCORING = 0.7;

/** `zeroseg demo`: scenes, teacher, training, words, scores and a report, in minutes. */
export function demoCommand(context: Context): Command {
  return new Command('demo')
    .description('train a small ZeroSeg on made-up scenes, segment new ones by words, score it, and report')
    .option('--classes <names>', 'what to look for: "cat, umbrella, grass" (default: all that the scenes show)')
    .addOption(new Option('--words <names>').hideHelp().argParser(refuseWords))
    .option('--photo <file>', 'a photograph to segment as well', packagedPhoto)
    .option('--quick', 'all of it in a minute and a half: learns little')
    .option('--steps <n>', 'training steps (default: as many as there is time for)', wholeNumber())
    .option('--scenes <n>', 'scenes to learn from', wholeNumber(64))
    .option('--scored <n>', 'scenes to score on (default: as many as there is time for)', wholeNumber())
    .option('--seed <n>', 'of scenes, weights, masks and noise', wholeNumber(...seedRange), 1)
    .option(
      '--init <kind>',
      "weights to begin with: all new, or the teacher's image tower for the encoder",
      oneOf('new', 'teacher'),
      'teacher',
    )
    .option('--out <folder>', 'where everything is written; that of an earlier demo is replaced', 'out/demo')
    .option('--clip <place>', 'the teacher', builtIn)
    .option('--model <place>', 'a student that was trained longer, for comparison', builtIn)
    .option(...adapterOption)
    .addHelpText('after', '\nExample:\n  zeroseg demo --classes "cat, umbrella, grass" --photo cat.jpg')
    .action((options: DemoArguments) => demo(context, options));
}

function refuseWords(): never {
  throw new UsageError('demo: --words is --classes now, as in zeroseg segment: --classes "cat, umbrella, grass"');
}

async function demo(context: Context, options: DemoArguments): Promise<void> {
  const began = performance.now();
  const classes =
    options.classes === undefined ? undefined : (await parseClasses(options.classes)).map(({ name }) => name);
  const { clip, model } = options;
  const opened = await openModelAndClip(context, { model, clip });
  const photo = { name: basename(options.photo), image: await readPhoto(options.photo) };
  checkPatches(opened, options);
  const newStart = await startingWeights(options);
  for (const file of [opened.file, options.photo, ...(clip === builtIn ? [] : [clip])])
    await checkKept(options.out, file);
  await refuseOthers(options.out);
  const lock = await FolderLock.take('demo', options.out);
  try {
    await clearFolder(lock);
    await demoIn(context, options, { began, classes, opened, photo, newStart, lock });
  } catch (error) {
    if (error instanceof Interrupted) context.terminal.out('stopped; run the same command to begin again');
    throw error;
  } finally {
    await lock.release();
  }
}

/** What is known before the folder is emptied. */
interface Begun extends Pick<Run, 'opened' | 'newStart' | 'lock'> {
  readonly began: number;
  readonly classes: readonly string[] | undefined;
  readonly photo: { readonly name: string; readonly image: Image };
}

/** The demo in its empty folder. */
async function demoIn(
  context: Context,
  options: DemoArguments,
  { began, classes, opened, photo, newStart, lock }: Begun,
): Promise<void> {
  const { terminal } = context;
  const { quick = false } = options;
  await withDevice(context, options.adapter, async (device, interruption) => {
    const isSlow = /swiftshader/i.test(device.name);
    const plan = quick ? (isSlow ? slowQuickPlan : quickPlan) : isSlow ? slowPlan : fullPlan;
    const left = (share: number) => share * Math.max(0, plan.seconds - (performance.now() - began) / 1000);
    terminal.out(`ZeroSeg ${version} on ${device.name}: about ${formatDuration(plan.seconds)} in all`);
    // Seven templates, not eighty: the words come out alike, in a tenth of the time.
    using shipped = await loadModel(context, device, opened, { templates: 'subset' });
    const run: Run = { context, device, interruption, options, plan, opened, newStart, left, lock };

    heading(run, 1, 'Scenes to learn from: drawings on painted grounds');
    await makeScenes(run);
    heading(run, 2, 'What the teacher sees in them, whole and in pieces');
    await cacheViews(run);
    heading(run, 3, 'Training a student, without a label and without a word');
    const scenes = scoringScenes(await loadAtlas(), { classes: CLASSES, size: SHOWN_SIZE });
    const vocabulary = await embedNames(context, shipped, scenes.names, interruption);
    const watched = Array.from({ length: plan.watched }, (_, i) => scenes.scene(WATCHED_SEED + options.seed, i));
    const { training, start } = await learn(run, watched, vocabulary);
    const students = { shipped: shipped.model, fresh: training.model, start };
    heading(run, 4, `Segmenting by words: ${classes?.join(', ') ?? `all ${scenes.names.length} that the scenes show`}`);
    const words = classes ? await embedNames(context, shipped, classes, interruption) : vocabulary;
    const findings = await demoFindings(device, {
      scenes,
      seed: SCORING_SEED + options.seed,
      shown: plan.shown,
      students,
      teacher: await opened.clip.vision(device),
      vocabulary: words,
      scoring,
      photo,
      film: { scene: watched[0] as Scene, measurements: training.measurements },
      lettering: interLettering(),
      signal: interruption.abortSignal,
    });
    for (const { caption, found } of findings.scenes) terminal.out(`${caption}: ${formatNames(found)}`);
    terminal.out(`${photo.name}: ${formatNames(findings.photo.found)}`);
    heading(run, 5, 'Scores on scenes that no student has seen');
    const scores = await scoreAll(run, scenes, vocabulary, students);
    heading(run, 6, 'Report');
    const report = join(options.out, 'report.html');
    const page = demoPage({
      scenes,
      findings: await encodeFindings(findings),
      scores,
      training,
      words: words.names,
      facts: {
        version,
        adapter: device.name,
        seed: options.seed,
        learnt: run.learnt as number,
        seconds: (performance.now() - began) / 1000,
        shipped: opened.info,
        isFromTeacher: options.init === 'teacher',
      },
    });
    await writeFileAtomic(report, page, { lock });
    terminal.out(`report  ${report}`);
    terminal.out(`scores  ${join(options.out, 'scores.json')}`);
    terminal.out(`model   ${join(options.out, 'model.safetensors')}`);
    terminal.out(`done in ${formatDuration((performance.now() - began) / 1000)}`);
  });
}

/** What the steps of a demo share. */
interface Run {
  readonly context: Context;
  readonly device: Device;
  readonly interruption: Interruption;
  readonly options: DemoArguments;
  readonly plan: Plan;
  readonly opened: ZeroSegAndText;
  /** What the student begins with: the same at every call. */
  readonly newStart: (device: Device) => Weights;
  /** Seconds: a share of what is left. */
  readonly left: (share: number) => number;
  readonly lock: FolderLock;
  /** Scenes that were learnt from. */
  learnt?: number;
}

function heading({ context: { terminal } }: Run, number: number, title: string): void {
  if (number > 1) terminal.out('');
  terminal.out(`${number}. ${title}`);
}

/** The largest of what was found: `cat 41 %, grass 30 %`. */
function formatNames(found: readonly NameShare[]): string {
  return found
    .slice(0, 4)
    .map(({ name, share }) => `${name} ${formatShare(share, 0)}`)
    .join(', ');
}

async function makeScenes(run: Run): Promise<void> {
  const { options, plan, context, interruption } = run;
  const scenes = new SceneMaker(await loadAtlas(), {
    ...scenePresets.mixed,
    size: LEARNT_SIZE,
    classes: CLASSES,
  });
  const sceneCount = options.scenes ?? plan.scenes;
  const began = performance.now();
  const signal = interruption.abortSignal;
  await paintScenes(context, join(options.out, 'scenes'), scenes, { seed: options.seed, count: sceneCount, signal });
  const kinds = `${count(scenes.objectCount, 'objects')}, ${scenes.names.length - scenes.objectCount} kinds of ground`;
  context.terminal.out(
    `${count(sceneCount, 'scenes')} of ${kinds}, in ${formatDuration((performance.now() - began) / 1000)}`,
  );
}

async function cacheViews(run: Run): Promise<void> {
  const { device, options, context, interruption, opened, left } = run;
  const began = performance.now();
  run.learnt = await cacheSceneViews(context, device, {
    scenes: join(options.out, 'scenes'),
    cache: join(options.out, 'cache'),
    clip: opened.clip,
    grids: defaultGrids,
    studentSize: LEARNT_SIZE,
    signal: interruption.abortSignal,
    limit: options.scenes === undefined ? { seconds: left(CACHING), min: MIN_SCENES } : undefined,
  });
  const seconds = (performance.now() - began) / 1000;
  context.terminal.out(
    `${viewCount(defaultGrids)} views of each of ${count(run.learnt, 'scenes')}, in ${formatDuration(seconds)} (${formatRate(run.learnt / seconds, 'scenes')})`,
  );
}

/** To learn from, however long the teacher takes. */
const MIN_SCENES = 64;

async function learn(
  run: Run,
  watched: readonly Scene[],
  vocabulary: Vocabulary,
): Promise<{ training: LiveTraining; start: ZeroSeg }> {
  const { device, options, context, interruption, opened, left } = run;
  const { terminal } = context;
  const cache = await readCache(nodeFileSystem(join(options.out, 'cache')));
  let progress: Progress | undefined;
  try {
    const seconds = left(TRAINING);
    const weights = () => run.newStart(device);
    const training = await trainLive(device, {
      features: cache,
      data: (imageSize) => cachedData(cache, imageSize),
      seed: options.seed,
      batch: run.plan.batch,
      baseLr: BASE_RATE,
      weights,
      steps: options.steps,
      seconds,
      watched,
      measurements: run.plan.measurements,
      vocabulary,
      scoring,
      onPlan: ({ steps, stepSeconds, settings }) => {
        const why =
          options.steps === undefined ? `, as many as fit into ${formatDuration(seconds)}` : ', as --steps says';
        terminal.out(
          `a step of ${settings.batch} scenes takes ${stepSeconds.toFixed(2)} s: ${count(steps, 'steps')}${why} (from ${liveStepLimits.min} to ${liveStepLimits.max})`,
        );
        progress = new Progress(terminal, 'training', steps, 'steps');
      },
      signal: interruption.abortSignal,
      onProgress: ({ report: { step, loss }, measurement: { used, accuracy } }) =>
        progress?.at(
          step,
          `loss ${loss.toFixed(3)} · ${used.toFixed(1)} segments in use · ${formatShare(accuracy)} of pixels right`,
        ),
    });
    progress?.stop();
    const [first, last] = [training.measurements[0], training.measurements.at(-1)];
    if (first && last) {
      terminal.out(
        `${count(training.steps.length, 'steps')} in ${formatDuration(training.seconds)}: pixels right ${formatShare(first.accuracy)} → ${formatShare(last.accuracy)}, ` +
          `segments in use ${first.used.toFixed(1)} → ${last.used.toFixed(1)} (${last.things.toFixed(1)} things a scene)`,
      );
    }
    const teacher = teacherIdentity(opened.clip.name, await opened.clip.weightsHash());
    const file = await modelFile(training.model, {
      step: training.steps.length,
      teacher,
      naming: { scoring: scoring.scoring },
    });
    await writeFileAtomic(join(options.out, 'model.safetensors'), file, run);
    const metrics = training.steps.map((step) => `${JSON.stringify(step)}\n`).join('');
    await writeFileAtomic(join(options.out, 'metrics.jsonl'), metrics, run);
    const start = await buildModule(weights(), (from) => new ZeroSeg(from, training.model.config));
    return { training, start };
  } finally {
    progress?.stop();
    await cache.close();
  }
}

/** Weights of the seed alone, or with the teacher's image tower as the encoder. */
async function startingWeights({ seed, init, clip }: DemoArguments): Promise<(device: Device) => Weights> {
  if (init === 'new') return (device) => newWeights(device, seed);
  const place = clip === builtIn ? await builtInTeacher() : clip;
  const file = (await kindOfPath(place)) === 'folder' ? join(place, teacherFile) : place;
  const { tensors } = await openWeights(file);
  return (device) => initialWeights(device, seed, tensors, file, new Set());
}

/** Before anything is made: pictures of scenes must hold whole patches of student and teacher. */
function checkPatches({ info, clip }: ZeroSegAndText, options: DemoArguments): void {
  for (const [option, place, patch] of [
    ['--model', options.model, info.config.patch],
    ['--clip', options.clip, clip.config.vision.patch],
  ] as const) {
    if (SHOWN_SIZE % patch === 0) continue;
    throw new UsageError(
      `demo: ${option} ${place}: its patches of ${patch} pixels do not divide the demo's scenes of ${SHOWN_SIZE}; give one whose patches do`,
    );
  }
}

async function scoreAll(
  run: Run,
  scenes: SceneMaker,
  vocabulary: Vocabulary,
  students: DemoStudents,
): Promise<SceneScores> {
  const { device, options, plan, context, interruption, opened, left } = run;
  const [min, max] = options.scored === undefined ? plan.scored : [options.scored, options.scored];
  const began = performance.now();
  const progress = new Progress(context.terminal, 'scoring', max, 'scenes');
  const scores = await scoreScenes(device, {
    scenes,
    seed: SCORING_SEED + options.seed,
    count: max,
    vocabulary,
    teacher: await opened.clip.vision(device),
    students: { ...students },
    ...scoring,
    limit: { seconds: left(SCORING), min },
    signal: interruption.abortSignal,
    onProgress: ({ done }) => progress.at(done),
  }).finally(() => progress.stop());
  const seconds = formatDuration((performance.now() - began) / 1000);
  context.terminal.out(`${count(scores.scenes, 'scenes')} in ${seconds}`);
  for (const line of scoreTable(scores, studentWords)) context.terminal.out(line);
  const { shipped, fresh, start } = scores.students;
  const result = {
    fresh,
    shipped,
    start,
    baselines: scores.baselines,
    scenes: scores.scenes,
    seed: options.seed,
    names: scenes.names,
    objects: scenes.objectCount,
    options: { ...scoring, templates: 'subset' },
    adapter: device.name,
    version,
  };
  await writeFileAtomic(join(options.out, 'scores.json'), `${JSON.stringify(result, undefined, 2)}\n`, run);
  return scores;
}

const studentWords = { shipped: 'shipped student', fresh: 'fresh student', start: 'fresh student at its start' };
