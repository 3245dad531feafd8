/**
 * Draws how the built-in student learnt, out of the logs in pretrained/student, training after training:
 *
 *   npm run build && node scripts/plot-student.mjs docs/student.png
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { faint, gridColour, ink, line, palette, round } from '../cli/dist/bench/charts.js';
import { writeChart } from '../cli/dist/reports/chart-file.js';

const out = process.argv[2];
if (!out) {
  console.error('Usage: node scripts/plot-student.mjs FILE.png');
  process.exit(2);
}
const folder = fileURLToPath(new URL('../pretrained/student', import.meta.url));
const phases = [
  { suffix: '-small', words: '64 px' },
  { suffix: '-large', words: '128 px' },
  { suffix: '-root', words: 'by root' },
  { suffix: '', words: 'medoids' },
];

let before = 0;
for (const phase of phases) {
  const text = await readFile(join(folder, `metrics${phase.suffix}.jsonl`), 'utf8');
  phase.rows = text.trim().split('\n').map(JSON.parse);
  phase.scores = JSON.parse(await readFile(join(folder, `scores${phase.suffix || '-trained'}.json`), 'utf8'));
  phase.from = before;
  before += phase.rows.at(-1).step;
  phase.to = before;
}
const last = phases.at(-1).scores;
const scored = (key) => [phases.map(({ to, scores }) => [to, 100 * (scores.shipped ?? scores.fresh)[key]])];
const logged = (value) =>
  phases.map(({ rows, from }) =>
    rows.flatMap((row) => (value(row) === undefined ? [] : [[from + row.step, value(row)]])),
  );
const panels = [
  { title: 'objects, % mean IoU on 500 unseen scenes', lines: scored('objects'), marks: ['crops', 'objects'] },
  { title: 'pixels right, % on 500 unseen scenes', lines: scored('accuracy'), marks: ['crops', 'accuracy'] },
  { title: 'composition loss', lines: logged((row) => row.compose) },
  { title: 'segment matching loss', lines: logged((row) => row.match) },
  { title: 'segments in use, of 8', lines: logged((row) => row.watch?.groups), top: 8.4 },
  { title: 'entropy of the first assignment, nats', lines: logged((row) => row.watch?.entropyFirst) },
];

const [width, height, top] = [460, 250, 64];
const shapes = [];
const texts = [];
const write = (text, x, y, size, anchor, colour) => texts.push({ text, x, y, size, anchor, colour });
write('How the built-in student learnt', 16, 28, 17, 'start', ink);
write('Four trainings in a row, of 32 pictures a step; each begins with a rising rate', 16, 48, 12, 'start', faint);
panels.forEach(({ title, lines, marks, top: max }, i) => {
  const at = { x: (i % 2) * width, y: top + Math.floor(i / 2) * height };
  const [left, right, upper, lower] = [at.x + 56, at.x + width - 20, at.y + 44, at.y + height - 40];
  const mark = marks && 100 * last.baselines[marks[0]][marks[1]];
  const high = max ?? 1.1 * Math.max(...lines.flat().map(([, y]) => y), mark ?? 0);
  const x = (value) => left + ((right - left) * value) / before;
  const y = (value) => lower - ((lower - upper) * value) / high;
  write(title, at.x + 16, at.y + 18, 13, 'start', ink);
  const unit = 10 ** Math.floor(Math.log10(high / 2));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((one) => high / one <= 5);
  for (let value = 0; value <= high; value += step) {
    shapes.push(line(left, y(value), right, y(value), gridColour));
    write(String(Number(value.toPrecision(3))), left - 6, y(value) + 4, 11, 'end', faint);
  }
  for (const { from, to, words } of phases) {
    shapes.push(line(x(to), upper, x(to), lower, faint));
    write(words, (x(from) + x(to)) / 2, upper - 6, 11, 'middle', faint);
    write(to.toLocaleString('en'), x(to), lower + 16, 11, 'middle', faint);
  }
  if (mark !== undefined) {
    shapes.push(line(left, y(mark), right, y(mark), palette[1], 1.5));
    write("its teacher's crops", left + 6, y(mark) - 5, 11, 'start', palette[1]);
  }
  for (const points of lines) {
    const path = points.map(([px, py], n) => `${n === 0 ? 'M' : 'L'}${round(x(px))} ${round(y(py))}`).join('');
    shapes.push(`<path d="${path}" fill="none" stroke="${palette[0]}" stroke-width="1.5"/>`);
    if (!marks) continue;
    for (const [px, py] of points) {
      shapes.push(`<circle cx="${round(x(px))}" cy="${round(y(py))}" r="3.5" fill="${palette[0]}"/>`);
      write(py.toFixed(1), x(px) - 6, y(py) + (py < mark ? 16 : -8), 11, 'end', palette[0]);
    }
  }
});
await writeChart(out, { width: 2 * width, height: top + 3 * height, shapes, texts });
console.log(out);
