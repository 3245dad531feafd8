/** What `segment` and `eval` have in common: a trained model, and words embedded by the same teacher. */
import type { Device } from '@zeroseg/core';
import {
  type ClipAndText,
  type DataSettings,
  namingFor,
  namingRules,
  otherTeacher,
  sameTeacher,
  shortTeacher,
  type TemplateSet,
  teacherIdentity,
  type ZeroSegAndText,
  zeroSegAndText,
} from '@zeroseg/core/internal';
import { CheckpointError } from '@zeroseg/core/nn';
import {
  type ClassWords,
  type DataSetDefinition,
  type ModelAndText,
  modelInfo,
  type NamingOptions,
  OpenVocabulary,
  promptTemplates,
  type ScoringOptions,
  type Vocabulary,
  type WeightFile,
} from '@zeroseg/core/zeroseg';
import type { Command } from 'commander';
import { hashFiles } from '../files/index.ts';
import {
  checkHeld,
  hasOwnText,
  openDenseClip,
  openModelFile,
  openWithOwnText,
  parseModelPlace,
} from '../runs/index.ts';
import { builtIn, clipCommand, isRandomClip, openClip } from '../weights/index.ts';
import { numberFrom, oneOf, wholeNumber } from './arguments.ts';
import { adapterOption, type Context } from './context.ts';
import { UsageError } from './errors.ts';
import type { Interruption } from './interruption.ts';
import { groupRules, type PixelArguments, type PixelRules, pixelOptions, pixelRules } from './pixel-options.ts';
import { Progress } from './terminal.ts';

export interface ModelAndWordsArguments extends PixelArguments {
  readonly model?: string;
  readonly clip?: string;
  readonly templates?: TemplateSet;
  readonly meanFirst?: boolean;
  readonly tokenizer: 'clip' | 'hash';
  readonly mode?: 'slide' | 'whole';
  readonly scoring?: ScoringOptions['scoring'];
  readonly top?: number;
  readonly scale?: number;
  readonly short?: number;
  readonly window?: number;
  readonly stride?: number;
  readonly background?: number;
  readonly force?: boolean;
  readonly cache?: boolean;
  readonly adapter?: string;
}

/** Adds their options to a command. */
export function modelAndWordsOptions(command: Command): Command {
  const sets = Object.keys(promptTemplates) as TemplateSet[];
  return pixelOptions(command)
    .option(
      '--model <place>',
      `model file, run folder of \`zeroseg train\`, a GroupViT, a SegCLIP, ${builtIn}, or a CLIP by itself: clip:PATH or clip:PATH:WAY, with maskclip, sclip, clearclip, naclip, plain or crops (default: ${builtIn})`,
    )
    .option(
      '--clip <place>',
      `the CLIP that made the model's features, for its text tower: folder, file, or ${builtIn} (default: ${builtIn}, for models that learnt from it); GroupViT and SegCLIP have their own`,
    )
    .option(
      '--templates <set>',
      `sentences around names: ${sets.join(', ')} (default: full; of GroupViT and SegCLIP simple)`,
      oneOf(...sets),
    )
    .option('--mean-first', 'average sentences before normalising, as GroupViT and SegCLIP always do')
    .option(
      '--tokenizer <kind>',
      'clip, or hash: words by their hash, which mean nothing',
      oneOf('clip', 'hash'),
      'clip',
    )
    .option(
      '--mode <kind>',
      'slide a window over the photo, or take it whole (default: slide; eval of naclip on voc: whole)',
      oneOf('slide', 'whole'),
    )
    .option(
      '--scoring <kind>',
      "groupvit (softmax times softmax of the best), softmax, cosine (default: what the model's file says, else groupvit)",
      oneOf('groupvit', 'softmax', 'cosine'),
    )
    .option(
      '--top <n>',
      "classes that the whole photo lets through (default: what the model's file says, else 5)",
      wholeNumber(1, 65_535),
    )
    .option(
      '--scale <factor>',
      "factor on cosines before the softmax (default: what the model's file says, else that of the CLIP)",
      numberFrom(1e-6, 1e4),
    )
    .option(
      '--short <pixels>',
      "shorter side of the resized photo (default: what the model's file says, else twice that of training; of a CLIP by itself, its authors')",
      wholeNumber(1, 16_384),
    )
    .option(
      '--window <pixels>',
      "side of the window (default: that of --short; of a CLIP by itself, its authors')",
      wholeNumber(1, 16_384),
    )
    .option(
      '--stride <pixels>',
      "step of the window (default: half of it; of a CLIP by itself, its authors')",
      wholeNumber(1, 16_384),
    )
    .option(
      '--background <score>',
      "what scores below it is background, but for the best segment (default: what the model's file says)",
      numberFrom(0, 1e6),
    )
    .option('--no-cache', 'read all words anew, instead of those in ~/.cache/zeroseg (or XDG_CACHE_HOME)')
    .option('--force', 'even if the model was trained with another teacher')
    .option(...adapterOption);
}

/** What a model and the words for it are opened by. */
export type PairArguments = Pick<ModelAndWordsArguments, 'model' | 'clip' | 'force'> & {
  readonly tokenizer?: ModelAndWordsArguments['tokenizer'];
};

/** Opens a model with its text encoder: a ZeroSeg with the CLIP that it learnt from, a GroupViT, a SegCLIP, or a CLIP by itself. */
export async function openModelAndWords(context: Context, options: PairArguments): Promise<ModelAndText> {
  const found = await parseModelPlace(options.model ?? builtIn);
  if (found.kind === 'clip') return openAlone(context, await openDenseClip(found), options);
  const file = await openModelFile(found.place);
  checkHeld(file, found);
  if (!hasOwnText(file)) return openPair(context, file, options);
  if (options.tokenizer === 'hash') context.terminal.note(HASH_NOTE);
  return openWithOwnText(file);
}

async function openAlone({ terminal }: Context, opened: ClipAndText, options: PairArguments): Promise<ClipAndText> {
  if (options.clip !== undefined) {
    throw new UsageError(`--clip is for models that learnt from a CLIP; --model ${options.model} is one already`);
  }
  if (opened.clip.isRandom) terminal.note(`${opened.clip.name}: its weights are random, so its words mean nothing`);
  if (options.tokenizer === 'hash') terminal.note(HASH_NOTE);
  await opened.clip.tokens(options.tokenizer);
  return opened;
}

const HASH_NOTE = '--tokenizer hash: words are numbered by their hash and mean nothing';

/** What weights are that were averaged in training. */
export function averageWords(ema: number): string {
  return `their moving average over training, decay ${ema}`;
}

/** Opens a ZeroSeg and the CLIP whose features it learnt, and refuses pairs that cannot belong together. */
export async function openModelAndClip(context: Context, options: PairArguments): Promise<ZeroSegAndText> {
  return openPair(context, await openModelFile(options.model ?? builtIn), options);
}

async function openPair({ terminal }: Context, file: WeightFile, options: PairArguments): Promise<ZeroSegAndText> {
  const { model = builtIn } = options;
  const place = options.clip ?? (await clipOf(modelInfo(file, file.name).teacher, model));
  if (options.model === undefined) terminal.log(`model: ${builtIn}, since --model is not given`);
  if (options.clip === undefined) terminal.log(`CLIP: ${builtIn}, which made the features of the model`);
  const clip = await openClip(place);
  const opened = zeroSegAndText(file, clip);
  if (opened.info.ema > 0) terminal.log(`weights: ${averageWords(opened.info.ema)}`);
  const other = await otherTeacher(opened.info, clip);
  if (other !== undefined) {
    const words = `${opened.file}: ${other}`;
    if (!options.force) {
      const right = (await isOfBuiltIn(opened.info.teacher)) ? `give --clip ${builtIn}` : 'give that one by --clip';
      throw new UsageError(`${words}; ${right}, or --force to name segments with this one`);
    }
    terminal.note(`${words}; going on, as --force says`);
  }
  if (clip.isRandom) terminal.note(`${clip.name}: its weights are random, so its words mean nothing`);
  if (options.tokenizer === 'hash') terminal.note(HASH_NOTE);
  // Whether the tokenizer fits is told before a GPU is looked for.
  await clip.tokens(options.tokenizer).catch((error: unknown) => {
    if (options.tokenizer === undefined || !(error instanceof CheckpointError)) throw error;
    throw new UsageError(`${error.message}, or give --tokenizer hash to run with words that mean nothing`);
  });
  return opened;
}

/** The CLIP that a command names words by, as it was given. */
export async function clipPlace({ model = builtIn, clip }: PairArguments): Promise<string> {
  const found = await parseModelPlace(model);
  return clip ?? (found.kind === 'clip' ? found.place : builtIn);
}

/** The CLIP where none is given: the one that the package brings, for what it taught. `what` is a model, or features. */
export async function clipOf(teacher: string, what: string): Promise<string> {
  if (await isOfBuiltIn(teacher)) return builtIn;
  const name = teacher.replace(/ sha256:.*$/, '');
  const learnt = teacher === '' ? 'does not say which CLIP it learnt from' : `learnt from ${shortTeacher(teacher)}`;
  const remedy = isRandomClip(name)
    ? `give --clip ${name}`
    : `give the folder of that CLIP by --clip. OpenAI's are had by: ${clipCommand(name)}`;
  throw new UsageError(`--clip is missing: ${what} ${learnt}; ${remedy}`);
}

/** Whether a model learnt from the CLIP that the package brings. */
async function isOfBuiltIn(teacher: string): Promise<boolean> {
  if (teacher === '') return false;
  const own = await openClip(builtIn);
  return sameTeacher(teacher, teacherIdentity(own.name, await own.weightsHash()));
}

/** Before a GPU is looked for: scenes must hold whole patches of model and teacher. @throws UsageError where they do not. */
export function checkPatches(
  command: string,
  size: number,
  { model, clip }: { readonly model: string; readonly clip: string },
  opened: ZeroSegAndText,
): void {
  for (const [option, place, patch] of [
    ['--model', model, opened.info.config.patch],
    ['--clip', clip, opened.clip.config.vision.patch],
  ] as const) {
    if (size % patch === 0) continue;
    throw new UsageError(
      `${command}: ${option} ${place}: its patches of ${patch} pixels do not divide scenes of ${size} pixels; ` +
        (command === 'score' ? `give a --size that is a multiple of ${patch}` : 'give one whose patches do'),
    );
  }
}

/** Options with what the model's file says of naming, where nothing else is asked for. */
export function withNaming<Options extends ModelAndWordsArguments>(
  opened: ModelAndText,
  options: Options,
  data: DataSettings | undefined = undefined,
): Options &
  Required<Pick<ModelAndWordsArguments, 'scoring' | 'top' | 'scale' | 'mode' | 'templates' | 'meanFirst'>> & {
    readonly rules: PixelRules;
  } {
  const rule = namingFor(namingRules(opened), options.scoring);
  const background = options.background ?? data?.threshold ?? rule.threshold;
  const isPatches = opened.kind === 'clip' && opened.mode !== 'crops';
  const strange =
    isPatches && (options.scoring !== undefined ? '--scoring' : options.top !== undefined ? '--top' : undefined);
  if (strange) throw new UsageError(`${strange} is for models that group; a CLIP that names patches has its own rule`);
  if (options.teacherPrior && opened.kind !== 'zeroseg') {
    throw new UsageError('--teacher-prior is for a ZeroSeg, which has a teacher; leave it out');
  }
  const asked = pixelRules(options, rule, { isPatches });
  const rules = {
    ...groupRules(options, rule, {
      isGrouping: opened.kind !== 'clip',
      scoring: options.scoring ?? rule.scoring,
    }),
    ...asked,
    background: asked.background ?? data?.background,
    area: asked.area ?? data?.area,
  };
  const short = options.short ?? rule.short;
  const { patch } =
    opened.kind === 'zeroseg'
      ? opened.info.config
      : opened.kind === 'clip'
        ? opened.clip.config.vision
        : opened.kind === 'segclip'
          ? opened.config
          : opened.config.vision;
  if (short !== undefined && short < patch) {
    throw new UsageError(`--short must be at least ${patch} pixels, a patch of the model; got ${short}`);
  }
  return {
    ...options,
    scoring: options.scoring ?? rule.scoring ?? 'groupvit',
    top: options.top ?? rule.top ?? 5,
    scale:
      options.scale ??
      (data?.scale === undefined ? undefined : data.scale * opened.text.scale) ??
      rule.scale ??
      opened.text.scale,
    mode: options.mode ?? data?.mode ?? 'slide',
    templates: options.templates ?? (rule.templates as TemplateSet | undefined) ?? 'full',
    meanFirst: options.meanFirst ?? rule.meanFirst ?? false,
    rules,
    ...(background === undefined ? {} : { background }),
    ...(short === undefined ? {} : { short }),
  };
}

/** What classes of a data set are asked for by: as the model's authors write them, else as the data set's definition does. */
export function dataSetWords(
  { prompts, classes }: Pick<DataSetDefinition, 'prompts' | 'classes'>,
  data: DataSettings | undefined,
): ClassWords[] {
  return prompts.map((name, c) => data?.words?.[classes[c + 1] ?? ''] ?? name);
}

/** Puts them on the GPU. */
export function loadModel<Pair extends ModelAndText>(
  { words }: Context,
  device: Device,
  opened: Pair,
  options: NamingOptions & { readonly cache?: boolean | undefined },
): Promise<OpenVocabulary<Pair>> {
  // Of a command's options those of naming alone: its --background is a number, and what the library calls so are words.
  const { cache = true, templates, meanFirst, batch, tokenizer, scale } = options;
  const store = cache ? words : undefined;
  return OpenVocabulary.load(device, opened, { templates, meanFirst, batch, tokenizer, scale, store });
}

/** What results say of the model that made them. */
export function modelFacts(opened: ModelAndText): { file: string; step: number | null; teacher: string } {
  const { step = null, teacher = '' } = opened.kind === 'zeroseg' ? opened.info : {};
  return { file: opened.kind === 'clip' ? `clip:${opened.file}:${opened.mode}` : opened.file, step, teacher };
}

/** SHA-256 of the files of a model and of its CLIP, by the options that name them: what several processes must have alike. */
export async function weightHashes(
  opened: ModelAndText,
  { model = builtIn, clip }: PairArguments,
): Promise<Record<string, string>> {
  const option = `--model ${model}`;
  if (opened.kind === 'clip') return { [option]: await opened.clip.weightsHash() };
  if (opened.kind !== 'zeroseg') return { [option]: await opened.weightsHash() };
  return { [option]: await hashFiles([opened.file]), [`--clip ${clip ?? builtIn}`]: await opened.clip.weightsHash() };
}

/** Embeds the names, with progress where there are many. */
export async function embedNames(
  { terminal }: Context,
  model: OpenVocabulary,
  names: readonly ClassWords[],
  { abortSignal }: Interruption,
  background: readonly string[] = [],
): Promise<Vocabulary> {
  const cut = model.cutNames([...background, ...names.flat()]);
  if (cut.length > 0) {
    const some = cut.slice(0, 3).map((name) => `"${name}"`);
    const more = cut.length > 3 ? ` and ${cut.length - 3} more` : '';
    const { context } = model.opened.text.config.text;
    terminal.note(
      `${some.join(', ')}${more}: some sentences are longer than the ${context} tokens that the teacher reads, and are cut`,
    );
  }
  let progress: Progress | undefined;
  try {
    return await model.vocabulary(names, {
      signal: abortSignal,
      background,
      onProgress: ({ done, total }) => {
        progress ??= new Progress(terminal, 'reading words', total, 'sentences');
        progress.at(done);
      },
    });
  } finally {
    progress?.stop();
  }
}
