import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import { clipPixels, type QueuedViews, ViewQueue, type ViewSource } from '@zeroseg/core/internal';
import {
  type ClipSource,
  type Image,
  PixelError,
  studentImage,
  Teacher,
  teacherViews,
  viewCount,
} from '@zeroseg/core/zeroseg';
import { isSystemError, systemReason } from '../files/index.ts';
import { decodePhoto, ImageError } from '../photos/index.ts';
import { CacheError, type CacheKey, openCache, type PhotoStamp, stampPhoto } from './feature-cache.ts';

export interface FillOptions {
  /** Folder of the photos, and the photos in it. */
  readonly photos: string;
  readonly paths: readonly string[];
  readonly clip: ClipSource;
  /** Folder of the cache. */
  readonly folder: string;
  readonly grids: readonly number[];
  readonly viewSource: ViewSource;
  readonly studentSize: number;
  /**
   * Views at once, of as many photos as it takes. Default: those of one photo. Features are the same whatever it is, but for the last
   * digit: products of another number of rows may be summed in another order (5 of 17,280 halves, on the package's photos).
   */
  readonly batch?: number;
  readonly shardSize?: number;
  readonly flushSeconds?: number;
  readonly force?: boolean;
  readonly repair?: boolean;
  /** Asked after every photo. */
  readonly stopped?: () => boolean;
  /** Told what there is to do, before the teacher is loaded. */
  readonly planned?: (plan: FillPlan) => void;
  /** Told after every photo how many are done, broken ones included. */
  readonly done?: (photos: number) => void;
  readonly failed?: (path: string, reason: string) => void;
}

export interface FillPlan {
  readonly missing: number;
  readonly fresh: number;
  readonly changed: number;
  readonly retried: number;
  readonly removed: number;
  readonly dropped: readonly string[];
  readonly views: number;
}

export interface FillResult {
  /** Photos computed now, and in the cache altogether. */
  readonly computed: number;
  readonly total: number;
  readonly failures: ReadonlyMap<string, string>;
  /** Size of the cache on disk. */
  readonly bytes: number;
  /** Of the features computed now: the mean of |value|, and the largest with its channel (CLIP has a few huge ones). */
  readonly magnitude: { readonly mean: number; readonly largest: number; readonly channel: number };
}

interface Prepared {
  readonly path: string;
  readonly stamp?: PhotoStamp;
  /** Its views, on their way. */
  readonly queued?: QueuedViews;
  readonly student?: Image;
  readonly problem?: string;
}

/** Photos that are read, cut and given to the teacher before the features of the first of them are waited for. */
const AHEAD = 4;

/**
 * Computes the features that a cache lacks. Photos that cannot be read are noted and passed over; one that is too small for
 * the grids likewise. While the teacher looks at a photo, the next ones are read, cut and
 * queued behind it: a small teacher would wait for us otherwise.
 */
export async function fillCache(device: Device, options: FillOptions): Promise<FillResult> {
  const { clip, grids, studentSize, viewSource: source, folder } = options;
  const { vision, projection: dim } = clip.config;
  const views = viewCount(grids);
  const key: CacheKey = {
    teacher: clip.name,
    weights: await clip.weightsHash(),
    grids,
    viewSource: source,
    teacherSize: vision.image,
    ...clipPixels(clip.config),
    views,
    dim,
    studentSize,
  };
  const cache = await openCache(folder, key, options);
  let computed = 0;
  let sum = 0;
  let largest = 0;
  let channel = 0;
  try {
    const plan = await cache.plan(options.photos, options.paths);
    const counts = { changed: plan.changed.length, retried: plan.retried.length, removed: plan.removed.length };
    options.planned?.({
      missing: plan.missing.length,
      fresh: plan.fresh,
      dropped: cache.dropped,
      views,
      ...counts,
    });
    if (plan.missing.length > 0) {
      // No batch is larger than all that there is to do.
      const batch = Math.min(options.batch ?? views, views * plan.missing.length);
      using teacher = await Teacher.create(device, clip.vision(device), { batch });
      const queue = new ViewQueue(teacher);
      const prepare = async (path: string): Promise<Prepared> => {
        try {
          const { stamp, bytes } = await stampPhoto(options.photos, path);
          const photo = await decodePhoto(bytes, path);
          const cut = teacherViews(photo, { grids, source, squareSize: studentSize, ...teacher.pixels });
          const student = studentImage(photo, studentSize);
          return { path, stamp, queued: queue.add(cut), student };
        } catch (error) {
          if (error instanceof ImageError) return { path, problem: error.reason };
          if (error instanceof PixelError) return { path, problem: error.message };
          if (isSystemError(error)) return { path, problem: systemReason(error) };
          throw error;
        }
      };
      let done = 0;
      const waiting: Promise<Prepared>[] = [];
      let next = 0;
      const begin = () => {
        const promise = prepare(plan.missing[next++] as string);
        promise.catch(() => {}); // seen when its turn comes
        waiting.push(promise);
      };
      while ((next < plan.missing.length || waiting.length > 0) && !options.stopped?.()) {
        while (waiting.length < AHEAD && next < plan.missing.length) begin();
        const one = await (waiting.shift() as Promise<Prepared>);
        let problem = one.problem;
        // Its last views may wait for those of other photos to fill a batch; behind the last photo nothing comes.
        while (one.queued && !one.queued.isIssued) {
          await Promise.all(waiting);
          if (one.queued.isIssued) break;
          if (next < plan.missing.length) begin();
          else queue.flush();
        }
        if (one.queued && one.stamp) {
          const features = await one.queued.features;
          try {
            await cache.add(one.stamp, features, one.student);
            computed++;
            features.forEach((value, i) => {
              const size = Math.abs(value);
              sum += size / features.length;
              if (size > largest) [largest, channel] = [size, i % dim];
            });
          } catch (error) {
            // A photo whose features are not finite is passed over; a disk that is full is not.
            if (!(error instanceof CacheError) || !error.message.includes(`${one.path}:`)) throw error;
            problem = error.message;
          }
        }
        if (problem !== undefined) {
          cache.fail(one.path, problem);
          options.failed?.(one.path, problem);
        }
        options.done?.(++done);
      }
    }
  } finally {
    await cache.close();
  }
  return {
    computed,
    total: cache.length,
    failures: new Map(cache.failures),
    bytes: await folderBytes(folder),
    magnitude: { mean: computed > 0 ? sum / computed : 0, largest, channel },
  };
}

async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map((name) => stat(join(folder, name)).then(({ size }) => size)));
  return sizes.reduce((a, b) => a + b, 0);
}
