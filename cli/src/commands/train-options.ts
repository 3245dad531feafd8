import { createHash } from 'node:crypto';
import { ownValue, parseJson, shownValue } from '@zeroseg/core/internal';
import {
  baseConfig,
  ConfigError,
  checkSettings,
  configs,
  defaultSettings,
  resolveConfig,
  type TrainSettings,
  type ZeroSegConfig,
} from '@zeroseg/core/zeroseg';
import type { CacheKey, CacheReader } from '../features/index.ts';
import { readJson } from '../files/index.ts';
import { type RunDescription, RunError } from '../runs/index.ts';
import { UsageError } from '../shell/index.ts';

/** The arguments of `zeroseg train` that decide what is computed. */
export interface TrainChoices {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly epochs?: number;
  readonly steps?: number;
  readonly batch?: number;
  readonly micro?: number;
  readonly baseLr?: number;
  readonly warmup?: number;
  readonly seed?: number;
  readonly precision?: 'f32' | 'f16';
  readonly checkpoint?: boolean;
}

export interface Resolved {
  readonly preset: string;
  readonly config: ZeroSegConfig;
  readonly settings: TrainSettings;
  /** What was decided for the user, to be said. */
  readonly notes: readonly string[];
  /** Whether nobody has said what positions are to be: the weights that training begins with then decide. */
  readonly isPositionsOpen: boolean;
}

/**
 * Settings for a small model on a processor. The peak rate, 1e-3, is what transformers of this width are trained with; the
 * paper's 1.5e-4 per 256 images would be 2e-5 at this batch.
 */
const tinySettings: TrainSettings = { ...defaultSettings, batch: 32, micro: 32, epochs: 30, warmup: 3, base_lr: 8e-3 };

/** The same for made-up scenes, with clipping: of small batches some gradients are far out. */
const scenesSettings: TrainSettings = { ...tinySettings, epochs: 20, warmup: 2, clip_grad: 1 };

const presetSettings: Readonly<Record<string, TrainSettings>> = { tiny: tinySettings, scenes: scenesSettings };

/** The paper warms up in a quarter of its epochs. */
const WARMUP_SHARE = 1 / 4;

/** What must be known of a cache, which may not be there yet. */
export interface Features {
  readonly folder: string;
  /** Photos. */
  readonly length: number;
  readonly key: Pick<CacheKey, 'teacher' | 'dim' | 'grids'>;
}

/**
 * Configuration and settings: a preset or file, what the cache decides (width and grids of the teacher), then the single
 * choices. When a run is resumed, what is not chosen is the run's.
 */
export async function resolveTraining(
  choices: TrainChoices,
  cache: Features,
  run?: Pick<RunDescription, 'preset' | 'config' | 'settings'>,
): Promise<Resolved> {
  const start: Start =
    run && choices.config === undefined
      ? {
          preset: run.preset,
          config: {},
          defaults: { ...baseConfig, ...run.config },
          settings: run.settings,
          given: new Set(),
        }
      : await startFrom(choices.config ?? 'base');
  // Without a prototype, `__proto__` is a key like any other: one that does not exist.
  const keys: Record<string, unknown> = Object.assign(Object.create(null), start.config);
  const changes: Record<string, unknown> = {};
  for (const assignment of choices.set ?? []) {
    const { key, value } = parseAssignment(assignment);
    if (Object.hasOwn(defaultSettings, key)) changes[key] = checkKind(key, value, 'training');
    else keys[key] = value;
  }
  if (!(run && choices.config === undefined)) {
    keys['clip_dim'] ??= cache.key.dim;
    keys['grids'] ??= cache.key.grids;
  }
  const config = resolveConfig(keys, start.defaults);
  checkAgainstCache(config, cache);

  const direct = {
    epochs: choices.epochs,
    batch: choices.batch,
    micro: choices.micro,
    base_lr: choices.baseLr,
    warmup: choices.warmup,
    seed: choices.seed,
    precision: choices.precision,
    checkpoint: choices.checkpoint,
  };
  for (const [key, value] of Object.entries(direct)) {
    if (value !== undefined) changes[key] = value;
  }
  const given = (key: keyof TrainSettings) => changes[key] !== undefined || start.given.has(key);
  const settings: Writable<TrainSettings> = { ...defaultSettings, ...start.settings, ...changes };
  const notes: string[] = [];
  if (!given('batch') && settings.batch > cache.length) {
    settings.batch = cache.length;
    notes.push(`batch ${cache.length} instead of ${start.settings.batch}: the cache has no more photos`);
  }
  if (!given('micro')) settings.micro = largestDivisor(settings.batch, settings.micro);
  if (choices.steps !== undefined) {
    const perEpoch = Math.floor(cache.length / settings.batch);
    if (perEpoch > 0) settings.epochs = choices.steps / perEpoch;
  }
  // A run that is made longer keeps its warm-up.
  if (run && !given('warmup')) settings.warmup = run.settings.warmup;
  else if (!given('warmup') && settings.epochs !== start.settings.epochs)
    settings.warmup = settings.epochs * WARMUP_SHARE;
  // What 'scenes' is measured with are fixed positions.
  const isPositionsOpen = !run && keys['positions'] === undefined && start.preset !== 'scenes';
  return { preset: start.preset, config, settings: checkSettings(settings, cache.length), notes, isPositionsOpen };
}

interface Start {
  readonly preset: string;
  /** Keys that were given, over `defaults`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly defaults: ZeroSegConfig;
  readonly settings: TrainSettings;
  readonly given: ReadonlySet<string>;
}

async function startFrom(preset: string): Promise<Start> {
  const none = new Set<string>();
  const named = ownValue(configs, preset);
  if (named) {
    return {
      preset,
      config: {},
      defaults: named,
      settings: ownValue(presetSettings, preset) ?? defaultSettings,
      given: none,
    };
  }
  if (!preset.endsWith('.json')) {
    throw new UsageError(
      `train: there is no configuration '${preset}'; give ${Object.keys(configs).sort().join(', ')} or a JSON file`,
    );
  }
  const found = (await readJson(preset)) as Record<string, unknown> | null;
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    throw new ConfigError(`configuration: ${preset}: it must be an object of keys and values`);
  }
  // A run's own config.json has both parts apart.
  const apart = typeof found['config'] === 'object' && typeof found['settings'] === 'object';
  const flat =
    // A run of before there were others had fixed positions.
    (
      apart ? { positions: 'fixed', ...(found['config'] as object), ...(found['settings'] as object) } : found
    ) as Record<string, unknown>;
  const entries = Object.entries(flat);
  const settings = Object.fromEntries(entries.filter(([key]) => Object.hasOwn(defaultSettings, key)));
  for (const [key, value] of Object.entries(settings)) checkKind(key, value, `training: ${preset}`);
  return {
    preset,
    config: Object.fromEntries(entries.filter(([key]) => !Object.hasOwn(defaultSettings, key))),
    defaults: configs['base'] as ZeroSegConfig,
    settings: { ...defaultSettings, ...settings },
    given: new Set(Object.keys(settings)),
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A setting of the kind that its default has. */
function checkKind(key: string, value: unknown, where: string): unknown {
  const kind = typeof defaultSettings[key as keyof TrainSettings];
  if (typeof value === kind) return value;
  const words = kind === 'boolean' ? 'true or false' : kind === 'string' ? 'a word' : 'a number';
  throw new ConfigError(`${where}: '${key}' must be ${words}; got ${shownValue(value)}`);
}

function parseAssignment(text: string): { key: string; value: unknown } {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`train: --set takes key=value, such as --set mask_ratio=0.5; got '${text}'`);
  const [key, word] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  try {
    return { key, value: parseJson(word) };
  } catch {
    // Words need no quotes, and lists no brackets.
    const parts = word.split(',').map(Number);
    return { key, value: parts.length > 1 && parts.every(Number.isFinite) ? parts : word };
  }
}

function checkAgainstCache(config: ZeroSegConfig, { key, folder }: Features): void {
  if (config.clip_dim !== key.dim) {
    throw new ConfigError(
      `configuration: 'clip_dim' is ${config.clip_dim}, and the features in ${folder} have ${key.dim} values (teacher '${key.teacher}'); leave clip_dim out, or use another cache`,
    );
  }
  if (config.grids.join() !== key.grids.join()) {
    throw new ConfigError(
      `configuration: 'grids' is [${config.grids.join(', ')}], and the features in ${folder} are of [${key.grids.join(', ')}]; leave grids out, or make a cache with --grids ${config.grids.join(',')}`,
    );
  }
}

/** The largest divisor of `n` that is at most `most`. */
function largestDivisor(n: number, most: number): number {
  for (let d = Math.min(n, most); d > 1; d--) if (n % d === 0) return d;
  return 1;
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
