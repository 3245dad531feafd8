/** The demo's report: one HTML file with everything in it, for somebody who has never heard of ZeroSeg. */
import type { Findings, LiveScore, ShownOutput, ShownScene } from '@zeroseg/core/zeroseg';
import { chartLibrary, escapeHtml, htmlPage, htmlPercent, scriptLiteral } from '../../html/index.ts';
import { count, formatDuration } from '../../shell/index.ts';
import type { DemoReport } from './facts.ts';
import { charts, freshStudent } from './fresh.ts';
import { chip, figure, nameList, rightWrongKey, truthList } from './parts.ts';
import { scoreSection } from './scores.ts';
import { demoScript, demoStyle } from './style.ts';
import { objectsFound } from './wording.ts';

/** Scenes that are seen without a click. */
const OPEN = 6;

/** The page, which asks for nothing from anywhere. */
export function demoPage(report: DemoReport): string {
  const { fresh } = report;
  const library = fresh ? chartLibrary() : undefined;
  const main = `${opening(report)}
${gallery(report)}
${report.findings.photo ? photograph(report.findings.photo, report) : ''}
${scoreSection(report)}
${fresh ? freshStudent(report, fresh) : ''}
${how(report)}
${limits(report)}`;
  return htmlPage({
    title: 'ZeroSeg: pictures divided and named by words',
    style: (library?.style ?? '') + demoStyle,
    main,
    scripts:
      library && fresh ? [library.script, `const charts = ${scriptLiteral(charts(fresh.training))};${demoScript}`] : [],
  });
}

function opening({ findings, scores, known }: DemoReport): string {
  const { picture, exact, outputs } = findings.hero;
  const { shipped } = outputs;
  const { objectsFound: found, objectsThere: there, accuracy } = scores.students['shipped'] as LiveScore;
  const sceneCount = known?.scenes ?? scores.scenes;
  return `<header>
<h1>ZeroSeg divides pictures into parts and names them by words</h1>
<p class="lead">Nobody ever showed it an outline or a label. Here are scenes that it had never seen; it divided and named them on this machine just now.</p>
<div class="hero">
${figure(picture, 'a scene', '<b>A scene</b>')}
${figure(shipped.named, `the scene divided and named: ${listed(shipped)}`, `<b>Divided and named</b>${nameList(shipped.names)}`)}
${figure(exact, `the truth: ${shipped.truth.map(({ name }) => name).join(', ')}`, `<b>The truth</b>${truthList(shipped)}`)}
</div>
<p class="hint">The clearest of ${findings.searched} scenes; those below are simply the first ones, good or bad.</p>
<div class="tiles">
${tile('0', 'labels or outlines that it learnt from; its teacher, a small CLIP, had captions')}
${tile(htmlPercent(known ? known.shipped.accuracy : (accuracy?.value ?? null), 0), `of pixels named right on ${sceneCount} unseen scenes`)}
${tile(`${found} of ${there}`, `objects found on ${count(scores.scenes, 'scenes')} just now; guessing finds none`)}
</div>
</header>`;
}

function listed({ names }: ShownOutput<string>): string {
  return names.map(({ name }) => name).join(', ');
}

function tile(value: string, words: string): string {
  return `<div class="tile"><b>${value}</b><span>${words}</span></div>`;
}

function gallery({ findings, words, isAsked }: DemoReport): string {
  const rows = findings.scenes.map(sceneRow);
  const more = rows.slice(OPEN);
  const what = isAsked
    ? `Scenes of what was asked for: ${words.map(escapeHtml).join(', ')}.`
    : `Each part gets one of ${words.length} words.`;
  return `<section id="scenes">
<h2>Scenes it has never seen</h2>
<p class="hint">${what} These are the first ${findings.scenes.length} of the test, none left out. An object is found where the area with its name and its
true area agree by half or more.</p>
${rows.slice(0, OPEN).join('\n')}
${more.length > 0 ? `<details><summary>${count(more.length, 'more scenes')}</summary>${more.join('\n')}</details>` : ''}
</section>`;
}

function sceneRow({ caption, picture, exact, outputs: { shipped } }: ShownScene<string>): string {
  return `<article class="scene"><h3>${objectsFound(shipped)}</h3><p class="caption">“${escapeHtml(caption)}”</p>
<div class="row">
${figure(picture, escapeHtml(caption), '<b>Scene</b>')}
${figure(shipped.named, `named: ${escapeHtml(listed(shipped))}`, `<b>Named</b>${nameList(shipped.names)}`)}
${figure(exact, `truth: ${shipped.truth.map(({ name }) => escapeHtml(name)).join(', ')}`, `<b>Truth</b>${truthList(shipped)}`)}
${figure(shipped.rightWrong, 'blue where the name is right, orange stripes where it is wrong', `<b>Right and wrong</b>${rightWrongKey}`)}
</div></article>`;
}

function photograph(
  { name, picture, segments, named, names }: NonNullable<Findings<string>['photo']>,
  { known }: DemoReport,
): string {
  const warning =
    'The built-in teacher has seen drawings only, so neither it nor the student knows much of photographs; for those give a model that learnt from a CLIP of photographs.';
  return `<section id="photo">
<h2>Your photograph</h2>
<p class="hint">${escapeHtml(name)}.${known ? ` ${warning}` : ''}</p>
<div class="row three">
${figure(picture, 'the photograph', '<b>Photograph</b>')}
${figure(segments, 'its segments', '<b>Segments</b>')}
${figure(named, `named: ${escapeHtml(names.map((one) => one.name).join(', '))}`, `<b>Named</b>${nameList(names)}`)}
</div>
</section>`;
}

function how({ findings, facts, words }: DemoReport): string {
  const { explained, hero } = findings;
  const { picture, outputs } = hero;
  const { patch, output_groups, mask_ratio, assign_start } = facts.shipped.config;
  const begun = assign_start === 'medoids' ? 'groups, begun at patches that stand for others,' : 'learnt tokens';
  const { grid, row, col } = explained.place;
  const some = [...new Set([explained.name, ...explained.names, ...words])].filter((word) => word !== '').slice(0, 8);
  const step = (number: number, title: string, url: string, alt: string, text: string): string =>
    figure(url, alt, `<b>${number} · ${title}</b><span>${text}</span>`);
  return `<section id="how">
<h2>How it works</h2>
<p class="hint">A <b>teacher</b>, a small CLIP, tells how well a picture and a sentence go together, but not where in the picture things are. A <b>student</b> finds that
out, from pictures alone.</p>
<div class="how">
${step(1, 'Picture', picture, 'the picture', 'Made up, so that the truth is known for scoring. The student never sees the truth.')}
${step(2, 'Patches', explained.patches, 'the picture in patches, some hidden', `Squares of ${patch} × ${patch} pixels. In training ${Math.round(10 * mask_ratio)} of 10 are hidden, and the student repaints them.`)}
${step(3, 'Groups', explained.groups, 'patches in groups', `${output_groups[0]} ${begun} compete for the patches; ${explained.groupsUsed} got some …`)}
${step(4, 'Segments', outputs.shipped.segments, 'the segments', `… and ${output_groups[1]} larger ones for the groups. Each of the ${outputs.shipped.used} in use is summed up as one vector.`)}
${step(5, 'Nearest view', explained.view, 'the view that one segment is nearest to', `The teacher looked at the picture whole and in pieces. Each segment learns to be like the piece it resembles most: the one shown, that in row ${row}, column ${col} of ${grid} × ${grid}.`)}
</div>
<p class="after"><b>Words come last.</b> The teacher turns each word into a vector of the same kind, and a segment gets the word that is nearest: the one of step 5 became
<b>${escapeHtml(explained.name)}</b>. Other words give other names, without any new training:
${some.map((word) => chip(word)).join(' ')}${words.length > some.length ? ` and ${words.length - some.length} more` : ''}</p>
</section>`;
}

function limits({ facts, scenes, known }: DemoReport): string {
  const objects = scenes.names.slice(0, scenes.objectCount);
  const grounds = scenes.names.slice(scenes.objectCount);
  return `<section id="limits">
<h2>What it cannot do</h2>
<ul>
<li>${known ? `<b>It knows ${objects.length} drawn objects and ${grounds.length} painted grounds</b>, no photographs. Other words are left out.` : `The scenes show ${objects.length} drawn objects and ${grounds.length} painted grounds.`} <details><summary>The words</summary><p>${objects.map(escapeHtml).join(', ')}.</p><p>On ${grounds.map(escapeHtml).join(', ')}.</p></details></li>
<li><b>It misses small things</b>: it sees squares of ${facts.shipped.config.patch} pixels, of which it makes at most ${facts.shipped.config.output_groups[1]} segments.</li>
<li><b>Two of a kind are one</b>: it names areas, and does not count.</li>
<li>Photographs need a CLIP of photographs and days of a GPU. The commands are the same.</li>
</ul>
<details><summary>For experts</summary>
<p>The method is the paper's (Chen et al. 2023, <i>Exploring Open-Vocabulary Semantic Segmentation from CLIP Vision Encoder Distillation Only</i>): masked reconstruction,
distillation of multi-scale views, segment matching. This small model adds a convolutional stem, a composition loss and others; the documentation names all of it.
${known ? `The shipped student was trained in four runs, the last of ${facts.shipped.step.toLocaleString('en')} steps.` : `The student shown was trained for ${facts.shipped.step.toLocaleString('en')} steps.`}
Colours of segments and groups are numbers. Labels are named by softmax over words; 0 to 2 kinds of ground and up to four objects a scene.</p></details>
<h3>Go on</h3>
<pre>npx zeroseg demo --classes "cat, umbrella, grass" --seed 2     scenes of your words
npx zeroseg score --model built-in --scenes 500                the shipped student beside all baselines
npx zeroseg segment photo.jpg --classes "cat, grass"           a picture of your own</pre>
</section>
<footer>zeroseg ${escapeHtml(facts.version)} · ${escapeHtml(facts.adapter)} · seed ${facts.seed} · made in ${formatDuration(facts.seconds)}</footer>`;
}
