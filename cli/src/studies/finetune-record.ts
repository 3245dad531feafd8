/** What a fine-tuning is begun with: its options, and the record of them in the run's folder. */
import { join } from 'node:path';
import { defaultFinetuneSettings, type FinetuneSettings } from '@zeroseg/core/zeroseg';
import { brokenField, hasFields, isListOf, isText, isWhole, readJson } from '../files/index.ts';
import { UsageError } from '../shell/index.ts';
import { kindOfPath } from '../weights/index.ts';

/** What decides the weights; all of it is kept in the run's folder. */
export interface FinetuneChoices {
  readonly backbone?: string;
  readonly data?: string;
  readonly root?: string;
  readonly split?: string;
  readonly pseudo?: string;
  readonly clip?: string;
  readonly heads?: number;
}

export interface FinetuneArguments extends FinetuneChoices {
  readonly out: string;
  readonly steps?: number;
  readonly batch?: number;
  readonly lr?: number;
  readonly schedule?: FinetuneSettings['schedule'];
  readonly warmup?: number;
  readonly weightDecay?: number;
  readonly crop?: number;
  readonly short?: number;
  readonly scaleMin?: number;
  readonly scaleMax?: number;
  readonly flip?: boolean;
  readonly frozen?: boolean;
  readonly seed?: number;
  readonly scoreRoot?: string;
  readonly scoreSplit?: string;
  readonly scoreEvery?: number;
  readonly limit?: number;
  readonly resume?: boolean;
  readonly adapter?: string;
}

/** `finetune.json`: what a run was begun with. */
export interface FinetuneLog {
  readonly format: typeof FINETUNE_FORMAT;
  readonly version: string;
  readonly started: string;
  readonly choices: FinetuneChoices;
  readonly settings: FinetuneSettings;
  readonly classes: readonly string[];
  /** sha256 of the backbone's file. */
  readonly weights: string;
}

export const FINETUNE_FORMAT = 'zeroseg fine-tuning';

/** The record's file. */
export const FINETUNE_LOG = 'finetune.json';

export function finetuneChoices({
  backbone,
  data,
  root,
  split,
  pseudo,
  clip,
  heads,
}: FinetuneArguments): FinetuneChoices {
  if (clip !== undefined && pseudo === undefined) {
    throw new UsageError('finetune: --clip is for --pseudo: it names the CLIP of the model that labels photos');
  }
  const choices = { backbone, data, root, split, pseudo, clip, heads };
  return Object.fromEntries(Object.entries(choices).filter(([, value]) => value !== undefined));
}

/** What was given, by the settings' own names. */
function givenSettings(options: FinetuneArguments): Partial<FinetuneSettings> {
  const { steps, batch, lr, schedule, warmup, weightDecay, crop, short, scaleMin, scaleMax, flip, frozen, seed } =
    options;
  const given = {
    ...{ steps, batch, lr, schedule, warmup, weight_decay: weightDecay, crop, short },
    ...{ scale_min: scaleMin, scale_max: scaleMax, flip: flip === false ? false : undefined, frozen, seed },
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

export function finetuneSettings(options: FinetuneArguments, crop: number): FinetuneSettings {
  return { ...defaultFinetuneSettings, crop, short: 2 * crop, ...givenSettings(options) };
}

/** With `--resume`, what is given must be what the run was begun with; only the steps may become more. */
export function checkSame({ choices, settings }: FinetuneLog, options: FinetuneArguments): void {
  const was: Readonly<Record<string, unknown>> = { ...choices, ...settings };
  for (const [name, value] of Object.entries({ ...finetuneChoices(options), ...givenSettings(options) })) {
    const before = was[name];
    if (name === 'steps' ? (value as number) >= (before as number) : value === before) continue;
    const option = `--${name.replaceAll('_', '-')}`;
    const rule = name === 'steps' ? 'steps can only become more' : 'leave it out, or choose another --out';
    throw new UsageError(
      `finetune: ${options.out} was begun with ${option} ${before ?? 'not given'}, not ${value}; ${rule}`,
    );
  }
}

export async function readFinetuneLog(folder: string): Promise<FinetuneLog> {
  const path = join(folder, FINETUNE_LOG);
  if ((await kindOfPath(path)) !== 'file') {
    throw new UsageError(`finetune: ${folder}: there is no run to go on with; leave --resume out to begin one`);
  }
  return parseFinetuneLog(await readJson(path), path);
}

/** What a `finetune.json` says. */
export function parseFinetuneLog(found: unknown, path: string): FinetuneLog {
  const broken = brokenField(found, {
    format: (value) => value === FINETUNE_FORMAT,
    choices: hasFields({ backbone: isText, data: isText, root: isText }),
    settings: hasFields({ steps: isWhole(1), crop: isWhole(1) }),
    classes: isListOf(isText),
    weights: isText,
  });
  if (broken === undefined) return found as FinetuneLog;
  throw new UsageError(`finetune: ${path}: this is no record of a fine-tuning, or is damaged (${broken})`);
}
