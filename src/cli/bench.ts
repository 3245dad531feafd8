import { Command } from 'commander';
import { type BenchResult, bench, chooseWorkloads } from '../bench/bench.ts';
import { shareChart } from '../bench/charts.ts';
import { Meter } from '../bench/meter.ts';
import { limitLines, rowTable, shareNote } from '../bench/tables.ts';
import type { Device } from '../gpu/device.ts';
import { wholeNumber } from './arguments.ts';
import { chartFile, jsonTarget, writeChart, writeJson } from './bench-files.ts';
import { adapterOption, type Context, withDevice } from './context.ts';
import { Interrupted, UsageError } from './errors.ts';
import { formatDuration, Progress, type Terminal } from './terminal.ts';
import { version } from './version.ts';

interface BenchArguments {
  readonly runs: number;
  readonly filter?: readonly string[];
  readonly quick?: boolean;
  readonly full?: boolean;
  readonly json?: string;
  readonly chart?: string;
  readonly adapter?: string;
}

/** `zeroseg bench`: this machine's limits, and what kernels and training steps make of them. */
export function benchCommand(context: Context): Command {
  return new Command('bench')
    .description("measure kernels and training steps against this device's own limits")
    .option('--runs <n>', 'runs of each; the median is told', wholeNumber(), 7)
    .option('--filter <words>', 'only work with one of these words in its name or group, with commas between', words)
    .option('--quick', 'small shapes: seconds on a GPU, about a minute without')
    .option('--full', 'a training step of the ViT-B/16 model too')
    .option('--json <file>', 'write everything that was measured; - prints it instead of the table', jsonTarget)
    .option('--chart <file>', 'draw the shares of the limit, as .svg or .png', chartFile)
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg bench --quick\n  zeroseg bench --filter matmul,attention --runs 20 --chart shares.svg',
    )
    .action((options: BenchArguments) => run(context, options));
}

async function run(context: Context, options: BenchArguments): Promise<void> {
  if (chooseWorkloads(options).length === 0) {
    const groups = [...new Set(chooseWorkloads({}).map(({ group }) => group))];
    throw new UsageError(
      `bench: no work has ${options.filter?.map((word) => `'${word}'`).join(' or ')} in its name or group; groups are ${groups.join(', ')}`,
    );
  }
  await withDevice(context, options.adapter, async (device, interruption) => {
    const terminal = options.json === '-' ? { ...context.terminal, out: context.terminal.note } : context.terminal;
    const meter = new Meter(device, options.runs, processorTime);
    const began = performance.now();
    terminal.out(deviceLine(device));
    const result = await measured(terminal, meter, options, () => interruption.signal !== undefined);
    if (options.json !== '-') {
      for (const line of [...limitLines(result.limits), '', ...rowTable(result.rows), '', shareNote(meter.clock)])
        terminal.out(line);
    }
    await writeJson(context.terminal, options.json, { ...about(device, meter, options.runs), ...result });
    if (options.chart) {
      const subtitle = `${device.name}${device.isSoftware ? ', in software' : ''} · @zeroseg/core ${version}`;
      await writeChart(options.chart, shareChart(result.rows, "Share of the device's own limit", subtitle));
      terminal.out(`chart: ${options.chart}`);
    }
    terminal.out(`${result.rows.length} measured in ${formatDuration((performance.now() - began) / 1000)}`);
    if (interruption.signal) throw new Interrupted(interruption.signal);
  });
}

async function measured(
  terminal: Terminal,
  meter: Meter,
  { quick = false, full = false, filter = [] }: BenchArguments,
  stopped: () => boolean,
): Promise<BenchResult> {
  let progress: Progress | undefined;
  try {
    return await bench(meter, {
      quick,
      full,
      filter,
      stopped,
      progress(name, done, of) {
        progress ??= new Progress(terminal, 'measuring', of, 'pieces');
        progress.at(done, name);
      },
    });
  } finally {
    progress?.stop();
  }
}

/** What a result was measured on. */
export function about(device: Device, { clock }: Meter, runs: number): Record<string, unknown> {
  const { name, isSoftware, features } = device;
  return { version, adapter: name, software: isSoftware, features: [...features].sort(), clock, runs };
}

export function deviceLine({ name, isSoftware }: Device): string {
  return `on ${name}${isSoftware ? ', in software: this is the speed of the processor' : ''}`;
}

function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function words(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
}
