/** Models beside published figures, as Markdown, HTML and JSON. */
import type { FileSystem } from '@zeroseg/core/zeroseg';
import { recordText } from '../files/index.ts';
import { escapeHtml, htmlPage } from '../html/index.ts';
import type { ComparisonTable } from './published.ts';

/** A model on a data set. */
export interface MeasuredScore {
  readonly model: string;
  readonly data: string;
  readonly root: string;
  readonly photos: number;
  readonly mean_iou: number | null;
  readonly interval: { readonly low: number; readonly high: number } | null;
  readonly classes: readonly { readonly name?: string; readonly iou: number | null }[];
  readonly adapter: string;
}

export interface Comparison {
  readonly table: ComparisonTable;
  readonly measured: readonly MeasuredScore[];
  /** How many pairs of models and data sets there are to be. */
  readonly planned: number;
  readonly command: string;
  readonly version: string;
}

interface Row {
  readonly cells: readonly string[];
  readonly isMeasured: boolean;
}

const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : (100 * value).toFixed(1);

/** Columns: the classes that the table is about, or else the data sets that were measured or published. */
function columnsOf({ table, measured }: Comparison): readonly string[] {
  if (table.classes) return [...table.classes, 'mean'];
  const seen = new Set(measured.map(({ data }) => data));
  return [...seen, ...['voc', 'context', 'coco'].filter((name) => !seen.has(name))];
}

function rowsOf(comparison: Comparison): Row[] {
  const { table, measured } = comparison;
  const columns = columnsOf(comparison);
  const mean = (values: readonly (number | null | undefined)[]): number | null => {
    const known = values.filter((value) => typeof value === 'number');
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  const published = table.published.flatMap(({ method, note, scores, source }): Row[] => {
    const own = columns.map((name) =>
      name === 'mean' && table.classes ? mean(Object.values(scores)) : (scores as Record<string, number>)[name],
    );
    if (own.every((score) => score === undefined)) return [];
    const cells = own.map((score) =>
      score === undefined || score === null ? '–' : String(Number((score + 1e-9).toFixed(2))),
    );
    return [{ cells: [method, note, ...cells, source], isMeasured: false }];
  });
  const models = [...new Set(measured.map(({ model }) => model))];
  const ours = models.flatMap((model): Row[] => {
    const those = measured.filter((one) => one.model === model);
    const notes = those.map(({ data, photos }) => `${data}: ${photos.toLocaleString('en')} photos`).join('; ');
    if (table.classes) {
      return those.map(({ data, photos, classes }) => {
        const ious = table.classes!.map((name) => classes.find((one) => one.name === name)?.iou);
        return {
          cells: [model, `${data}: ${photos} photos`, ...[...ious, mean(ious)].map(percent), 'measured'],
          isMeasured: true,
        };
      });
    }
    const cells = columns.map((name) => {
      const one = those.find(({ data }) => data === name);
      if (!one) return '–';
      const { interval } = one;
      return interval
        ? `${percent(one.mean_iou)} (${percent(interval.low)} to ${percent(interval.high)})`
        : percent(one.mean_iou);
    });
    return [{ cells: [model, notes, ...cells, 'measured'], isMeasured: true }];
  });
  return [...published, ...ours];
}

/** Writes `NAME.md`, `NAME.html` and `NAME.json`; returns the lines of the table. */
export async function writeComparison(
  files: FileSystem,
  name: string,
  comparison: Comparison,
): Promise<{ readonly lines: readonly string[]; readonly files: readonly string[] }> {
  const { table, measured, planned, command, version } = comparison;
  const head = ['model', 'how', ...columnsOf(comparison), 'source'];
  const rows = rowsOf(comparison);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(({ cells }) => cells[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const lines = [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(({ cells }) => line(cells))];
  const adapters = [...new Set(measured.map(({ adapter }) => adapter))].join(', ');
  const about = [
    `Mean IoU in percent; in brackets 95 % intervals over the choice of photos. ${table.caution}`,
    measured.some(({ photos }) => photos < 1000)
      ? 'Measured on few photos: such scores are not to be held against published ones.'
      : '',
    `${measured.length} of ${planned} measured, by version ${version}${adapters ? ` on ${adapters}` : ''}.`,
  ].filter((text) => text !== '');
  const markdown = [
    `# ${table.title}`,
    '',
    table.question,
    '',
    ...lines,
    '',
    ...about.flatMap((text) => [text, '']),
    `\`${command}\``,
  ];
  const cellsOf = (cells: readonly string[], tag: string): string =>
    cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('');
  const main = `<h1>${escapeHtml(table.title)}</h1>
<p>${escapeHtml(table.question)}</p>
<section class="scroll"><table><thead><tr>${cellsOf(head, 'th')}</tr></thead>
<tbody>${rows.map(({ cells, isMeasured }) => `<tr${isMeasured ? ' class="measured"' : ''}>${cellsOf(cells, 'td')}</tr>`).join('\n')}</tbody></table></section>
${about.map((text) => `<p>${escapeHtml(text)}</p>`).join('\n')}
<p><code>${escapeHtml(command)}</code></p>`;
  const json = {
    format: 'zeroseg-comparison-1',
    name,
    title: table.title,
    version,
    command,
    planned,
    published: table.published,
    measured,
  };
  await files.write(`${name}.md`, `${markdown.join('\n')}\n`);
  await files.write(`${name}.html`, htmlPage({ title: table.title, style, main }));
  await files.write(`${name}.json`, recordText(json));
  return { lines, files: ['md', 'html', 'json'].map((ending) => files.describe(`${name}.${ending}`)) };
}

const style = `
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; } th { text-align: left; font-weight: 600; }
th, td { padding: 6px 14px 6px 0; border-top: 1px solid var(--line); vertical-align: top; } .measured td { font-weight: 600; }
p { max-width: 75em; } code { overflow-wrap: anywhere; }
`;
