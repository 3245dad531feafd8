/** What `segment` and `eval` have in common: a trained model, and words embedded by the same teacher. */
import type { Device } from '@zeroseg/core';
import {
  fillTemplate,
  firstRepeated,
  ownValue,
  sameTeacher,
  shortTeacher,
  shownValue,
  type TemplateSet,
  type TextTokens,
  teacherIdentity,
  templateList,
} from '@zeroseg/core/internal';
import {
  type ClipSource,
  dataSets,
  imagenetClasses,
  type ModelInfo,
  makeVocabulary,
  modelInfo,
  openModel,
  promptTemplates,
  type ScoringOptions,
  type Vocabulary,
  type ZeroSeg,
} from '@zeroseg/core/zeroseg';
import type { Command } from 'commander';
import { FileError, readBounded, systemReason } from '../files/index.ts';
import { findModel, readBytes } from '../runs/index.ts';
import {
  adapterOption,
  type Context,
  count,
  type Interruption,
  numberFrom,
  oneOf,
  Progress,
  UsageError,
  wholeNumber,
} from '../shell/index.ts';
import { openClip, openWeights } from '../weights/index.ts';

export interface ModelAndWordsArguments {
  readonly model: string;
  readonly clip: string;
  readonly templates: TemplateSet;
  readonly meanFirst?: boolean;
  readonly tokenizer: 'clip' | 'hash';
  readonly mode: 'slide' | 'whole';
  readonly scoring: ScoringOptions['scoring'];
  readonly top: number;
  readonly short?: number;
  readonly stride?: number;
  readonly background?: number;
  readonly force?: boolean;
  readonly adapter?: string;
}

/** Adds their options to a command. */
export function modelAndWordsOptions(command: Command): Command {
  const sets = Object.keys(promptTemplates) as TemplateSet[];
  return command
    .requiredOption('--model <place>', 'model file, or run folder of `zeroseg train`')
    .requiredOption('--clip <place>', "the teacher that made the model's features, for its text tower")
    .option('--templates <set>', `sentences around names: ${sets.join(', ')}`, oneOf(...sets), 'full')
    .option('--mean-first', 'average sentences before normalising, as GroupViT does')
    .option(
      '--tokenizer <kind>',
      'clip, or hash: words by their hash, which mean nothing',
      oneOf('clip', 'hash'),
      'clip',
    )
    .option('--mode <kind>', 'slide a window over the photo, or take it whole', oneOf('slide', 'whole'), 'slide')
    .option(
      '--scoring <kind>',
      'groupvit (softmax times softmax of the best), softmax, cosine',
      oneOf('groupvit', 'softmax', 'cosine'),
      'groupvit',
    )
    .option('--top <n>', 'classes that the whole image lets through', wholeNumber(1, 65_535), 5)
    .option(
      '--short <pixels>',
      'shorter side of the resized photo (default: twice that of training)',
      wholeNumber(1, 16_384),
    )
    .option('--stride <pixels>', 'step of the window (default: half of it)', wholeNumber(1, 16_384))
    .option('--background <score>', 'what scores below it is background', numberFrom(0, 1e6))
    .option('--force', 'even if the model was trained with another teacher')
    .option(...adapterOption);
}

/** Model and teacher, found to fit each other. Weights are not on the GPU yet. */
export interface Opened {
  readonly file: string;
  readonly info: ModelInfo;
  readonly clip: ClipSource;
  readonly tokens: TextTokens;
}

/** Opens both and refuses pairs that cannot belong together. */
export async function openModelAndClip({ terminal }: Context, options: ModelAndWordsArguments): Promise<Opened> {
  const file = await findModel(options.model);
  const header = await openWeights(file);
  const info = modelInfo({ metadata: { ...header.metadata }, tensors: new Map(header.tensors) }, file);
  const clip = await openClip(options.clip);
  const { clip_dim: width } = info.config;
  if (clip.config.projection !== width) {
    throw new UsageError(
      `${file}: its segments have ${width} values (teacher ${shortTeacher(info.teacher) || 'not known'}), and the CLIP in ${options.clip} has ${clip.config.projection}; give the CLIP that made its features`,
    );
  }
  const teacher = teacherIdentity(clip.name, await clip.weightsHash());
  if (info.teacher && !sameTeacher(info.teacher, teacher)) {
    const words = `${file}: it was trained with the teacher ${shortTeacher(info.teacher)}, and ${options.clip} is ${shortTeacher(teacher)}`;
    if (!options.force) throw new UsageError(`${words}; give that one, or --force to name segments with this one`);
    terminal.note(`${words}; going on, as --force says`);
  }
  if (clip.isRandom) terminal.note(`${clip.name}: its weights are random, so its words mean nothing`);
  if (options.tokenizer === 'hash')
    terminal.note('--tokenizer hash: words are numbered by their hash and mean nothing');
  return { file, info, clip, tokens: await clip.tokens(options.tokenizer) };
}

/** The model on the GPU. */
export async function loadModel(device: Device, { file }: Opened): Promise<ZeroSeg> {
  return openModel(device, await readBytes(file), file).model;
}

/** Embeds the names, with progress where there are many. */
export async function embedNames(
  { terminal }: Context,
  device: Device,
  { clip, tokens }: Opened,
  names: readonly string[],
  options: ModelAndWordsArguments,
  interruption: Interruption,
): Promise<Vocabulary> {
  const { context } = clip.config.text;
  const longest = templateList(options.templates);
  const cut = names.filter((name) => longest.some((template) => !tokens.fits(fillTemplate(template, name), context)));
  if (cut.length > 0) {
    const some = cut.slice(0, 3).map((name) => `"${name}"`);
    const more = cut.length > 3 ? ` and ${cut.length - 3} more` : '';
    terminal.note(
      `${some.join(', ')}${more}: some sentences are longer than the ${context} tokens that the teacher reads, and are cut`,
    );
  }
  const total = names.length * longest.length;
  let progress: Progress | undefined;
  try {
    return await makeVocabulary(device, clip.text(device), tokens, names, {
      templates: options.templates,
      meanFirst: options.meanFirst,
      scale: clip.scale,
      signal: interruption.abortSignal,
      onProgress: ({ done }) => {
        progress ??= new Progress(terminal, 'reading words', total, 'sentences');
        progress.at(done);
      },
    });
  } finally {
    progress?.stop();
  }
}

/** 65,535 names of a thousand letters. */
const LARGEST_LIST = 2 ** 28;
/** Characters of a class's name: the text tower reads some three hundred, and a caption is drawn on one line. */
const LONGEST_NAME = 1000;

/**
 * Names from the command line: `voc`, `context`, `coco`, `imagenet`, `@file.txt` with one a line, or a list with commas.
 */
export async function parseClasses(text: string): Promise<string[]> {
  const set = ownValue(dataSets, text);
  if (set) return [...set.prompts];
  if (text === 'imagenet') return [...imagenetClasses];
  let parts = text.split(',');
  if (text.startsWith('@')) {
    const path = text.slice(1);
    try {
      // A byte order mark goes with the decoding.
      parts = new TextDecoder().decode(await readBounded('--classes', path, LARGEST_LIST)).split(/\r?\n/);
    } catch (error) {
      if (error instanceof FileError) throw error;
      throw new FileError('--classes', path, systemReason(error), { cause: error });
    }
  }
  const names = parts.map((name) => name.trim()).filter((name) => name !== '');
  if (names.length === 0) {
    throw new UsageError(
      `--classes: there is no name in ${text === '' ? 'it' : `'${text}'`}; give names such as "dog, sofa, window"`,
    );
  }
  const longest = names.find((name) => name.length > LONGEST_NAME);
  if (longest !== undefined) {
    throw new UsageError(
      `--classes: a name may have ${LONGEST_NAME} characters; ${shownValue(longest, 40)} has ${longest.length}`,
    );
  }
  const twice = firstRepeated(names);
  if (twice) throw new UsageError(`--classes: "${twice}" is there twice; ${count(names.length, 'names')} must differ`);
  if (names.length > 65535) throw new UsageError(`--classes: at most 65535 names fit a label map; got ${names.length}`);
  return names;
}
