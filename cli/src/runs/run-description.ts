import { ZeroSegError } from '@zeroseg/core';
import { parseJson } from '@zeroseg/core/internal';
import { checkSettings, defaultSettings, resolveConfig, type TrainSettings } from '@zeroseg/core/zeroseg';
/** What a run's `config.json` and the lines of its `metrics.jsonl` must hold. */

import { cacheKeyFields } from '../features/feature-key.ts';
import {
  brokenField,
  hasFields,
  isMaybe,
  isNullOr,
  isNumber,
  isObject,
  isTableOf,
  isText,
  isWhole,
} from '../files/json-fields.ts';
import type { Metrics, RunDescription } from './run-folder.ts';

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

/** A line of `metrics.jsonl`; undefined for one that is half written, or none. */
export function parseMetrics(line: string): Metrics | undefined {
  let found: unknown;
  try {
    found = parseJson(line);
  } catch {
    return undefined;
  }
  const isNumberOrNull = isNullOr(isNumber);
  const fields = {
    step: isWhole(1),
    watch: isMaybe(isNullOr(isObject)),
    probe: isMaybe(isNullOr(isTableOf(isNumberOrNull))),
  };
  return brokenField(found, fields) === undefined ? (found as Metrics) : undefined;
}
