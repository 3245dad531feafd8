/** Options of `segment` and `eval` for scores of pixels: PAMR, and what only a CLIP that names patches takes. */
import { type NameOptions, stuffWords } from '@zeroseg/core/zeroseg';
import type { Command } from 'commander';
import { numberFrom, oneOf, wholeNumber, wholeNumbers } from './arguments.ts';
import { UsageError } from './errors.ts';

export interface PixelArguments {
  readonly refine?: 'pamr' | 'none';
  readonly pamrSteps?: number;
  readonly pamrDilations?: readonly number[];
  readonly backgroundWords?: string;
  readonly area?: number;
  readonly denoise?: number;
  readonly smooth?: number;
}

/** Adds them to a command. */
export function pixelOptions(command: Command): Command {
  return command
    .option(
      '--refine <how>',
      "pamr: draw scores to the photo's edges; none (default: pamr for naclip, none for all others)",
      oneOf('pamr', 'none'),
    )
    .option('--pamr-steps <n>', 'steps of PAMR (default: 10)', wholeNumber(0, 1000))
    .option(
      '--pamr-dilations <list>',
      'distances of the pixels that PAMR compares (default: 8,16)',
      wholeNumbers(4096, 16),
    )
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
export type PixelRules = Pick<NameOptions, 'refine' | 'background' | 'area' | 'denoise' | 'smooth'>;

/** What they come to; undefined for what was not asked for. @throws UsageError for options that mean nothing here. */
export function pixelRules(options: PixelArguments, { isPatches }: { readonly isPatches: boolean }): PixelRules {
  const { refine, pamrSteps, pamrDilations, backgroundWords, area, denoise, smooth } = options;
  const only = { '--background-words': backgroundWords, '--area': area, '--denoise': denoise, '--smooth': smooth };
  const strange = Object.entries(only).find(([, value]) => value !== undefined);
  if (strange && !isPatches) {
    throw new UsageError(`${strange[0]} is for a CLIP that names patches: --model clip:PATH:sclip, say`);
  }
  if (refine === 'none' && (pamrSteps !== undefined || pamrDilations !== undefined)) {
    throw new UsageError('--refine none and options of PAMR exclude each other');
  }
  const wantsPamr = refine === 'pamr' || pamrSteps !== undefined || pamrDilations !== undefined;
  return {
    refine: wantsPamr ? { steps: pamrSteps, dilations: pamrDilations } : refine === 'none' ? false : undefined,
    background: backgroundWords === undefined ? undefined : wordList(backgroundWords),
    area,
    denoise,
    smooth,
  };
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
