/** How good the students are: the shipped one on many scenes, all of them on those of this run. */
import { baselines as known } from '@zeroseg/core/internal';
import type { LiveScore, LiveScores, SceneScore, StudentScore } from '@zeroseg/core/zeroseg';
import { escapeHtml, htmlPercent } from '../../html/index.ts';
import { countIn } from '../../shell/index.ts';
import type { BuiltInScores } from '../../weights/index.ts';
import type { DemoReport } from './facts.ts';
import { meter } from './parts.ts';

/** Of the baselines, those that are shown without a click. */
const SHOWN: readonly string[] = ['crops', 'chance', 'ceiling'];

export function scoreSection(report: DemoReport): string {
  const { scores, known: builtIn } = report;
  return `<section id="scores">
<h2>How good is it?</h2>
${builtIn ? scenesTable(builtIn) : ''}
${hereScenes(report)}
<details><summary>For experts</summary>${builtIn ? baselineTable(builtIn) : ''}${statistics(scores)}</details>
</section>`;
}

/** The table in a sentence, whichever way it came out. */
function scenesTable({ scenes, shipped, baselines }: BuiltInScores): string {
  const rows = known
    .filter(({ name, isBound }) => SHOWN.includes(name) && !isBound)
    .map(({ name, title, note }) => row(capital(title), note, baselines[name]));
  const bound = known
    .filter(({ isBound }) => isBound)
    .map(({ name, title, note }) => row(capital(title), note, baselines[name], 'best'));
  return `<p>The areas it names overlap those of objects by <b>${htmlPercent(shipped.objects)}</b>; its own teacher's by ${htmlPercent(baselines['crops']?.objects)}, when it looks at sixteen
pieces of each picture, and guesses by ${htmlPercent(baselines['chance']?.objects)}.</p>
${table(`${scenes} unseen scenes`, [row('Shipped student', '', shipped, 'own'), ...rows, ...bound])}
<p class="hint">Overlap: mean intersection over union (mIoU) of found and true area, averaged over names; 100\u00a0% is perfect. These ${scenes} scenes were scored when
the student was trained.</p>`;
}

function hereScenes({ scores, fresh, known: builtIn }: DemoReport): string {
  const {
    shipped,
    fresh: own,
    start,
  } = scores.students as Record<'shipped' | 'fresh' | 'start', LiveScore | undefined>;
  const steps = fresh?.training.steps.length ?? 0;
  const line = (title: string, note: string, score: LiveScore | undefined, kind = ''): string =>
    score
      ? `<tr class="${kind}"><th scope="row">${title}<small>${note}</small></th>${[score.found, score.objects, score.ground, score.accuracy].map(meter).join('')}</tr>`
      : '';
  const found = ({ objectsFound, objectsThere }: LiveScore): string =>
    `${countIn(objectsFound, objectsThere, 'objects')} found`;
  const rows = [
    shipped && line(builtIn ? 'Shipped student' : 'The student', found(shipped), shipped, 'own'),
    own && line('Your student', `after ${steps} steps; ${found(own)}`, own, 'own'),
    start && line('Before its training', found(start), start),
  ].filter((one) => one !== undefined);
  return `${table(`${scores.scenes} unseen scenes, just now`, rows, ['objects found', 'overlap, objects', 'overlap, ground', 'pixels right'])}
<p class="hint">Thin lines: 95 % intervals, for these are few scenes. Found: the area with the name and the true area agree by half or more.</p>`;
}

function table(
  title: string,
  rows: readonly string[],
  columns = ['overlap, objects', 'overlap, ground', 'pixels right'],
): string {
  return `<div class="scroll"><table class="scores"><thead><tr><th>${title}</th>${columns.map((column) => `<th>${column}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

function row(title: string, note: string, score: SceneScore | undefined, kind = ''): string {
  const cells = score ? [score.objects, score.ground, score.accuracy] : [null, null, null];
  return `<tr class="${kind}"><th scope="row">${escapeHtml(title)}<small>${escapeHtml(note)}</small></th>${cells.map(meter).join('')}</tr>`;
}

function baselineTable({ scenes, shipped, baselines }: BuiltInScores): string {
  const others = known
    .filter(({ name }) => !SHOWN.includes(name))
    .map(({ name, title, note }) => row(capital(title), note, baselines[name]));
  const ways = Object.entries(shipped.others).map(([way, score]) =>
    row(`Shipped student, ${way}`, 'the same segments, named another way', score),
  );
  return table(`the same ${scenes} scenes`, [...others, ...ways]) + useOf('shipped student, on those', shipped);
}

function statistics({ students, scenes }: LiveScores): string {
  const titles: Record<string, string> = {
    shipped: 'the student shown',
    fresh: 'your student',
    start: 'before its training',
  };
  return Object.entries(students)
    .map(([name, { statistics: own }]) => useOf(`${titles[name] ?? name}, on ${scenes} scenes`, own))
    .join('');
}

function useOf(
  title: string,
  {
    groupsUsed,
    things,
    entropy,
    namesPresent,
    nearestGrids = {},
  }: LiveScore['statistics'] & Partial<Pick<StudentScore, 'nearestGrids'>>,
): string {
  const grids = Object.entries(nearestGrids).map(
    ([grid, fraction]) => `${grid.replace('x', ' × ')} ${htmlPercent(fraction)}`,
  );
  return `<p class="hint"><b>${capital(title)}</b>: ${groupsUsed.toFixed(1)} segments in use for ${things.toFixed(1)} things a scene; the embedding of the whole picture names an object that is
there in ${htmlPercent(namesPresent)}; entropy of a patch's segment ${entropy.rollout.toFixed(2)} nats (stages ${entropy.first.toFixed(2)}, ${entropy.second.toFixed(2)}; 0 is certain)${
    grids.length > 0 ? `; nearest views ${grids.join(', ')}` : ''
  }.</p>`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
