/** Made-up scenes on disk to learn from, and what the teacher sees in them: the first two steps of experiments and of the demo. */
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import { type ClipSource, fillCache, readCache, type SceneMaker } from '@zeroseg/core/zeroseg';
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
  const files = nodeFileSystem(cache);
  const began = performance.now();
  const late = new AbortController();
  let progress: Progress | undefined;
  try {
    await fillCache(device, {
      files,
      source: photoFolder(photos, await listPhotos(photos)),
      clip,
      grids,
      viewSource: 'native',
      studentSize,
      signal: AbortSignal.any([signal, late.signal]),
      onProgress: ({ done, total }) => {
        if (total > 0) progress ??= new Progress(terminal, 'teacher looks', total, 'scenes');
        progress?.at(done);
        if (limit && done >= limit.min && performance.now() - began > limit.seconds * 1000) late.abort();
      },
    });
  } catch (error) {
    // What there is by then is enough.
    if (!late.signal.aborted || signal.aborted) throw error;
  } finally {
    progress?.stop();
  }
  const reader = await readCache(files);
  await reader.close();
  return reader.length;
}
