import { filesHash, pathsHash } from '@zeroseg/core/internal';
import type { Wire } from '@zeroseg/core/nn';
import { cachedData, type RateChange, type TrainingStart, trainAlong } from '@zeroseg/core/zeroseg';
import { readFeatures } from '../features/index.ts';
import {
  type Agreed,
  adapterOf,
  agreedOf,
  endWithOthers,
  MpiError,
  type OpenMpi,
  refuseOthers,
  shareJson,
  waitForAll,
} from '../mpi/index.ts';
import { newModel } from '../runs/index.ts';
import { type Context, quietTerminal, version, withDevice } from '../shell/index.ts';

/** What the first process tells the others of a training. */
export interface SharedTraining {
  readonly description: TrainingStart['description'];
  readonly rates: readonly RateChange[];
  readonly statisticsEvery: number;
  readonly wire: Wire;
  readonly agreed: Agreed;
}

/**
 * `zeroseg train` in a process beside the first, which has the run's folder: from the same features, which must lie on this machine too,
 * it computes its share of every step.
 */
export async function trainAlongCache(
  context: Context,
  group: OpenMpi,
  options: {
    readonly cache?: string | undefined;
    readonly photos?: string | undefined;
    readonly adapter?: string | undefined;
  },
): Promise<void> {
  const { description, agreed, ...rest } = await shareJson<SharedTraining>(group, undefined);
  refuseOthers('train', agreedOf(version, options), agreed);
  const { cache: told, config, settings } = description;
  const folder = options.cache ?? told.folder;
  const cache = await readFeatures(folder, options.photos);
  try {
    const files = await filesHash(cache, settings);
    const own = { photos: cache.length, paths: await pathsHash(cache.eachPath()), key: JSON.stringify(cache.key) };
    if (
      own.photos !== told.photos ||
      own.paths !== told.paths ||
      files !== told.files ||
      own.key !== JSON.stringify(told.key)
    ) {
      throw new MpiError(
        `train: --cache ${folder}: it is not the cache that the first process trains on (${own.photos} photos here, ${told.photos} there); copy that one to this machine`,
      );
    }
    await waitForAll(group);
    await withDevice(
      { ...context, terminal: quietTerminal(context.terminal) },
      adapterOf(options.adapter, group),
      async (device, { abortSignal }) => {
        endWithOthers(group, abortSignal, 'train', context.terminal);
        // The weights come from the first process.
        const { model } = await newModel(device, config, settings.seed, null);
        const start = { device, data: cachedData(cache, config.image), description, group, ...rest };
        await trainAlong(model, start, abortSignal);
      },
    );
  } finally {
    await cache.close();
  }
}
