/** Made-up scenes on disk to learn from, and what the teacher sees in them: the first two steps of experiments and of the demo. */
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import { type ClipSource, fillCache, type SceneMaker } from '@zeroseg/core/zeroseg';
import { photoFolder } from '../features/index.ts';
import { nodeFileSystem } from '../files/index.ts';
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
}

/** Caches the teacher's features of painted scenes, with progress. */
export async function cacheSceneViews(
  { terminal }: Context,
  device: Device,
  { scenes, cache, clip, grids, studentSize, signal }: CacheViewsOptions,
): Promise<void> {
  const photos = join(scenes, 'JPEGImages');
  let progress: Progress | undefined;
  try {
    await fillCache(device, {
      files: nodeFileSystem(cache),
      source: photoFolder(photos, await listPhotos(photos)),
      clip,
      grids,
      viewSource: 'native',
      studentSize,
      signal,
      onProgress: ({ done, total }) => {
        if (total > 0) progress ??= new Progress(terminal, 'teacher', total, 'scenes');
        progress?.at(done);
      },
    });
  } finally {
    progress?.stop();
  }
}
