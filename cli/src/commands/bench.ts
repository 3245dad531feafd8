import { type Device, saveTuning, type Tuned } from '@zeroseg/core';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type BenchProgress,
  bench,
  benchedDevice,
  chooseWorkloads,
  growthChart,
  growthLines,
  growthPanels,
  lending,
  limitChart,
  limitLines,
  limitNote,
  Meter,
  measureGrowth,
  rowTable,
  steadinessLine,
  triedLines,
  tunedTable,
  tuneSteps,
  WHOLE_STEPS,
} from '../bench/index.ts';
import { type GpuName, gpuModel, gpuNames, gpus, type ModelledLaunch, modelTable } from '../gpu-model/index.ts';
import { chartFile, jsonTarget, writeChart, writeJson } from '../reports/index.ts';
import {
  adapterOption,
  type Context,
  checkResultFile,
  count,
  formatDuration,
  Interrupted,
  notesTerminal,
  Progress,
  type Terminal,
  UsageError,
  version,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';

interface BenchArguments {
  readonly runs?: number;
  readonly filter?: readonly string[];
  readonly quick?: boolean;
  readonly full?: boolean;
  readonly growth?: boolean;
  readonly tune?: boolean;
  readonly why?: boolean;
  readonly model?: readonly GpuName[];
  readonly json?: string;
  readonly chart?: string;
  readonly adapter?: string;
}

const RUNS = 7;

/** `zeroseg bench`: this machine's limits, and what kernels and training steps make of them. */
export function benchCommand(context: Context): Command {
  return new Command('bench')
    .description("measure kernels and training steps against this device's own limits")
    .option('--runs <n>', `runs of each; the median is told (default: ${RUNS}; for --tune 5)`, wholeNumber(1, 1e6))
    .option('--filter <words>', 'only work with one of these words in its name or group, with commas between', words)
    .option('--quick', 'small shapes: seconds on a GPU, half a minute without')
    .option('--full', 'the ViT-B/16 model too: minutes without a GPU')
    .addOption(
      new Option('--growth', 'instead: how a training step grows with batch, patches and width').conflicts([
        'tune',
        'filter',
        'full',
      ]),
    )
    .addOption(
      new Option(
        '--tune',
        'instead: find the fastest matmul variants for this device, and keep them; minutes',
      ).conflicts(['filter', 'chart']),
    )
    .option('--why', 'with --tune: the time of every variant that was tried')
    .addOption(
      new Option(
        '--model <gpus>',
        `instead: what the kernels would do on GPUs that are not here, by their published figures: ${gpuNames.join(', ')}, or all; minutes`,
      )
        .argParser(gpuList)
        .conflicts(['growth', 'tune', 'chart', 'runs']),
    )
    .option('--json <file>', 'write everything that was measured; - prints it instead of the tables', jsonTarget)
    .option('--chart <file>', 'draw what was measured, as .svg or .png', chartFile)
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg bench --quick\n  zeroseg bench --filter matmul,attention --runs 20 --chart limits.svg\n' +
        '  zeroseg bench --growth --chart growth.png\n  zeroseg bench --tune\n  zeroseg bench --model h100,m3 --filter matmul,attention',
    )
    .action((options: BenchArguments) => run(context, options));
}

/** What a kind of measurement needs, and how it reports. */
interface Session {
  readonly device: Device;
  readonly meter: Meter;
  readonly options: BenchArguments;
  /** Tables go here; with `--json -` nowhere but to standard error. */
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BenchProgress) => void;
  /** Where and with what it was measured, for a chart. */
  readonly where: string;
}

async function run(context: Context, options: BenchArguments): Promise<void> {
  if (options.why && !options.tune) throw new UsageError('--why is for --tune; add it, or leave --why out');
  if (!options.tune && !options.growth) checkFilter(options);
  await checkResultFile('bench: --json', options.json, 'clock');
  await checkResultFile('bench: --chart', options.chart);
  await withDevice(context, options.adapter, async (device, { abortSignal }) => {
    const terminal = options.json === '-' ? notesTerminal(context.terminal) : context.terminal;
    const began = performance.now();
    const meter = new Meter(device, options.runs ?? RUNS, processorTime);
    let bar: Progress | undefined;
    const session: Session = {
      device,
      meter,
      options,
      terminal,
      signal: abortSignal,
      onProgress({ name, done, total }) {
        bar ??= new Progress(terminal, 'measuring', total, 'pieces');
        bar.at(done, name);
      },
      where: `${device.name}${device.isSoftware ? ', in software' : ''} · @zeroseg/core ${version}`,
    };
    const speed = device.isSoftware && !options.model ? ', in software: this is the speed of the processor' : '';
    terminal.log(`${options.model ? 'traced on' : 'on'} ${device.name}${speed}`);
    const work = options.tune ? tuning : options.growth ? growth : options.model ? modelled : againstLimits;
    try {
      const measured = await work(session, () => bar?.stop());
      await writeJson(context.terminal, options.json, { ...about(device, meter, options), ...measured });
    } finally {
      bar?.stop();
    }
    terminal.log(`in ${formatDuration((performance.now() - began) / 1000)}`);
    abortSignal.throwIfAborted();
  });
}

async function againstLimits(session: Session, measured: () => void): Promise<object> {
  const { meter, options, terminal, signal, onProgress, where } = session;
  const result = await bench(meter, { ...options, signal, onProgress });
  measured();
  const steadiness = result.probes.length === 0 ? [] : [steadinessLine(result.probes, result.wobble)];
  const lines = [...limitLines(result.limits), '', ...rowTable(result.rows), '', limitNote(meter.clock), ...steadiness];
  for (const line of lines) terminal.out(line);
  await draw(session, limitChart(result.rows, "Share of the device's own limit", where));
  return result;
}

async function growth(session: Session, measured: () => void): Promise<object> {
  const { meter, options, terminal, signal, onProgress, where } = session;
  const found = await measureGrowth(meter, { ...options, signal, onProgress });
  measured();
  for (const line of growthLines(found, meter.clock)) terminal.out(line);
  await draw(session, growthChart(growthPanels(found), 'How time and memory grow', where));
  return { growth: found };
}

async function tuning({ device, options, terminal, signal }: Session): Promise<object> {
  const tuned: Tuned[] = [];
  try {
    await tuneSteps(device, {
      ...options,
      again: true,
      progress(found, done, of) {
        tuned.push(found);
        terminal.note(`${done}/${of} ${found.work}: ${found.chosen}`);
        signal.throwIfAborted();
      },
    });
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    await saveTuning(device);
  }
  for (const line of tunedTable(tuned)) terminal.out(line);
  if (options.why) for (const line of ['', ...triedLines(tuned), '']) terminal.out(line);
  terminal.out(`${count(tuned.length, 'variants')} kept for later runs on this adapter`);
  return { tuned };
}

/** Whole steps launch some hundred kernels, which are those of the other work at other sizes: only where they are asked for. */
async function modelled({ device, options, terminal, signal, onProgress }: Session, done: () => void): Promise<object> {
  const names = options.model as readonly GpuName[];
  const all = chooseWorkloads(options).filter(({ group }) => options.filter || group !== WHOLE_STEPS);
  const work: { name: string; launches: ModelledLaunch[] }[] = [];
  for (const { name, prepare } of all) {
    if (signal.aborted) break;
    onProgress({ name, done: work.length, total: all.length });
    const launches = await lending(device, (lend) => gpuModel(device, prepare(lend), { gpus: names, signal }));
    work.push({ name, launches });
  }
  done();
  for (const name of names) for (const line of [...modelTable(name, work), '']) terminal.out(line);
  return { gpus: Object.fromEntries(names.map((name) => [name, gpus[name]])), work: work.map(forJson) };
}

/** As JSON can hold it. */
function forJson({ name, launches }: { readonly name: string; readonly launches: readonly ModelledLaunch[] }) {
  const short = launches.map(({ gpus, ...launch }) => ({
    ...launch,
    gpus: gpus.map(({ counts: { sites, unique, ...counts }, ...on }) => ({
      ...on,
      counts: {
        ...counts,
        uniqueBytes: Object.fromEntries(unique),
        sites: sites.map(({ site: { variable, action, text, line, bytes }, ...site }) => ({
          ...{ variable, action, text, line, elementBytes: bytes, ...site },
        })),
      },
    })),
  }));
  return { name, launches: short };
}

function gpuList(text: string): readonly GpuName[] {
  const names = words(text);
  if (names.includes('all')) return gpuNames;
  const wrong = names.find((name) => !(gpuNames as readonly string[]).includes(name));
  if (wrong !== undefined || names.length === 0) {
    throw new InvalidArgumentError(`It must be one or more of ${gpuNames.join(', ')} with commas between, or all.`);
  }
  return names as GpuName[];
}

async function draw({ options, terminal }: Session, chart: Parameters<typeof writeChart>[1]): Promise<void> {
  if (options.chart === undefined) return;
  await writeChart(options.chart, chart);
  terminal.out(`chart: ${options.chart}`);
}

/** What a result was measured on. */
function about(device: Device, { clock }: Meter, { runs = RUNS, quick = false }: BenchArguments) {
  const { name: adapter, isSoftware: software } = device;
  const features = [...device.features].sort();
  return { version, adapter, software, features, device: benchedDevice(device), clock, runs, quick };
}

function checkFilter(options: BenchArguments): void {
  if (chooseWorkloads(options).length > 0) return;
  const wanted = options.filter?.map((word) => `'${word}'`).join(' or ');
  const groups = [...new Set(chooseWorkloads({}).map(({ group }) => group))].join(', ');
  throw new UsageError(`bench: no work has ${wanted} in its name or group; the groups are ${groups}`);
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
