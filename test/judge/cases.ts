import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** A value as JSON holds it: `'nan'`, `'inf'`, `'-inf'` and `'-0'` have no number there. */
export type Value = number | string;

export interface Values {
  readonly shape: readonly number[];
  readonly data: readonly Value[];
  /** Default: f32. */
  readonly dtype?: string;
}

/** One call of an op, and what NumPy and PyTorch say of it. */
export interface Case {
  /** The arguments of the op, with `{ input: i }` and `{ device: true }` for what JSON cannot hold. */
  readonly args: readonly unknown[];
  /** `constant`: it has no gradient. */
  readonly inputs: readonly (Values & { readonly constant?: boolean })[];
  readonly results?: readonly Values[];
  /** What arrives at each float result, and what is then to arrive at each float input. */
  readonly dys?: readonly (readonly Value[])[];
  readonly gradients?: readonly (readonly Value[])[];
  /** Factors of the gradients, and then the gradients of their weighted sum: at each float input, and at each of `dys`. */
  readonly directions?: readonly (readonly Value[])[];
  readonly seconds?: readonly (readonly Value[])[];
  /** Words of the error that the op must throw instead. */
  readonly throws?: string;
}

export interface OpCases {
  /** Of each value where `relative`; else of the largest of a tensor, or of 1 if all are smaller. */
  readonly tolerance: { readonly value: number; readonly gradient: number };
  readonly relative: { readonly value: boolean; readonly gradient: boolean };
  readonly cases: readonly Case[];
}

/** `ZEROSEG_JUDGE`: a seed, or `seed,count,limit`, for cases that are made now, more of them and larger. */
export const made: string | undefined = process.env['ZEROSEG_JUDGE'];
let folder: string | undefined;

/** A file of cases: the committed one, or one made on demand. */
export function casesOf<T>(group: string): Readonly<Record<string, T>> {
  const here = fileURLToPath(new URL('.', import.meta.url));
  if (made && !folder) {
    const [seed = '1', count = '60', limit = '400'] = made.split(',');
    folder = mkdtempSync(join(tmpdir(), 'judge-'));
    const options = ['--seed', seed, '--count', count, '--limit', limit, '--out', folder];
    execFileSync(process.env['PYTHON'] ?? 'python3', [join(here, 'make.py'), ...options], { stdio: 'inherit' });
  }
  return JSON.parse(gunzipSync(readFileSync(join(folder ?? join(here, 'cases'), `${group}.json.gz`))).toString());
}

const words: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  '-0': -0,
};

export function numberOf(value: Value): number {
  return typeof value === 'number' ? value : (words[value] as number);
}

/** What a dtype takes for zero, and for infinite. */
export interface Range {
  readonly zero: number;
  readonly infinite: number;
}

export const ranges: Readonly<Record<'f32' | 'f16', Range>> = {
  f32: { zero: 2 ** -126, infinite: Number.POSITIVE_INFINITY },
  // The largest number is 65504, which what is near it may miss.
  f16: { zero: 2 ** -14, infinite: 64000 },
};

/** Where two lists of numbers differ by more than a tolerance; zeros of both signs are equal. */
export function difference(
  got: ArrayLike<number>,
  want: readonly Value[],
  tolerance: number,
  relative: boolean,
  { zero, infinite }: Range = ranges.f32,
): string | undefined {
  if (got.length !== want.length) return `${got.length} values, not ${want.length}`;
  const shown = (v: number) => (Math.abs(v) > infinite ? Math.sign(v) * Number.POSITIVE_INFINITY : v);
  const wanted = want.map((value) => shown(numberOf(value)));
  const largest = wanted.reduce((top, v) => (Number.isFinite(v) ? Math.max(top, Math.abs(v)) : top), 1);
  const bad = wanted.findIndex((w, i) => {
    const g = shown(got[i] as number);
    if (Object.is(g, w) || g === w) return false;
    return !(Math.abs(g - w) <= tolerance * (relative ? Math.abs(w) : largest) + zero);
  });
  return bad < 0 ? undefined : `element ${bad} is ${got[bad]}, expected ${wanted[bad]}`;
}
