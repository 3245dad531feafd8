/** What a run's `config.json` says. */
import { ownValue, ZeroSegError } from '../../gpu/index.ts';
import { type CacheKey, cacheKeyFields, fileNumbers, type TrainingData } from '../features/index.ts';
import { Sha256, sha256 } from '../host/index.ts';
import { baseConfig, resolveConfig, type ZeroSegConfig } from '../model/index.ts';
import { RunError } from '../runs/index.ts';
import {
  brokenField,
  type FileSystem,
  hasFields,
  isListOf,
  isMaybe,
  isNullOr,
  isNumber,
  isObject,
  isText,
  isWhole,
  readJsonFile,
} from '../storage/index.ts';
import { checkSettings, defaultSettings, type TrainSettings } from './settings.ts';
import type { RateChange } from './trainer-options.ts';
import type { Validation } from './validation.ts';

/** What a run is. */
export interface RunDescription {
  /** Version of this package, and adapter, at the start of the run. */
  readonly version: string;
  readonly adapter: string;
  readonly started: string;
  /** The configuration's name or file, and the file of initial weights. */
  readonly preset: string;
  readonly init: string | null;
  readonly cache: {
    readonly folder: string;
    readonly photos: number;
    readonly paths: string;
    readonly key: CacheKey;
    /** Which photos lie in a file together, as a number: there where the order goes by it. See {@link filesHash}. */
    readonly files?: string | undefined;
  };
  readonly config: ZeroSegConfig;
  readonly settings: TrainSettings;
  /** What the model is validated on, and when. Without it: nothing. */
  readonly validation?: Validation | undefined;
  /** Changes of the learning rate on the way: see `TrainingRun.changeRate`. */
  readonly rates?: readonly RateChange[] | undefined;
}

const FORMAT = 'zeroseg run';
export const DESCRIPTION_FILE = 'config.json';

/** Writes what a run is, also when it has become another, such as a longer one. */
export async function writeDescription(files: FileSystem, description: RunDescription): Promise<void> {
  await files.write(DESCRIPTION_FILE, `${JSON.stringify({ format: FORMAT, ...description }, undefined, 2)}\n`);
}

/** @throws {RunError} when this describes no run, or is damaged. */
export async function readDescription(files: FileSystem): Promise<RunDescription> {
  const path = files.describe(DESCRIPTION_FILE);
  const found = (await readJsonFile(files, DESCRIPTION_FILE)) as (RunDescription & { format?: string }) | null;
  if (found?.format !== FORMAT) throw new RunError(`train: ${path}: this is not the description of a run`);
  const { format: _, ...description } = found;
  const problem = descriptionProblem(description);
  if (problem !== undefined) throw new RunError(`train: ${path}: the description of the run is damaged: ${problem}`);
  return description;
}

/** Why this is no description of a run, in words; undefined where it is one. */
export function descriptionProblem(found: unknown): string | undefined {
  const broken = brokenField(found, {
    version: isText,
    adapter: isText,
    started: isText,
    preset: isText,
    init: isNullOr(isText),
    cache: hasFields({
      folder: isText,
      photos: isWhole(0),
      paths: isText,
      key: hasFields(cacheKeyFields),
      files: isMaybe(isText),
    }),
    config: isObject,
    settings: isObject,
    validation: isMaybe(
      hasFields({
        fraction: isMaybe((value) => isNumber(value) && (value as number) > 0 && (value as number) < 1),
        scenes: isMaybe(isWhole(1)),
        every: isWhole(1),
      }),
    ),
    rates: isMaybe(
      isListOf(hasFields({ after: isWhole(0), base_lr: (value) => isNumber(value) && (value as number) > 0 })),
    ),
  });
  if (broken !== undefined) return broken;
  const { config, settings } = found as RunDescription;
  try {
    resolveConfig({ ...config });
    // The number of photos is looked at when the cache is there.
    checkSettings({ ...defaultSettings, ...(settings as Partial<TrainSettings>) }, Number.POSITIVE_INFINITY);
  } catch (error) {
    if (error instanceof ZeroSegError) return error.message;
    throw error;
  }
  return undefined;
}

/** Paths that are hashed at a time. */
const PATHS_AT_ONCE = 4096;

/** The photos of a cache as one number: training draws them by their place in the list. */
export async function pathsHash(paths: Iterable<string>): Promise<string> {
  const hash = new Sha256();
  const encoder = new TextEncoder();
  // Joined at once, a million paths take more memory than the index that they come from.
  let some: string[] = [];
  for (const path of paths) {
    some.push(path);
    if (some.length < PATHS_AT_ONCE) continue;
    hash.update(encoder.encode(some.join('\n')));
    // What comes behind these begins with their last line's end.
    some = [''];
  }
  return hash
    .update(encoder.encode(some.join('\n')))
    .digest()
    .slice(0, 16);
}

/** The files of a cache as one number, where a training draws photos by them: see the setting `order`. */
export async function filesHash(
  data: Pick<TrainingData, 'length' | 'fileOf'>,
  { order }: Pick<TrainSettings, 'order'>,
): Promise<string | undefined> {
  const files = order === 'windowed' ? fileNumbers(data) : undefined;
  return files && (await sha256(new Uint8Array(files.buffer))).slice(0, 16);
}

/** @throws {RunError} when a run would go on with something else than it began with, naming what differs. */
export function refuseDifferences(
  folder: string,
  was: RunDescription,
  now: Pick<RunDescription, 'init' | 'cache' | 'config' | 'settings' | 'validation'>,
): void {
  const differences: string[] = [];
  const compare = (name: string, old: unknown, next: unknown) => {
    const [a, b] = [JSON.stringify(old), JSON.stringify(next)];
    if (a !== b) differences.push(`${name} was ${a}, is ${b} now`);
  };
  const keys = (a: object, b: object) => new Set([...Object.keys(a), ...Object.keys(b)]);
  const each = (a: object, b: object, prefix = '') => {
    for (const key of keys(a, b))
      compare(prefix + key, ownValue(a as Record<string, unknown>, key), ownValue(b as Record<string, unknown>, key));
  };
  // What did not exist when the run was begun had what is its default now.
  each({ ...baseConfig, ...was.config }, now.config);
  // A run may become longer.
  const isLonger = now.settings.epochs > was.settings.epochs;
  const { epochs } = isLonger ? now.settings : was.settings;
  each({ ...defaultSettings, ...was.settings, epochs }, now.settings);
  each(was.cache.key, now.cache.key, 'cache ');
  compare('photos', was.cache.photos, now.cache.photos);
  if (was.cache.photos === now.cache.photos && was.cache.paths !== now.cache.paths)
    differences.push('the photos in the cache are others');
  else if (was.cache.files !== now.cache.files) differences.push('the photos are in other files of the cache');
  compare('init', was.init, now.init);
  compare('validation', was.validation ?? null, now.validation ?? null);
  if (differences.length > 0) {
    throw new RunError(
      `train: ${folder}: this run was begun differently (${differences.join('; ')}); resume it as it was, or begin another in a new folder`,
    );
  }
}
