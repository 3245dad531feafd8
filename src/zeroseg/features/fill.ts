import { type Device, heard, shownValue } from '../../gpu/index.ts';
import { freeParameters } from '../../nn/layers/index.ts';
import {
  clipPixels,
  type DenseMode,
  type QueuedViews,
  Teacher,
  type TeacherPrecision,
  ViewQueue,
} from '../clip/index.ts';
import type { TeacherSource } from '../clip-files/index.ts';
import type { Progress, WorkOptions } from '../host/index.ts';
import { type Image, studentImage, type ViewSource, viewCount } from '../image/index.ts';
import { type FileSystem, folderBytes, isWhole } from '../storage/index.ts';
import { openCache, partFolder } from './cache.ts';
import { CacheError } from './cache-error.ts';
import { checkCacheKey } from './cache-header.ts';
import type { CacheKey } from './cache-key.ts';
import { type CachePart, checkPart, partOf } from './cache-parts.ts';
import type { CacheOptions, CacheWriter } from './cache-writer.ts';
import { type PhotoFile, type PhotoSource, type PhotoStamp, photoProblem, readStamped } from './photo-source.ts';
import { mixedRegions, PooledRegions, type RegionFeatures } from './pooled-regions.ts';
import type { SquareCodec } from './squares.ts';

export interface FillOptions extends CacheOptions, WorkOptions<FillProgress> {
  /** Where the cache is, or will be. */
  readonly files: FileSystem;
  /**
   * Computes one of several parts, which as many processes fill at the same time, each in a folder of its own (`files` is that of all);
   * `readCache` reads them as one cache, row for row that of a single process.
   */
  readonly part?: CachePart;
  /** All photos of the cache, those of other parts too: those that it holds and that are not among them are no longer read. */
  readonly source: PhotoSource;
  readonly clip: TeacherSource;
  readonly grids: readonly number[];
  readonly viewSource: ViewSource;
  /** Side of the student's squares, in pixels. */
  readonly studentSize: number;
  /** What squares are kept as: pixels (default), files of their own by this codec, or not at all: training cuts them from the photos again. */
  readonly squares?: SquareCodec | 'raw' | 'none';
  /** What the teacher computes in. Default `f32`; `f16` wants `shader-f16`, and `regions` that are crops. */
  readonly precision?: TeacherPrecision;
  /**
   * Views at once, of as many photos as it takes. Default: those of one photo. Features are the same whatever it is, but for the last
   * digit: products of another number of rows may be summed in another order (5 of 17,280 halves, on the package's photos).
   */
  readonly batch?: number;
  /**
   * Photos that are read, decoded and given to the teacher before the features of the first of them are waited for: as many are decoded at
   * once, where the decoder has the threads. Default 4.
   */
  readonly ahead?: number;
  /** What the features of a grid's cells are. Default `crops`, as in the paper. */
  readonly regions?: RegionFeatures;
  /** For regions that are not crops alone: how patch features are taken from the last layer. Default `maskclip`. */
  readonly denseMode?: DenseMode;
  /** For those: side of the square that the teacher looks at in one pass. Default: twice that of a view. */
  readonly denseSize?: number;
}

/** What there is to do. */
export interface FillPlan {
  readonly photos: number;
  readonly missing: number;
  readonly fresh: number;
  readonly changed: number;
  readonly retried: number;
  readonly removed: number;
  /** Names of damaged shards that were dropped. */
  readonly dropped: readonly string[];
  /** What was wrong with `cache.index`, which is made again. */
  readonly indexDamage?: string | undefined;
  /** Views of a photo. */
  readonly views: number;
}

/** Told once before the teacher is loaded, with 0 photos done, and then after every photo, those that failed included. */
export interface FillProgress extends Progress {
  readonly plan: FillPlan;
  /** The photo that was passed over just now, and why. */
  readonly failed?: { readonly path: string; readonly reason: string } | undefined;
}

export interface FillResult {
  /** Photos computed now, and in the cache altogether. */
  readonly computed: number;
  readonly total: number;
  /** Why photos failed, by path. */
  readonly failures: ReadonlyMap<string, string>;
  /** Size of the cache. */
  readonly bytes: number;
  /** Of the features computed now: the mean of |value|, and the largest with its channel (CLIP has a few huge ones). */
  readonly magnitude: { readonly mean: number; readonly largest: number; readonly channel: number };
}

/** Photos wait with all their pixels: more take memory, and no decoder has so many threads. */
const MAX_AHEAD = 1024;

/**
 * Computes the features that a cache lacks. Photos that cannot be read are noted and passed over; one that is too small for
 * the grids likewise. While the teacher computes a photo's features, the next ones are read, cut and queued behind it: a small teacher
 * would wait for us otherwise.
 *
 * Stopped by its signal, it keeps what was computed, and the same call goes on there.
 *
 * ```ts
 * const files = await opfsFileSystem('cache');
 * await fillCache(device, { files, source, clip, grids: [1, 2, 5], viewSource: 'native', studentSize: 224 });
 * const cache = await readCache(files);
 * const data = cachedData(cache, 224);
 * ```
 *
 * @throws {CacheError} as `openCache`, and where `ahead` is no whole number from 1 to 1024; the signal's reason when it is stopped.
 */
export async function fillCache(device: Device, options: FillOptions): Promise<FillResult> {
  const { source, onProgress, signal, part, ahead = 4 } = options;
  if (!isWhole(1, MAX_AHEAD)(ahead)) {
    throw new CacheError(`fillCache: ahead must be a whole number from 1 to ${MAX_AHEAD}; got ${shownValue(ahead)}`);
  }
  const files = await filesOf(options);
  const photos: PhotoFile[] = [];
  for await (const photo of source.photos) {
    if (!part || partOf(photo.path, part.of) === part.number) photos.push(photo);
  }
  const codec = typeof options.squares === 'object' ? options.squares : undefined;
  const cache = await openCache(files, await keyOf(options), { ...options, codec });
  const magnitude = new Magnitude(options.clip.config.projection);
  try {
    const { missing, fresh, ...lists } = await cache.plan(photos);
    const plan: FillPlan = {
      photos: photos.length,
      missing: missing.length,
      fresh,
      changed: lists.changed.length,
      retried: lists.retried.length,
      removed: lists.removed.length,
      dropped: cache.dropped,
      indexDamage: cache.indexDamage,
      views: cache.key.views,
    };
    let done = 0;
    const total = missing.length;
    onProgress?.({ plan, done, total });
    const asked = new Set(missing);
    const todo = photos.filter(({ path }) => asked.has(path));
    if (todo.length > 0 && !signal?.aborted) {
      for await (const computed of computeFeatures(device, todo, { ...options, ahead })) {
        const problem = computed.problem ?? (await addPhoto(cache, computed, magnitude));
        if (problem !== undefined) cache.fail(computed.path, problem);
        const failed = problem === undefined ? undefined : { path: computed.path, reason: problem };
        onProgress?.({ plan, done: ++done, total, failed });
        if (signal?.aborted) break;
      }
    }
  } finally {
    await cache.close();
  }
  signal?.throwIfAborted();
  return {
    computed: magnitude.photos,
    total: cache.length,
    failures: new Map(cache.failures),
    bytes: await folderBytes(files),
    magnitude: magnitude.values,
  };
}

/**
 * Refuses a cache that {@link fillCache} would refuse because it was made with other settings: before a device is opened, and without
 * writing anything.
 *
 * @throws {CacheError} as `openCache`.
 */
export async function checkFill(options: FillOptions): Promise<void> {
  const files = await filesOf(options);
  if (!options.force) await checkCacheKey(files, await keyOf(options));
}

async function filesOf({ files, part }: FillOptions): Promise<FileSystem> {
  if (!part) return files;
  checkPart(part);
  return partFolder(files, part);
}

async function keyOf(options: FillOptions): Promise<CacheKey> {
  const { clip, grids, viewSource, studentSize, source, regions = 'crops', squares = 'raw', precision } = options;
  const dense = denseOf(options);
  if (precision === 'f16' && regions !== 'crops') {
    throw new CacheError(`fillCache: precision f16 is for regions that are crops; got ${regions}`);
  }
  return {
    teacher: clip.name,
    weights: await clip.weightsHash(),
    grids,
    viewSource,
    teacherSize: clip.config.vision.image,
    ...clipPixels(clip.config),
    views: viewCount(grids),
    dim: clip.config.projection,
    studentSize,
    decoder: source.decoder,
    // Caches of crops have the key that they have always had.
    ...(squares === 'raw' ? {} : { squares: squares === 'none' ? squares : squares.name }),
    ...(precision === 'f16' ? { precision } : {}),
    ...(regions === 'crops' ? {} : { regions, denseMode: dense.mode, denseSize: dense.size }),
  };
}

function denseOf({ clip, denseMode = 'maskclip', denseSize }: FillOptions): { mode: DenseMode; size: number } {
  return { mode: denseMode, size: denseSize ?? 2 * clip.config.vision.image };
}

/** A photo whose views were given to the teacher, or that cannot be used. */
interface Queued {
  readonly path: string;
  readonly stamp?: PhotoStamp;
  readonly views?: QueuedViews;
  readonly pooled?: Promise<Float32Array>;
  readonly student?: Image | Promise<Image>;
  readonly problem?: string;
}

interface Computed extends Omit<Queued, 'views' | 'pooled' | 'student'> {
  readonly student?: Image;
  /** `[V, C]` */
  readonly features?: Float32Array;
}

/** The features of photos, in their order. */
async function* computeFeatures(
  device: Device,
  photos: readonly PhotoFile[],
  options: FillOptions & { readonly ahead: number },
): AsyncGenerator<Computed> {
  const { clip, source, grids, viewSource, studentSize, regions = 'crops', squares, precision = 'f32' } = options;
  const vision = await clip.vision(device);
  const views = viewCount(grids);
  // No batch is larger than all that there is to do.
  const batch = Math.min(options.batch ?? views, views * photos.length);
  using teacher = regions === 'pooled' ? undefined : await Teacher.create(device, vision, { batch, precision });
  // The teacher has copies in half precision.
  if (precision === 'f16') freeParameters(vision);
  using pooled =
    regions === 'crops'
      ? undefined
      : await PooledRegions.create(device, vision, { grids, viewSource, studentSize, ...denseOf(options) });
  const kept = squares === 'none' ? undefined : studentSize;
  using queue =
    teacher && new ViewQueue(device, teacher, { grids, source: viewSource, squareSize: studentSize, student: kept });
  const prepare = async (photo: PhotoFile): Promise<Queued> => {
    const { path } = photo;
    try {
      const { stamp, bytes } = await readStamped(photo);
      const image = await source.decode(bytes, path);
      const queued = await queue?.add(image);
      const student = queued?.student ?? (kept === undefined ? undefined : studentImage(image, kept));
      return {
        path,
        stamp,
        ...(student && { student }),
        ...(queued && { views: queued }),
        ...(pooled && { pooled: heard(pooled.features(image)) }),
      };
    } catch (error) {
      const problem = photoProblem(error);
      if (problem === undefined) throw error;
      return { path, problem };
    }
  };
  const waiting: Promise<Queued>[] = [];
  let next = 0;
  const begin = (): void => {
    const promise = prepare(photos[next++] as PhotoFile);
    promise.catch(() => {}); // seen when its turn comes
    waiting.push(promise);
  };
  while (next < photos.length || waiting.length > 0) {
    while (waiting.length < options.ahead && next < photos.length) begin();
    const { views: queued, pooled: cells, student: square, ...rest } = await (waiting.shift() as Promise<Queued>);
    // Its last views may wait for those of other photos to fill a batch; behind the last photo nothing comes.
    while (queued && !queued.isIssued) {
      await Promise.all(waiting);
      if (queued.isIssued) break;
      if (next < photos.length) begin();
      else queue?.flush();
    }
    const student = await square;
    const photo = { ...rest, ...(student && { student }) };
    if (queued && cells) {
      yield { ...photo, features: mixedRegions(await queued.features, await cells, clip.config.projection) };
    } else {
      const features = await (queued?.features ?? cells);
      yield features ? { ...photo, features } : photo;
    }
  }
}

/** Adds a photo to the cache. A photo whose features are not finite is refused, and told why; a disk that is full is an error. */
async function addPhoto(cache: CacheWriter, photo: Computed, magnitude: Magnitude): Promise<string | undefined> {
  const { path, stamp, features, student } = photo;
  if (!stamp || !features) throw new Error(`internal: ${path} has no features`);
  try {
    await cache.add(stamp, features, student);
  } catch (error) {
    if (!(error instanceof CacheError) || error.photo !== path) throw error;
    return error.message;
  }
  magnitude.add(features);
  return undefined;
}

/** How large features are, over photos. */
class Magnitude {
  readonly #dim: number;
  photos = 0;
  #sum = 0;
  #largest = 0;
  #channel = 0;

  constructor(dim: number) {
    this.#dim = dim;
  }

  add(features: Float32Array): void {
    this.photos++;
    let sum = 0;
    for (let i = 0; i < features.length; i++) {
      const size = Math.abs(features[i] as number);
      sum += size;
      if (size > this.#largest) [this.#largest, this.#channel] = [size, i % this.#dim];
    }
    this.#sum += sum / features.length;
  }

  get values(): FillResult['magnitude'] {
    return { mean: this.photos > 0 ? this.#sum / this.photos : 0, largest: this.#largest, channel: this.#channel };
  }
}
