/**
 * What values must be: configurations, settings, options and files are checked by the same kinds, and refused in the same words.
 */
import { distance } from 'fastest-levenshtein';
import { ownValue, shownValue } from '../../gpu/index.ts';

/** A kind of value. */
export interface Kind<T = unknown> {
  /** How such a value is written: what a parser of options or a form asks for. */
  readonly type: 'whole number' | 'number' | 'flag' | 'text' | 'choice' | 'list' | 'object';
  /** What stands after "must be" in a message: `a whole number from 1 to 4096`. */
  readonly words: string;
  accepts(value: unknown): value is T;
}

/** A key of a configuration or of settings, and what there is to know about it. */
export interface Key<T = unknown> {
  readonly kind: Kind<T>;
  readonly default: T;
  /** What it means, with its unit, in one sentence. */
  readonly about: string;
}

/** A description of every key of an object: its checks, its defaults and its documentation. */
export type Schema<T> = { readonly [K in keyof T]-?: Key<T[K]> };

function kind<T>(type: Kind['type'], words: string, accepts: (value: unknown) => boolean): Kind<T> {
  return { type, words, accepts: (value): value is T => accepts(value) };
}

/** A whole number in a range, both ends included. */
export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const words = `a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`;
  return kind('whole number', words, (v) => Number.isSafeInteger(v) && (v as number) >= min && (v as number) <= max);
}

/** Where a range of numbers ends; either a value that is in it or one that is not. */
export type Range = ({ readonly from: number } | { readonly above: number }) &
  ({ readonly to: number } | { readonly below: number });

/**
 * A number in a range.
 *
 * ```ts
 * numberIn({ above: 0, to: 1 }).words; // 'a number above 0, up to 1'
 * ```
 */
export function numberIn(range: Range): Kind<number> {
  const [low, isOpen] = 'from' in range ? [range.from, false] : [range.above, true];
  const [high, isCut] = 'to' in range ? [range.to, false] : [range.below, true];
  const end = isCut ? 'below' : isOpen ? 'up to' : 'to';
  const words = isOpen ? `above ${low}, ${end} ${high}` : `from ${low} ${isCut ? 'to below' : 'to'} ${high}`;
  return kind(
    'number',
    `a number ${words}`,
    (v) => typeof v === 'number' && (isOpen ? v > low : v >= low) && (isCut ? v < high : v <= high),
  );
}

/** Any number but infinities and NaN. */
export const finiteNumber: Kind<number> = kind('number', 'a number', Number.isFinite);

/** One of some words. */
export function oneOf<const T extends string>(...allowed: readonly T[]): Kind<T> {
  return kind('choice', `one of ${allowed.join(', ')}`, (v) => allowed.includes(v as T));
}

export const flag: Kind<boolean> = kind('flag', 'true or false', (v) => typeof v === 'boolean');

export const text: Kind<string> = kind('text', 'a text', (v) => typeof v === 'string');

/** An object with keys, which may be any; no list, no null. */
export const anyObject: Kind<object> = kind('object', 'an object of keys and values', isPlainObject);

/** A list of values of one kind, with so many of them. */
export function listOf<T>(item: Kind<T>, min: number, max: number = min): Kind<readonly T[]> {
  const count = min === max ? String(min) : `${min} to ${max}`;
  return kind(
    'list',
    `a list of ${count}, each ${item.words}`,
    (v) => Array.isArray(v) && v.length >= min && v.length <= max && v.every((one) => item.accepts(one)),
  );
}

/** An object all of whose values are of one kind, whatever their names. */
export function tableOf<T>(item: Kind<T>): Kind<Readonly<Record<string, T>>> {
  return kind(
    'object',
    `an object, each value ${item.words}`,
    (v) => isPlainObject(v) && Object.values(v as object).every((one) => item.accepts(one)),
  );
}

export function nullOr<T>(other: Kind<T>): Kind<T | null> {
  return kind(other.type, `${other.words}, or null`, (v) => v === null || other.accepts(v));
}

/** May be missing. */
export function optional<T>(other: Kind<T>): Kind<T | undefined> {
  return kind(other.type, other.words, (v) => v === undefined || other.accepts(v));
}

/** An object with such fields; others do not matter. */
export function objectWith(fields: Readonly<Record<string, Kind>>): Kind<object> {
  return kind(
    'object',
    `an object with ${Object.keys(fields).join(', ')}`,
    (v) => fieldProblem(v, fields) === undefined,
  );
}

/** Which field is not as it must be, as a sentence without its subject's name; undefined where all are. */
export function fieldProblem(value: unknown, fields: Readonly<Record<string, Kind>>): string | undefined {
  if (!isPlainObject(value)) return `it must be an object; got ${shownValue(value)}`;
  for (const [name, field] of Object.entries(fields)) {
    const found = ownValue(value as Record<string, unknown>, name);
    if (field.accepts(found)) continue;
    return found === undefined ? `'${name}' is missing` : `'${name}' cannot be ${shownValue(found)}`;
  }
  return undefined;
}

/**
 * Which of the values that are given does not fit its key, as a sentence; undefined where all do.
 *
 * ```ts
 * valueProblem({ seed: { kind: wholeNumber(0), default: 0, about: 'Of all that is drawn.' } }, { seed: -1 });
 * // "'seed' must be a whole number from 0; got -1"
 * ```
 */
export function valueProblem(
  schema: Readonly<Record<string, Key>>,
  values: Readonly<Record<string, unknown>>,
): string | undefined {
  for (const [name, value] of Object.entries(values)) {
    const key = ownValue<Key>(schema, name);
    if (!key) return `there is no key '${name}'; ${keyWords(name, Object.keys(schema))}`;
    if (!key.kind.accepts(value)) return `'${name}' must be ${key.kind.words}; got ${shownValue(value)}`;
  }
  return undefined;
}

/** What was meant by a key that is none: the nearest, or all. */
function keyWords(name: string, keys: readonly string[]): string {
  const [nearest] = keys.map((key) => ({ key, edits: distance(key, name) })).sort((a, b) => a.edits - b.edits);
  // One letter too many, too few, another, or two that changed places.
  return nearest && nearest.edits <= Math.min(2, (name.length - 1) / 2)
    ? `did you mean '${nearest.key}'?`
    : `keys are ${keys.join(', ')}`;
}

/** The defaults of all keys. */
export function defaultsOf<T>(schema: Schema<T>): T {
  return Object.fromEntries(Object.entries<Key>(schema).map(([name, key]) => [name, key.default])) as T;
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
