import { digits, markdownTable } from '../bench/index.ts';
import type { Fault } from './faults.ts';
import { type Figure, type GpuName, gpus } from './gpus.ts';
import type { ModelledGpu, ModelledLaunch } from './model.ts';

const percent = (share: number) => String(Math.round(share * 100));

/** Launches as one GPU would run them, and below what is wrong with each; `title`: what they belong to. */
export function modelTable(
  gpu: GpuName,
  work: readonly { readonly name: string; readonly launches: readonly ModelledLaunch[] }[],
): string[] {
  const rows: string[][] = [];
  const faults: string[] = [];
  for (const { name, launches } of work) {
    for (const launch of launches) {
      const on = launch.gpus.find((one) => one.gpu === gpu);
      if (!on) continue;
      rows.push([`${name}: ${launch.kernel}${launch.times > 1 ? ` × ${launch.times}` : ''}`, ...cells(launch, on)]);
      if (on.faults.length === 0) continue;
      faults.push('', `${name}: ${launch.kernel}`);
      for (const fault of on.faults) faults.push(`  ${faultLine(fault)}`);
    }
  }
  return [
    `${gpus[gpu].name}, by its published figures: nothing of this is measured`,
    '',
    ...markdownTable(headings, rows),
    ...faults,
  ];
}

function faultLine({ kind, text, line, more, words, share }: Fault): string {
  const where =
    text === undefined
      ? ''
      : ` ${text}${line === undefined ? '' : ` in line ${line}`}${more > 0 ? ` and ${more} more` : ''}:`;
  return `${percent(share)} % ${kind}:${where} ${words}`;
}

const headings = [
  'launch',
  'µs',
  'bound by',
  '% of peak',
  '% of bandwidth',
  'coalesced %',
  'bank turns',
  'barriers',
  'workgroups',
  'threads',
  'registers',
  'occupancy %',
];

function cells({ workgroups, workgroupSize, registers }: ModelledLaunch, on: ModelledGpu): string[] {
  const [x, y, z] = workgroupSize;
  const threads = x * y * z;
  return [
    digits(on.us),
    on.bound,
    percent(on.shareOfPeak),
    percent(on.shareOfBandwidth),
    percent(on.coalescing),
    on.conflicts === 1 ? '1' : on.conflicts.toFixed(1),
    String(Math.round(on.counts.ops.barriers / (workgroups * threads))),
    String(workgroups),
    String(threads),
    String(registers),
    percent(on.occupancy),
  ];
}

/** The figures of a GPU and where they are from. */
export function figureTable(gpu: GpuName): string[] {
  const rows = (Object.entries(gpus[gpu].figures) as [string, Figure][]).map(([name, { value, source }]) => [
    name,
    String(value),
    source,
  ]);
  return markdownTable(['figure', 'value', 'source'], rows);
}
