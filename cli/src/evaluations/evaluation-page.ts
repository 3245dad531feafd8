import type { Colour } from '@zeroseg/core/internal';
import type { ConfusionMatrix, Interval } from '@zeroseg/core/zeroseg';
import { escapeHtml, htmlPage, htmlPercent } from '../html/index.ts';
import { sentence, singular } from '../shell/index.ts';
import type { EvaluationResult, PhotoScore } from './evaluation-result.ts';

/** Classes that a matrix on a page can show. */
const MAX_COLUMNS = 100;
/** Of a list. */
const SHOWN_CONFUSIONS = 12;

/** What a page says beside its figures. */
export interface PageWords {
  readonly title: string;
  /** What is scored. */
  readonly unit: 'photos' | 'scenes';
  /** What is to be known of the model, such as which classes it has no word for. */
  readonly notes: readonly string[];
}

/** The page of an evaluation; its pictures lie beside it. */
export function evaluationPage(
  { title, unit, notes }: PageWords,
  result: EvaluationResult,
  photos: readonly PhotoScore[],
  confusion: ConfusionMatrix,
  colour: (label: number) => Colour,
): string {
  const nameOf = (label: number): string => escapeHtml(result.classes[label]?.name ?? String(label));
  const swatch = (label: number): string => `<i style="--colour:rgb(${colour(label).join(',')})"></i>`;
  const pictured = photos.filter(({ file }) => file !== undefined);
  const main = `<h1>${escapeHtml(title)}</h1>
${notes.map((note) => `<p class="note">${escapeHtml(sentence(note))}</p>`).join('\n')}
<dl>
${tile('mean IoU', result.mean_iou, result.intervals?.mean_iou)}
${means(result)}
${tile('frequency-weighted IoU', result.frequency_weighted_iou, result.intervals?.frequency_weighted_iou)}
${tile('boundary F-score', result.boundary_f)}
${tile('pixels right', result.pixel_accuracy, result.intervals?.pixel_accuracy)}
<div><dt>${unit}</dt><dd>${result.photos}</dd></div>
</dl>
${result.intervals?.mean_iou ? `<p>Small: 95 % intervals over the choice of ${unit}, of ${result.intervals.resamples.toLocaleString('en')} draws with replacement. The boundary F-score says how well outlines agree, within 0.75 % of the diagonal.</p>` : ''}
<section><h2>Each class</h2>
<table class="classes"><thead><tr><th scope="col">class</th><th scope="col">IoU</th><th scope="col" class="bar"><span class="hidden">bar</span></th><th scope="col">boundary F</th><th scope="col">true pixels</th></tr></thead>
<tbody>${[...result.classes]
    .filter(({ iou }) => iou !== null)
    .sort((a, b) => b.iou! - a.iou!)
    .map(
      ({ label, iou, boundary_f, pixels = 0 }) =>
        `<tr><th scope="row">${swatch(label)}<bdi>${nameOf(label)}</bdi></th><td>${htmlPercent(iou)}</td><td class="bar"><b style="width:${(100 * iou!).toFixed(1)}%"></b></td><td>${htmlPercent(boundary_f ?? null)}</td><td>${pixels.toLocaleString('en')}</td></tr>`,
    )
    .join('\n')}</tbody></table></section>
<section><h2>What was taken for what</h2>
${confusions(confusion, nameOf)}
${matrix(confusion, nameOf)}
</section>
<section><h2>The worst first</h2>
<p>${pictured.length < photos.length ? `The ${pictured.length} worst of ${photos.length}; all are in evaluation.json. ` : ''}From left to right: ${singular(unit)}, truth, prediction, and what is wrong in red (white does not count). IoU is the mean over the classes of a ${singular(unit)}.</p>
<ol>${pictured.map((photo) => figure(photo, singular(unit), nameOf, swatch)).join('\n')}</ol></section>`;
  return htmlPage({ title, style, main });
}

/** Scenes have objects and grounds, other data sets a background. */
function means({
  mean_iou_without_background,
  mean_iou_objects,
  mean_iou_ground,
  intervals,
}: EvaluationResult): string {
  return mean_iou_objects === undefined || mean_iou_ground === undefined
    ? tile('without background', mean_iou_without_background, intervals?.mean_iou_without_background)
    : `${tile('mean IoU, objects', mean_iou_objects)}\n${tile('mean IoU, ground', mean_iou_ground)}`;
}

function tile(title: string, fraction: number | null | undefined, interval?: Interval | null): string {
  if (fraction === undefined) return '';
  const range = interval ? `<small>${htmlPercent(interval.low)} to ${htmlPercent(interval.high)}</small>` : '';
  return `<div><dt>${title}</dt><dd>${htmlPercent(fraction)}${range}</dd></div>`;
}

function confusions(confusion: ConfusionMatrix, nameOf: (label: number) => string): string {
  const worst = confusion.worst(SHOWN_CONFUSIONS);
  if (worst.length === 0) return '<p>Nothing was taken for anything else.</p>';
  const items = worst.map(
    ({ truth, predicted, pixels, fraction }) =>
      `<li><bdi>${nameOf(truth)}</bdi> taken for <bdi>${nameOf(predicted)}</bdi>: ${htmlPercent(fraction)} of it, ${pixels.toLocaleString('en')} pixels</li>`,
  );
  return `<ul>${items.join('\n')}</ul>`;
}

/** Rows are what is true, columns what was found: fractions of the row. Classes that do not come are left out. */
function matrix(confusion: ConfusionMatrix, nameOf: (label: number) => string): string {
  const { classes, counts } = confusion;
  const labelled = confusion.labelled();
  const predicted = Array.from({ length: classes }, (_, p) => labelled.some((_, t) => counts[t * classes + p]! > 0));
  const all = [...labelled.keys()];
  const [rows, columns] = [all.filter((t) => labelled[t]! > 0), all.filter((p) => labelled[p]! > 0 || predicted[p])];
  if (columns.length > MAX_COLUMNS) return `<p>The matrix of ${columns.length} classes is in evaluation.json.</p>`;
  const cell = (truth: number, found: number): string => {
    const fraction = counts[truth * classes + found]! / labelled[truth]!;
    const words = fraction > 0 && fraction < 0.005 ? '·' : fraction === 0 ? '' : String(Math.round(100 * fraction));
    const kind = truth === found ? ' class="right"' : '';
    return `<td${kind} style="--fraction:${fraction.toFixed(3)}" title="${nameOf(truth)} taken for ${nameOf(found)}: ${htmlPercent(fraction)}">${words}</td>`;
  };
  return `<p>Rows are what is true, columns what was found; percent of the row.</p>
<div class="scroll" tabindex="0" role="region" aria-label="confusion matrix"><table class="matrix"><thead><tr><td></td>${columns.map((label) => `<th scope="col"><span><bdi>${nameOf(label)}</bdi></span></th>`).join('')}</tr></thead>
<tbody>${rows.map((truth) => `<tr><th scope="row"><bdi>${nameOf(truth)}</bdi></th>${columns.map((found) => cell(truth, found)).join('')}</tr>`).join('\n')}</tbody></table></div>`;
}

function figure(
  { id, mean_iou, pixel_accuracy, classes, file = '' }: PhotoScore,
  kind: string,
  nameOf: (label: number) => string,
  swatch: (label: number) => string,
): string {
  const words = classes
    .filter(({ pixels, predicted }) => pixels > 0 || predicted > 0)
    .sort((a, b) => b.pixels - a.pixels || b.predicted - a.predicted)
    .map(
      ({ label, iou, pixels }) =>
        `<span>${swatch(label)}<bdi>${nameOf(label)}</bdi> ${pixels > 0 ? htmlPercent(iou) : 'not there'}</span>`,
    );
  return `<li><figure><img src="${file}" loading="lazy" alt="${escapeHtml(id)}: ${kind}, truth, prediction and mistakes"><figcaption><b>${escapeHtml(id)}</b> IoU ${htmlPercent(mean_iou)}, ${htmlPercent(pixel_accuracy)} of the pixels right<span class="words">${words.join(' ')}</span></figcaption></figure></li>`;
}

const style = `
:root { --right: 16 150 90; --wrong: 220 60 40; }
main { max-width: 1240px; padding: 28px 20px 64px; }
h1 { margin-bottom: 14px; } h2 { font-size: 18px; margin: 0 0 8px; } p { color: var(--soft); margin: 0 0 12px; max-width: 60em; }
section, dl { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; margin: 0 0 18px; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 16px; } dt { color: var(--soft); font-size: 13.5px; } dd { margin: 0; font-size: 24px; font-variant-numeric: tabular-nums; } dd small { display: block; font-size: 13.5px; color: var(--soft); }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; } th { font-weight: 400; text-align: left; }
.classes { width: 100%; max-width: 720px; } .classes th, .classes td { padding: 3px 12px 3px 0; border-top: 1px solid var(--line); } .classes thead th { border: 0; color: var(--soft); } .classes thead th + th { text-align: right; } .classes td { text-align: right; white-space: nowrap; } .classes .bar { width: 40%; text-align: left; }
.bar b { display: block; height: 10px; border-radius: 3px; background: var(--accent); min-width: 1px; }
i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; background: var(--colour); border: 1px solid rgb(128 128 128 / .5); margin-right: 6px; vertical-align: -1px; }
.scroll { overflow-x: auto; } .matrix td { min-width: 26px; height: 26px; padding: 0 3px; text-align: center; font-size: 12px; background: rgb(var(--wrong) / calc(var(--fraction, 0) * .85)); border: 1px solid var(--line); } .matrix td.right { background: rgb(var(--right) / calc(var(--fraction, 0) * .75)); }
.matrix thead td { border: 0; } .matrix thead th { height: 110px; vertical-align: bottom; padding: 0; } .matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); padding: 4px 0; white-space: nowrap; max-height: 106px; overflow: hidden; } .matrix tbody th { padding-right: 8px; white-space: nowrap; position: sticky; left: 0; background: var(--paper); }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: 18px; } img { display: block; max-width: 100%; min-width: min(100%, 720px); height: auto; border-radius: 6px; } figcaption { font-size: 13.5px; margin-top: 4px; color: var(--soft); } figcaption b { color: var(--ink); }
.words { display: flex; flex-wrap: wrap; gap: 2px 14px; } ul { margin: 0 0 14px; padding-left: 20px; } .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (max-width: 520px) { dl { grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); } .classes .bar { display: none; } .classes th, .classes td { padding-right: 6px; } }
`;
