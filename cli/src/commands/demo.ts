import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Device } from '@zeroseg/core';
import { rounded, type ZeroSegAndText } from '@zeroseg/core/internal';
import {
  type DemoStudents,
  demoFindings,
  type Image,
  type LiveScores,
  SCORING_SEED,
  type Scene,
  scoreLive,
  type Vocabulary,
} from '@zeroseg/core/zeroseg';
import { Command, Option } from 'commander';
import { FolderLock, writeFileAtomic } from '../files/index.ts';
import { interLettering, loadAtlas, readPhoto } from '../photos/index.ts';
import { demoPage, encodeFindings, heroFile, liveScoreTable, objectsFound, stateWords } from '../reports/index.ts';
import {
  adapterOption,
  type Context,
  checkPatches,
  count,
  embedNames,
  formatDuration,
  formatPercent,
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
import {
  allScenes,
  checkKept,
  clearFolder,
  type FreshStudent,
  fullPlan,
  openStart,
  quickPlan,
  refuseOthers,
  type Start,
  type StartKind,
  scenesOf,
  slowPlan,
  slowQuickPlan,
  startKinds,
  trainFresh,
  type WordedScenes,
} from '../studies/index.ts';
import { builtIn, builtInScores } from '../weights/index.ts';

export interface DemoArguments {
  readonly out: string;
  readonly classes?: string;
  readonly photo?: string;
  readonly quick?: boolean;
  readonly steps?: number;
  readonly scenes?: number;
  readonly scored?: number;
  readonly seed: number;
  readonly init?: StartKind;
  readonly model: string;
  readonly clip: string;
  readonly adapter?: string;
}

/** Kinds of objects: those that the built-in teacher knows. */
const CLASSES = 40;
/** Added to the seed: the scenes that training is watched on are neither those it learns from nor those it is scored on. */
const WATCHED_SEED = 400_000_000;
/** Side of the scenes that students are watched, shown and scored on. */
const SHOWN_SIZE = 128;
const scoring = { scoring: 'softmax', top: 5 } as const;

/** Shares of the time that is left when it begins. */
const TRAINING = 0.8;
const SCORING = 0.75;

/** `zeroseg demo`: a student that divides unseen scenes by words, one that is trained meanwhile, scores and a report, in minutes. */
export function demoCommand(context: Context): Command {
  return new Command('demo')
    .description('segment made-up scenes by words, train a small ZeroSeg meanwhile, score both, and report')
    .option('--classes <names>', 'what the scenes show: "cat, umbrella, grass" (default: all 54 that there are)')
    .addOption(new Option('--words <names>').hideHelp().argParser(refuseWords))
    .option('--photo <file>', 'a photograph to segment as well: the built-in teacher knows drawings only')
    .option('--quick', 'one to three minutes, without training')
    .option('--steps <n>', 'training steps (default: as many as there is time for)', wholeNumber())
    .option('--scenes <n>', 'scenes to learn from (default: as many as there is time for)', wholeNumber(8))
    .option('--scored <n>', 'scenes to score on (default: as many as there is time for)', wholeNumber())
    .option('--seed <n>', 'of scenes, weights, masks and noise', wholeNumber(...seedRange), 1)
    .option(
      '--init <kind>',
      'weights to begin training with: names (the built-in student, but its last layers, which name segments, are new), ' +
        "teacher (the teacher's image tower for the encoder, all else new) or new (default: names; on a GPU teacher)",
      oneOf(...startKinds),
    )
    .option('--out <folder>', 'where everything is written; that of an earlier demo is replaced', 'out/demo')
    .option('--clip <place>', 'the teacher', builtIn)
    .option('--model <place>', 'the student that is shown', builtIn)
    .option(...adapterOption)
    .addHelpText('after', '\nExample:\n  zeroseg demo --classes "cat, umbrella, grass" --quick')
    .action((options: DemoArguments) => demo(context, options));
}

function refuseWords(): never {
  throw new UsageError('demo: --words is --classes now, as in zeroseg segment: --classes "cat, umbrella, grass"');
}

export async function demo(context: Context, options: DemoArguments): Promise<void> {
  const began = performance.now();
  const sizes = { classes: CLASSES, size: SHOWN_SIZE };
  const atlas = await loadAtlas();
  const all = allScenes(atlas, sizes);
  const classes = options.classes === undefined ? undefined : await parseClasses(options.classes);
  const shown =
    classes === undefined
      ? all
      : scenesOf(
          atlas,
          classes.map(({ name }) => name),
          sizes,
        );
  const { clip, model, photo: photoFile } = options;
  const opened = await openModelAndClip(context, { model, clip });
  const photo = photoFile === undefined ? undefined : { name: basename(photoFile), image: await readPhoto(photoFile) };
  checkPatches('demo', SHOWN_SIZE, options, opened);
  const startOn = await openStart(options.init, clip, options.seed);
  const kept = [opened.file, photoFile, clip === builtIn ? undefined : clip];
  for (const file of kept) if (file !== undefined) await checkKept(options.out, file);
  await refuseOthers(options.out);
  const lock = await FolderLock.take('demo', options.out);
  try {
    await clearFolder(lock);
    await demoIn(context, options, { began, all, shown, opened, photo, startOn, lock });
  } catch (error) {
    if (error instanceof Interrupted) context.terminal.log('stopped; run the same command to begin again');
    throw error;
  } finally {
    await lock.release();
  }
}

/** What is known before the folder is emptied. */
interface Begun {
  readonly began: number;
  /** Scenes of everything, which students are scored on, and of what is asked for, which are shown. */
  readonly all: WordedScenes;
  readonly shown: WordedScenes;
  readonly opened: ZeroSegAndText;
  readonly photo: { readonly name: string; readonly image: Image } | undefined;
  readonly startOn: (device: Device) => Promise<Start>;
  readonly lock: FolderLock;
}

/** The demo in its empty folder. */
async function demoIn(context: Context, options: DemoArguments, begun: Begun): Promise<void> {
  const { terminal } = context;
  const { began, all, shown, opened, photo, lock } = begun;
  const { out, seed, quick = false } = options;
  await withDevice(context, options.adapter, async (device, interruption) => {
    const isSlow = /swiftshader/i.test(device.name);
    const plan = quick ? (isSlow ? slowQuickPlan : quickPlan) : isSlow ? slowPlan : fullPlan;
    const seconds = (): number => (performance.now() - began) / 1000;
    const left = (fraction: number): number => fraction * Math.max(0, plan.seconds - seconds());
    terminal.log(`ZeroSeg ${version} on ${device.name}: about ${formatDuration(plan.seconds)} in all`);
    // Seven templates, not eighty: the words come out alike, in a tenth of the time.
    using shipped = await loadModel(context, device, opened, { templates: 'subset' });
    const vocabulary = await embedNames(context, shipped, all.words, interruption);
    const words = shown === all ? vocabulary : await embedNames(context, shipped, shown.words, interruption);
    const heading = numbered(context);

    let fresh: FreshStudent | undefined;
    const watched = watchedScenes(all, seed, plan.training.watched);
    if (!quick || options.steps !== undefined) {
      heading('Training a student of your own, without a label and without a word');
      const start = await begun.startOn(device);
      const { steps, scenes } = options;
      fresh = await trainFresh(context, device, {
        ...plan.training,
        ...{ out, lock, opened, start, seed, steps, scenes, vocabulary, scoring, interruption, watched },
        classes: CLASSES,
        seconds: left(TRAINING),
      });
    }
    const students: DemoStudents = {
      shipped: shipped.model,
      ...(fresh ? { fresh: fresh.training.model, start: fresh.start } : {}),
    };

    heading(`Naming what unseen scenes show, by ${count(words.names.length, 'words')}`);
    const findings = await demoFindings(device, {
      scenes: shown.scenes,
      vocabulary: words,
      seed: SCORING_SEED + seed,
      shown: plan.shown,
      searched: plan.searched,
      students,
      teacher: await opened.clip.vision(device),
      scoring,
      photo,
      film: fresh && { scene: watched[0] as Scene, measurements: fresh.training.measurements, vocabulary },
      lettering: interLettering(),
      signal: interruption.abortSignal,
    });
    for (const { caption, outputs } of findings.scenes) {
      const names = outputs.shipped.names.map((one) => `${one.name} ${stateWords(one)}`);
      terminal.log(`${caption}: ${names.join(', ')} (${objectsFound(outputs.shipped)})`);
    }
    if (findings.photo) {
      const names = findings.photo.names
        .slice(0, 4)
        .map(({ name, fraction }) => `${name} ${formatPercent(fraction, 0)}`);
      terminal.log(`${findings.photo.name}: ${names.join(', ')}`);
    }

    heading('Scores on unseen scenes');
    const scores = await score(context, device, {
      ...{ all, vocabulary, students, seed, interruption },
      limit: options.scored === undefined ? { seconds: left(SCORING), min: plan.scored[0] } : undefined,
      max: options.scored ?? plan.scored[1],
    });
    for (const line of liveScoreTable(scores, studentWords)) terminal.out(line);
    const facts = { seed, names: all.words, objects: all.scenes.objectCount, scoring, adapter: device.name, version };
    await writeFileAtomic(
      join(out, 'scores.json'),
      `${JSON.stringify({ ...rounded(scores), ...facts }, undefined, 2)}\n`,
      begun,
    );

    heading('Report');
    const report = join(out, 'report.html');
    await writeFileAtomic(join(out, 'hero.png'), await heroFile(findings), begun);
    const encoded = await encodeFindings(findings);
    // Page and terminal tell the same time.
    const took = seconds();
    const page = demoPage({
      findings: encoded,
      scores,
      known: options.model === builtIn && options.clip === builtIn ? await builtInScores() : undefined,
      fresh,
      scenes: all.scenes,
      words: shown.words,
      isAsked: shown !== all,
      facts: { version, seed, adapter: device.name, seconds: took, shipped: opened.info },
    });
    await writeFileAtomic(report, page, begun);
    if (fresh) terminal.out(`student  ${join(out, 'model.safetensors')}`);
    terminal.out(`scores   ${join(out, 'scores.json')}`);
    terminal.out(`picture  ${join(out, 'hero.png')}`);
    terminal.out(`report   ${pathToFileURL(resolve(report)).href}`);
    terminal.log(`done in ${formatDuration(took)}; open the report in a browser`);
  });
}

/** Scenes that training is watched on; that with the most objects is filmed, and comes first. */
function watchedScenes({ scenes }: WordedScenes, seed: number, count: number): Scene[] {
  const watched = Array.from({ length: count }, (_, i) => scenes.scene(WATCHED_SEED + seed, i));
  return watched.sort((a, b) => b.objects.length - a.objects.length);
}

/** Prints headings `1. …`, `2. …`. */
function numbered({ terminal }: Context): (title: string) => void {
  let number = 0;
  return (title) => {
    if (number > 0) terminal.log('');
    terminal.log(`${++number}. ${title}`);
  };
}

interface ScoreOptions {
  readonly all: WordedScenes;
  readonly vocabulary: Vocabulary;
  readonly students: DemoStudents;
  readonly seed: number;
  readonly limit: { readonly seconds: number; readonly min: number } | undefined;
  readonly max: number;
  readonly interruption: Interruption;
}

async function score(
  { terminal }: Context,
  device: Device,
  { all, vocabulary, students, seed, limit, max, interruption }: ScoreOptions,
): Promise<LiveScores> {
  let progress: Progress | undefined;
  try {
    return await scoreLive(device, {
      scenes: all.scenes,
      seed: SCORING_SEED + seed,
      count: max,
      limit,
      vocabulary,
      students: Object.fromEntries(Object.entries(students)),
      scoring,
      signal: interruption.abortSignal,
      onProgress: ({ done, total }) => {
        progress ??= new Progress(terminal, 'scoring', total, 'scenes');
        progress.at(done);
      },
    });
  } finally {
    progress?.stop();
  }
}

const studentWords = { shipped: 'shipped student', fresh: 'your student', start: 'before its training' };
