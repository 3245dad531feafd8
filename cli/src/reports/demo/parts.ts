/** Parts of HTML that the sections of the demo's report share. */
import { type Colour, RIGHT, WRONG } from '@zeroseg/core/internal';
import type { Estimate, ShownName, ShownOutput } from '@zeroseg/core/zeroseg';
import { escapeHtml, htmlPercent } from '../../html/index.ts';
import { stateWords } from './wording.ts';

export function figure(url: string, alt: string, caption: string): string {
  return `<figure><img src="${url}" alt="${alt}"><figcaption>${caption}</figcaption></figure>`;
}

export function chip(name: string): string {
  return `<span class="chip">${escapeHtml(name)}</span>`;
}

/** What the two tints of a map of right and wrong mean. */
export const rightWrongKey: string = `<ul class="names"><li>${swatch(RIGHT)}right</li><li>${swatch(WRONG)}wrong</li></ul>`;

function swatch(colour: Colour): string {
  return `<i style="background:rgb(${colour.join(' ')})"></i>`;
}

/** The names that pixels got, and whether those were found. */
export function nameList(names: readonly ShownName[]): string {
  return list(names, stateWords);
}

/** The names that are there, and which of them no pixel got. */
export function truthList({ truth, names }: Pick<ShownOutput<string>, 'truth' | 'names'>): string {
  return list(truth, (one) => (names.some(({ name }) => name === one.name) ? '' : 'missed'));
}

function list(names: readonly ShownName[], wordsOf: (name: ShownName) => string): string {
  const items = names.map((one) => {
    const words = wordsOf(one);
    const mark = words === '✓' ? '<b class="yes" title="found">✓</b>' : words && `<em>${words}</em>`;
    return `<li>${swatch(one.colour)}${escapeHtml(one.name)}${mark ? ` ${mark}` : ''}</li>`;
  });
  return `<ul class="names">${items.join('')}</ul>`;
}

/** A bar of a table, with a whisker where there is an interval. */
export function meter(estimate: Estimate | number | null): string {
  if (estimate === null) return '<td>–</td>';
  const { value, low, high } = typeof estimate === 'number' ? { value: estimate, low: 0, high: 0 } : estimate;
  const at = (fraction: number): string => `${(100 * fraction).toFixed(1)}%`;
  const whisker = high > low ? `<s style="--low:${at(low)};--high:${at(high)}"></s>` : '';
  const ends = [low, high].map((end) => (100 * end).toFixed(0));
  const range = high > low && ends[0] !== ends[1] ? `<small>${ends.join('–')}</small>` : '';
  return `<td><div class="meter"><i style="--fraction:${at(value)}">${whisker}</i><span>${htmlPercent(value, 0)}${range}</span></div></td>`;
}
