import { resolve } from 'node:path';
import { filesHash, heldOutCount, partsOf, pathsHash, refuseDifferences } from '@zeroseg/core/internal';
import { openRun, type Probe, presets, TrainingRun } from '@zeroseg/core/zeroseg';
import { Command, Option } from 'commander';
import { readFeatures } from '../features/index.ts';
import { nodeFileSystem } from '../files/index.ts';
import { adapterOf, agreedOf, bindingNote, endWithOthers, joinMpi, shareJson, waitForAll } from '../mpi/index.ts';
import { withPositions } from '../runs/index.ts';
import {
  adapterOption,
  type Context,
  checkResultFile,
  gather,
  neededToBegin,
  numberFrom,
  offering,
  resolveOptions,
  seedRange,
  UsageError,
  version,
  wholeNumber,
  withDevice,
} from '../shell/index.ts';
import { type SharedTraining, trainAlongCache, validatingClip, validationOf } from '../studies/index.ts';
import { builtIn, kindOfPath } from '../weights/index.ts';
import { settledMicro } from './training/micro-batch.ts';
import { type TrainArguments, trainRun, watchEvery } from './training/train-run.ts';

/** `zeroseg train`: a model out of cached features. */
export function trainCommand(context: Context): Command {
  return new Command('train')
    .description('train a model on cached features; resumable at any time')
    .addOption(neededToBegin('--cache <folder>', 'features made by `zeroseg cache` (with --resume: those of the run)'))
    .option('--photos <place>', 'the photos of a cache that keeps no squares (`zeroseg cache --squares none`)')
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
    .option(
      '--micro <photos>',
      'photos that go through the GPU at once; auto: the most that fit its memory (default: at most 8)',
      (text) => (text === 'auto' ? text : wholeNumber(1, 2 ** 20)(text)),
    )
    .option(
      '--gpu-memory <gigabytes>',
      'what --micro auto may fill (default: what the device is known to have)',
      numberFrom(0.001, 1e6),
    )
    .option('--base-lr <rate>', 'learning rate for 256 photos a step', numberFrom(0, 1e4))
    .option('--warmup <epochs>', 'epochs in which the rate grows (default: a quarter)', numberFrom(0, 1e6))
    .option(
      '--ema <decay>',
      'keep a moving average of the weights, such as 0.999: it is what is validated, saved as the model, and segments (default: 0, none)',
      numberFrom(0, 0.999999),
    )
    .option('--mirror', 'mirror half of the photos, and the order of their views: the teacher is not asked again')
    .addOption(
      new Option(
        '--order <kind>',
        'of the photos: shuffled, or windowed: the files of the cache shuffled, and the photos of 16 at a time (--set window=16)',
      ).choices(['shuffled', 'windowed']),
    )
    .option('--seed <n>', 'of weights, order, masks and noise', wholeNumber(...seedRange))
    .addOption(
      new Option('--precision <dtype>', 'of activations and their gradients; weights are f32 (default: f32)').choices([
        'f32',
        'f16',
      ]),
    )
    .addOption(
      new Option(
        '--wire <dtype>',
        "of gradients between mpirun's processes; f16 halves their bytes (default: f32)",
      ).choices(['f32', 'f16']),
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
    .option(
      '--validate-scenes <n>',
      'score so many made-up scenes with 54 names, such as 50, and keep the weights of the best mean IoU instead',
      wholeNumber(1, 100_000),
    )
    .option(
      '--clip <place>',
      `with --validate-scenes: the CLIP that made the cache, for its words (default: ${builtIn}, for caches of it)`,
    )
    .option('--validate-every <steps>', 'steps between validations (default: 100)', wholeNumber())
    .addOption(
      new Option('--log <kind>', 'also write event files, beside metrics.jsonl: tensorboard --logdir RUN').choices([
        'tensorboard',
      ]),
    )
    .option('--trace <file>', 'write when the first steps read, upload, compute and save: for ui.perfetto.dev')
    .option('--trace-steps <n>', 'how many steps --trace is of (default: 20)', wholeNumber(1, 10_000))
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
  if (options.gpuMemory !== undefined && options.micro !== 'auto') {
    throw new UsageError('train: --gpu-memory is for --micro auto, which fills it; give both');
  }
  if (options.traceSteps !== undefined && options.trace === undefined) {
    throw new UsageError('train: --trace-steps is of --trace, which says where the trace goes; give both');
  }
  const group = await joinMpi();
  // The first process has the run's folder, and says what happens.
  if (group && group.rank > 0) return trainAlongCache(context, group, options);
  const bound = group && bindingNote();
  if (bound) context.terminal.note(bound);
  if (!group && options.wire === 'f16') {
    context.terminal.note(
      "--wire f16 is for gradients between mpirun's processes; this one is alone, and it changes nothing",
    );
  }
  await checkResultFile('train: --trace', options.trace);
  const files = nodeFileSystem(options.out);
  if (!options.resume) await TrainingRun.refuseUsed(files);
  const before = options.resume ? await openRun(files) : undefined;
  try {
    const cacheFolder = options.cache ?? before?.description.cache.folder;
    if (!cacheFolder) throw new UsageError('train: --cache is missing; make a cache with `zeroseg cache`');
    if ((await kindOfPath(cacheFolder)) === undefined) {
      throw new UsageError(`train: --cache ${cacheFolder}: there is no such folder; \`zeroseg cache\` makes it`);
    }
    const cache = await readFeatures(cacheFolder, options.photos);
    for (const [folder, damage] of cache.indexDamage) {
      context.terminal.note(`${folder}: ${damage}; \`zeroseg cache\` makes it again, and all opens faster`);
    }
    try {
      const validation = validationOf(options, before?.description.validation);
      const held = heldOutCount(cache.length, validation?.fraction);
      const features = { folder: cache.folder, length: cache.length - held, key: cache.key };
      const resolved = await resolveOptions(options, features, before?.description);
      for (const note of resolved.notes) context.terminal.log(note);
      const settings = await settledMicro(context, options, {
        resolved,
        begun: before?.description.settings,
        group,
      });
      if (group) partsOf(settings, group);
      const inFiles = await filesHash(cache, settings);
      const init = options.init ?? before?.description.init ?? null;
      const description = {
        version,
        preset: resolved.preset,
        init,
        cache: {
          folder: resolve(cacheFolder),
          photos: cache.length,
          paths: await pathsHash(cache.eachPath()),
          key: cache.key,
          ...(inFiles !== undefined && { files: inFiles }),
        },
        config: before ? resolved.config : await withPositions(resolved, init),
        settings,
        ...(validation && { validation }),
      };
      if (before) refuseDifferences(options.out, before.description, description);
      const clip = await validatingClip(options, description);
      if (group) {
        const { rates = [] } = before?.description ?? {};
        const shared: SharedTraining = {
          ...{ description, rates, statisticsEvery: watchEvery(options) },
          wire: options.wire ?? 'f32',
          agreed: agreedOf(version, options),
        };
        await shareJson(group, shared);
        await waitForAll(group);
      }
      await withDevice(context, adapterOf(options.adapter, group), (device, { abortSignal: signal }) => {
        if (group) endWithOthers(group, signal, 'train', context.terminal);
        return trainRun(device, {
          ...{ context, options, probe, group },
          ...{ files, before, cache, description, clip, signal },
        });
      });
    } finally {
      await cache.close();
    }
  } finally {
    await before?.store.close();
  }
}
