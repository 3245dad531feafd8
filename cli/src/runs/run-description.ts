/** What a run's `config.json` must hold. */
import { createHash } from 'node:crypto';
import { ZeroSegError } from '@zeroseg/core';
import { cacheKeyFields, ownValue } from '@zeroseg/core/internal';
import type { CacheKey, CacheReader } from '@zeroseg/core/zeroseg';
import {
  baseConfig,
  checkSettings,
  defaultSettings,
  resolveConfig,
  type TrainSettings,
  type ZeroSegConfig,
} from '@zeroseg/core/zeroseg';
import { brokenField, hasFields, isNullOr, isObject, isText, isWhole } from '../files/index.ts';

/** A run folder that cannot be begun or continued. */
export class RunError extends ZeroSegError {
  override readonly name = 'RunError';
  readonly code = 'run';
}

/** What a run is, as its `config.json` says. */
export interface RunDescription {
  /** Version of this package, and adapter, at the start of the run. */
  readonly version: string;
  readonly adapter: string;
  readonly started: string;
  /** The configuration's name or file, and the file of initial weights. */
  readonly preset: string;
  readonly init: string | null;
  readonly cache: { readonly folder: string; readonly photos: number; readonly paths: string; readonly key: CacheKey };
  readonly config: ZeroSegConfig;
  readonly settings: TrainSettings;
}

/** Why this is no description of a run, in words; undefined where it is one. */
export function descriptionProblem(found: unknown): string | undefined {
  const broken = brokenField(found, {
    version: isText,
    adapter: isText,
    started: isText,
    preset: isText,
    init: isNullOr(isText),
    cache: hasFields({ folder: isText, photos: isWhole(0), paths: isText, key: hasFields(cacheKeyFields) }),
    config: isObject,
    settings: isObject,
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

/** The photos of a cache as one number: training draws them by their place in the list. */
export function pathsHash(cache: CacheReader): string {
  return createHash('sha256').update(cache.paths.join('\n')).digest('hex').slice(0, 16);
}

/** @throws {RunError} when a run would go on with something else than it began with, naming what differs. */
export function refuseDifferences(
  folder: string,
  was: RunDescription,
  now: Omit<RunDescription, 'version' | 'adapter' | 'started' | 'preset'>,
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
  compare('init', was.init, now.init);
  if (differences.length > 0) {
    throw new RunError(
      `train: ${folder}: this run was begun differently (${differences.join('; ')}); resume it as it was, or begin another in a new folder`,
    );
  }
}
