/** The report of a run: one HTML file with everything in it, to be opened, sent or kept. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import sharp from 'sharp';
import { formatBytes } from '../gpu/errors.ts';
import { shortTeacher, teacherIdentity } from '../node/clip-folder.ts';
import { writeFileAtomic } from '../node/files.ts';
import type { Metrics, RunFolder } from '../node/run-folder.ts';
import { reportScript, reportStyle } from './report-page.ts';
import { count, formatDuration } from './terminal.ts';

export interface ReportFacts {
  readonly steps: number;
  readonly memory: { readonly step: number; readonly slots: number; readonly weights: number };
  readonly device: string;
}

/** Points of a curve: more cannot be told apart, and would only make the file large. */
const MOST_POINTS = 3000;
/** Pictures in a report: the first, the last, and some between. */
const MOST_SAMPLES = 6;

const curves: readonly { readonly key: keyof Metrics; readonly title: string; readonly smooth: boolean }[] = [
  { key: 'loss', title: 'Total loss', smooth: true },
  { key: 'rec', title: 'Reconstruction', smooth: true },
  { key: 'distill', title: 'Distillation', smooth: true },
  { key: 'match', title: 'Segment matching', smooth: true },
  { key: 'gradNorm', title: 'Gradient norm', smooth: true },
  { key: 'lr', title: 'Learning rate', smooth: false },
];

/** Writes `report.html` into the run's folder. */
export async function writeReport(run: RunFolder, metrics: readonly Metrics[], facts: ReportFacts): Promise<void> {
  await writeFileAtomic(join(run.folder, 'report.html'), await reportPage(run, metrics, facts));
}

async function reportPage(run: RunFolder, metrics: readonly Metrics[], facts: ReportFacts): Promise<string> {
  const { description } = run;
  const { config, settings, cache } = description;
  const done = metrics.at(-1)?.step ?? 0;
  const seconds = metrics.reduce((sum, line) => sum + line.seconds, 0);
  const samples = await sampleFigures(run);
  const name = basename(resolve(run.folder));
  const state = done >= facts.steps ? 'finished' : `stopped after step ${done} of ${facts.steps}`;
  const figures: [string, string][] = [
    ['steps', `${done} of ${facts.steps}`],
    ['images seen', String(done * settings.batch)],
    ['time', formatDuration(seconds)],
    ['images per second', seconds > 0 ? ((done * settings.batch) / seconds).toFixed(1) : '–'],
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
      `${cache.key.views} (grids ${cache.key.grids.join(', ')}, ${cache.key.viewSource}) of ${cache.key.teacherSize} px`,
    ],
  ];
  const points = thin(metrics);
  const data = {
    step: points.map((line) => line.step),
    curves: curves.map(({ key, title, smooth }) => ({
      title,
      raw: points.map((line) => line[key]),
      smooth: smooth ? smoothed(points.map((line) => line[key])) : null,
    })),
  };
  const { resolve: find } = createRequire(import.meta.url);
  const library = readFileSync(find('uplot/dist/uPlot.iife.min.js'), 'utf8');
  const style = readFileSync(find('uplot/dist/uPlot.min.css'), 'utf8');
  // The chart library stops at a language that Intl does not know, such as the en-US@posix of some headless browsers.
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${plain(name)}: training report</title>
<style>${style}${reportStyle}</style>
<main>
<header><h1>${plain(name)}</h1><p>ZeroSeg training, ${plain(state)}</p></header>
<dl class="figures">${figures.map(([key, value]) => `<div><dt>${plain(key)}</dt><dd>${plain(value)}</dd></div>`).join('')}</dl>
<section><div class="bar"><h2>Curves</h2><label><input type="checkbox" id="log"> logarithmic</label></div>
<p class="hint">Pale: every step. Dark: exponential mean. Drag to zoom, double click to reset.</p>
<div id="charts">${metrics.length === 0 ? '<p>No step was made.</p>' : ''}</div></section>
${samples ? `<section><h2>Segments</h2><p class="hint">Training photos, and below each the segments that the model divides it into (colours are numbers of segments, not classes).</p>${samples}</section>` : ''}
<section class="tables">
${table('Run', about)}
${table('Training', Object.entries(settings))}
${table('Model', Object.entries(config))}
</section>
</main>
<script>try { new Intl.NumberFormat(navigator.language) } catch { Object.defineProperty(navigator, 'language', { value: 'en-US' }) }</script>
<script>${library.replaceAll('</script', '<\\/script')}</script>
<script>const data = ${JSON.stringify(data).replaceAll('<', '\\u003c')};${reportScript}</script>
</html>
`;
}

async function sampleFigures(run: RunFolder): Promise<string> {
  const all = await run.samples();
  const last = all.length - 1;
  const many = Math.min(MOST_SAMPLES, all.length);
  const chosen = new Set(Array.from({ length: many }, (_, i) => Math.round((i * last) / Math.max(1, many - 1))));
  const figures: string[] = [];
  for (const i of [...chosen].sort((a, b) => b - a)) {
    const { step, path } = all[i] as { step: number; path: string };
    // A sheet takes a tenth of the bytes as JPEG, and here it is only looked at.
    const jpeg = await sharp(path).jpeg({ quality: 82, mozjpeg: true }).toBuffer();
    const url = `data:image/jpeg;base64,${jpeg.toString('base64')}`;
    figures.push(
      `<figure><img src="${url}" alt="segments after step ${step}"><figcaption>step ${step}</figcaption></figure>`,
    );
  }
  return figures.join('\n');
}

function table(title: string, rows: readonly (readonly [string, unknown])[]): string {
  const lines = rows.map(([key, value]) => `<tr><th>${plain(key)}</th><td>${plain(words(value))}</td></tr>`);
  return `<div><h2>${plain(title)}</h2><table>${lines.join('')}</table></div>`;
}

function words(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return Array.isArray(value) ? value.join(', ') : String(value);
}

function short(value: number | undefined): string {
  return value === undefined ? '–' : value.toPrecision(3);
}

/** Every n-th step, and the last: averages would hide what a single step did. */
function thin(metrics: readonly Metrics[]): Metrics[] {
  const every = Math.ceil(metrics.length / MOST_POINTS);
  return metrics.filter((_, i) => i % every === 0 || i === metrics.length - 1);
}

/** Exponential mean over about a thirtieth of the curve, without the pull towards its start value. */
function smoothed(values: readonly number[]): number[] {
  const keep = Math.exp(-1 / Math.max(1, values.length / 30));
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    sum = keep * sum + value;
    weight = keep * weight + 1;
    return sum / weight;
  });
}

function plain(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
