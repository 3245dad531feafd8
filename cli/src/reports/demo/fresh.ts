/** The student that was trained during the demo: its pictures and its curves. */
import { lossTerms } from '@zeroseg/core/internal';
import type { LiveTraining, StepReport } from '@zeroseg/core/zeroseg';
import { escapeHtml, htmlPercent } from '../../html/index.ts';
import { count, formatDuration } from '../../shell/index.ts';
import type { FreshStudent, StartKind } from '../../studies/index.ts';
import { smoothed } from '../training-report.ts';
import type { DemoReport } from './facts.ts';
import { figure, nameList, truthList } from './parts.ts';
import { objectsFound } from './wording.ts';

/** Scenes that are shown before and after. */
const SHOWN = 3;

/** What it began with, in a sentence or two. */
const begun: Readonly<Record<StartKind, string>> = {
  names:
    '<b>A head start</b>: it began as the shipped student with new last layers. So it could divide pictures, and had lost all names; those it learnt again here.',
  teacher:
    "<b>A head start</b>: its encoder began as the teacher's image tower. How to divide pictures, and what the parts are called, it learnt here.",
  new: 'It began with random numbers.',
};

export function freshStudent({ findings, scores }: DemoReport, { training, startKind, learnt }: FreshStudent): string {
  const { fresh, start } = scores.students;
  const { film } = findings;
  const frames = film?.frames.map(({ step, named }) =>
    figure(named, `names after ${step} steps`, step === 0 ? '<b>before</b>' : `<b>step ${step}</b>`),
  );
  const rows = findings.scenes.slice(0, SHOWN).flatMap(({ caption, picture, exact, outputs }) =>
    outputs.start && outputs.fresh
      ? [
          `<article class="scene"><h3>${objectsFound(outputs.fresh)}</h3><p class="caption">“${escapeHtml(caption)}”</p><div class="row">
${figure(picture, escapeHtml(caption), '<b>Scene</b>')}
${figure(outputs.start.named, 'named before training', '<b>Before</b>')}
${figure(outputs.fresh.named, 'named after training', `<b>After</b>${nameList(outputs.fresh.names)}`)}
${figure(exact, 'truth', `<b>Truth</b>${truthList(outputs.fresh)}`)}
</div></article>`,
        ]
      : [],
  );
  return `<section id="fresh">
<h2>A student of your own, ${formatDuration(training.seconds)} old</h2>
<p>While you waited, this machine trained it: ${count(training.steps.length, 'steps')} of ${training.settings.batch} scenes, out of ${learnt.toLocaleString('en')}, without a label.
It names <b>${htmlPercent(fresh?.accuracy?.value, 0)}</b> of the pixels of unseen scenes right; before its training it was ${htmlPercent(start?.accuracy?.value, 0)}.</p>
<p class="hint">${begun[startKind]} The shipped student learnt for hours: that is the difference.</p>
${film && frames ? `<div class="film">${figure(film.picture, 'a scene', '<b>a scene</b>')}${frames.join('')}</div>` : ''}
<div class="charts one" data-charts="first"></div>
${rows.join('\n')}
<details><summary>For experts: the losses</summary><div class="charts" data-charts="losses"></div></details>
</section>`;
}

export interface DemoChart {
  readonly title: string;
  readonly group: 'first' | 'losses';
  readonly x: readonly number[];
  readonly lines: readonly {
    readonly label: string;
    readonly style: 'pale' | 'strong' | 'dashed';
    readonly values: readonly number[];
  }[];
  readonly unit?: '%';
  /** Where the axis begins; left out, with the smallest value. */
  readonly from?: number;
}

export function charts({ steps, measurements }: LiveTraining): DemoChart[] {
  const x = steps.map(({ step }) => step);
  const watched = measurements.map(({ step }) => step);
  const loss = (title: string, of: (step: StepReport) => number): DemoChart => {
    const values = steps.map(of);
    const lines = [
      { label: "step's own", style: 'pale' as const, values },
      { label: 'mean', style: 'strong' as const, values: smoothed(values) },
    ];
    return { title, group: 'losses', x, lines };
  };
  return [
    {
      title: 'Pixels named right, unseen scenes',
      group: 'first',
      x: watched,
      lines: [{ label: 'fraction', style: 'strong', values: measurements.map(({ accuracy }) => accuracy) }],
      unit: '%',
      from: 0,
    },
    loss('Total loss', (step) => step.loss),
    // A term without a weight may not have been computed: it is 0.
    ...lossTerms
      .map(({ name, about }) => ({ about, value: ({ terms }: StepReport) => terms[name] ?? 0 }))
      .filter(({ value }) => steps.some((step) => value(step) !== 0))
      .map(({ about, value }) => loss(about, value)),
    {
      title: 'Segments in use a scene',
      group: 'losses',
      x: watched,
      lines: [
        { label: 'segments', style: 'strong', values: measurements.map(({ used }) => used) },
        { label: 'things there are', style: 'dashed', values: measurements.map(({ things }) => things) },
      ],
      from: 0,
    },
  ];
}
