/** Options of `segment` and `eval` for scores of pixels: PAMR, and what only a CLIP that names patches takes. */
import { assignments } from '@zeroseg/core/internal';
import {
  type Assignment,
  type NameOptions,
  type NamingRule,
  type SegmentOptions,
  stuffWords,
} from '@zeroseg/core/zeroseg';
import type { Command } from 'commander';
import { numberFrom, oneOf, wholeNumber, wholeNumbers } from './arguments.ts';
import { UsageError } from './errors.ts';

export interface GroupArguments {
  readonly assignment?: Assignment;
  readonly assignmentTemperature?: number;
  readonly centre?: number;
  readonly groups?: readonly number[];
  readonly flip?: boolean;
  readonly prior?: number;
  readonly teacherPrior?: boolean;
}

export interface RefineArguments {
  readonly refine?: 'pamr' | 'none';
  readonly pamrSteps?: number;
  readonly pamrDilations?: readonly number[];
}

export interface PixelArguments extends GroupArguments, RefineArguments {
  readonly backgroundWords?: string;
  readonly area?: number;
  readonly denoise?: number;
  readonly smooth?: number;
}

/** Adds those of models that group to a command. */
export function groupOptions(command: Command): Command {
  return command
    .option(
      '--assignment <kind>',
      "of models that group: hard, each pixel as its segment; soft, the segments' scores mixed by its shares in them; or geometric, their geometric mean by its shares (default: what the model's file says, else hard)",
      oneOf(...assignments),
    )
    .option(
      '--assignment-temperature <T>',
      "of soft and geometric: shares to the power of 1/T, so that above 1 a pixel belongs less to one segment alone (default: what the model's file says, else 1)",
      numberFrom(0.01, 100),
    )
    .option(
      '--centre <part>',
      "of models that group: how much of the words' mean is taken off each of them, from 0 to below 1 (default: what the model's file says, else 0)",
      numberFrom(0, 0.999),
    )
    .option(
      '--groups <list>',
      "of a model whose groups begin at medoids: groups of both stages, such as 16,16 (default: what the model's file says, else as trained)",
      wholeNumbers(65_536, 2, true),
    )
    .option(
      '--flip',
      "look at the mirrored photo too, and take the mean: twice the time (default: what the model's file says, else not)",
    )
    .option(
      '--prior <power>',
      "of models that group: (area + 0.01) to this power times each name's scores, its area being its mean score over the photo (default: what the model's file says, else 0)",
      numberFrom(0, 100),
    );
}

/** Adds the prior by a model's teacher to a command. */
export function teacherPriorOption(command: Command): Command {
  return command.option(
    '--teacher-prior',
    'of a ZeroSeg: factors on names by what its teacher sees in large crops, 62 of a square photo; the result is that of both together',
  );
}

/** Adds those of refining to a command. */
export function refineOptions(command: Command): Command {
  return command
    .option(
      '--refine <how>',
      "pamr: draw scores to the photo's edges; none (default: pamr where --pamr-steps or --pamr-dilations is given, else what the model's file says, else pamr for naclip and none for all others)",
      oneOf('pamr', 'none'),
    )
    .option('--pamr-steps <n>', "steps of PAMR (default: what the model's file says, else 10)", wholeNumber(0, 1000))
    .option(
      '--pamr-dilations <list>',
      "distances of the pixels that PAMR compares (default: what the model's file says, else 8,16)",
      wholeNumbers(4096, 16),
    );
}

/** Adds all of them to a command. */
export function pixelOptions(command: Command): Command {
  return refineOptions(teacherPriorOption(groupOptions(command)))
    .option(
      '--background-words <names>',
      `of a clip:…: words that stand for background, commas between, or stuff (the ${stuffWords.length} of SCLIP's authors), or none`,
    )
    .option(
      '--area <share>',
      'of a clip:…: leave out classes on no more than this share of what is no background',
      numberFrom(0, 1),
    )
    .option(
      '--denoise <p>',
      "of a clip:…: MaskCLIP's prompt denoising: leave out classes whose probability is nowhere this high",
      numberFrom(0, 1),
    )
    .option(
      '--smooth <p>',
      "of a clip:…: MaskCLIP's key smoothing of patches whose probability is below this",
      numberFrom(0, 1.000001),
    );
}

/** What they come to. */
export type PixelRules = GroupRules & Pick<NameOptions, 'refine' | 'background' | 'area' | 'denoise' | 'smooth'>;

export type GroupRules = Pick<
  SegmentOptions,
  'assignment' | 'assignmentTemperature' | 'centre' | 'groups' | 'flip' | 'prior' | 'teacherPrior'
>;

/** What a model's file says of refining. */
type RefineDefaults = Pick<NamingRule, 'pamr'> & Pick<PixelRules, 'refine'>;

/** What PAMR's options come to, with what the model's file says; undefined where neither asks for it, `false` for none at all. @throws UsageError */
export function refineRule(
  { refine, pamrSteps, pamrDilations }: RefineArguments,
  file: RefineDefaults,
): PixelRules['refine'] {
  if (refine === 'none' && (pamrSteps !== undefined || pamrDilations !== undefined)) {
    throw new UsageError(
      '--refine none and options of PAMR exclude each other; leave out --refine, or --pamr-steps and --pamr-dilations',
    );
  }
  if (refine === 'none') return false;
  if (refine === undefined && pamrSteps === undefined && pamrDilations === undefined) return file.refine;
  const own = file.refine || file.pamr;
  return { steps: pamrSteps ?? own?.steps, dilations: pamrDilations ?? own?.dilations };
}

/** What the options of models that group come to, with what the model's file says; empty of other models. @throws UsageError */
export function groupRules(
  { assignment, assignmentTemperature, centre, groups, flip, prior, teacherPrior }: GroupArguments,
  file: NamingRule,
  { isGrouping, scoring }: { readonly isGrouping: boolean; readonly scoring?: NamingRule['scoring'] },
): GroupRules {
  const strange = firstGiven({
    '--assignment': assignment,
    '--assignment-temperature': assignmentTemperature,
    '--centre': centre,
    '--groups': groups,
    '--prior': prior,
  });
  if (strange && !isGrouping) throw new UsageError(`${strange} is for models that group patches into segments`);
  if (assignment === 'hard' && assignmentTemperature !== undefined) {
    throw new UsageError('--assignment-temperature is for --assignment soft or geometric');
  }
  if (scoring === 'cosine' && (assignment === 'geometric' || (prior ?? 0) > 0)) {
    throw new UsageError(
      `${prior ? '--prior' : '--assignment geometric'} is for scores that are probabilities; leave it out with cosine scoring`,
    );
  }
  return {
    assignment: assignment ?? file.assignment,
    assignmentTemperature: assignmentTemperature ?? file.assignmentTemperature,
    centre: centre ?? file.centre,
    groups: groups ?? file.groups,
    flip: flip ?? file.flip,
    prior: prior ?? file.prior,
    teacherPrior,
  };
}

/** What they come to; undefined for what was not asked for. @throws UsageError for options that mean nothing here. */
export function pixelRules(
  options: PixelArguments,
  file: RefineDefaults,
  { isPatches }: { readonly isPatches: boolean },
): PixelRules {
  const { backgroundWords, area, denoise, smooth } = options;
  const only = { '--background-words': backgroundWords, '--area': area, '--denoise': denoise, '--smooth': smooth };
  const strange = firstGiven(only);
  if (strange && !isPatches) {
    throw new UsageError(`${strange} is for a CLIP that names patches: --model clip:PATH:sclip, say`);
  }
  return {
    refine: refineRule(options, file),
    background: backgroundWords === undefined ? undefined : wordList(backgroundWords),
    area,
    denoise,
    smooth,
  };
}

/** The name of the first option that was given. */
function firstGiven(options: Readonly<Record<string, unknown>>): string | undefined {
  return Object.entries(options).find(([, value]) => value !== undefined)?.[0];
}

function wordList(text: string): readonly string[] {
  if (text === 'none') return [];
  if (text === 'stuff') return stuffWords;
  const words = text.split(',').map((word) => word.trim());
  if (words.some((word) => word === '')) {
    throw new UsageError(
      '--background-words: there must be words with commas between, such as "sky, wall", or stuff, or none',
    );
  }
  return words;
}
