/** What the JSON files must hold, checked where they are read: any of them may be damaged, or be another's. */
import { ownValue, shownValue } from '../../gpu/index.ts';

export type Check = (value: unknown) => boolean;

export const isText: Check = (value) => typeof value === 'string';
export const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
export const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

export function isWhole(min: number, max: number = Number.MAX_SAFE_INTEGER): Check {
  return (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

export function isNullOr(check: Check): Check {
  return (value) => value === null || check(value);
}

/** Missing, or as `check` says. */
export function isMaybe(check: Check): Check {
  return (value) => value === undefined || check(value);
}

export function isListOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

/** An object all of whose values are as `check` says, whatever their names. */
export function isTableOf(check: Check): Check {
  return (value) => isObject(value) && Object.values(value as object).every(check);
}

export function hasFields(checks: Readonly<Record<string, Check>>): Check {
  return (value) => brokenField(value, checks) === undefined;
}

/** The first field that is not as it must be, in words; undefined where all are. Other fields do not matter. */
export function brokenField(value: unknown, checks: Readonly<Record<string, Check>>): string | undefined {
  if (!isObject(value)) return `it must be an object; got ${shownValue(value)}`;
  for (const [name, check] of Object.entries(checks)) {
    const field = ownValue(value as Record<string, unknown>, name);
    if (!check(field)) return field === undefined ? `'${name}' is missing` : `'${name}' cannot be ${shownValue(field)}`;
  }
  return undefined;
}
