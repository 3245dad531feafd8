import type { Device } from '@zeroseg/core';
import { objectsOnly, readSettingTensors, trainableWeights } from '@zeroseg/core/internal';
import { buildModule, countParameters } from '@zeroseg/core/nn';
import {
  CaptionedScenes,
  type ClipSettings,
  ClipTrainer,
  defaultClipSettings,
  newClipWeights,
  type RunFormat,
  RunStore,
  resumeClipTraining,
  type TeacherScenes,
  Tokenizer,
  TrainableClip,
  teacherConfigs,
  teacherScenes,
  textVocabulary,
  type WeightFile,
} from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import { nodeFileSystem } from '../files/index.ts';
import { adapterOf, agree, bindingNote, endWithOthers, joinMpi, type OpenMpi, shareJson } from '../mpi/index.ts';
import { loadAtlas } from '../photos/index.ts';
import {
  adapterOption,
  type Context,
  commandText,
  count,
  countOrAll,
  numberFrom,
  oneOf,
  parseNames,
  quietTerminal,
  redrawnOption,
  seedRange,
  UsageError,
  version,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';
import {
  type ClipMetrics,
  readTeacherLog,
  TEACHER_LOG_FORMAT,
  TEACHER_STATE,
  type TeacherLog,
  teacherRunFormat,
  trainTeacherToTheEnd,
} from '../studies/index.ts';
import { openWeights, teacherWeights } from '../weights/index.ts';

export interface TrainTeacherArguments {
  readonly out: string;
  readonly config: keyof typeof teacherConfigs;
  readonly classes: number | 'all';
  readonly styles?: string;
  readonly objectsOnly?: boolean;
  readonly redrawn?: number;
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
    .option('--objects-only', 'no ground has a name: captions are of objects alone')
    .option(...redrawnOption)
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
  const group = await joinMpi();
  const bound = group?.rank === 0 && bindingNote();
  if (bound) context.terminal.note(bound);
  await agree(group, 'train-teacher', version, options);
  // The first of several processes has the folder, and says what happens.
  if (group && group.rank > 0) return trainTeacherAlong(context, options, group);
  if (!options.resume) {
    await RunStore.refuseUsed(nodeFileSystem(options.out), teacherRunFormat as RunFormat<never>);
    return trainIn(context, options, undefined, undefined, group);
  }
  // First without the lock, which would make the folder.
  await readTeacherLog(options.out);
  const store = await RunStore.open(nodeFileSystem(options.out), teacherRunFormat);
  try {
    await trainIn(context, options, await readTeacherLog(options.out), store, group);
  } finally {
    await store.close();
  }
}

async function trainIn(
  context: Context,
  options: TrainTeacherArguments,
  before: TeacherLog | undefined,
  opened: RunStore<ClipMetrics> | undefined,
  group: OpenMpi | undefined,
): Promise<void> {
  const { out } = options;
  const command = commandOf(options);
  if (before) checkCommand(before, options);
  const settings = settingsOf(options, before);
  if (group) await shareJson(group, settings);
  const scenes = await openScenes(options);
  const config = teacherConfigs[options.config];
  const tokens = await Tokenizer.clip();

  await withDevice(context, adapterOf(options.adapter, group), async (device, interruption) => {
    if (group) endWithOthers(group, interruption.abortSignal, 'train-teacher', context.terminal);
    using trainer = await newTrainer(device, options, settings, scenes, tokens, group);
    const { clip } = trainer;
    const { ids } = clip.table;
    const damaged: string[] = [];
    const found = await opened?.newest((reason) => damaged.push(reason));
    if (before?.final && !found) {
      throw new UsageError(
        `${'train-teacher'}: ${out}: this training is at its end, and no checkpoint is left to go on from`,
      );
    }
    if (found) await resumeClipTraining(trainer, found.files.get(TEACHER_STATE) as WeightFile);
    await trainer.synchronise();
    const place = found ? `the checkpoint of step ${found.step}` : 'the beginning';
    for (const reason of damaged) context.terminal.note(`${reason}; going on from ${place}`);
    const log: TeacherLog = {
      format: TEACHER_LOG_FORMAT,
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
      `${(countParameters(clip) / 1e6).toFixed(2)} M parameters, ${count(ids?.length ?? 0, 'tokens')}, ` +
        `${count(scenes.classes.length, 'classes')} in ${scenes.styles.join(', ')}, on ${device.name}${group ? `, shared by ${group.size} processes` : ''}`,
    );
    // Only now, when everything has been found to fit.
    const store = opened ?? (await RunStore.create(nodeFileSystem(out), teacherRunFormat, async () => {}));
    try {
      await trainTeacherToTheEnd(context, {
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

/** In a process beside the first, which has the weights that it begins with, validates and saves. */
async function trainTeacherAlong(context: Context, options: TrainTeacherArguments, group: OpenMpi): Promise<void> {
  const settings = await shareJson<ClipSettings>(group, undefined);
  const [scenes, tokens] = [await openScenes(options), await Tokenizer.clip()];
  const quiet = { ...context, terminal: quietTerminal(context.terminal) };
  await withDevice(quiet, adapterOf(options.adapter, group), async (device, { abortSignal: signal }) => {
    endWithOthers(group, signal, 'train-teacher', quiet.terminal);
    using trainer = await newTrainer(device, options, settings, scenes, tokens, group);
    await trainer.synchronise();
    const stop = (): void => trainer.stop();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    for await (const _ of trainer.run()) {
      // What a step did is told by the first process.
    }
    if (trainer.done < trainer.steps) signal.throwIfAborted();
  });
}

function settingsOf({ steps, batch, lr, seed }: TrainTeacherArguments, before: TeacherLog | undefined): ClipSettings {
  const warmup = before?.settings.warmup ?? Math.max(1, Math.min(200, Math.round(steps / 20)));
  return { ...defaultClipSettings, steps, batch, lr, seed, warmup };
}

async function newTrainer(
  device: Device,
  options: TrainTeacherArguments,
  settings: ClipSettings,
  scenes: TeacherScenes,
  tokens: Tokenizer,
  group: OpenMpi | undefined,
): Promise<ClipTrainer> {
  const config = teacherConfigs[options.config];
  const data = new CaptionedScenes(scenes.makers, { seed: settings.seed, side: config.vision.image });
  const initial = options.init === undefined ? undefined : await openWeights(await teacherWeights(options.init));
  const { weights, ids } = initial
    ? trainableWeights(device, await readSettingTensors(initial.tensors), options.init as string)
    : { weights: newClipWeights(device, settings.seed), ids: textVocabulary(tokens, data.texts()) };
  const clip = await buildModule(weights, (from) => new TrainableClip(from, config, ids));
  return ClipTrainer.create(device, clip, tokens, data, settings, { group });
}

async function openScenes({
  atlas,
  classes,
  styles,
  objectsOnly: isObjectsOnly,
  redrawn,
  validateAtlas,
}: TrainTeacherArguments): Promise<TeacherScenes> {
  return teacherScenes(await loadAtlas(atlas), {
    ...(classes === 'all' ? {} : { classes }),
    ...(styles === undefined ? {} : { styles: parseNames(styles) }),
    ...(isObjectsOnly && objectsOnly),
    ...(redrawn === undefined ? {} : { redrawn }),
    validationAtlas: validateAtlas === undefined ? undefined : await loadAtlas(validateAtlas),
  });
}

/** The options that decide the weights, in full. */
function commandOf(options: TrainTeacherArguments): string {
  const { out, config, classes, styles, objectsOnly, redrawn, steps, batch, lr, seed, init, atlas, validateAtlas } =
    options;
  const names = {
    out,
    config,
    classes,
    styles,
    'objects-only': objectsOnly,
    redrawn,
    steps,
    batch,
    lr,
    seed,
    init,
    atlas,
  };
  return commandText('train-teacher', { ...names, 'validate-atlas': validateAtlas });
}

/** The options must be those of before; only the steps may become more. */
function checkCommand({ command, final, settings }: TeacherLog, options: TrainTeacherArguments): void {
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
