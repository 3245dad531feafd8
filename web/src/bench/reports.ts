/** What a bug report needs, as text. */
import type { Tuned } from '@zeroseg/core';
import { limitLines, limitNote, rowTable, steadinessLine, tunedTable } from 'zeroseg/bench';
import type { BenchReport } from './messages.ts';
import type { Comparison } from './peers/peers.ts';
import { comparisonLines } from './peers/peers-table.ts';

export interface Measurements {
  readonly report: BenchReport | undefined;
  readonly tuned: readonly Tuned[];
  readonly comparison: Comparison | undefined;
}

export function asJson(measured: Measurements): string {
  return `${JSON.stringify(measured, undefined, 2)}\n`;
}

export function asMarkdown({ report, tuned, comparison }: Measurements): string {
  const parts: string[] = [];
  if (report) parts.push(...benchLines(report));
  if (comparison) parts.push(...comparisonLines(comparison), '');
  if (tuned.length > 0) parts.push('**Fastest variants of matrix products**', '', ...tunedTable(tuned), '');
  return parts.join('\n');
}

function benchLines(report: BenchReport): string[] {
  const { date, version, browser, adapter, vendor, architecture, software, features, quick, runs, clock } = report;
  return [
    `**ZeroSeg bench**, ${date.slice(0, 16).replace('T', ' ')} UTC${report.stopped ? ', stopped early' : ''}`,
    '',
    `- adapter: ${adapter}${software ? ' (on the processor)' : ''}${vendor ? `; ${vendor} ${architecture}` : ''}`,
    `- browser: ${browser}`,
    `- @zeroseg/core ${version}; ${quick ? 'small shapes; ' : ''}median of up to ${runs} runs, by ${clock === 'gpu' ? 'GPU timestamps' : 'the wall clock'}`,
    `- features: ${features.join(', ') || 'none'}`,
    '',
    ...limitLines(report.limits).map((line) => `    ${line}`),
    '',
    ...rowTable(report.rows),
    '',
    limitNote(clock),
    ...(report.probes.length > 0 ? [steadinessLine(report.probes, report.wobble)] : []),
    '',
  ];
}
