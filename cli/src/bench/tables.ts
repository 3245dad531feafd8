import { BUSY, type Row } from './bench.ts';
import type { Limits, Probe } from './limits.ts';
import type { Clock } from './meter.ts';

/** Columns of {@link rowTable}. */
const headings = [
  '',
  'ms',
  'CPU ms',
  'GPU ms',
  'GFLOP/s',
  'GB/s',
  '% of limit',
  'first ms',
  'dispatches',
  'MB',
] as const;

/** A table as Markdown has it, and as one can read it: columns of one width, numbers to the right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)];
}

/** The rows under their groups; columns in which nothing was measured are left out. */
export function rowTable(rows: readonly Row[]): string[] {
  const cells: string[][] = [];
  let group = '';
  for (const row of rows) {
    if (row.group !== group) cells.push([`**${(group = row.group)}**`, ...headings.slice(1).map(() => '')]);
    cells.push([
      row.name,
      digits(row.ms),
      row.processorMs === null ? '' : digits(row.processorMs),
      row.gpuMs === null ? '' : digits(row.gpuMs),
      row.gflops === null ? '' : digits(row.gflops),
      row.gigabytesPerSecond === null ? '' : digits(row.gigabytesPerSecond),
      row.fraction === null ? '' : digits(row.fraction * 100),
      digits(row.firstMs),
      String(row.dispatches),
      digits(row.bytes / 1e6),
    ]);
  }
  const used = headings.map((_, i) => i === 0 || cells.some((row) => row[i] !== ''));
  const only = (row: readonly string[]) => row.filter((_, i) => used[i]);
  return markdownTable(only(headings), cells.map(only));
}

/** The device's limits in words. */
export function limitLines(limits: Limits): string[] {
  return [
    `multiply-adds  ${digits(limits.flopsPerSecond / 1e9)} GFLOP/s (${limits.flopsVariant})`,
    `copy           ${digits(limits.bytesPerSecond / 1e9)} GB/s read and written by a kernel, ${digits(limits.commandBytesPerSecond / 1e9)} by copyBufferToBuffer`,
    `empty dispatch ${digits(limits.dispatchUs)} µs in one pass, ${digits(limits.submitUs)} µs with a submit of its own`,
    `host           ${digits(limits.hostUs)} µs a launch of a replayed step`,
  ];
}

/** What the column `% of limit` says. */
export function limitNote(clock: Clock): string {
  const by = { gpu: 'GPU time', processor: 'processor time', wall: 'the wall clock' }[clock];
  return (
    '% of limit: the least time in which the device could compute or move that much, over the time taken, both by ' +
    `${by}. Above 100: in a cache. first ms: recorded, planned, compiled and run for the first time.`
  );
}

/** How steady the limits were; and what it means where they were not. */
export function steadinessLine(probes: readonly Probe[], wobble: number): string {
  const range = (values: readonly number[]) =>
    `${digits(Math.min(...values) / 1e9)} to ${digits(Math.max(...values) / 1e9)}`;
  const again = `measured again meanwhile: ${range(probes.map(({ flops }) => flops))} GFLOP/s, ${range(probes.map(({ bytes }) => bytes))} GB/s`;
  if (wobble <= BUSY) return again;
  return `${again}. The limits moved by ${Math.round(wobble * 100)} %: something else uses this machine, and shares mean little. Measure again when it is idle.`;
}

/** Three significant digits. */
export function digits(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
  const places = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return value.toFixed(places);
}
