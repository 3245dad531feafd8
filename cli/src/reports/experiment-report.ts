/** What an experiment leaves to look at: a table beside the paper's numbers, a plot, and all numbers as JSON. */
import {
  checkOrderings,
  type EndedRun,
  type Experiment,
  type OrderingCheck,
  type Row,
  type Spread,
  type StepTimes,
  summarise,
} from '@zeroseg/core/internal';
import type { FileSystem } from '@zeroseg/core/zeroseg';
import {
  type Chart,
  type ChartText,
  chartColour,
  digits,
  faint,
  gridColour,
  ink,
  line,
  markdownTable,
  round,
} from '../bench/index.ts';
import { formatPercent } from '../shell/index.ts';
import { chartBytes } from './chart-file.ts';

export interface ExperimentResults {
  readonly experiment: Experiment;
  readonly runs: readonly EndedRun[];
  /** How many runs there are when all have ended. */
  readonly planned: number;
  readonly times?: StepTimes | undefined;
  /** How the numbers were made. */
  readonly about: ExperimentAbout;
}

export interface ExperimentAbout {
  readonly version: string;
  readonly adapter: string;
  readonly command: string;
  readonly seeds: readonly number[];
  readonly steps: number;
  readonly teacher: string;
  readonly preset: string;
  readonly training: { readonly count: number; readonly seed: number };
  readonly scoring: { readonly count: number; readonly seed: number };
  readonly names: number;
  readonly isQuick: boolean;
  readonly [more: string]: unknown;
}

/** Writes `table.md`, `results.json`, `plot.svg` and `plot.png` into a folder `name`; returns the table's lines and the files. */
export async function writeExperiment(
  folder: FileSystem,
  name: string,
  results: ExperimentResults,
): Promise<{ lines: string[]; files: string[] }> {
  const files = folder.folder(name);
  const rows = rowsOf(results);
  const checks = checkOrderings(results.experiment, rows);
  const lines = experimentTable(results);
  const chart = experimentChart(results);
  const { about, runs, times, planned } = results;
  const json = {
    name,
    ...about,
    planned,
    rows: rows.map(plainRow),
    orderings: checks,
    runs,
    times: times ?? null,
  };
  await files.write('table.md', `${lines.join('\n')}\n`);
  await files.write('results.json', `${JSON.stringify(json, undefined, 2)}\n`);
  await files.write('plot.svg', await chartBytes('plot.svg', chart));
  await files.write('plot.png', await chartBytes('plot.png', chart));
  return { lines, files: ['table.md', 'results.json', 'plot.svg', 'plot.png'].map((file) => files.describe(file)) };
}

/** Rows in which no masking is timed with its decoder, as all others have one. */
function rowsOf({ experiment, runs, times }: ExperimentResults): Row[] {
  return summarise(experiment, runs, times && { ...times.seconds, 0: times.seconds['decoder'] as number });
}

function plainRow({ setting, ...row }: Row): object {
  const { key, name, config, paper, paperSaved } = setting;
  return {
    setting: key,
    name,
    config,
    paper: paper === undefined ? null : { voc: paper, ...(paperSaved === undefined ? {} : { saved: paperSaved }) },
    ...row,
  };
}

/** The table in Markdown, and in words which of the paper's orderings came out. */
export function experimentTable(results: ExperimentResults): string[] {
  const { experiment, runs, planned, times, about } = results;
  const rows = rowsOf(results);
  const base = times?.seconds['decoder'];
  const timed = base === undefined ? [] : ['s a step', 'time saved', "paper's"];
  const isPaper = experiment.settings.some(({ paper }) => paper !== undefined);
  const head = [
    '',
    ...(isPaper ? ['paper, VOC'] : []),
    'all names',
    'objects',
    'ground',
    'pixels right',
    'segments used',
    'z names an object',
    ...timed,
  ];
  const cells = rows.map((row) => [
    row.setting.name,
    ...(isPaper ? [row.setting.paper?.toFixed(1) ?? '–'] : []),
    percent(row.all),
    percent(row.objects),
    percent(row.ground),
    percent(row.accuracy),
    row.groupsUsed ? plusMinus(row.groupsUsed, 1) : '–',
    percent(row.namesPresent),
    ...(base === undefined
      ? []
      : [
          row.seconds === null ? '–' : digits(row.seconds),
          row.seconds === null ? '–' : `${saved(row.seconds, base).toFixed(0)} %`,
          `${row.setting.paperSaved ?? '–'} %`,
        ]),
  ]);
  const chance = rows.find((row) => row.chance)?.chance;
  const plain = times?.seconds['0'];
  return [
    `# ${experiment.title}`,
    '',
    experiment.question,
    '',
    ...markdownTable(head, cells),
    '',
    'Mean IoU in percent over all names, over objects and over ground, ± standard deviation over seeds. The paper trains on ImageNet',
    'and scores on PASCAL VOC; here the student is small, and what it learns from and is scored on is made up. Compare orders, not numbers.',
    ...(chance ? ['', `Guessing scores ${formatPercent(chance.mean)} over all names.`] : []),
    ...(plain === undefined || base === undefined
      ? []
      : [
          '',
          `Time is ${times?.clock === 'processor' ? 'processor time, all cores together, ' : ''}the median of steps that took turns, relative to a step that hides one patch, and so has a decoder: ${digits(base)} s.`,
          `With no patch hidden there is nothing to rebuild, and no decoder: ${digits(plain)} s.`,
        ]),
    '',
    ...(experiment.orderings.length === 0
      ? []
      : [
          "## The paper's orderings",
          '',
          'Of mean IoU over objects: PASCAL VOC has no other names.',
          '',
          ...checkOrderings(experiment, rows).map((check) => `- ${formatCheck(check)}`),
          '',
        ]),
    '## How',
    '',
    ...(about.isQuick ? ['With `--quick`: too short to mean anything.', ''] : []),
    `\`${about.command}\``,
    '',
    `${runs.length} of ${planned} runs (seeds ${about.seeds.join(', ')}), ${about.steps} steps each on ${about.training.count} scenes (${about.preset}); scored on`,
    `${about.scoring.count} unseen crowded scenes with ${about.names} names. Teacher ${about.teacher}; version ${about.version}, ${about.adapter}.`,
  ];
}

function saved(seconds: number, base: number): number {
  return 100 * (1 - seconds / base);
}

function formatCheck({
  statement,
  measure,
  holds,
  isClear,
  seeds: [holding, shared],
  violations,
  values,
}: OrderingCheck): string {
  if (holds === undefined) return `**${statement}**: not known, runs are missing.`;
  const shown = values
    .map(([name, value]) => `${name} ${measure === 'seconds' ? `${digits(value)} s` : formatPercent(value)}`)
    .join(', ');
  const inSeeds = shared > 1 ? `, in ${holding} of ${shared} seeds` : '';
  const clear = isClear === false ? '; the deviations are larger than some of these differences' : '';
  const pairs = violations.map(([lower, higher]) => `${lower} is not below ${higher}`).join(', ');
  return `**${statement}**: ${holds ? 'came out' : `did **not** come out: ${pairs}`}${inSeeds} (${shown})${clear}.`;
}

function percent(value: Spread | null): string {
  return value
    ? plusMinus({ ...value, mean: 100 * value.mean, deviation: value.deviation && 100 * value.deviation }, 1)
    : '–';
}

function plusMinus({ mean, deviation }: Pick<Spread, 'mean' | 'deviation'>, places: number): string {
  return `${mean.toFixed(places)}${deviation === null ? '' : ` ± ${deviation.toFixed(places)}`}`;
}

interface Bar {
  readonly name: string;
  readonly value: number | null;
  readonly deviation?: number | null;
  /** Single seeds. */
  readonly points?: readonly number[];
}

interface BarPanel {
  readonly title: string;
  readonly bars: readonly Bar[];
  readonly colour: string;
}

/** Bars with deviations and single seeds, beside the paper's; of each panel its own scale. */
export function experimentChart(results: ExperimentResults): Chart {
  const { experiment, times } = results;
  const rows = rowsOf(results);
  const base = times?.seconds['decoder'];
  const others = (title: string, colour: number, of: (row: Row) => number | null): BarPanel => ({
    title,
    colour: chartColour(colour),
    bars: rows.map((row) => ({ name: row.setting.name, value: of(row) })),
  });
  const panels: BarPanel[] = [
    {
      title: 'Here: mean IoU over objects, %',
      colour: chartColour(0),
      bars: rows.map(({ setting, objects }) => ({
        name: setting.name,
        value: objects && 100 * objects.mean,
        deviation: objects?.deviation == null ? null : 100 * objects.deviation,
        points: objects?.values.map((value) => 100 * value) ?? [],
      })),
    },
    experiment.settings.some(({ paper }) => paper !== undefined)
      ? others('The paper: mean IoU on PASCAL VOC, %', 1, ({ setting }) => setting.paper ?? null)
      : others('Here: mean IoU over all names, %', 1, ({ all }) => all && 100 * all.mean),
    ...(base === undefined
      ? []
      : [
          others('Here: time saved, %', 2, (row) => (row.seconds === null ? null : saved(row.seconds, base))),
          others('The paper: time saved, %', 4, ({ setting }) => setting.paperSaved ?? null),
        ]),
  ];
  const [width, top, column] = [480, 64, 18 + 28 * rows.length + 40];
  const shapes: string[] = [];
  const texts: ChartText[] = [
    { text: experiment.title, x: 16, y: 28, size: 17, anchor: 'start', colour: ink },
    { text: experiment.question, x: 16, y: 48, size: 12, anchor: 'start', colour: faint },
  ];
  for (const [i, panel] of panels.entries()) {
    drawBars(panel, { x: (i % 2) * width, y: top + Math.floor(i / 2) * column }, width, shapes, texts);
  }
  return { width: 2 * width, height: top + Math.ceil(panels.length / 2) * column, shapes, texts };
}

function drawBars(
  { title, bars, colour }: BarPanel,
  at: { readonly x: number; readonly y: number },
  width: number,
  shapes: string[],
  texts: ChartText[],
): void {
  const [left, right, top] = [at.x + 16 + 7 * 14, at.x + width - 104, at.y + 30];
  const ends = bars.flatMap(({ value, deviation, points }) => [(value ?? 0) + (deviation ?? 0), ...(points ?? [])]);
  const max = Math.max(1e-9, ...ends);
  const x = (value: number): number => left + ((right - left) * Math.max(0, value)) / max;
  texts.push({ text: title, x: at.x + 16, y: at.y + 16, size: 13, anchor: 'start', colour: ink });
  bars.forEach(({ name, value, deviation, points = [] }, i) => {
    const y = top + 28 * i;
    texts.push({ text: name, x: left - 8, y: y + 13, size: 12, anchor: 'end', colour: ink });
    if (value === null) {
      texts.push({ text: '–', x: left + 6, y: y + 13, size: 12, anchor: 'start', colour: faint });
      return;
    }
    shapes.push(
      `<rect x="${round(left)}" y="${y}" width="${round(Math.max(1, x(value) - left))}" height="18" rx="2" fill="${colour}" fill-opacity="0.75"/>`,
    );
    if (deviation) {
      const [from, to] = [x(value - deviation), x(value + deviation)];
      shapes.push(
        line(from, y + 9, to, y + 9, ink, 1.5),
        line(from, y + 5, from, y + 13, ink, 1.5),
        line(to, y + 5, to, y + 13, ink, 1.5),
      );
    }
    for (const point of points) shapes.push(`<circle cx="${round(x(point))}" cy="${y + 9}" r="2.5" fill="${ink}"/>`);
    const end = Math.max(x(value + (deviation ?? 0)), ...points.map(x));
    const text = plusMinus({ mean: value, deviation: deviation ?? null }, 1);
    texts.push({ text, x: end + 8, y: y + 13, size: 12, anchor: 'start', colour: ink });
  });
  shapes.push(line(left, top - 6, left, top + 28 * bars.length - 4, gridColour));
}
