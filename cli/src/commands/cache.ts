import type { Device } from '@zeroseg/core';
import {
  type CachePart,
  checkFill,
  firstRepeated,
  formatBytes,
  LARGEST_GRID,
  MAX_GRIDS,
  MAX_PARTS,
  partCount,
  partName,
} from '@zeroseg/core/internal';
import {
  type DenseMode,
  denseModes,
  type FileSystem,
  type FillOptions,
  type FillPlan,
  fillCache,
  type RegionFeatures,
  readCache,
} from '@zeroseg/core/zeroseg';
import { Command, InvalidArgumentError, Option } from 'commander';
import { openPhotos, squareCodecs } from '../features/index.ts';
import { nodeFileSystem } from '../files/index.ts';
import { adapterOf, bindingNote, type Launched, launchedBy } from '../mpi/index.ts';
import { decodedAtOnce, isPhotoName } from '../photos/index.ts';
import {
  adapterOption,
  type Context,
  count,
  countIn,
  formatDuration,
  formatRate,
  type Interruption,
  numberFrom,
  oneOf,
  Progress,
  quietTerminal,
  UsageError,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';
import { kindOfPath, openTeacher } from '../weights/index.ts';

interface CacheArguments {
  readonly clip: string;
  readonly out: string;
  readonly grids: number[];
  readonly viewSource: 'native' | 'resized';
  readonly imageSize: number;
  readonly squares: 'raw' | 'none' | keyof typeof squareCodecs;
  readonly precision: 'f32' | 'f16';
  readonly regions: RegionFeatures;
  readonly denseMode?: DenseMode;
  readonly denseSize?: number;
  readonly batch?: number;
  readonly shard?: CachePart;
  readonly fileRows: number;
  readonly flush: number;
  readonly force?: boolean;
  readonly repair?: boolean;
  readonly adapter?: string;
}

/** `zeroseg cache`: what the teacher sees in every photo, computed once. */
export function cacheCommand(context: Context): Command {
  return new Command('cache')
    .description("compute the teacher's features of a folder of photos, once for all training")
    .argument(
      '<photos>',
      'folder of photos (JPEG, PNG, WebP, ...), with the folders and the tar or zip archives below it; or one archive',
    )
    .requiredOption(
      '--clip <place>',
      'CLIP or SigLIP: a folder, a file of weights, built-in, random-tiny or random-vit-l-14',
    )
    .requiredOption('--out <folder>', 'folder of the cache; one that exists is continued')
    .addOption(
      new Option(
        '--grids <list>',
        'views: the whole square, its quarters, ninths, ...; a grid k that is no whole number has overlapping cells of 1/k of the side',
      )
        .argParser(parseGrids)
        .default([1, 2, 3, 4], '1,2,3,4'),
    )
    .option(
      '--view-source <kind>',
      "cut views out of the photo's own pixels (native) or of the student's small square (resized)",
      oneOf('native', 'resized'),
      'native',
    )
    .option('--image-size <pixels>', "side of the student's squares, which training reads", wholeNumber(1, 16_384), 224)
    .option(
      '--squares <kind>',
      'how those are kept: raw (150 kB of 224 pixels), jpeg (a tenth; quality 92), lossless (a quarter; WebP), none (training cuts them from the photos)',
      oneOf('raw', 'jpeg', 'lossless', 'none'),
      'raw',
    )
    .option(
      '--precision <kind>',
      'what the teacher computes in: f32, or f16 where the device has it',
      oneOf('f32', 'f16'),
      'f32',
    )
    .option(
      '--regions <kind>',
      'what the teacher makes of cells: crops (30 passes a photo, as in the paper), pooled (one pass over the photo; the mean of each ' +
        "cell's patches), mixed (the mean of both)",
      oneOf('crops', 'pooled', 'mixed'),
      'crops',
    )
    .option(
      '--dense-mode <mode>',
      `for pooled and mixed: how patch features leave the last layer: ${denseModes.join(', ')} (default: maskclip)`,
      oneOf(...denseModes),
    )
    .option(
      '--dense-size <pixels>',
      "for pooled and mixed: side of the square that the teacher looks at, a multiple of its patch (default: twice a view's)",
      wholeNumber(1, 16_384),
    )
    .option(
      '--batch <views>',
      'views that go through the teacher at once (default: those of one photo)',
      wholeNumber(1, 65_536),
    )
    .option(
      '--shard <i/n>',
      'compute the i-th of n parts: n processes share the work, each with its part; training takes the folder with all of them',
      parsePart,
    )
    .option('--file-rows <photos>', 'photos in a file of the cache', wholeNumber(1, 1e6), 256)
    .option('--flush <seconds>', 'write a file after so long even if it is not full', numberFrom(0, 1e6), 60)
    .option('--force', 'empty a cache that was made with other settings')
    .option('--repair', 'drop damaged files of the cache and compute their photos again')
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExample:\n  zeroseg cache photos --clip models/clip-vit-large-patch14 --out out/cache\n\n' +
        'Stop it at any time, also with kill -9; the same command goes on where it was.\n' +
        'Two processes, on one machine or two that share a disk: the same command with --shard 1/2, and with --shard 2/2;\n' +
        'or once, behind mpirun -n 2. Without --shard, any number of processes goes on with all parts.',
    )
    .action((photos: string, options: CacheArguments) => cache(context, photos, options));
}

/** Computes what is missing in a cache. */
export async function cache(context: Context, photos: string, options: CacheArguments): Promise<void> {
  const launched = launchedBy(process.env);
  // The first of several processes tells how far it is; all of them tell what they made.
  const terminal = launched && launched.rank > 0 ? quietTerminal(context.terminal) : context.terminal;
  const bound = launched && bindingNote();
  if (bound) terminal.note(bound);
  if ((await kindOfPath(options.out)) === 'file') {
    throw new UsageError(`cache: --out ${options.out}: this is a file; give a folder`);
  }
  for (const [name, value] of [
    ['--dense-mode', options.denseMode],
    ['--dense-size', options.denseSize],
  ]) {
    if (value !== undefined && options.regions === 'crops') {
      throw new UsageError(`cache: ${name} is for --regions pooled or mixed; crops have no dense features`);
    }
  }
  if (options.shard && launched && launched.size > 1) {
    throw new UsageError(
      `cache: --shard is for processes that are started one by one; ${launched.size} of mpirun share the photos by themselves`,
    );
  }
  if (options.precision === 'f16' && options.regions !== 'crops') {
    throw new UsageError(`cache: --precision f16 is for --regions crops; got ${options.regions}`);
  }
  const isArchive = (await kindOfPath(photos)) === 'file' && !isPhotoName(photos);
  const source = await openPhotos(photos, isArchive);
  const [passed, ...others] = source.passedOver;
  if (passed) {
    const more = others.length > 0 ? ` (${count(others.length, 'other archives')} too)` : '';
    terminal.note(`not read: ${passed.path}: ${passed.reason}${more}`);
  }
  const clip = await openTeacher(options.clip);
  if (clip.isRandom) {
    terminal.note(`${clip.name}: its weights are random, made on the spot; its features mean nothing`);
  }
  const files = nodeFileSystem(options.out);
  const parts = await ownParts(files, options.shard, launched);
  const filling = {
    files,
    source,
    clip,
    grids: options.grids,
    viewSource: options.viewSource,
    studentSize: options.imageSize,
    squares:
      options.squares === 'jpeg' || options.squares === 'lossless' ? squareCodecs[options.squares] : options.squares,
    precision: options.precision,
    regions: options.regions,
    ...(options.denseMode ? { denseMode: options.denseMode } : {}),
    ...(options.denseSize ? { denseSize: options.denseSize } : {}),
    ...(options.batch ? { batch: options.batch } : {}),
    ahead: decodedAtOnce(),
    shardSize: options.fileRows,
    flushSeconds: options.flush,
    force: options.force ?? false,
    repair: options.repair ?? false,
  };
  const [first] = parts;
  if (launched && first && first.of < launched.size) {
    const idle = launched.size - first.of;
    terminal.note(
      `${options.out} is made in ${count(first.of, 'parts')}: ${idle} of ${launched.size} processes ${idle === 1 ? 'has' : 'have'} nothing to do`,
    );
  }
  const fillings = parts.map((part) => ({ ...filling, ...(part && { part }) }));
  for (const filling of fillings) await checkFill(filling);
  // Each with a device of its own, which ends with the teacher on it.
  for (const filling of fillings) {
    await withDevice({ ...context, terminal }, adapterOf(options.adapter, launched), (device, interruption) =>
      fill(device, filling, { terminal, interruption, photos, total: source.photos.length, out: options.out }),
    );
  }
}

/** The parts that are this process's own; undefined is the whole cache. One that was made in parts goes on in these, however many processes there are now. */
async function ownParts(
  files: FileSystem,
  shard: CachePart | undefined,
  launched: Launched | undefined,
): Promise<(CachePart | undefined)[]> {
  if (shard) return [shard];
  const { rank, size } = launched ?? { rank: 0, size: 1 };
  const of = (await partCount(files)) ?? launched?.size;
  if (of === undefined) return [undefined];
  return Array.from({ length: of }, (_, i) => ({ number: i + 1, of })).filter((_, i) => i % size === rank);
}

interface Filling {
  readonly terminal: Context['terminal'];
  readonly interruption: Interruption;
  /** Where the photos are, and how many there are for all parts. */
  readonly photos: string;
  readonly total: number;
  readonly out: string;
}

/** Computes what is missing in a cache, or in a part of one, and tells of it. */
async function fill(
  device: Device,
  filling: FillOptions,
  { terminal, interruption, photos, total, out }: Filling,
): Promise<void> {
  const { files, part } = filling;
  const place = part ? files.describe(partName(part)) : out;
  let progress: Progress | undefined;
  const began = performance.now();
  const result = await fillCache(device, {
    ...filling,
    signal: interruption.abortSignal,
    onProgress: ({ plan, done, failed }) => {
      if (done === 0) {
        terminal.log(planLine(plan, photos, device.name));
        for (const name of plan.dropped) terminal.note(`dropped the damaged ${name}; its photos are computed again`);
        if (plan.indexDamage) terminal.note(`${plan.indexDamage}; it is made again`);
        if (plan.missing > 0) progress = new Progress(terminal, 'caching', plan.missing, 'photos');
      }
      if (failed) progress?.say(`skipped ${failed.path}: ${failed.reason}`, 'note');
      if (done > 0) progress?.at(done);
    },
  })
    .finally(() => progress?.stop())
    .catch(async (error) => {
      if (interruption.signal) {
        const kept = await readCache(part ? files.folder(partName(part)) : files);
        const held = part ? count(kept.length, 'photos') : countIn(kept.length, total, 'photos');
        terminal.log(`stopped: ${held} in ${place}; run the same command to go on`);
      }
      throw error;
    });

  const seconds = (performance.now() - began) / 1000;
  if (result.computed > 0) {
    const rate = formatRate(result.computed / seconds, 'photos');
    terminal.log(`computed ${count(result.computed, 'photos')} in ${formatDuration(seconds)} (${rate})`);
    const { mean, largest, channel } = result.magnitude;
    terminal.log(
      `features: mean magnitude of a channel ${mean.toPrecision(3)}, largest value ${largest.toPrecision(3)} (channel ${channel})`,
    );
  }
  if (result.failures.size > 0) {
    terminal.out(`${count(result.failures.size, 'photos')} could not be used:`);
    for (const [path, reason] of result.failures) terminal.out(`  ${path}: ${reason}`);
  }
  terminal.out(`${place}: ${count(result.total, 'photos')}, ${formatBytes(result.bytes)}`);
}

/** `1,2,3,4`, `1,2,2.667`. */
function parseGrids(text: string): number[] {
  const grids = text.split(',').map(Number);
  if (!grids.every((k) => k >= 1 && k <= LARGEST_GRID) || grids.length > MAX_GRIDS) {
    throw new InvalidArgumentError(
      `It must be up to ${MAX_GRIDS} numbers from 1 to ${LARGEST_GRID} with commas between, such as 1,2,3,4.`,
    );
  }
  const twice = firstRepeated(grids);
  if (twice !== undefined) throw new InvalidArgumentError(`It must name each grid once; ${twice} comes twice.`);
  return grids;
}

/** `2/4`: the second of four parts. */
function parsePart(text: string): CachePart {
  const [, number, of] = (/^(\d{1,4})\/(\d{1,4})$/.exec(text.trim()) ?? []).map(Number);
  if (!number || !of || number > of || of > MAX_PARTS) {
    throw new InvalidArgumentError(`It must be i/n with i from 1 to n, and n at most ${MAX_PARTS}, such as 1/4.`);
  }
  return { number, of };
}

function planLine(plan: FillPlan, photos: string, adapter: string): string {
  const parts = [`${count(plan.photos, 'photos')} in ${photos}`];
  if (plan.fresh > 0) parts.push(`${plan.fresh} done before`);
  if (plan.changed > 0) parts.push(`${plan.changed} changed`);
  if (plan.retried > 0) parts.push(`${plan.retried} failed before`);
  if (plan.removed > 0) parts.push(`${plan.removed} gone`);
  return `${parts.join(', ')}; ${plan.missing} to do, ${count(plan.views, 'views')} each, on ${adapter}`;
}
