/** The demo's report: one HTML file with everything in it, for somebody who has never heard of ZeroSeg. */
import { baselines as known, lossTerms } from '@zeroseg/core/internal';
import type {
  Findings,
  LiveTraining,
  ModelInfo,
  SceneMaker,
  SceneScore,
  SceneScores,
  ShownOutput,
  ShownScene,
  StepReport,
  StudentScore,
} from '@zeroseg/core/zeroseg';
import { count, formatDuration, formatShare } from '../shell/index.ts';
import { chartLibrary, literal, plain } from './chart-library.ts';
import { demoScript, demoStyle } from './demo-page.ts';
import { smoothed } from './training-report.ts';

export interface DemoFacts {
  readonly version: string;
  readonly adapter: string;
  readonly seed: number;
  /** Scenes that the fresh student learnt from. */
  readonly learnt: number;
  /** Of the whole demo. */
  readonly seconds: number;
  readonly shipped: Pick<ModelInfo, 'step' | 'config'>;
  /** Whether the fresh student's encoder began as the teacher's image tower. */
  readonly isFromTeacher: boolean;
}

export interface DemoReport {
  readonly scenes: SceneMaker;
  readonly findings: Findings<string>;
  readonly scores: SceneScores;
  readonly training: LiveTraining;
  readonly words: readonly string[];
  readonly facts: DemoFacts;
}

/** The page, which asks for nothing from anywhere. */
export function demoPage(report: DemoReport): string {
  const library = chartLibrary();
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ZeroSeg: things in pictures, named without labels</title>
<style>${library.style}${demoStyle}</style>
<main>
${opening(report)}
${how(report)}
${gallery(report)}
${scoreSection(report)}
${trained(report)}
${photograph(report)}
${notes(report)}
</main>
<script>${library.script}</script>
<script>const charts = ${literal(charts(report.training))};${demoScript}</script>
</html>
`;
}

function opening({ findings, scores }: DemoReport): string {
  const shown = findings.scenes[findings.explained.index] as ShownScene<string>;
  const { shipped } = scores.students as Record<string, StudentScore>;
  const { crops, ceiling } = scores.baselines;
  return `<header>
<p class="eyebrow">ZeroSeg</p>
<h1>It divides a picture and names the parts, and nobody ever showed it a label</h1>
<p class="lead">ZeroSeg learns to divide pictures into segments from pictures alone: no outlines, no labels, no captions. Afterwards it names the
segments by <b>any words you type</b>. Everything below was computed on this machine
just now; only the teacher and the student called shipped were trained before.</p>
<div class="hero">
${figure(shown.picture, '<b>a picture</b> it has never seen')}
<span class="arrow">→</span>
${figure(shown.outputs.shipped.segments, '<b>segments</b>, found without labels')}
<span class="arrow">→</span>
${figure(shown.outputs.shipped.named, '<b>names</b>, from your words')}
</div>
<div class="tiles">
${tile('0', 'labels, outlines or captions that the student learnt from')}
${tile(percent(shipped?.accuracy), 'of the pixels of unseen scenes named right by the student that comes with the package')}
${tile(percent(shipped?.objects), `overlap with the true objects (mean IoU); patches this size allow ${percent(ceiling?.objects)} at most`)}
${tile(percent(crops?.objects), 'is what its own teacher reaches by looking at sixteen pieces of the picture')}
</div>
</header>`;
}

function how({ findings, facts, words }: DemoReport): string {
  const { explained, scenes } = findings;
  const shown = scenes[explained.index] as ShownScene<string>;
  const { patch, output_groups, mask_ratio, assign_start } = facts.shipped.config;
  const begun = assign_start === 'medoids' ? 'groups, begun at patches that stand for others,' : 'learnt tokens';
  const { grid, row, col } = explained.place;
  const some = [...new Set([explained.name, ...explained.names, ...words])].filter((word) => word !== '').slice(0, 9);
  const more = words.length > some.length ? `<span class="chip">… ${words.length - some.length} more</span>` : '';
  return `<section id="how">
<h2>How it works</h2>
<p class="hint">One picture, step by step. There is a <b>teacher</b>: a small CLIP, a network that can tell how well a picture and a sentence go together, but not
where in the picture things are. And there is a <b>student</b>, which finds that out.</p>
<div class="how">
${figure(shown.picture, '<b>1 · Picture.</b> A drawing on a painted ground, made up, so that the truth is known for scoring. The student never sees that truth.')}
${figure(explained.patches, `<b>2 · Patches.</b> Squares of ${patch} × ${patch} pixels. In training ${Math.round(10 * mask_ratio)} of 10 are hidden, and the student must repaint them.`)}
${figure(explained.groups, `<b>3 · Groups.</b> ${output_groups[0]} ${begun} compete for the patches; here ${explained.groupsUsed} of them got some …`)}
${figure(shown.outputs.shipped.segments, `<b>4 · Segments.</b> … and ${output_groups[1]} larger ones for the groups. ${shown.outputs.shipped.used} segments remain, each summed up as one vector.`)}
${figure(explained.view, `<b>5 · Nearest view.</b> The teacher looked at the whole picture and at its 2 × 2, 3 × 3 and 4 × 4 pieces. Each segment learns to be like the piece it resembles most: here row ${row}, column ${col} of ${grid} × ${grid}.`)}
</div>
<div class="words">
<div><h3>6 · Words come only now</h3>
<div class="chips">${some.map((word) => `<span class="chip">${plain(word)}</span>`).join('')}${more}</div>
<p class="hint">The teacher turns each word into a vector of the same kind. A segment gets the word whose vector is nearest to its own: the one of step 5 became
<b>${plain(explained.name)}</b>. Type other words, and the same segments get other names, without any new training.</p></div>
${figure(shown.outputs.shipped.named, '')}
</div>
</section>`;
}

function gallery({ findings, facts }: DemoReport): string {
  const rows = findings.scenes.map(({ caption, picture, exact, outputs: { shipped } }, i) => {
    const star = i === findings.explained.index ? ' · the one above' : '';
    return `<div class="row"><p class="title">${plain(caption)}${star}</p>
${figure(picture, '<b>picture</b>')}
${figure(shipped.segments, `<b>segments</b> · ${shipped.used} in use`)}
${figure(shipped.named, `<b>named</b>${formatAccuracy(shipped)}`)}
${figure(exact, '<b>exact answer</b>')}
</div>`;
  });
  return `<section id="scenes">
<h2>Scenes it has never seen</h2>
<p class="hint">The student that comes with the package; the last of its trainings took ${facts.shipped.step.toLocaleString('en')} steps. These are simply the first ${findings.scenes.length} scenes of
the test, good or bad. The exact answer is only used to compare. Colours of segments are numbers, colours of names are below.</p>
${legend(findings)}
<div class="rows">${rows.join('\n')}</div>
</section>`;
}

function legend({ legend: entries }: Findings<string>): string {
  return `<div class="chips">${entries.map(({ name, colour }) => `<span class="chip"><i style="background:rgb(${colour.join(' ')})"></i>${plain(name)}</span>`).join('')}</div>`;
}

function trained({ findings, training, facts, scores }: DemoReport): string {
  const { fresh, start } = scores.students as Record<string, StudentScore>;
  const rows = findings.scenes.slice(0, 4).map(
    ({ caption, picture, exact, outputs }) => `<div class="row five"><p class="title">${plain(caption)}</p>
${figure(picture, '<b>picture</b>')}
${figure(outputs.start.named, `<b>before training</b>${formatAccuracy(outputs.start)}`)}
${figure(outputs.fresh.segments, `<b>segments after</b> · ${outputs.fresh.used} in use`)}
${figure(outputs.fresh.named, `<b>named after</b>${formatAccuracy(outputs.fresh)}`)}
${figure(exact, '<b>exact answer</b>')}
</div>`,
  );
  const { film } = findings;
  const frames = film.frames.map(
    ({ step, segments, named }) =>
      `<figure><img src="${segments}" alt="segments after ${step} steps"><img src="${named}" alt="names after ${step} steps"><figcaption>${step === 0 ? 'at its start' : `step ${step}`}</figcaption></figure>`,
  );
  const begun = facts.isFromTeacher ? "whose encoder began as the teacher's" : 'from random numbers';
  return `<section id="fresh">
<h2>A student of your own, ${formatDuration(training.seconds)} old</h2>
<p class="hint">While you waited, your machine trained a fresh student ${begun}: ${count(training.steps.length, 'steps')} of ${training.settings.batch} scenes, out of
${facts.learnt.toLocaleString('en')}, on ${plain(facts.adapter)}. Pixels named right on unseen scenes: <b>${percent(start?.accuracy)} at its start, ${percent(fresh?.accuracy)} now</b>. The shipped
student did the same for much longer.</p>
<h3>One unseen scene while it learnt</h3>
<div class="film"><figure><img src="${film.picture}" alt="the picture"><figcaption>picture</figcaption></figure>${frames.join('')}</div>
<div id="charts"></div>
<h3 style="margin-top:26px">Before and after</h3>
<div class="rows">${rows.join('\n')}</div>
</section>`;
}

function scoreSection({ scores, training }: DemoReport): string {
  const { shipped, fresh, start } = scores.students as Record<'shipped' | 'fresh' | 'start', StudentScore>;
  const { baselines } = scores;
  const line = (name: string, note: string, { objects, stuff, accuracy }: SceneScore, kind = '') =>
    `<tr class="${kind}"><th scope="row">${plain(name)}<small>${plain(note)}</small></th>${[objects, stuff, accuracy].map(meter).join('')}</tr>`;
  // What no student can pass stands at the end.
  const order = [...known.filter(({ isBound }) => !isBound), ...known.filter(({ isBound }) => isBound)];
  return `<section id="scores">
<h2>How good is it?</h2>
<p>${verdict(scores)}</p>
<p class="hint">On ${scores.scenes} unseen scenes of up to four objects. Objects and ground: mean intersection over union, the usual measure: overlap of found and true area
divided by their union, averaged over classes. 100 % is perfect.</p>
<div class="scroll"><table class="scores">
<thead><tr><th></th><th>objects</th><th>ground</th><th>pixels right</th></tr></thead>
<tbody>
${line('Shipped student', `uses ${shipped.groupsUsed.toFixed(1)} segments a scene, of ${shipped.things.toFixed(1)} things`, shipped, 'own')}
${line('Your fresh student', `after ${count(training.steps.length, 'steps')}; uses ${fresh.groupsUsed.toFixed(1)} segments`, fresh, 'own')}
${line('The same at its start', 'before it learnt anything', start)}
${order.map(({ name, title, note, isBound }) => line(capital(title), note, baselines[name] as SceneScore, isBound ? 'best' : '')).join('\n')}
</tbody></table></div>
<p class="hint">The shipped student's summary of the whole picture names an object that is there in ${percent(shipped.namesPresent)} of scenes
(fresh: ${percent(fresh.namesPresent)}). A patch's choice of segment has an entropy of ${shipped.entropy.rollout.toFixed(2)} nats (fresh: ${fresh.entropy.rollout.toFixed(2)}; 0 is certain, ${Math.log(training.model.config.output_groups[1] ?? 8).toFixed(2)} a blind guess).
Its segments' nearest views are of the ${Object.entries(shipped.nearestGrids)
    .map(([grid, share]) => `${grid.replace('x', ' × ')} grid in ${percent(share)}`)
    .join(', ')} of cases.</p>
</section>`;
}

/** The table in a sentence, whichever way it came out. */
function verdict({ students, baselines }: SceneScores): string {
  const { shipped, fresh, start } = students as Record<'shipped' | 'fresh' | 'start', StudentScore>;
  const { crops, value, plain: dense, kmeans, chance } = baselines;
  const grown = (fresh.accuracy ?? 0) > (start.accuracy ?? 0) * 1.2;
  const patches = (key: 'objects' | 'stuff') => Math.max(...[value, dense, kmeans].map((one) => one?.[key] ?? 0));
  return (
    `On objects the shipped student reaches <b>${percent(shipped.objects)}</b>; its own teacher ${percent(crops?.objects)} by looking at sixteen crops of each ` +
    `picture, the teacher's patches or clusters ${percent(patches('objects'))} at best, and guessing ${percent(chance?.objects)}. ` +
    `On ground it reaches <b>${percent(shipped.stuff)}</b>, against ${percent(crops?.stuff)}, ${percent(patches('stuff'))} and ${percent(chance?.stuff)}. ` +
    (grown
      ? `Your fresh student names ${percent(fresh.accuracy)} of pixels right after minutes; at its start it was ${percent(start.accuracy)}.`
      : `Your fresh student has not learnt to name yet (${percent(fresh.accuracy)} of pixels, ${percent(start.accuracy)} at its start): it needs more steps.`)
  );
}

function photograph({ findings: { photo } }: DemoReport): string {
  const found = photo.found.slice(0, 5).map(({ name, share }) => `${plain(name)} ${percent(share)}`);
  return `<section id="photo">
<h2>A real photograph</h2>
<p class="hint">${plain(photo.name)}: the teacher has only ever seen drawings, so it knows little of photographs, and the student no more. This is what it says, without
excuses: ${found.join(', ')}.</p>
<div class="split">
${figure(photo.picture, '<b>photograph</b>')}
${figure(photo.segments, '<b>segments</b>')}
${figure(photo.named, '<b>named</b>')}
</div>
</section>`;
}

function notes({ facts, scenes }: DemoReport): string {
  return `<section id="notes">
<h2>What this shows, and what it does not</h2>
<ul>
<li><b>The method is the paper's</b> (Chen et al., 2023, <i>Exploring Open-Vocabulary Semantic Segmentation from CLIP Vision Encoder Distillation Only</i>): masked reconstruction,
distillation of multi-scale views, segment matching. What this small model has beyond it, such as a convolutional stem and a composition loss, is named in the README.</li>
<li><b>The world is small.</b> ${scenes.objectCount} kinds of objects in emoji style and ${scenes.names.length - scenes.objectCount} painted grounds. The teacher was trained on captions of such scenes; the student only on what the
teacher sees. Results on photographs need a real CLIP and days of a GPU; the same commands do that.</li>
<li><b>Nothing is picked.</b> The scenes shown are the first of the test's seed; the step-by-step example is the clearest of them.</li>
<li><b>A fresh student of a few minutes is a beginner.</b> How far it comes depends on how many steps your machine makes in the time.</li>
</ul>
<h3 style="margin-top:20px">Go on</h3>
<pre>zeroseg demo --classes "cat, umbrella, grass" --seed 2        your words, other scenes
zeroseg segment photo.jpg --model built-in --clip built-in --classes "boat, house" --out out/segments
zeroseg score --model out/demo --scenes 500                    the fresh student on more scenes</pre>
</section>
<footer>zeroseg ${plain(facts.version)} · ${plain(facts.adapter)} · seed ${facts.seed} · all of it took ${formatDuration(facts.seconds)}</footer>`;
}

interface Chart {
  readonly title: string;
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

function charts({ steps, measurements }: LiveTraining): Chart[] {
  const x = steps.map(({ step }) => step);
  const watched = measurements.map(({ step }) => step);
  const loss = (title: string, of: (step: StepReport) => number): Chart => {
    const values = steps.map(of);
    const lines = [
      { label: "step's own", style: 'pale' as const, values },
      { label: 'mean', style: 'strong' as const, values: smoothed(values) },
    ];
    return { title, x, lines };
  };
  return [
    {
      title: 'Pixels named right, unseen scenes',
      x: watched,
      lines: [{ label: 'share', style: 'strong', values: measurements.map(({ accuracy }) => accuracy) }],
      unit: '%',
      from: 0,
    },
    {
      title: 'Segments in use a scene',
      x: watched,
      lines: [
        { label: 'segments', style: 'strong', values: measurements.map(({ used }) => used) },
        { label: 'things there are', style: 'dashed', values: measurements.map(({ things }) => things) },
      ],
      from: 0,
    },
    loss('Total loss', (step) => step.loss),
    // A term without a weight may not have been computed: it is 0.
    ...lossTerms
      .map(({ name, about }) => ({ about, value: ({ terms }: StepReport) => terms[name] ?? 0 }))
      .filter(({ value }) => steps.some((step) => value(step) !== 0))
      .map(({ about, value }) => loss(about, value)),
  ];
}

function figure(url: string, caption: string): string {
  const alt = caption.replace(/<[^>]+>/g, '').split('.')[0] || 'named segments';
  return `<figure><img src="${url}" alt="${alt}">${caption ? `<figcaption>${caption}</figcaption>` : ''}</figure>`;
}

function tile(value: string, words: string): string {
  return `<div class="tile"><b>${value}</b><span>${words}</span></div>`;
}

function meter(value: number | null): string {
  const share = `${(100 * (value ?? 0)).toFixed(1)}%`;
  return `<td><div class="meter"><i style="--share:${share}"></i><span>${percent(value)}</span></div></td>`;
}

function formatAccuracy({ accuracy }: ShownOutput<string>): string {
  return accuracy === undefined ? '' : ` · ${percent(accuracy, 0)} right`;
}

/** A share that no line breaks. */
function percent(value: number | null | undefined, digits = 1): string {
  return formatShare(value, digits).replace(' ', '\u00a0');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
