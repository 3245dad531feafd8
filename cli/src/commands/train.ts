import { join, resolve } from 'node:path';
import type { Device } from '@zeroseg/core';
import {
  formatBytes,
  initialNotes,
  lossLine,
  type Metrics,
  metricsOf,
  parseLossScale,
  positionTable,
  sampleSheet,
  shortTeacher,
  teacherIdentity,
} from '@zeroseg/core/internal';
import { buildModule, countParameters, newWeights, parameters } from '@zeroseg/core/nn';
import {
  type CacheReader,
  cachedData,
  initialWeights,
  loadOptimizer,
  modelFile,
  openModel,
  optimizerFile,
  type Probe,
  type ResolvedTraining,
  readCache,
  resizeImage,
  Segmenter,
  Trainer,
  ZeroSeg,
  type ZeroSegConfig,
} from '@zeroseg/core/zeroseg';
import { Command, Option } from 'commander';
import { nodeFileSystem, writeFileAtomic } from '../files/index.ts';
import { writePng } from '../photos/index.ts';
import { writeReport } from '../reports/index.ts';
import { type LoadedCheckpoint, pathsHash, RunFolder, refuseDifferences } from '../runs/index.ts';
import {
  adapterOption,
  type Context,
  count,
  formatDuration,
  formatRate,
  gather,
  Interrupted,
  type Interruption,
  numberFrom,
  Progress,
  seedRange,
  UsageError,
  version,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';
import { openWeights, teacherWeights } from '../weights/index.ts';
import { resolveOptions, type TrainOptions } from './train-options.ts';

export interface TrainArguments extends TrainOptions {
  readonly cache?: string;
  readonly out: string;
  readonly resume?: boolean;
  readonly init?: string;
  readonly saveEvery?: number;
  readonly sampleEvery?: number;
  readonly watchEvery?: number;
  readonly adapter?: string;
}

/** A checkpoint is also written after so many seconds, however few steps that are. */
const SAVE_SECONDS = 600;
/** Photos on a sample sheet. */
const SAMPLES = 8;

/** `zeroseg train`: a model out of cached features. */
export function trainCommand(context: Context): Command {
  return new Command('train')
    .description('train a model on cached features; resumable at any time')
    .option('--cache <folder>', 'features made by `zeroseg cache` (with --resume: those of the run)')
    .requiredOption('--out <folder>', 'folder of the run')
    .option('--config <name>', 'tiny, base (the paper) or a JSON file of keys and values (default: base)')
    .option('--set <key=value>', 'another value for a key of the configuration; may come more than once', gather)
    .option('--epochs <n>', 'passes over the photos; may be a fraction', numberFrom(0, 1e6))
    .option('--steps <n>', 'length of the run in steps instead of epochs', wholeNumber())
    .option('--batch <images>', 'images a step', wholeNumber(1, 2 ** 24))
    .option('--micro <images>', 'images that go through the GPU at once', wholeNumber(1, 2 ** 20))
    .option('--base-lr <rate>', 'learning rate for 256 images a step', numberFrom(0, 1e4))
    .option('--warmup <epochs>', 'epochs in which the rate grows (default: a quarter)', numberFrom(0, 1e6))
    .option('--seed <n>', 'of weights, order, masks and noise', wholeNumber(...seedRange))
    .addOption(
      new Option('--precision <dtype>', 'of activations and their gradients; weights are f32 (default: f32)').choices([
        'f32',
        'f16',
      ]),
    )
    .option('--checkpoint', 'compute the insides of blocks again for their gradients: less memory, more time')
    .option(
      '--init <file>',
      "begin with the weights of a safetensors file: MAE or timm, ViT-MAE, a CLIP (`built-in`: the package's) or a model",
    )
    .option('--save-every <steps>', 'steps between checkpoints (default: 100, and every ten minutes)', wholeNumber())
    .option('--sample-every <steps>', 'steps between sample pictures (default: a tenth of the run)', wholeNumber())
    .option(
      '--watch-every <steps>',
      'steps between looks at what the head does; 0 never looks',
      wholeNumber(0, 1e9),
      10,
    )
    .option('--resume', 'go on with the run in the folder; more --steps or --epochs make it longer')
    .option(...adapterOption)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  zeroseg train --cache out/cache --out out/run --config tiny --steps 500\n' +
        '  zeroseg train --out out/run --resume',
    )
    .action((options: TrainArguments) => train(context, options));
}

/** Trains, or goes on. What a `probe` measures goes into metrics and report. */
export async function train(context: Context, options: TrainArguments, probe?: Probe): Promise<void> {
  if (options.epochs !== undefined && options.steps !== undefined) {
    throw new UsageError('train: --epochs and --steps both give the length of the run; leave one out');
  }
  if (!options.resume) await RunFolder.refuseUsed(options.out);
  const before = options.resume ? await RunFolder.open(options.out) : undefined;
  try {
    await trainIn(context, options, before, probe);
  } finally {
    await before?.close();
  }
}

async function trainIn(
  context: Context,
  options: TrainArguments,
  before: RunFolder | undefined,
  probe: Probe | undefined,
): Promise<void> {
  const { terminal } = context;
  const cacheFolder = options.cache ?? before?.description.cache.folder;
  if (!cacheFolder) throw new UsageError('train: --cache is missing; make a cache with `zeroseg cache`');
  const cache = await readCache(nodeFileSystem(cacheFolder));
  try {
    const resolved = await resolveOptions(options, cache, before?.description);
    const { settings } = resolved;
    const init = options.init ?? before?.description.init ?? null;
    const config = before ? resolved.config : await withPositions(resolved, init);
    const data = cachedData(cache, config.image);
    const what = {
      init,
      cache: { folder: resolve(cacheFolder), photos: cache.length, paths: pathsHash(cache), key: cache.key },
      config,
      settings,
    };
    if (before) refuseDifferences(options.out, before.description, what);
    for (const note of resolved.notes) terminal.out(note);

    await withDevice(context, options.adapter, async (device, interruption) => {
      const begin = { version, adapter: device.name, started: new Date().toISOString(), preset: resolved.preset };
      const damaged: string[] = [];
      const checkpoint = await before?.newest((reason) => damaged.push(reason));
      const {
        model,
        words,
        notes = [],
      } = checkpoint ? checkpointModel(device, checkpoint) : await newModel(device, config, settings.seed, init);
      using trainer = await Trainer.create(device, model, data, settings, {
        statisticsEvery: options.watchEvery ?? 10,
        probe,
      });
      if (checkpoint) {
        const { optimizer, files } = checkpoint;
        const { loss_scale } = loadOptimizer(trainer.optimizer.state(), optimizer, files.optimizer);
        trainer.resume(
          checkpoint.step,
          loss_scale === undefined ? undefined : parseLossScale(loss_scale, files.optimizer),
        );
      }
      const place = checkpoint ? `the checkpoint of step ${checkpoint.step}` : 'the beginning';
      for (const reason of damaged) terminal.note(`${reason}; going on from ${place}`);
      if (before && before.description.adapter !== device.name) {
        terminal.note(
          `this run was begun on '${before.description.adapter}'; on '${device.name}' its numbers may differ in the last digits`,
        );
      }
      // Only now, when everything has been found to fit.
      const run = before ?? (await RunFolder.create(options.out, { ...begin, ...what }));
      try {
        const done = await run.metricsUpTo(trainer.done);
        if (before && settings.epochs !== before.description.settings.epochs) {
          const was = before.description.settings.epochs;
          await run.describe({ ...before.description, settings });
          terminal.out(
            `made longer: ${settings.epochs} epochs instead of ${was}; from here on, the learning rate is that of the longer training`,
          );
        }
        await run.clean(trainer.done);
        for (const note of notes) terminal.out(note);
        const { step, slots, weights } = trainer.memory;
        const { photos, key } = what.cache;
        terminal.out(
          `${(countParameters(model) / 1e6).toFixed(2)} M parameters (${words}), ${count(photos, 'photos')}, teacher ${key.teacher}, on ${device.name}`,
        );
        terminal.out(
          `a step of ${settings.batch} images${settings.micro < settings.batch ? ` in parts of ${settings.micro}` : ''}: ` +
            `${formatBytes(step)} planned, ${formatBytes(slots)} allocated; weights and optimizer ${formatBytes(weights)}`,
        );
        const from = trainer.done > 0 ? `, going on after step ${trainer.done}` : '';
        terminal.out(
          `${count(trainer.steps, 'steps')}, ${trainer.stepsPerEpoch} an epoch${from}; run folder ${options.out}`,
        );
        await runTraining(context, { device, trainer, run, cache, done, options, interruption });
      } finally {
        await run.close();
      }
    });
  } finally {
    await cache.close();
  }
}

/** The model of a checkpoint. */
function checkpointModel(
  device: Device,
  { step, model, files }: LoadedCheckpoint,
): { model: ZeroSeg; words: string; notes?: string[] } {
  return { model: openModel(device, model, files.model).model, words: `checkpoint of step ${step}` };
}

/** A model to begin training with: new weights, or those of a file as far as it has them; and what was not taken of it. */
export async function newModel(
  device: Device,
  config: ZeroSegConfig,
  seed: number,
  init: string | null,
): Promise<{ model: ZeroSeg; words: string; notes: string[] }> {
  if (init === null) {
    return { model: new ZeroSeg(newWeights(device, seed), config), words: `new, seed ${seed}`, notes: [] };
  }
  const { tensors } = await openWeights(await teacherWeights(init));
  const [used, taken] = [new Set<string>(), new Set<string>()];
  const weights = initialWeights(device, seed, tensors, init, used, taken);
  const model = await buildModule(weights, (from) => new ZeroSeg(from, config));
  const notes = await initialNotes(tensors, init, config, parameters(model).keys(), { used, taken });
  return { model, words: `${used.size} tensors from ${init}, the rest new, seed ${seed}`, notes };
}

/** A learnt position table of the weights that training begins with is taken over, where nothing else is said. */
async function withPositions(resolved: ResolvedTraining, init: string | null): Promise<ZeroSegConfig> {
  const { config, isPositionsOpen } = resolved;
  if (init === null || !isPositionsOpen) return config;
  const { tensors } = await openWeights(await teacherWeights(init));
  return (await positionTable(tensors, init))?.isLearnt ? { ...config, positions: 'learnt' } : config;
}

interface Running {
  readonly device: Device;
  readonly trainer: Trainer;
  readonly run: RunFolder;
  readonly cache: CacheReader;
  /** Metrics of the steps before. */
  readonly done: Metrics[];
  readonly options: TrainArguments;
  readonly interruption: Interruption;
}

async function runTraining({ terminal }: Context, running: Running): Promise<void> {
  const { device, trainer, run, cache, done: metrics, options, interruption } = running;
  const { settings, model } = trainer;
  const teacher = teacherIdentity(cache.key.teacher, cache.key.weights);
  const saveEvery = options.saveEvery ?? 100;
  const sampleEvery = options.sampleEvery ?? Math.max(1, Math.round(trainer.steps / 10));
  using segmenter = new Segmenter(device, model);
  const squares = await sampleSquares(cache, model.config.image);

  let saved = trainer.done;
  let savedAt = performance.now();
  const save = async () => {
    const step = trainer.done;
    if (step === saved) return;
    const state = { step: String(step), teacher, loss_scale: JSON.stringify(trainer.scale.state()) };
    await run.save(
      step,
      await modelFile(model, { step, teacher }),
      await optimizerFile(trainer.optimizer.state(), state),
    );
    saved = step;
    savedAt = performance.now();
  };
  let sampled = (await run.samples()).at(-1)?.step;
  const sample = async () => {
    if (sampled === trainer.done) return;
    await writePng(run.samplePath(trainer.done), await sampleSheet(segmenter, squares, model.config.patch), run);
    sampled = trainer.done;
  };
  const report = () => writeReport(run, metrics, { steps: trainer.steps, memory: trainer.memory, device: device.name });

  interruption.onStop(() => trainer.stop());
  const progress = new Progress(terminal, 'training', trainer.steps, 'steps', trainer.done);
  const began = performance.now();
  const first = trainer.done;
  let groups = '';
  try {
    if (trainer.done === 0) await sample();
    if (!interruption.signal) {
      for await (const step of trainer.run()) {
        const line = metricsOf(step, settings.batch);
        metrics.push(line);
        await run.append(line);
        if (step.grouping) groups = `, ${step.grouping.groups.toFixed(1)} groups`;
        progress.at(step.step, `${lossLine(model.config, [line])}${groups}`);
        if (step.step % sampleEvery === 0) await sample();
        if (step.step % saveEvery === 0 || performance.now() - savedAt > SAVE_SECONDS * 1000) await save();
      }
    }
  } catch (error) {
    // The last checkpoint stays; the report shows where it went wrong, if it can still be written.
    await report().catch(() => undefined);
    throw error;
  } finally {
    progress.stop();
  }
  const seconds = (performance.now() - began) / 1000;
  const steps = trainer.done - first;
  if (trainer.done < trainer.steps) {
    await save();
    await report();
    terminal.out(
      `stopped after step ${trainer.done} of ${trainer.steps}, saved; go on with: zeroseg train --out ${options.out} --resume`,
    );
    throw new Interrupted(interruption.signal ?? 'SIGINT');
  }
  await sample();
  await save();
  await writeFileAtomic(
    join(run.folder, 'model.safetensors'),
    await modelFile(model, { step: trainer.done, teacher }),
    run,
  );
  await report();
  if (steps > 0) {
    const rate = formatRate((steps * settings.batch) / seconds, 'images');
    terminal.out(`trained ${count(steps, 'steps')} in ${formatDuration(seconds)} (${rate})`);
  }
  const [a, z] = [metrics[0], metrics.at(-1)];
  if (a && z) {
    terminal.out(lossLine(model.config, [a, z]));
  }
  terminal.out(`model: ${join(run.folder, 'model.safetensors')} (teacher ${shortTeacher(teacher)})`);
  terminal.out(`report: ${join(run.folder, 'report.html')}`);
}

/** A few photos from all over the cache, the same in every picture of a run. */
async function sampleSquares(cache: CacheReader, side: number) {
  const many = Math.min(SAMPLES, cache.length);
  const numbers = Array.from({ length: many }, (_, i) => Math.floor((i * cache.length) / many));
  const squares = await Promise.all(numbers.map((number) => cache.image(number)));
  return squares.map((square) => (square.width === side ? square : resizeImage(square, side, side, 'bicubic')));
}
