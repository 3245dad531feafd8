import { ArgumentError, shownValue } from '../../gpu/index.ts';
import type { NamingRules } from './division.ts';

// Options come from programs in plain JavaScript too: a word that there is none of would mean whatever the last of them means.

const SCORINGS: readonly unknown[] = ['groupvit', 'softmax', 'cosine'];
const PAMR = ['steps', 'dilations'];

/** @throws ArgumentError for an option whose value is none that there is. */
export function checkOneOf(option: string, value: unknown, allowed: readonly unknown[]): void {
  if (value === undefined || allowed.includes(value)) return;
  throw new ArgumentError(`${option} must be one of ${allowed.join(', ')}; got ${shownValue(value)}`);
}

/** @throws ArgumentError for what is neither options of PAMR nor `false`: any word would turn it on. */
export function checkRefine(refine: unknown): void {
  if (refine === undefined || refine === false) return;
  if (Object.prototype.toString.call(refine) === '[object Object]') {
    if (Object.keys(refine as object).every((name) => PAMR.includes(name))) return;
  }
  throw new ArgumentError(
    `Segmenter.name: refine must be { steps, dilations }, of which either may be left out, or false; got ${shownValue(refine)}`,
  );
}

/** @throws ArgumentError for rules that there are none of. */
export function checkRules({ scoring, teacherPrior, refine }: NamingRules): void {
  checkOneOf('Segmenter.name: scoring', scoring, SCORINGS);
  checkOneOf('Segmenter.name: teacherPrior', teacherPrior, [true, false]);
  checkRefine(refine);
}
