import { resolve } from 'node:path';
import type { Device } from '@zeroseg/core';
import { heldOutCount, ownValue, pathsHash, refuseDifferences, teacherIdentity } from '@zeroseg/core/internal';
import {
  cachedData,
  openRun,
  type Probe,
  presets,
  type RunDescription,
  readCache,
  TrainingRun,
  type TrainingStart,
  type Validation,
} from '@zeroseg/core/zeroseg';
import { Command, Option } from 'commander';
import { nodeFileSystem } from '../files/index.ts';
import { describeRun, type Training, trainToTheEnd } from '../reports/index.ts';
import { newModel, withPositions } from '../runs/index.ts';
import {
  adapterOption,
  type Context,
  gather,
  neededToBegin,
  numberFrom,
  offering,
  resolveOptions,
  seedRange,
  type TrainOptions,
  UsageError,
  version,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';

export interface TrainArguments extends TrainOptions {
  readonly cache?: string;
  readonly out: string;
  readonly resume?: boolean;
  readonly init?: string;
  readonly saveEvery?: number;
  readonly sampleEvery?: number;
  readonly watchEvery?: number;
  readonly log?: 'tensorboard';
  readonly validate?: number;
  readonly validateEvery?: number;
  readonly adapter?: string;
}

/** `zeroseg train`: a model out of cached features. */
export function trainCommand(context: Context): Command {
  return new Command('train')
    .description('train a model on cached features; resumable at any time')
    .addOption(neededToBegin('--cache <folder>', 'features made by `zeroseg cache` (with --resume: those of the run)'))
    .requiredOption('--out <folder>', 'folder of the run')
    .addOption(
      offering(
        new Option(
          '--config <name or file>',
          'tiny, base (the paper) or a JSON file of keys and values (default: base)',
        ),
        ...Object.keys(presets),
      ),
    )
    .option('--set <key=value>', 'another value for a key of the configuration; may come more than once', gather)
    .option('--epochs <n>', 'passes over the photos; may be a fraction', numberFrom(0, 1e6))
    .option('--steps <n>', 'length of the run in steps instead of epochs', wholeNumber())
    .option('--batch <photos>', 'photos a step', wholeNumber(1, 2 ** 24))
    .option('--micro <photos>', 'photos that go through the GPU at once', wholeNumber(1, 2 ** 20))
    .option('--base-lr <rate>', 'learning rate for 256 photos a step', numberFrom(0, 1e4))
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
    .option(
      '--validate <fraction>',
      'hold out this fraction of the photos, such as 0.1, and keep the weights of the smallest loss on them: best.safetensors',
      numberFrom(0.0001, 0.9),
    )
    .option('--validate-every <steps>', 'steps between validations (default: 100)', wholeNumber())
    .addOption(
      new Option('--log <kind>', 'also write event files, beside metrics.jsonl: tensorboard --logdir RUN').choices([
        'tensorboard',
      ]),
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
  const files = nodeFileSystem(options.out);
  if (!options.resume) await TrainingRun.refuseUsed(files);
  const before = options.resume ? await openRun(files) : undefined;
  try {
    const cacheFolder = options.cache ?? before?.description.cache.folder;
    if (!cacheFolder) throw new UsageError('train: --cache is missing; make a cache with `zeroseg cache`');
    const cache = await readCache(nodeFileSystem(cacheFolder));
    try {
      const validation = validationOf(options, before?.description);
      const held = validation ? heldOutCount(cache.length, validation.fraction) : 0;
      const features = { folder: cache.folder, length: cache.length - held, key: cache.key };
      const resolved = await resolveOptions(options, features, before?.description);
      for (const note of resolved.notes) context.terminal.log(note);
      const init = options.init ?? before?.description.init ?? null;
      const description = {
        version,
        preset: resolved.preset,
        init,
        cache: {
          folder: resolve(cacheFolder),
          photos: cache.length,
          paths: await pathsHash(cache.paths),
          key: cache.key,
        },
        config: before ? resolved.config : await withPositions(resolved, init),
        settings: resolved.settings,
        ...(validation && { validation }),
      };
      if (before) refuseDifferences(options.out, before.description, description);
      await withDevice(context, options.adapter, (device, interruption) =>
        trainOn(device, {
          context,
          options,
          probe,
          files,
          before,
          cache,
          description,
          signal: interruption.abortSignal,
        }),
      );
    } finally {
      await cache.close();
    }
  } finally {
    await before?.store.close();
  }
}

/** Steps between validations, where nothing is said. */
const VALIDATE_EVERY = 100;

/** What is asked for, or of a run that goes on what it was begun with. */
function validationOf(
  { validate, validateEvery }: TrainArguments,
  was: RunDescription | undefined,
): Validation | undefined {
  const fraction = validate ?? was?.validation?.fraction;
  if (fraction !== undefined) return { fraction, every: validateEvery ?? was?.validation?.every ?? VALIDATE_EVERY };
  if (validateEvery === undefined) return undefined;
  throw new UsageError('train: --validate-every is for runs with --validate <fraction>');
}

async function trainOn(device: Device, training: Training & { readonly options: TrainArguments }): Promise<void> {
  const { context, options, probe, files, before, cache, description } = training;
  const { config, settings, init } = description;
  const { key } = description.cache;
  let begun: Awaited<ReturnType<typeof newModel>> | undefined;
  const start: TrainingStart = {
    device,
    data: cachedData(cache, config.image),
    description,
    teacher: teacherIdentity(key.teacher, key.weights),
    naming: ownValue(presets, description.preset)?.naming,
    statisticsEvery: options.watchEvery ?? 10,
    probe,
    newModel: async () => {
      begun = await newModel(device, config, settings.seed, init);
      return begun.model;
    },
  };
  const run = before ? await TrainingRun.resume(before, start) : await TrainingRun.begin(files, start);
  try {
    const words = begun?.words ?? `checkpoint of step ${run.trainer.done}`;
    describeRun(context, run, { words, notes: begun?.notes ?? [], out: options.out, device });
    await trainToTheEnd(device, run, training);
  } finally {
    await run.close();
  }
}
