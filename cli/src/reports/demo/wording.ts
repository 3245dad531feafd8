/** How the demo says what was found, on the terminal and in its report. */
import type { Estimate, LiveScores, ShownName, ShownOutput } from '@zeroseg/core/zeroseg';
import { count, countIn, formatPercent } from '../../shell/index.ts';

type Counted = Pick<ShownOutput<unknown>, 'objects' | 'grounds'>;

/** `1 of 2 objects found`, and of the ground what was missed. */
export function objectsFound({ objects, grounds }: Counted): string {
  const own = objects.there === 0 ? 'no object there' : `${countIn(objects.found, objects.there, 'objects')} found`;
  if (grounds.there === 0) return own;
  const which = grounds.there === 1 ? 'ground' : 'grounds';
  if (grounds.found === grounds.there) return `${own}, ${which} right`;
  return `${own}, ${grounds.found} of ${grounds.there} ${which} right`;
}

/** What became of a name that pixels got. */
export function stateWords({ state }: Pick<ShownName, 'state'>): string {
  if (state === undefined) return '';
  return { found: '✓', missed: 'in part', extra: 'not there' }[state];
}

/** `44 % (38–49)`: a fraction, and its 95 % interval. */
export function formatEstimate(estimate: Estimate | null): string {
  if (!estimate) return '–';
  const [low, high] = [estimate.low, estimate.high].map((value) => (100 * value).toFixed(0));
  return `${formatPercent(estimate.value, 0)} (${low}–${high})`;
}

/** Scores of this run as lines of text, students in their order. */
export function liveScoreTable({ scenes, students }: LiveScores, titles: Readonly<Record<string, string>>): string[] {
  const head = ['', 'objects found', 'objects (mean IoU)', 'ground (mean IoU)', 'pixels right'];
  const rows = Object.entries(students).map(([key, { found, objectsFound: count, objectsThere, ...own }]) => [
    titles[key] ?? key,
    `${count} of ${objectsThere}, ${formatEstimate(found)}`,
    ...[own.objects, own.ground, own.accuracy].map(formatEstimate),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [
    ...[head, ...rows].map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    ),
    `on ${count(scenes, 'scenes')}; in brackets 95 % intervals. Found: IoU of 50 % or more`,
  ];
}
