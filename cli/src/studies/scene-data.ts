/** Made-up scenes on disk to learn from, and what the teacher sees in them: the first two steps of experiments and of the demo. */
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import type { ClipSource, SceneMaker } from '@zeroseg/core/zeroseg';
import { fillCache } from '../features/index.ts';
import { listPhotos, writeScenes } from '../photos/index.ts';
import { type Context, Progress } from '../shell/index.ts';

export interface PaintOptions {
  readonly seed: number;
  readonly count: number;
  readonly signal: AbortSignal;
}

/** Paints scenes into a folder, with progress. */
export async function paintScenes(
  { terminal }: Context,
  folder: string,
  scenes: SceneMaker,
  { seed, count, signal }: PaintOptions,
): Promise<void> {
  const progress = new Progress(terminal, 'painting', count, 'scenes');
  try {
    await writeScenes(folder, scenes, { seed, count, signal, onProgress: ({ done }) => progress.at(done) });
  } finally {
    progress.stop();
  }
}

export interface CacheViewsOptions {
  /** Folder of the scenes, and of the cache. */
  readonly scenes: string;
  readonly cache: string;
  readonly clip: ClipSource;
  readonly grids: readonly number[];
  readonly studentSize: number;
  readonly signal: AbortSignal;
  /** Ends early, with what is cached then: so many seconds, but at least so many scenes. */
  readonly limit?: { readonly seconds: number; readonly min: number } | undefined;
}

/** Caches the teacher's features of painted scenes, with progress; returns how many scenes the cache holds. */
export async function cacheSceneViews(
  { terminal }: Context,
  device: Device,
  { scenes, cache, clip, grids, studentSize, signal, limit }: CacheViewsOptions,
): Promise<number> {
  const photos = join(scenes, 'JPEGImages');
  const began = performance.now();
  let looked = 0;
  let progress: Progress | undefined;
  const isLate = () => limit !== undefined && looked >= limit.min && performance.now() - began > limit.seconds * 1000;
  try {
    const { total } = await fillCache(device, {
      photos,
      paths: await listPhotos(photos),
      clip,
      folder: cache,
      grids,
      viewSource: 'native',
      studentSize,
      stopped: () => signal.aborted || isLate(),
      planned: ({ missing }) => {
        if (missing > 0) progress = new Progress(terminal, 'teacher looks', missing, 'scenes');
      },
      done: (done) => {
        looked = done;
        progress?.at(done);
      },
    });
    signal.throwIfAborted();
    return total;
  } finally {
    progress?.stop();
  }
}
