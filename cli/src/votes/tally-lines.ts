import type { ShareInterval, Standing, Tally, UnknownWords } from '@zeroseg/core/zeroseg';
import { markdownTable } from '../bench/index.ts';
import { shortList } from '../segments/index.ts';
import { count, countIn, formatPercent } from '../shell/index.ts';

/** A tally as text, with tables that Markdown reads. */
export function tallyLines(tally: Tally): string[] {
  const { titles, unknown, voters, pictures, votes, byPicture, left, agreement, ties } = tally;
  const row = (title: string, { a, b, ties: tied, shareOfA, p }: Standing) => [
    title,
    String(a),
    String(b),
    String(tied),
    shareOfA ? interval(shareOfA) : '',
    probability(p),
  ];
  const given = voters.reduce((sum, voter) => sum + voter.votes, 0);
  const each = pictures.fewest === pictures.max ? `${pictures.max}` : `${pictures.fewest} to ${pictures.max}`;
  return [
    `**${titles.a}** against **${titles.b}**: ${count(given, 'votes')} of ${count(voters.length, 'voters')} on ${countIn(pictures.voted, pictures.all, 'pictures')}, ${each} a picture`,
    '',
    ...markdownTable(
      ['', titles.a, titles.b, 'ties', `share of ${titles.a} (95 %)`, 'p'],
      [row('votes', votes), row('pictures, by most votes', byPicture)],
    ),
    '',
    `Ties are ${ties === 'omit' ? 'left out of' : 'shared equally in'} shares and p. Intervals: Wilson's score. p: exact two-sided sign test; votes on one picture resemble each other, so the row of pictures is the sure one.`,
    `The left was chosen in ${countIn(left.count, left.of, 'votes')} (p ${probability(left.p)})${left.p < 0.05 ? ': voters favoured a side' : ''}.${
      agreement === null ? '' : ` Two voters agree on a picture in ${formatPercent(agreement)} of all pairs.`
    }`,
    ...unknownLines(titles, unknown),
  ];
}

/** What each side was asked for and does not know. */
export function unknownLines(titles: Tally['titles'], unknown: UnknownWords | undefined): string[] {
  const sides = (['a', 'b'] as const).filter((side) => (unknown?.[side].length ?? 0) > 0);
  return sides.map((side) => leftOutLine(titles[side], unknown?.[side] ?? []));
}

/** What a model was asked for and does not know: at least one word. */
export function leftOutLine(title: string, words: readonly string[]): string {
  const which = words.length === 1 ? 'it' : 'them';
  return `${title}: left out, since its CLIP does not know ${which}: ${shortList(words.map((word) => `"${word}"`))}`;
}

function interval({ fraction, low, high }: ShareInterval): string {
  return `${formatPercent(fraction)} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
}

function probability(p: number): string {
  return p < 0.001 ? p.toExponential(1) : p.toFixed(3);
}
