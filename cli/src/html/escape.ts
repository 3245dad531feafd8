import { escapeXml } from '@zeroseg/core/internal';
import { printable } from '../shell/index.ts';

/** Text for the inside of an element or of an attribute: it shows what it holds, and obeys none of it. */
export function escapeHtml(text: string): string {
  return escapeXml(printable(text));
}

/** A value as a literal inside of a script element. */
export function scriptLiteral(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** `41.5 %` of a fraction in 0..1, which no line breaks; a dash where there is none, and never 0 of what is there. */
export function htmlPercent(fraction: number | null | undefined, digits = 1): string {
  if (fraction == null) return '–';
  const percent = (100 * fraction).toFixed(digits);
  if (fraction > 0 && Number(percent) === 0) return `&lt;\u2009${(10 ** -digits).toFixed(digits)}\u2009%`;
  return `${percent}\u2009%`;
}
