/** What a fair test leaves: rows at their own thresholds, and which of the paper's orderings came out, with intervals. */
import {
  type BackgroundRun,
  backgroundThresholds,
  type Experiment,
  type FairOrdering,
  type FairRow,
  type FairScenes,
  fairOrderings,
  fairRows,
  rounded,
  type Spread,
} from '@zeroseg/core/internal';
import type { FileSystem } from '@zeroseg/core/zeroseg';
import { markdownTable } from '../bench/index.ts';

export interface FairResults {
  readonly experiment: Experiment;
  readonly runs: readonly BackgroundRun<FairScenes>[];
  readonly about: {
    readonly version: string;
    readonly command: string;
    readonly steps: number;
    readonly teacher: string;
    readonly adapter: string;
    readonly scored: Readonly<Record<string, { readonly seed: number; readonly count: number }>>;
    readonly isQuick: boolean;
  };
}

/** Writes `fair.md` and `fair.json` into a folder `name`; returns the table's lines and the files. */
export async function writeFairTable(
  folder: FileSystem,
  name: string,
  results: FairResults,
): Promise<{ lines: string[]; written: string[] }> {
  const files = folder.folder(name);
  const rows = fairRows(results.experiment, results.runs);
  const orderings = fairOrderings(results.experiment, rows);
  const lines = fairTableLines(results, rows, orderings);
  const { about, runs } = results;
  const json = {
    name,
    protocol: 'docs/fair-test.md',
    ...about,
    thresholds: backgroundThresholds,
    rows,
    orderings,
    runs,
  };
  await files.write('fair.md', `${lines.join('\n')}\n`);
  await files.write('fair.json', `${JSON.stringify(rounded(json), undefined, 2)}\n`);
  return { lines, written: ['fair.md', 'fair.json'].map((file) => files.describe(file)) };
}

function fairTableLines(
  { experiment, about }: FairResults,
  rows: readonly FairRow[],
  orderings: readonly FairOrdering[],
): string[] {
  const head = ['', 'paper, VOC', 'objects and background', 'crowded scenes', 'threshold', 'objects alone', 'seeds'];
  const cells = rows.map((row) => [
    row.name,
    row.paper?.toFixed(1) ?? '–',
    percent(row.first),
    percent(row.crowded),
    row.threshold?.toFixed(2) ?? '–',
    percent(row.objects),
    row.seeds.join(', '),
  ]);
  const { choosing, first, crowded } = about.scored;
  return [
    `# ${experiment.title}: a fair test`,
    '',
    experiment.question,
    '',
    ...markdownTable(head, cells),
    '',
    'Mean IoU in percent over 12 objects and background, ± standard deviation over seeds; each row by the threshold that was best on scenes of their own. Beside it the same',
    'threshold on crowded scenes, and objects alone, where every segment is an object.',
    '',
    "## The paper's orderings",
    '',
    'Differences of runs with equal seeds: their mean and 95 % interval. An ordering came out if the intervals of all its pairs lie above 0, the other way if one lies below 0.',
    '',
    ...orderings.map(orderingLine),
    '',
    '## How',
    '',
    ...(about.isQuick ? ['With `--quick`: too short to mean anything.', ''] : []),
    `\`${about.command}\``,
    '',
    `${about.steps} steps each; thresholds chosen on ${choosing?.count} scenes (seed ${choosing?.seed}), scored on ${first?.count} (seed ${first?.seed}) and on ${crowded?.count} crowded ones (seed ${crowded?.seed}).`,
    `Teacher ${about.teacher}; version ${about.version}, ${about.adapter}.`,
  ];
}

function orderingLine({ statement, verdict, pairs }: FairOrdering): string {
  const shown = pairs.map(({ lower, higher, by }) => {
    if (!by) return `from ${lower} to ${higher}: no run`;
    const between = by.interval ? ` (${by.interval.map(points).join(' to ')})` : '';
    return `from ${lower} to ${higher} ${points(by.mean)}${between}`;
  });
  return `- **${statement}**: ${verdict ?? 'not known, runs are missing'}. ${shown.join('; ')}.`;
}

/** Percentage points with their sign. */
function points(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(100 * value).toFixed(1)}`;
}

function percent(value: Spread | null): string {
  if (!value) return '–';
  const deviation = value.deviation === null ? '' : ` ± ${(100 * value.deviation).toFixed(1)}`;
  return `${(100 * value.mean).toFixed(1)}${deviation}`;
}
