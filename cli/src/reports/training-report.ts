/** The report of a run: one HTML file with everything in it, to be opened, sent or kept. */
import { basename, resolve } from 'node:path';
import { formatBytes, lossTerms, type Metrics, shortTeacher, teacherIdentity, weightOf } from '@zeroseg/core/internal';
import type { TrainingRun, ZeroSegConfig } from '@zeroseg/core/zeroseg';
import sharp from 'sharp';
import { chartLibrary, escapeHtml, htmlPage, scriptLiteral } from '../html/index.ts';
import { decodePhoto } from '../photos/index.ts';
import { count, formatDuration } from '../shell/index.ts';
import { reportScript, reportStyle } from './report-page.ts';

export interface ReportFacts {
  readonly steps: number;
  readonly memory: { readonly step: number; readonly slots: number; readonly weights: number };
  readonly device: string;
  /** Training goes on: the page loads itself again until it is told otherwise. */
  readonly isLive?: boolean;
}

/** Seconds after which the page of a training that goes on loads itself again. */
const RELOAD_SECONDS = 15;

/** Points of a curve: more cannot be told apart, and would only make the file large. */
const MAX_POINTS = 3000;
/** Pictures in a report: the first, the last, and some between. */
const MAX_SAMPLES = 6;

/** A curve of the report. */
interface Curve {
  readonly title: string;
  readonly smooth: boolean;
  readonly of: (line: Metrics) => number;
}

/** Terms as they are, with the weight by which they count; one that was not computed is left out. */
function curves(config: ZeroSegConfig, metrics: readonly Metrics[]): readonly Curve[] {
  const value = (name: string) => (line: Metrics) => line.terms[name] ?? 0;
  const terms = lossTerms
    .filter((term) => weightOf(config, term) > 0 || metrics.some((line) => value(term.name)(line) !== 0))
    .map((term) => {
      const factor = weightOf(config, term);
      const title = factor === 1 ? term.title : `${term.title} (× ${factor})`;
      return { title, smooth: true, of: value(term.name) };
    });
  return [
    { title: 'Total loss', smooth: true, of: ({ loss }) => loss },
    ...terms,
    { title: 'Gradient norm', smooth: true, of: ({ gradNorm }) => gradNorm },
    { title: 'Learning rate', smooth: false, of: ({ lr }) => lr },
  ];
}

/** Writes `report.html` into the run's folder. */
export async function writeReport(run: ReportedRun, facts: ReportFacts): Promise<void> {
  await run.store.files.write('report.html', await reportPage(run, facts));
}

type ReportedRun = Pick<TrainingRun, 'store' | 'description' | 'metrics'>;

async function reportPage({ store, description, metrics }: ReportedRun, facts: ReportFacts): Promise<string> {
  const { config, settings, cache } = description;
  const done = metrics.at(-1)?.step ?? 0;
  const seconds = metrics.reduce((sum, line) => sum + line.seconds, 0);
  const samples = await sampleFigures(store);
  const name = basename(resolve(store.files.name));
  const written = new Date().toISOString().slice(0, 19).replace('T', ' ');
  const state = facts.isLive
    ? `step ${done} of ${facts.steps}; written ${written} UTC, loads itself again every ${RELOAD_SECONDS} s`
    : done >= facts.steps
      ? 'finished'
      : `stopped after step ${done} of ${facts.steps}`;
  const figures: [string, string][] = [
    ['steps', `${done} of ${facts.steps}`],
    ['photos seen', String(done * settings.batch)],
    ['time in steps', formatDuration(seconds)],
    ['photos per second', seconds > 0 ? ((done * settings.batch) / seconds).toFixed(1) : '–'],
    ['loss', metrics.length > 0 ? `${short(metrics[0]?.loss)} → ${short(metrics.at(-1)?.loss)}` : '–'],
  ];
  const about: [string, unknown][] = [
    ['begun', description.started],
    ['version', description.version],
    ['adapter', facts.device === description.adapter ? facts.device : `${description.adapter}, later ${facts.device}`],
    ['step memory', `${formatBytes(facts.memory.step)} planned, ${formatBytes(facts.memory.slots)} allocated`],
    ['weights and optimizer', formatBytes(facts.memory.weights)],
    ['configuration', description.preset],
    ['initial weights', description.init ?? `new, seed ${settings.seed}`],
    ['cache', `${cache.folder} (${count(cache.photos, 'photos')})`],
    ['teacher', shortTeacher(teacherIdentity(cache.key.teacher, cache.key.weights))],
    [
      'views',
      `${cache.key.views} (grids ${cache.key.grids.join(', ')}, ${cache.key.viewSource}) of ${cache.key.teacherSize} px${cache.key.regions ? `, ${cache.key.regions} features` : ''}`,
    ],
  ];
  const points = thin(metrics);
  const data = {
    charts: [
      ...curves(config, points).map(({ title, smooth, of }) => {
        const raw = points.map(of);
        const lines = smooth
          ? [
              { name: "step's own", values: raw, pale: true },
              { name: 'mean', values: smoothed(raw) },
            ]
          : [{ name: 'value', values: raw }];
        return { title, step: points.map((line) => line.step), lines };
      }),
      ...statisticsCharts(metrics),
    ],
  };
  const library = chartLibrary();
  const main = `<header><h1>${escapeHtml(name)}</h1><p>ZeroSeg training, ${escapeHtml(state)}</p></header>
<dl class="figures">${figures.map(([key, value]) => `<div><dt>${escapeHtml(key)}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>
<section><div class="bar"><h2>Curves</h2><label><input type="checkbox" id="log"> logarithmic</label></div>
<p class="hint">Pale: every step. Dark: exponential mean. Drag to zoom, double click to reset. Groups, entropy and nearest views are those of the training photos of a step, without noise.</p>
<div id="charts" class="charts">${metrics.length === 0 ? '<p>No step was made.</p>' : ''}</div></section>
${samples ? `<section><h2>Segments</h2><p class="hint">Training photos, and below each the segments that the model divides it into (colours are numbers of segments, not classes).</p>${samples}</section>` : ''}
<section><details><summary>Run, settings and configuration</summary><div class="tables">
${table('Run', about)}
${table('Training', Object.entries(settings))}
${table('Model', Object.entries(config))}
</div></details></section>`;
  return htmlPage({
    title: `${name}: training report`,
    style: library.style + reportStyle,
    head: facts.isLive ? [`<meta http-equiv="refresh" content="${RELOAD_SECONDS}">`] : [],
    main,
    scripts: [library.script, `const data = ${scriptLiteral(data)};${reportScript}`],
  });
}

async function sampleFigures(store: ReportedRun['store']): Promise<string> {
  const all = await store.samples();
  const last = all.length - 1;
  const count = Math.min(MAX_SAMPLES, all.length);
  const chosen = new Set(Array.from({ length: count }, (_, i) => Math.round((i * last) / Math.max(1, count - 1))));
  const figures: string[] = [];
  for (const i of [...chosen].sort((a, b) => b - a)) {
    const { step, path } = all[i] as { step: number; path: string };
    // A sheet takes a tenth of the bytes as JPEG, and here it is only looked at.
    const { data, width, height } = await decodePhoto(await store.files.read(path), store.files.describe(path));
    const pixels = sharp(data, { raw: { width, height, channels: 3 } });
    const jpeg = await pixels.jpeg({ quality: 82, mozjpeg: true }).toBuffer();
    const url = `data:image/jpeg;base64,${jpeg.toString('base64')}`;
    figures.push(
      `<figure><img src="${url}" alt="segments after step ${step}"><figcaption>step ${step}</figcaption></figure>`,
    );
  }
  return figures.join('\n');
}

function table(title: string, rows: readonly (readonly [string, unknown])[]): string {
  const lines = rows.map(([key, value]) => `<tr><th>${escapeHtml(key)}</th><td>${escapeHtml(words(value))}</td></tr>`);
  return `<div><h2>${escapeHtml(title)}</h2><table>${lines.join('')}</table></div>`;
}

function words(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return Array.isArray(value) ? value.join(', ') : String(value);
}

function short(value: number | undefined): string {
  return value === undefined ? '–' : value.toPrecision(3);
}

/** A chart of the report: lines over the same steps. */
export interface ReportChart {
  readonly title: string;
  readonly step: readonly number[];
  readonly lines: readonly {
    readonly name: string;
    readonly values: readonly (number | null)[];
    readonly pale?: boolean;
  }[];
}

/** Grouping statistics, and what a probe measured: a chart for each of its numbers. */
export function statisticsCharts(metrics: readonly Metrics[]): ReportChart[] {
  const measured = thin(metrics.filter(({ grouping }) => grouping));
  const probed = thin(metrics.filter(({ probe }) => probe));
  const chart = (
    title: string,
    points: readonly Metrics[],
    lines: Record<string, (line: Metrics) => number | undefined>,
  ) => ({
    title,
    step: points.map(({ step }) => step),
    lines: Object.entries(lines).map(([name, of]) => ({ name, values: points.map((line) => of(line) ?? null) })),
  });
  const grids = [...new Set(measured.flatMap(({ grouping }) => Object.keys(grouping?.nearest ?? {})))];
  const numbers = [...new Set(probed.flatMap(({ probe }) => Object.keys(probe ?? {})))];
  const all = [
    chart('Groups in use, a photo', measured, {
      'first stage': ({ grouping }) => grouping?.groupsFirst,
      segments: ({ grouping }) => grouping?.groups,
    }),
    chart('Entropy of the assignment, nats', measured, {
      'first stage': ({ grouping }) => grouping?.entropyFirst,
      'second stage': ({ grouping }) => grouping?.entropySecond,
    }),
    chart(
      "Grids of the segments' nearest views",
      grids.length > 0 ? measured : [],
      Object.fromEntries(
        grids.map((grid) => [grid.replace('x', ' × '), ({ grouping }: Metrics) => grouping?.nearest[grid]]),
      ),
    ),
    ...numbers.map((name) =>
      chart(validationTitle(name), probed, { [name.replace(/^validation /, '')]: ({ probe }) => probe?.[name] }),
    ),
  ];
  return all.filter(({ step }) => step.length > 0);
}

/** `Validation: segment matching` of `validation match`. */
function validationTitle(name: string): string {
  const term = lossTerms.find((one) => name === `validation ${one.name}`);
  return term ? `Validation: ${term.title.toLowerCase()}` : name.replace(/^validation /, 'Validation: ');
}

/** Every n-th step, and the last: averages would hide what a single step did. */
function thin(metrics: readonly Metrics[]): Metrics[] {
  const every = Math.ceil(metrics.length / MAX_POINTS);
  return metrics.filter((_, i) => i % every === 0 || i === metrics.length - 1);
}

/** Exponential mean over about a thirtieth of the curve, without the pull towards its start value. */
export function smoothed(values: readonly number[]): number[] {
  const keep = Math.exp(-1 / Math.max(1, values.length / 30));
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    sum = keep * sum + value;
    weight = keep * weight + 1;
    return sum / weight;
  });
}
