/** A result of the paper and what was measured beside it, as Markdown, HTML and JSON. */
import type { FileSystem } from '@zeroseg/core/zeroseg';
import { recordText } from '../files/index.ts';
import { escapeHtml, htmlPage } from '../html/index.ts';

export interface ResultRow {
  readonly cells: readonly string[];
  /** Whether it was measured here: such rows stand out. */
  readonly isMeasured: boolean;
}

export interface ResultPage {
  readonly title: string;
  readonly question: string;
  /** Pictures of the same folder, above the table. */
  readonly pictures?: readonly { readonly file: string; readonly alt: string }[];
  readonly head: readonly string[];
  readonly rows: readonly ResultRow[];
  /** Paragraphs below the table. */
  readonly notes: readonly string[];
  /** Makes it again. */
  readonly command: string;
  /** What `NAME.json` holds. */
  readonly json: object;
}

/** Writes `NAME.md`, `NAME.html` and `NAME.json`; returns the lines of the table. */
export async function writeResultPage(
  files: FileSystem,
  name: string,
  { title, question, pictures = [], head, rows, notes, command, json }: ResultPage,
): Promise<{ readonly lines: readonly string[]; readonly files: readonly string[] }> {
  const widths = head.map((word, i) => Math.max(word.length, ...rows.map(({ cells }) => cells[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const lines = [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(({ cells }) => line(cells))];
  const markdown = [
    `# ${title}`,
    ...['', question, ''],
    ...pictures.flatMap(({ file, alt }) => [`![${alt}](${encodeURI(file)})`, '']),
    ...lines,
    '',
    ...notes.flatMap((text) => [text, '']),
    `\`${command}\``,
  ];
  const cellsOf = (cells: readonly string[], tag: string): string =>
    cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('');
  const main = `<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(question)}</p>
${pictures.map(({ file, alt }) => `<figure><a href="${encodeURI(file)}"><img src="${encodeURI(file)}" alt="${escapeHtml(alt)}"></a></figure>\n`).join('')}<section class="scroll"><table><thead><tr>${cellsOf(head, 'th')}</tr></thead>
<tbody>${rows.map(({ cells, isMeasured }) => `<tr${isMeasured ? ' class="measured"' : ''}>${cellsOf(cells, 'td')}</tr>`).join('\n')}</tbody></table></section>
${notes.map((text) => `<p>${escapeHtml(text)}</p>`).join('\n')}
<p><code>${escapeHtml(command)}</code></p>`;
  await files.write(`${name}.md`, `${markdown.join('\n')}\n`);
  await files.write(`${name}.html`, htmlPage({ title, style, main }));
  await files.write(`${name}.json`, recordText(json));
  return { lines, files: ['md', 'html', 'json'].map((ending) => files.describe(`${name}.${ending}`)) };
}

const style = `
main { max-width: 1200px; padding: 32px 24px 64px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; } th { text-align: left; font-weight: 600; }
th, td { padding: 6px 14px 6px 0; border-top: 1px solid var(--line); vertical-align: top; } .measured td { font-weight: 600; }
p { max-width: 75em; } code { overflow-wrap: anywhere; } figure { margin: 16px 0; } img { max-width: 100%; height: auto; }
`;
