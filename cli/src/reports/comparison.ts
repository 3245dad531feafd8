/** Models beside published figures, as Markdown, HTML and JSON. */
import type { FileSystem } from '@zeroseg/core/zeroseg';
import type { ComparisonTable } from './published.ts';
import { type ResultRow, writeResultPage } from './result-page.ts';

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

const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : (100 * value).toFixed(1);

/** Columns: the classes that the table is about, or else the data sets that were measured or published. */
function columnsOf({ table, measured }: Comparison): readonly string[] {
  if (table.classes) return [...table.classes, 'mean'];
  const seen = new Set(measured.map(({ data }) => data));
  return [...seen, ...['voc', 'context', 'coco'].filter((name) => !seen.has(name))];
}

function rowsOf(comparison: Comparison): ResultRow[] {
  const { table, measured } = comparison;
  const columns = columnsOf(comparison);
  const mean = (values: readonly (number | null | undefined)[]): number | null => {
    const known = values.filter((value) => typeof value === 'number');
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  const published = table.published.flatMap(({ method, note, scores, source }): ResultRow[] => {
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
  const ours = models.flatMap((model): ResultRow[] => {
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
  const adapters = [...new Set(measured.map(({ adapter }) => adapter))].join(', ');
  const about = [
    `Mean IoU in percent; in brackets 95 % intervals over the choice of photos. ${table.caution}`,
    measured.some(({ photos }) => photos < 1000)
      ? 'Measured on few photos: such scores are not to be held against published ones.'
      : '',
    `${measured.length} of ${planned} measured, by version ${version}${adapters ? ` on ${adapters}` : ''}.`,
  ].filter((text) => text !== '');
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
  return writeResultPage(files, name, {
    title: table.title,
    question: table.question,
    head,
    rows: rowsOf(comparison),
    notes: about,
    command,
    json,
  });
}
