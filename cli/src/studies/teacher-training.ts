/** Training a teacher on scenes: its log, its checkpoints and its scores, in a folder. */
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import { parseStep } from '@zeroseg/core/internal';
import {
  type ClipConfig,
  type ClipSettings,
  type ClipStepReport,
  type ClipTrainer,
  clipFile,
  clipSettingsFile,
  clipTrainingFile,
  knownWordsMetadata,
  type NamingScore,
  type RunFormat,
  type RunStore,
  scoreTeacher,
  type TeacherScenes,
  type TeacherScores,
  type Tokenizer,
  taughtWords,
  trainSaved,
  VALIDATION_SEED,
  validationCrops,
} from '@zeroseg/core/zeroseg';
import { brokenField, hasFields, isListOf, isMaybe, isNumber, isText, isWhole, readJson } from '../files/index.ts';
import {
  type Context,
  count,
  formatDuration,
  formatPercent,
  formatRate,
  Progress,
  stoppedWords,
  UsageError,
} from '../shell/index.ts';
import { kindOfPath, openClip, teacherFile } from '../weights/index.ts';

/** What a training was made with: `log.json`. */
export interface TeacherLog {
  readonly format: typeof TEACHER_LOG_FORMAT;
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

export const TEACHER_LOG_FORMAT = 'zeroseg teacher training';
/** Crops to validate on during training, at most. */
const CROPS = 400;
const SAVE_SECONDS = 300;

/** What a training goes on from, in a checkpoint. */
export const TEACHER_STATE = 'training.safetensors';

export type ClipMetrics = Omit<ClipStepReport, 'steps'>;

/** What a training of a teacher keeps. */
export const teacherRunFormat: RunFormat<ClipMetrics> = {
  op: 'train-teacher',
  description: 'log.json',
  parts: [TEACHER_STATE],
  metrics: { format: JSON.stringify, parse: parseStep },
};

/** Where a teacher is written, and how often and on how much it is validated. */
export interface TeacherTrainingOptions {
  readonly out: string;
  readonly validateEvery: number;
  readonly validateCrops: number;
}

interface Running {
  readonly device: Device;
  readonly trainer: ClipTrainer;
  readonly tokens: Tokenizer;
  readonly scenes: TeacherScenes;
  readonly log: TeacherLog;
  readonly options: TeacherTrainingOptions;
  readonly store: RunStore<ClipMetrics>;
  readonly signal: AbortSignal;
}

export async function trainTeacherToTheEnd({ terminal }: Context, running: Running): Promise<void> {
  const { device, trainer, tokens, scenes, options, store, signal } = running;
  const { clip, settings } = trainer;
  const { out } = options;
  let { log } = running;
  const first = trainer.done;
  const writeLog = (more: Partial<TeacherLog> = {}) =>
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
        return { [TEACHER_STATE]: await clipTrainingFile(trainer) };
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
    terminal.log(`${stoppedWords(trainer)}; go on with the same options and --resume`);
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

export async function readTeacherLog(folder: string): Promise<TeacherLog> {
  const path = join(folder, 'log.json');
  if ((await kindOfPath(path)) !== 'file') {
    throw new UsageError(
      `train-teacher: ${folder}: there is no training to go on with; leave --resume out to begin one`,
    );
  }
  return parseTeacherLog(await readJson(path), path);
}

/** What a `log.json` says. */
export function parseTeacherLog(found: unknown, path: string): TeacherLog {
  const broken = brokenField(found, {
    format: (value) => value === TEACHER_LOG_FORMAT,
    command: isText,
    started: isMaybe(isText),
    steps: isMaybe(isWhole(0)),
    seconds: isMaybe(isNumber),
    validations: isMaybe(isListOf(hasFields({ step: isWhole(0) }))),
  });
  if (broken === undefined) return found as TeacherLog;
  throw new UsageError(`train-teacher: ${path}: this is not the log of a teacher, or is damaged (${broken})`);
}
