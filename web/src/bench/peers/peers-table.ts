import { digits, markdownTable } from 'zeroseg/bench';
import type { Comparison } from './peers.ts';

type Cell = Comparison['rows'][number]['cells'][string];

/** Milliseconds, or why there are none. */
export function timeOf(cell: Cell | undefined): string {
  if (!cell || cell.state === 'none' || !cell.wall) return cell?.failure ? 'failed' : '';
  return cell.state === 'wrong' ? 'wrong' : digits(cell.wall.median);
}

/** As a Markdown table. */
export function comparisonLines({ adapter, runs, labels, rows }: Comparison): string[] {
  const libraries = Object.keys(labels);
  const head = ['ms', ...libraries.map((library) => labels[library] as string), 'times as fast as the fastest other'];
  const lines = rows.map(({ name, cells, ratios }) => [
    name,
    ...libraries.map((library) => timeOf(cells[library])),
    ratios ? ratios.median.toFixed(2) : '',
  ]);
  return [
    `**The same work in other libraries**: ${adapter}; median of ${runs} rounds in turns, by the wall clock`,
    '',
    ...markdownTable(head, lines),
  ];
}
