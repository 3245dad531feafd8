import { parseJson } from '@zeroseg/core/internal';
import {
  type FeatureFacts,
  type PresetFile,
  presets,
  type ResolvedTraining,
  resolveTraining,
  type TrainChoices,
} from '@zeroseg/core/zeroseg';
import { readJson } from '../files/index.ts';
import { kindOfPath } from '../weights/index.ts';
import { UsageError } from './errors.ts';

/** The options of `zeroseg train` that decide what is computed. */
export interface TrainOptions {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly epochs?: number;
  readonly steps?: number;
  readonly batch?: number;
  readonly micro?: number | 'auto';
  readonly baseLr?: number;
  readonly warmup?: number;
  readonly ema?: number;
  readonly mirror?: boolean;
  readonly order?: 'shuffled' | 'windowed';
  readonly seed?: number;
  readonly precision?: 'f32' | 'f16';
  readonly checkpoint?: boolean;
}

/** Configuration and settings that options choose: see {@link resolveTraining}. */
export async function resolveOptions(
  options: TrainOptions,
  features: FeatureFacts,
  run?: Parameters<typeof resolveTraining>[2],
): Promise<ResolvedTraining> {
  return resolveTraining(await trainChoices(options), features, run);
}

/** What options choose, with the file that `--config` may name. */
export async function trainChoices(options: TrainOptions): Promise<TrainChoices> {
  const { config, set = [], steps, epochs, batch, micro, baseLr, warmup, ...settings } = options;
  return {
    preset: config === undefined ? undefined : await presetOf(config),
    set: parseAssignments(set),
    settings: {
      epochs,
      batch,
      micro: micro === 'auto' ? undefined : micro,
      base_lr: baseLr,
      warmup,
      ...chosen(settings),
    },
    steps,
  };
}

/** Of all options of a command those that are settings by the same name. */
function chosen({ ema, mirror, order, seed, precision, checkpoint }: TrainOptions): TrainChoices['settings'] {
  return { ema, mirror, order, seed, precision, checkpoint };
}

async function presetOf(name: string): Promise<string | PresetFile> {
  if (Object.hasOwn(presets, name)) return name;
  return name.endsWith('.json') || (await kindOfPath(name)) ? { name, content: await readJson(name) } : name;
}

/**
 * Values of `--set key=value`, by key; the last one of a key counts.
 *
 * ```ts
 * parseAssignments(['mask_ratio=0.5', 'grids=1,2', 'stem=conv']); // { mask_ratio: 0.5, grids: [1, 2], stem: 'conv' }
 * ```
 */
export function parseAssignments(assignments: readonly string[]): Readonly<Record<string, unknown>> {
  // Without a prototype, `__proto__` is a key like any other.
  const values: Record<string, unknown> = Object.create(null);
  for (const text of assignments) {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`train: --set takes key=value, such as --set mask_ratio=0.5; got '${text}'`);
    values[text.slice(0, at).trim()] = parseValue(text.slice(at + 1).trim());
  }
  return values;
}

/** JSON, or what needs no quotes and no brackets: a word, numbers with commas between. */
function parseValue(word: string): unknown {
  try {
    return parseJson(word);
  } catch {
    const parts = word.split(',').map(Number);
    return parts.length > 1 && parts.every(Number.isFinite) ? parts : word;
  }
}
