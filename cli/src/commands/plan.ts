import { OutOfMemoryError } from '@zeroseg/core';
import { formatBytes, ownValue } from '@zeroseg/core/internal';
import { presets } from '@zeroseg/core/zeroseg';
import { Command } from 'commander';
import {
  ASSUMED_SHARE,
  type Duration,
  fits,
  type LinkName,
  links,
  measuredDevice,
  namedDevice,
  type Plan,
  type PlanDevice,
  planDeviceNames,
  planRun,
  scalingChart,
} from '../plan/index.ts';
import { chartFile, jsonTarget, writeChart, writeJson } from '../reports/index.ts';
import {
  type Context,
  checkResultFile,
  count,
  numberFrom,
  oneOf,
  resolveOptions,
  type TrainOptions,
  UsageError,
  version,
  wholeNumber,
} from '../shell/index.ts';
import { kindOfPath, openTeacher } from '../weights/index.ts';

interface PlanArguments extends TrainOptions {
  readonly clip: string;
  readonly images: number;
  readonly device: string;
  readonly share: number;
  readonly gpuMemory?: number;
  readonly ranks: number;
  readonly link: LinkName;
  readonly threads: number;
  readonly json?: string;
  readonly chart?: string;
}

/** ImageNet's training photos: what the paper learns from. */
const IMAGENET = 1_281_167;

/** `zeroseg plan`: what a run takes, before anything is begun. */
export function planCommand(context: Context): Command {
  return new Command('plan')
    .description(
      'tell what caching, training and evaluation take on a device that need not be here: bytes, FLOP, hours',
    )
    .option('--config <name>', `${Object.keys(presets).join(', ')}, or a .json file`, 'base')
    .option('--set <key=value...>', 'set any key of the configuration')
    .option('--images <n>', 'photos to learn from', wholeNumber(), IMAGENET)
    .option(
      '--clip <place>',
      'the teacher: a CLIP or SigLIP, or random-vit-l-14, which has the sizes of the paper’s',
      'random-vit-l-14',
    )
    .option('--device <name>', `${planDeviceNames.join(', ')}, or a file of \`zeroseg bench --json\``, 'h100')
    .option(
      '--share <share>',
      'for a device by name: the share of its published rate of f32 that steps are taken to reach',
      numberFrom(0.001, 1),
      ASSUMED_SHARE,
    )
    .option(
      '--gpu-memory <gigabytes>',
      'what the micro-batch may fill (default: what the device is known to have)',
      numberFrom(0.001, 1e6),
    )
    .option('--batch <images>', 'images a step', wholeNumber())
    .option('--micro <images>', 'images through the GPU at once (default: the most that fit)', wholeNumber())
    .option('--epochs <n>', 'passes over the photos', numberFrom(0.0001, 1e6))
    .option('--precision <kind>', 'f32 or f16', oneOf('f32', 'f16'))
    .option('--checkpoint', 'the insides of blocks are computed again')
    .option('--ranks <n>', 'processes, with a GPU each', wholeNumber(1, 4096), 1)
    .option(
      '--link <kind>',
      'what joins them: 10gbe, 100gbe, nvlink',
      oneOf(...(Object.keys(links) as LinkName[])),
      '100gbe',
    )
    .option('--threads <n>', "threads of each rank's host that read and cut photos", wholeNumber(1, 1024), 8)
    .option('--chart <file>', 'draw the efficiency of 1 to 64 ranks (.svg or .png)', chartFile)
    .option('--json <file>', 'write the plan; - prints it instead of the table', jsonTarget)
    .addHelpText(
      'after',
      '\nExamples:\n  zeroseg plan --device rtx4090 --images 100000\n' +
        '  zeroseg plan --ranks 8 --link 100gbe --chart out/scaling.svg\n\n' +
        'Bytes are those of the recorded steps, to the byte. Hours follow from what the steps launch and what that takes: of a device by name a share of\n' +
        'its published rate, of one that was measured what the benchmark says of each kind of kernel. Ranks are a model: proposed are the most that share a\n' +
        'batch evenly and are at least 90 % efficient over --link.',
    )
    .action((options: PlanArguments, command: Command) => plan(context, options, command));
}

async function plan(context: Context, options: PlanArguments, command: Command): Promise<void> {
  const { clip: place, images, ranks, link, threads } = options;
  await checkResultFile('plan: --json', options.json, 'plan');
  await checkResultFile('plan: --chart', options.chart);
  const clip = await openTeacher(place);
  const device = await deviceOf(options, command);
  const grids = presets['base']?.config.grids ?? [1, 2, 3, 4];
  const facts = { folder: 'the plan', length: images, key: { dim: clip.config.projection, grids, teacher: clip.name } };
  const training = await resolveOptions(options, facts);
  const { batch } = training.settings;
  if (batch % ranks !== 0) {
    throw new UsageError(
      `plan: --ranks ${ranks}: a batch of ${batch} images cannot be shared evenly; choose a divisor of it`,
    );
  }
  const settled = { clip, ranks, link: links[link], device, threads };
  const isMicroChosen = options.micro !== undefined;
  if (isMicroChosen && (batch / ranks) % training.settings.micro !== 0) {
    throw new UsageError(
      `plan: --micro ${training.settings.micro} does not divide the ${batch / ranks} images that a rank has of a batch`,
    );
  }
  const naming = ownValue(presets, training.preset)?.naming;
  const found = await planRun({ ...settled, training, naming, isMicroChosen, images });
  const paper = await resolveOptions({ config: 'base' }, { ...facts, length: IMAGENET });
  const isPaper = images === IMAGENET && JSON.stringify(paper) === JSON.stringify(training) && !isMicroChosen;
  const isShared = paper.settings.batch % ranks === 0;
  let published = isPaper ? found : undefined;
  if (!isPaper && isShared) {
    const asPublished = { ...settled, training: paper, isMicroChosen: false, images: IMAGENET };
    published = await planRun(asPublished).catch(unlessTooLarge);
  }
  const { terminal } = context;
  if (options.json !== '-') {
    terminal.out(`${device.name} (${device.source}), ${count(ranks, 'ranks')}, teacher ${clip.name}`);
    terminal.out('');
    const columns = isPaper || !published ? [found] : [found, published];
    const head = ['', 'this run', "the paper's run"].slice(0, 1 + columns.length);
    for (const line of table(head, rowsOf(columns, device))) terminal.out(line);
    const missing = isShared
      ? "The paper's run does not fit the memory of this device."
      : `The paper's batch of ${paper.settings.batch} cannot be shared by ${ranks} ranks.`;
    if (!published) for (const line of ['', missing]) terminal.out(line);
  }
  const { training: cost } = found.memory;
  if (device.memory !== undefined && !fits(cost, device.memory)) {
    terminal.note(
      `micro-batches of ${found.micro} take ${formatBytes(cost.device + cost.copy)}, more than ${device.name} has to spare of ${formatBytes(device.memory)}`,
    );
  }
  const { clock, pace } = device;
  await writeJson(terminal, options.json, {
    ...{ format: 'zeroseg-plan-2', version, device: device.name, source: device.source, clock, pace },
    ...{ ranks, link, images, plan: found, paper: published ?? null },
  });
  if (options.chart) {
    const title = `Scaling efficiency of training '${training.preset}', batches of ${batch}: a model`;
    await writeChart(
      options.chart,
      scalingChart(found.step, title, `${device.name}, ${device.source}; micro-batches of ${found.micro}`),
    );
    terminal.out(`chart: ${options.chart}`);
  }
}

async function deviceOf({ device: place, share, gpuMemory }: PlanArguments, command: Command): Promise<PlanDevice> {
  const named = namedDevice(place, share);
  if (!named && command.getOptionValueSource('share') !== 'default') {
    throw new UsageError('plan: --share is for a device by name; a benchmark has measured it');
  }
  if (!named && (await kindOfPath(place)) !== 'file') {
    throw new UsageError(
      `plan: --device ${place}: there is neither such a file nor such a device; give ${planDeviceNames.join(', ')}, or a file that \`zeroseg bench --json FILE\` wrote`,
    );
  }
  const device = named ?? (await measuredDevice(place));
  return gpuMemory === undefined ? device : { ...device, memory: 1e9 * gpuMemory };
}

function unlessTooLarge(error: unknown): undefined {
  if (!(error instanceof OutOfMemoryError)) throw error;
}

const hours = (seconds: number): string => {
  const value = seconds / 3600;
  return value < 0.1
    ? `${(60 * value).toPrecision(2)} min`
    : `${value < 10 ? value.toPrecision(2) : Math.round(value).toLocaleString('en')} h`;
};
const duration = ({ total, limit }: Duration): string => `${hours(total)}, limited by ${limit}`;
const tera = (flops: number): string => `${(flops / 1e12).toPrecision(3)} TFLOP`;

/** The table's rows: what, and of each plan. */
function rowsOf(plans: readonly Plan[], { clock, pace }: PlanDevice): string[][] {
  const row = (what: string, value: (plan: Plan) => string): string[] => [what, ...plans.map(value)];
  const bytes = (value: number): string => formatBytes(value);
  return [
    row('parameters: student', ({ parameters }) => `${(parameters / 1e6).toFixed(1)} M`),
    row('parameters: teacher', ({ teacherParameters }) => `${(teacherParameters / 1e6).toFixed(1)} M`),
    row('FLOP: views of a photo', ({ flops }) => tera(flops.photo)),
    row('FLOP: an image trained on', ({ flops }) => tera(flops.image)),
    row('FLOP: evaluation (VOC 2012)', ({ flops }) => tera(flops.evaluation)),
    row('disk: features and squares', ({ disk }) => bytes(disk.features)),
    row('disk: with squares as jpeg, about', ({ disk }) => bytes(disk.features - disk.squares.raw + disk.squares.jpeg)),
    row('disk: … lossless, about', ({ disk }) => bytes(disk.features - disk.squares.raw + disk.squares.lossless)),
    row('disk: … none', ({ disk }) => bytes(disk.features - disk.squares.raw)),
    row('disk: names and checksums, about', ({ disk }) => bytes(disk.index)),
    row('disk: a checkpoint', ({ disk }) => bytes(disk.model + disk.optimizer)),
    row('disk: the run, at most', ({ disk }) => bytes(disk.run)),
    row('micro-batch', ({ micro }) => String(micro)),
    row('GPU memory: teacher', ({ memory }) => bytes(memory.teacher.weights + memory.teacher.step)),
    row('GPU memory: weights, optimizer', ({ memory }) => bytes(memory.training.weights)),
    row('GPU memory: a pass', ({ memory }) => bytes(memory.training.step)),
    row('GPU memory: training in all', ({ memory }) => bytes(memory.training.device)),
    row('GPU memory: … while it is saved', ({ memory }) => bytes(memory.training.device + memory.training.copy)),
    row('host memory: a process, about', ({ hostMemory }) => bytes(hostMemory)),
    row('steps', ({ steps }) => steps.toLocaleString('en')),
    row('seconds a step', ({ stepSeconds }) => stepSeconds.toPrecision(3)),
    ...(clock === 'processor'
      ? [row('… of processor time', ({ stepSeconds }) => (stepSeconds / pace).toPrecision(3))]
      : []),
    row('cache', ({ cache }) => duration(cache)),
    row('training', ({ training }) => duration(training)),
    row('evaluation (VOC 2012)', ({ evaluation }) => duration(evaluation)),
    row('network, a rank and step', ({ network }) => bytes(network.step)),
    row('network, a rank in all', ({ network }) => bytes(network.run)),
    row('efficiency of the ranks', (plan) => `${Math.round(100 * plan.efficiency)} %`),
    row(
      'ranks proposed, at most',
      ({ proposal }) =>
        `${proposal.ranks} (micro-batch ${proposal.micro}, ${Math.round(100 * proposal.efficiency)} % efficient)`,
    ),
  ];
}

function table(head: readonly string[], rows: readonly string[][]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => (cells[i] ?? '').length)));
  return all.map((cells) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd(),
  );
}
