/** All photos of a folder on one page: what was found in each, drawn over it, to be switched on and off by word. */
import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { ClassRecord } from '@zeroseg/core/zeroseg';
import { writeFileAtomic } from '../files/index.ts';
import { escapeHtml, htmlPage, htmlPercent } from '../html/index.ts';
import { count, sentence } from '../shell/index.ts';
import { shortList } from './asked-classes.ts';
import { sheetScript, sheetStyle } from './contact-sheet-page.ts';
import type { SegmentsRecord } from './record.ts';

/** Longer side of the pictures that outlines are rounded to: they are shown smaller than the photo. */
const SIDE = 640;
/** Widths by height beyond which a photo is drawn thicker than it is: else nothing of it would be seen, and it would stretch its row. */
const RATIOS: readonly [number, number] = [0.25, 8];
/** Words that may be switched without unfolding the others. */
const SHOWN_WORDS = 40;

interface WordTotal {
  /** In the page. */
  readonly number: number;
  readonly colour: string;
  photos: number;
  fractions: number;
}

/** What a sheet says beside its cards. */
interface SheetWords {
  /** What is to be known of the model, such as that it has never seen a photo. */
  readonly notes: readonly string[];
  /** Photos that could not be read, and why. */
  readonly failed: ReadonlyMap<string, string>;
}

/** Gathers cards; what a card needs of a record is little, and records may be large. */
export class ContactSheet {
  readonly #cards: string[] = [];
  /** By name: runs with other classes number them otherwise. */
  readonly #words = new Map<string, WordTotal>();

  get length(): number {
    return this.#cards.length;
  }

  /** `name` is the way to the photo's files in the folder of the sheet, without their endings. */
  add(name: string, record: SegmentsRecord): void {
    for (const { label, name: word, colour, fraction } of record.classes) {
      if (label === 0) continue;
      let total = this.#words.get(word);
      if (!total) this.#words.set(word, (total = { number: this.#words.size + 1, colour, photos: 0, fractions: 0 }));
      total.photos++;
      total.fractions += fraction;
    }
    this.#cards.push(card(name, record, (word) => this.#words.get(word)?.number ?? 0));
  }

  /** Writes `contact-sheet.html`; returns its path. Where another's file has that name, a number goes behind it. */
  async write(folder: string, words: SheetWords): Promise<string> {
    const path = await freePath(folder);
    await writeFileAtomic(path, this.#page(words), { within: folder });
    return path;
  }

  #page({ notes, failed }: SheetWords): string {
    const words = [...this.#words].sort(([, a], [, b]) => b.fractions - a.fractions);
    const title = `${count(this.length, 'photos')}: ${shortList(words.map(([name]) => name)) || 'none of the words'}`;
    const boxes = words.map(
      ([name, { number, colour, photos, fractions }]) =>
        `<label style="--colour:${escapeHtml(colour)}"><input type="checkbox" name="word" value="${number}" checked><i></i><bdi>${escapeHtml(name)}</bdi> <small>${photos}&thinsp;×, ${htmlPercent(fractions / this.#cards.length)}</small></label>`,
    );
    const more = boxes.splice(SHOWN_WORDS);
    const rest =
      more.length === 0
        ? ''
        : `<details><summary>${more.length} more words</summary><fieldset><legend>More words</legend>${more.join('\n')}</fieldset></details>`;
    const problems =
      failed.size === 0
        ? ''
        : `<h2 class="failed">Not read</h2><ul>${[...failed].map(([path, reason]) => `<li>${escapeHtml(path)}: ${escapeHtml(reason)}</li>`).join('')}</ul>`;
    const main = `<h1>${escapeHtml(title)}</h1>
<p>What each word covers, in colour over the photo. Beside each word: in how many photos it is, and its part of all their area. Point at a row below a photo to see that word alone.</p>
${notes.map((note) => `<p class="note">${escapeHtml(sentence(note))}</p>`).join('\n')}
<form>
<fieldset><legend>Words</legend>${boxes.join('\n')}</fieldset>
${rest}
<fieldset><legend>View</legend>
<button type="button" id="all">All words</button><button type="button" id="none">No word</button>
<label>Sort by <select id="sort"><option value="given">order given</option><option value="name">name</option>${words.map(([name, { number }]) => `<option value="${number}">most ${escapeHtml(name)}</option>`).join('')}</select></label>
<label>Name <input type="search" id="find" size="14"></label>
<label><input type="checkbox" id="only"> only photos with a chosen word</label>
<label>Opacity <input type="range" id="opacity" min="0" max="1" step="0.05" value="0.5"></label>
<output id="shown" aria-live="polite"></output>
</fieldset>
</form>
<ul id="cards">
${this.#cards.join('\n')}
</ul>
${problems}`;
    return htmlPage({ title, style: sheetStyle, head: [GENERATOR], main, scripts: [sheetScript] });
  }
}

/** Tells sheets of this program from files of others. */
const GENERATOR = '<meta name="generator" content="zeroseg contact sheet">';

async function freePath(folder: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = join(folder, n === 1 ? 'contact-sheet.html' : `contact-sheet-${n}.html`);
    const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' ? undefined : '',
    );
    if (found === undefined || found.includes(GENERATOR)) return path;
  }
}

/** `numberOf` tells which word of the page a class is. */
function card(
  name: string,
  { photo, width, height, files, classes }: SegmentsRecord,
  numberOf: (word: string) => number,
): string {
  const folder = posix.dirname(name);
  const link = (file: string): string => posix.join(folder, file).split('/').map(encodeURIComponent).join('/');
  const scale = Math.min(1, SIDE / Math.max(width, height));
  const [w, h] = [width, height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
  const ratio = Math.min(Math.max(width / height, RATIOS[0]), RATIOS[1]);
  const isThin = ratio !== width / height;
  const found = classes.map(({ name: word, fraction }) => `${escapeHtml(word)} ${htmlPercent(fraction)}`).join(', ');
  const paths = classes
    .filter(({ label }) => label !== 0)
    .map(
      (one) =>
        `<path data-word="${numberOf(one.name)}" style="--colour:${escapeHtml(one.colour)}" fill-rule="evenodd" d="${outline(one, w / width, h / height)}"/>`,
    );
  const cutouts = Object.entries(files.cutouts).map(
    ([word, file]) => `<a href="${escapeHtml(link(file))}"><bdi>${escapeHtml(word)}</bdi> cut out</a>`,
  );
  return `<li data-name="${escapeHtml(name)}"><article>
<h2>${escapeHtml(posix.basename(photo.replaceAll('\\', '/')))}${isThin ? ` <small>${width} × ${height} pixels, drawn thicker</small>` : ''}</h2>
<a class="stage${isThin ? ' thin' : ''}" style="--ratio:${ratio.toFixed(4)}" href="${escapeHtml(link(files.overlay))}"><img src="${escapeHtml(link(files.thumbnail))}" width="${w}" height="${h}" loading="lazy" alt="${escapeHtml(posix.basename(name))}: ${found}"><svg viewBox="0 0 ${w} ${h}" preserveAspectRatio="none" aria-hidden="true">${paths.join('')}</svg></a>
<table><thead><tr><th scope="col">word</th><th scope="col">area</th><th scope="col">pixels</th><th scope="col">score</th></tr></thead>
<tbody>${classes.map((one) => row(one, one.label === 0 ? 0 : numberOf(one.name))).join('')}</tbody></table>
<p class="links"><a href="${escapeHtml(link(files.overlay))}">overlay</a><a href="${escapeHtml(link(files.labels))}">label map</a><a href="${escapeHtml(link(`${posix.basename(name)}.json`))}">JSON</a>${cutouts.join('')}</p>
</article></li>`;
}

function row({ label, name, drawn_as, colour, fraction, pixels, score }: ClassRecord, number: number): string {
  const drawn = drawn_as === undefined ? '' : ` <small>${escapeHtml(drawn_as)} in pictures</small>`;
  const swatch = label === 0 ? '<i></i>' : `<i style="--colour:${escapeHtml(colour)}"></i>`;
  const cells = [htmlPercent(fraction), pixels.toLocaleString('en'), score == null ? '–' : score.toFixed(3)];
  return `<tr data-word="${number}" data-fraction="${fraction}"><th scope="row">${swatch}<bdi>${escapeHtml(name)}</bdi>${drawn}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

/** The polygons of a class as the `d` of a path, in whole pixels of the small picture. */
function outline({ parts }: ClassRecord, across: number, down: number): string {
  return parts
    .flatMap(({ polygon }) => [polygon.outer, ...polygon.holes])
    .map((ring) => smallRing(ring, across, down))
    .filter((points) => points.length >= 6)
    .map((points) => `M${points.join(' ')}z`)
    .join('');
}

/** A ring at another size: points that fall together, or on the line between their neighbours, are left out. */
function smallRing(ring: readonly number[], across: number, down: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < ring.length; i += 2) {
    const [x, y] = [Math.round(ring[i]! * across), Math.round(ring[i + 1]! * down)];
    const at = out.length;
    if (at >= 2 && out[at - 2] === x && out[at - 1] === y) continue;
    if (at >= 4) {
      const [ax, ay, bx, by] = out.slice(at - 4) as [number, number, number, number];
      if ((bx - ax) * (y - by) === (by - ay) * (x - bx)) out.length = at - 2;
    }
    out.push(x, y);
  }
  return out;
}
