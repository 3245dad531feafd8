/** What a run's `config.json` must hold. */
import { ZeroSegError } from '@zeroseg/core';
import {
  checkSettings,
  defaultSettings,
  resolveConfig,
  type TrainSettings,
  type ZeroSegConfig,
} from '@zeroseg/core/zeroseg';
import { type CacheKey, cacheKeyFields } from '../features/index.ts';
import { brokenField, hasFields, isNullOr, isObject, isText, isWhole } from '../files/index.ts';

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
