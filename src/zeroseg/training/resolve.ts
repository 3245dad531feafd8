import { ownValue, shownValue } from '../../gpu/index.ts';
import { ConfigError, type Key, valueProblem } from '../host/index.ts';
import { baseConfig, configSchema, resolveConfig, type ZeroSegConfig } from '../model/index.ts';
import { presets } from './presets.ts';
import { checkSettings, defaultSettings, settingsSchema, type TrainSettings } from './settings.ts';

/** Keys and values of a file that a training is described in: a run's `config.json`, or a flat list of keys. */
export interface PresetFile {
  readonly name: string;
  /** What the file holds, as it was parsed. */
  readonly content: unknown;
}

/** What somebody who trains may choose. All of it may be left out. */
export interface TrainChoices {
  /** A preset's name, or a file's content. Default: `base`; for a run that goes on, what it was begun with. */
  readonly preset?: string | PresetFile | undefined;
  /** Values of single keys, of the configuration or of the settings. */
  readonly set?: Readonly<Record<string, unknown>> | undefined;
  /** Settings by name, which come before those in `set`. */
  readonly settings?: { readonly [K in keyof TrainSettings]?: TrainSettings[K] | undefined } | undefined;
  /** Length of the run in steps, instead of `epochs`. */
  readonly steps?: number | undefined;
}

export interface ResolvedTraining {
  readonly preset: string;
  readonly config: ZeroSegConfig;
  readonly settings: TrainSettings;
  /** What was decided for the user, to be said. */
  readonly notes: readonly string[];
  /** Whether nobody has said what positions are to be: the weights that training begins with then decide. */
  readonly isPositionsOpen: boolean;
}

/** What must be known of the features, which need not be there yet. */
export interface FeatureFacts {
  /** Where they are, for messages. */
  readonly folder: string;
  /** Photos. */
  readonly length: number;
  readonly key: { readonly teacher: string; readonly dim: number; readonly grids: readonly number[] };
}

/** The paper warms up in a quarter of its epochs. */
const WARMUP_FRACTION = 1 / 4;

/**
 * Configuration and settings of a training: a preset or file, what the features decide (width and grids of the teacher), then the
 * single choices. Of a run that goes on, what is not chosen is the run's.
 *
 * ```ts
 * const { config, settings } = resolveTraining({ preset: 'tiny', steps: 500, settings: { batch: 16 } }, cache);
 * ```
 *
 * @throws ConfigError that names the key, the rule and the value.
 */
export function resolveTraining(
  choices: TrainChoices,
  features: FeatureFacts,
  run?: { readonly preset: string; readonly config: ZeroSegConfig; readonly settings: TrainSettings },
): ResolvedTraining {
  const goesOn = run !== undefined && choices.preset === undefined;
  const start = goesOn ? startOfRun(run) : startOf(choices.preset ?? 'base');
  // Without a prototype, `__proto__` is a key like any other: one that does not exist.
  const keys: Record<string, unknown> = Object.assign(Object.create(null), start.config);
  const changes: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(choices.set ?? {})) {
    if (Object.hasOwn(defaultSettings, key)) changes[key] = checkedSetting(key, value, 'training');
    else keys[key] = value;
  }
  if (!goesOn) {
    keys['clip_dim'] ??= features.key.dim;
    keys['grids'] ??= features.key.grids;
  }
  const config = resolveConfig(keys, start.defaults);
  checkAgainstFeatures(config, features);

  for (const [key, value] of Object.entries(choices.settings ?? {})) {
    if (value !== undefined) changes[key] = value;
  }
  const given = (key: keyof TrainSettings) => changes[key] !== undefined || start.given.has(key);
  const settings: Writable<TrainSettings> = { ...defaultSettings, ...start.settings, ...changes };
  const notes: string[] = [];
  if (!given('batch') && settings.batch > features.length) {
    settings.batch = features.length;
    notes.push(`batch ${features.length} instead of ${start.settings.batch}: the cache has no more photos`);
  }
  if (!given('micro')) settings.micro = largestDivisor(settings.batch, settings.micro);
  if (choices.steps !== undefined) {
    const perEpoch = Math.floor(features.length / settings.batch);
    if (perEpoch > 0) settings.epochs = choices.steps / perEpoch;
  }
  // A run that is made longer keeps its warm-up.
  if (run && !given('warmup')) settings.warmup = run.settings.warmup;
  else if (!given('warmup') && settings.epochs !== start.settings.epochs)
    settings.warmup = settings.epochs * WARMUP_FRACTION;
  // What 'scenes' is measured with are fixed positions.
  const isPositionsOpen = !run && keys['positions'] === undefined && start.preset !== 'scenes';
  return { preset: start.preset, config, settings: checkSettings(settings, features.length), notes, isPositionsOpen };
}

interface Start {
  readonly preset: string;
  /** Keys that were given, over `defaults`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly defaults: ZeroSegConfig;
  readonly settings: TrainSettings;
  readonly given: ReadonlySet<string>;
}

function startOfRun({
  preset,
  config,
  settings,
}: Pick<Start, 'preset' | 'settings'> & { config: ZeroSegConfig }): Start {
  return { preset, config: {}, defaults: { ...baseConfig, ...config }, settings, given: new Set() };
}

function startOf(preset: string | PresetFile): Start {
  if (typeof preset !== 'string') return startOfFile(preset);
  const named = ownValue(presets, preset);
  if (!named) {
    const names = Object.keys(presets).sort().join(', ');
    throw new ConfigError(`train: there is no configuration '${preset}'; give ${names} or a JSON file`);
  }
  return { preset, config: {}, defaults: named.config, settings: named.settings, given: new Set() };
}

function startOfFile({ name, content }: PresetFile): Start {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new ConfigError(`configuration: ${name}: it must be an object of keys and values`);
  }
  const found = content as Record<string, unknown>;
  // A run's own config.json has both parts apart.
  const isRun = typeof found['config'] === 'object' && typeof found['settings'] === 'object';
  // A run of before there were others had fixed positions.
  const flat = isRun ? { positions: 'fixed', ...(found['config'] as object), ...(found['settings'] as object) } : found;
  const entries = Object.entries(flat);
  const settings = Object.fromEntries(entries.filter(([key]) => Object.hasOwn(defaultSettings, key)));
  for (const [key, value] of Object.entries(settings)) checkedSetting(key, value, `training: ${name}`);
  const config = Object.fromEntries(entries.filter(([key]) => !Object.hasOwn(defaultSettings, key)));
  const problem = valueProblem(configSchema(), config);
  if (problem !== undefined) throw new ConfigError(`configuration: ${name}: ${problem}`);
  return {
    preset: name,
    config,
    defaults: baseConfig,
    settings: { ...defaultSettings, ...settings },
    given: new Set(Object.keys(settings)),
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A setting of the type that it must have; its range is checked when all are known. */
function checkedSetting(key: string, value: unknown, where: string): unknown {
  const { default: usual, kind } = settingsSchema[key as keyof TrainSettings] as Key;
  if (typeof value === typeof usual) return value;
  throw new ConfigError(`${where}: '${key}' must be ${kind.words}; got ${shownValue(value)}`);
}

function checkAgainstFeatures(config: ZeroSegConfig, { key, folder }: FeatureFacts): void {
  if (config.clip_dim !== key.dim) {
    throw new ConfigError(
      `configuration: 'clip_dim' is ${config.clip_dim}, and the features in ${folder} have ${key.dim} values (teacher '${key.teacher}'); leave clip_dim out, or use another cache`,
    );
  }
  if (config.grids.join() !== key.grids.join()) {
    throw new ConfigError(
      `configuration: 'grids' is [${config.grids.join(', ')}], and the features in ${folder} are of [${key.grids.join(', ')}]; leave grids out, or make a cache of these (--grids ${config.grids.join(',')})`,
    );
  }
}

/** The largest divisor of `n` that is at most `max`. */
function largestDivisor(n: number, max: number): number {
  for (let d = Math.min(n, max); d > 1; d--) if (n % d === 0) return d;
  return 1;
}
