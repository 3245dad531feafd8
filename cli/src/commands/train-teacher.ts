import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import { parseStep, readSettingTensors, trainableWeights } from '@zeroseg/core/internal';
import { buildModule, countParameters } from '@zeroseg/core/nn';
import {
  CaptionedScenes,
  type ClipConfig,
  type ClipSettings,
  type ClipStepReport,
  ClipTrainer,
  clipFile,
  clipSettingsFile,
  clipTrainingFile,
  defaultClipSettings,
  knownWordsMetadata,
  type NamingScore,
  newClipWeights,
  type RunFormat,
  RunStore,
  resumeClipTraining,
  scoreTeacher,
  type TeacherScenes,
  type TeacherScores,
  Tokenizer,
  TrainableClip,
  taughtWords,
  teacherConfigs,
  teacherScenes,
  textVocabulary,
  trainSaved,
  VALIDATION_SEED,
  validationCrops,
  type WeightFile,
} from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import {
  brokenField,
  hasFields,
  isListOf,
  isMaybe,
  isNumber,
  isText,
  isWhole,
  nodeFileSystem,
  readJson,
} from '../files/index.ts';
import { loadAtlas } from '../photos/index.ts';
import {
  adapterOption,
  type Context,
  commandText,
  count,
  countOrAll,
  formatDuration,
  formatPercent,
  formatRate,
  numberFrom,
  oneOf,
  Progress,
  parseNames,
  seedRange,
  UsageError,
  version,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';
import { kindOfPath, openClip, openWeights, teacherFile, teacherWeights } from '../weights/index.ts';

export interface TrainTeacherArguments {
  readonly out: string;
  readonly config: keyof typeof teacherConfigs;
  readonly classes: number | 'all';
  readonly styles?: string;
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  readonly seed: number;
  readonly init?: string;
  readonly atlas?: string;
  readonly validateAtlas?: string;
  readonly validateEvery: number;
  readonly validateCrops: number;
  readonly resume?: boolean;
  readonly adapter?: string;
}

/** What a training was made with: `log.json`. */
export interface Log {
  readonly format: typeof FORMAT;
  /** Makes these weights again, on the same adapter. */
  readonly command: string;
  readonly version: string;
  readonly node: string;
  readonly adapter: string;
  readonly started: string;
  readonly config: ClipConfig;
  readonly settings: ClipSettings;
  readonly classes: readonly string[];
  readonly styles: readonly string[];
  /** Trained steps, and seconds of all of them. */
  readonly steps: number;
  readonly seconds: number;
  readonly validations: readonly ({ readonly step: number } & TeacherScores)[];
  /** Of the file as it was written, with the 80 templates. */
  readonly final?: TeacherScores | undefined;
}

const OP = 'train-teacher';
const FORMAT = 'zeroseg teacher training';
/** Crops to validate on during training, at most. */
const CROPS = 400;
const SAVE_SECONDS = 300;

/** `zeroseg train-teacher`: a small CLIP out of made-up scenes. */
export function trainTeacherCommand(context: Context): Command {
  const { steps, batch, lr, seed } = defaultClipSettings;
  const sizes = Object.keys(teacherConfigs) as (keyof typeof teacherConfigs)[];
  return new Command('train-teacher')
    .description('train a small CLIP on made-up scenes and their captions; resumable')
    .requiredOption('--out <folder>', 'folder of the teacher: weights, config.json, log.json')
    .option('--config <name>', `sizes: ${sizes.join(' or ')}`, oneOf(...sizes), 'tiny')
    .option('--classes <n>', "kinds of objects, the first of the atlas' order, or all", countOrAll, 40)
    .option('--styles <names>', 'drawing styles, with commas between (default: all of the atlas)')
    .option('--steps <n>', 'steps of training', wholeNumber(), steps)
    .option('--batch <pairs>', 'crops of scenes with captions a step', wholeNumber(2, 2 ** 20), batch)
    .option('--lr <rate>', 'highest learning rate', numberFrom(0, 1e4), lr)
    .option('--seed <n>', 'of weights, scenes and captions', wholeNumber(...seedRange), seed)
    .option(
      '--init <file>',
      'begin with the weights and words of an earlier teacher.safetensors, or of the built-in one',
    )
    .option('--atlas <folder>', 'cut-outs that scenes are made of (default: those of the package)')
    .option('--validate-atlas <folder>', 'cut-outs of other styles, to validate on as well')
    .option('--validate-every <steps>', 'steps between validations', wholeNumber(), 500)
    .option('--validate-crops <n>', 'crops of scenes to score the teacher on at the end', wholeNumber(), 1000)
    .option('--resume', 'go on with the training in the folder, under the same options; more --steps make it longer')
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  zeroseg train-teacher --out out/teacher --classes 40 --steps 4000\n' +
        '  zeroseg cache photos --clip out/teacher --out out/cache',
    )
    .action((options: TrainTeacherArguments) => trainTeacher(context, options));
}

/** Trains, or goes on. */
export async function trainTeacher(context: Context, options: TrainTeacherArguments): Promise<void> {
  if (!options.resume) {
    await RunStore.refuseUsed(nodeFileSystem(options.out), FORMAT_OF_RUN as RunFormat<never>);
    return trainIn(context, options, undefined, undefined);
  }
  // First without the lock, which would make the folder.
  await readLog(options.out);
  const store = await RunStore.open(nodeFileSystem(options.out), FORMAT_OF_RUN);
  try {
    await trainIn(context, options, await readLog(options.out), store);
  } finally {
    await store.close();
  }
}

async function trainIn(
  context: Context,
  options: TrainTeacherArguments,
  before: Log | undefined,
  opened: RunStore<ClipMetrics> | undefined,
): Promise<void> {
  const { out } = options;
  const command = commandOf(options);
  if (before) checkCommand(before, options);
  const settings: ClipSettings = {
    ...defaultClipSettings,
    steps: options.steps,
    batch: options.batch,
    lr: options.lr,
    seed: options.seed,
    warmup: before?.settings.warmup ?? Math.max(1, Math.min(200, Math.round(options.steps / 20))),
  };
  const scenes = await openScenes(options);
  const config = teacherConfigs[options.config];
  const data = new CaptionedScenes(scenes.makers, { seed: settings.seed, side: config.vision.image });
  const tokens = await Tokenizer.clip();
  const initial = options.init === undefined ? undefined : await openWeights(await teacherWeights(options.init));

  await withDevice(context, options.adapter, async (device, interruption) => {
    const { weights, ids } = initial
      ? trainableWeights(device, await readSettingTensors(initial.tensors), options.init as string)
      : { weights: newClipWeights(device, settings.seed), ids: textVocabulary(tokens, data.texts()) };
    const clip = await buildModule(weights, (from) => new TrainableClip(from, config, ids));
    using trainer = await ClipTrainer.create(device, clip, tokens, data, settings);
    const damaged: string[] = [];
    const found = await opened?.newest((reason) => damaged.push(reason));
    if (before?.final && !found) {
      throw new UsageError(`${OP}: ${out}: this training is at its end, and no checkpoint is left to go on from`);
    }
    if (found) await resumeClipTraining(trainer, found.files.get(STATE) as WeightFile);
    const place = found ? `the checkpoint of step ${found.step}` : 'the beginning';
    for (const reason of damaged) context.terminal.note(`${reason}; going on from ${place}`);
    const log: Log = {
      format: FORMAT,
      command,
      version,
      node: process.version,
      adapter: device.name,
      started: before?.started ?? new Date().toISOString(),
      config,
      settings,
      classes: scenes.classes,
      styles: scenes.styles,
      steps: trainer.done,
      seconds: before?.seconds ?? 0,
      validations: before?.validations?.filter(({ step }) => step <= trainer.done) ?? [],
    };
    context.terminal.log(
      `${(countParameters(clip) / 1e6).toFixed(2)} M parameters, ${count(ids.length, 'tokens')}, ` +
        `${count(scenes.classes.length, 'classes')} in ${scenes.styles.join(', ')}, on ${device.name}`,
    );
    // Only now, when everything has been found to fit.
    const store = opened ?? (await RunStore.create(nodeFileSystem(out), FORMAT_OF_RUN, async () => {}));
    try {
      await runTraining(context, {
        device,
        trainer,
        tokens,
        scenes,
        log,
        options,
        store,
        signal: interruption.abortSignal,
      });
    } finally {
      if (!opened) await store.close();
    }
  });
}

/** What a training goes on from, in a checkpoint. */
const STATE = 'training.safetensors';

type ClipMetrics = Omit<ClipStepReport, 'steps'>;

/** What a training of a teacher keeps. */
const FORMAT_OF_RUN: RunFormat<ClipMetrics> = {
  op: OP,
  description: 'log.json',
  parts: [STATE],
  metrics: { format: JSON.stringify, parse: parseStep },
};

async function openScenes({ atlas, classes, styles, validateAtlas }: TrainTeacherArguments): Promise<TeacherScenes> {
  return teacherScenes(await loadAtlas(atlas), {
    ...(classes === 'all' ? {} : { classes }),
    ...(styles === undefined ? {} : { styles: parseNames(styles) }),
    validationAtlas: validateAtlas === undefined ? undefined : await loadAtlas(validateAtlas),
  });
}

interface Running {
  readonly device: Device;
  readonly trainer: ClipTrainer;
  readonly tokens: Tokenizer;
  readonly scenes: TeacherScenes;
  readonly log: Log;
  readonly options: TrainTeacherArguments;
  readonly store: RunStore<ClipMetrics>;
  readonly signal: AbortSignal;
}

async function runTraining({ terminal }: Context, running: Running): Promise<void> {
  const { device, trainer, tokens, scenes, options, store, signal } = running;
  const { clip, settings } = trainer;
  const { out } = options;
  let { log } = running;
  const first = trainer.done;
  const writeLog = (more: Partial<Log> = {}) =>
    store.files.write('log.json', `${JSON.stringify({ ...log, ...more }, undefined, 2)}\n`);
  // Before all else: with it a training that dies before it saves can be begun again by --resume.
  if (first < settings.steps) await writeLog();
  await store.begin(first);
  const side = clip.config.vision.image;
  const validation = validationCrops(scenes, {
    seed: settings.seed + VALIDATION_SEED,
    count: Math.min(CROPS, options.validateCrops),
    side,
  });
  const before = log.seconds;
  const began = performance.now();

  const progress = new Progress(terminal, 'training', settings.steps, 'steps', first);
  const isEnded = await trainSaved<ClipStepReport, ClipMetrics>(
    {
      trainer,
      store,
      metricsOf: ({ steps: _, ...step }) => step,
      checkpoint: async () => {
        await store.files.write(
          teacherFile,
          await clipFile(clip, { metadata: knownWordsMetadata(taughtWords(scenes)) }),
        );
        await store.files.write('config.json', clipSettingsFile(clip.config));
        return { [STATE]: await clipTrainingFile(trainer) };
      },
      saved: () => {
        log = { ...log, steps: trainer.done, seconds: before + Math.round((performance.now() - began) / 1000) };
        return writeLog();
      },
      isEvaluated: (step) => step % options.validateEvery === 0 && step < settings.steps,
      evaluate: async (step) => {
        await clip.readTokens();
        const scores = await scoreTeacher(device, { ...clip, tokens }, scenes, validation, { templates: 'subset' });
        log = { ...log, validations: [...log.validations, { step, ...scores }] };
        progress.say(`step ${step}: ${formatScores(scores)}`);
      },
    },
    {
      saveSeconds: SAVE_SECONDS,
      signal,
      onProgress: ({ step, loss, accuracy }) =>
        progress.at(step, `loss ${loss.toFixed(3)}, ${formatPercent(accuracy)} of the batch right`),
    },
  ).finally(() => progress.stop());
  const seconds = (performance.now() - began) / 1000;
  if (!isEnded) {
    terminal.log(
      `stopped after step ${trainer.done} of ${settings.steps}, saved; go on with the same options and --resume`,
    );
    throw signal.reason;
  }
  // What is scored is the file: rounded to f16, and opened as everybody opens it.
  const written = await openClip(join(out, teacherFile));
  const towers = { vision: await written.vision(device), text: await written.text(device), tokens };
  const crops = { seed: settings.seed + 2 * VALIDATION_SEED, count: options.validateCrops, side };
  const final = await scoreTeacher(device, towers, scenes, validationCrops(scenes, crops), {
    templates: 'full',
    synonyms: true,
  });
  await writeLog({ final });
  if (trainer.done > first) {
    const rate = formatRate(((trainer.done - first) * settings.batch) / seconds, 'crops');
    terminal.log(`trained ${count(trainer.done - first, 'steps')} in ${formatDuration(seconds)} (${rate})`);
  }
  terminal.out(formatScores(final));
  terminal.out(`teacher: ${join(out, teacherFile)}`);
}

function formatScores({ scenes, synonyms, unseenStyle }: TeacherScores): string {
  const format = ({ present, objects }: NamingScore) =>
    `${formatPercent(present)} (of objects ${formatPercent(objects)})`;
  const parts = [`a class that is present named on ${format(scenes)} of new crops`];
  if (synonyms) parts.push(`by synonyms ${format(synonyms)}`);
  if (unseenStyle) parts.push(`in an unseen style ${format(unseenStyle)}`);
  return parts.join('; ');
}

/** The options that decide the weights, in full. */
function commandOf(options: TrainTeacherArguments): string {
  const { out, config, classes, styles, steps, batch, lr, seed, init, atlas, validateAtlas } = options;
  const names = { out, config, classes, styles, steps, batch, lr, seed, init, atlas };
  return commandText('train-teacher', { ...names, 'validate-atlas': validateAtlas });
}

async function readLog(folder: string): Promise<Log> {
  const path = join(folder, 'log.json');
  if ((await kindOfPath(path)) !== 'file') {
    throw new UsageError(
      `train-teacher: ${folder}: there is no training to go on with; leave --resume out to begin one`,
    );
  }
  return parseLog(await readJson(path), path);
}

/** What a `log.json` says. */
export function parseLog(found: unknown, path: string): Log {
  const broken = brokenField(found, {
    format: (value) => value === FORMAT,
    command: isText,
    started: isMaybe(isText),
    steps: isMaybe(isWhole(0)),
    seconds: isMaybe(isNumber),
    validations: isMaybe(isListOf(hasFields({ step: isWhole(0) }))),
  });
  if (broken === undefined) return found as Log;
  throw new UsageError(`train-teacher: ${path}: this is not the log of a teacher, or is damaged (${broken})`);
}

/** The options must be those of before; only the steps may become more. */
function checkCommand({ command, final, settings }: Log, options: TrainTeacherArguments): void {
  const { out, steps } = options;
  const before = settings?.steps ?? steps;
  if (command !== commandOf({ ...options, steps: before }) || steps < before) {
    throw new UsageError(
      `train-teacher: ${out} was begun with '${command}'; give the same options with --resume, or another --out`,
    );
  }
  if (final && steps === before) {
    throw new UsageError(
      `train-teacher: ${out}: this training is at its end; give more --steps to make it longer, or choose another --out`,
    );
  }
}
