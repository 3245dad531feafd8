/// <reference lib="esnext.disposable" preserve="true" />

import { ArgumentError, type Device, heard } from '../../gpu/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { read, type Step, step } from '../../tensor/run/index.ts';
import type { Rgb } from '../image/index.ts';
import { clipPixels } from './towers.ts';

/** An image tower whose features a student learns: CLIP's, or SigLIP's. */
export interface TeacherTower {
  readonly config: {
    readonly vision: { readonly image: number; readonly mean?: Rgb; readonly std?: Rgb };
    /** Width of a feature. */
    readonly projection: number;
  };
  /** `[B, 3, image, image]` → `[B, projection]`. */
  forward(pixels: Tensor): Tensor;
}

/**
 * The frozen teacher: CLIP's image tower as a recorded step over batches of one size.
 *
 * ```ts
 * using teacher = await Teacher.create(device, vision, { batch: 30 });
 * const features = await teacher.features(teacherViews(photo, teacher.pixels)); // [30, 768]
 * ```
 */
export class Teacher implements Disposable {
  /** Views that go through the GPU at once. */
  readonly batch: number;
  /** Side of a view, and width of a feature. */
  readonly size: number;
  readonly dim: number;
  /** What views must be: options of `teacherViews`. */
  readonly pixels: { readonly size: number; readonly mean: Rgb; readonly std: Rgb };
  readonly #device: Device;
  readonly #vision: TeacherTower;
  readonly #step: Step<'views', Tensor>;
  /** For what is left over of a batch; the last that was needed. */
  #rest: { readonly count: number; readonly run: Promise<Step<'views', Tensor>> } | undefined;

  private constructor(device: Device, vision: TeacherTower, run: Step<'views', Tensor>, batch: number) {
    this.#device = device;
    this.#vision = vision;
    this.#step = run;
    this.batch = batch;
    this.size = vision.config.vision.image;
    this.dim = vision.config.projection;
    this.pixels = { size: this.size, ...clipPixels(vision.config) };
  }

  static async create(device: Device, vision: TeacherTower, { batch = 30 }: { batch?: number } = {}): Promise<Teacher> {
    return new Teacher(device, vision, await record(device, vision, batch), batch);
  }

  /** Bytes of GPU memory that the step takes beside the weights. */
  get memory(): number {
    const { slots, own, uniforms } = this.#step.memory;
    return slots + own + uniforms;
  }

  /** Features `[n, dim]` of normalised views `[n, 3, size, size]`, any number of them. */
  async features(views: Float32Array): Promise<Float32Array> {
    const length = 3 * this.size * this.size;
    const count = views.length / length;
    if (!Number.isInteger(count)) {
      throw new ArgumentError(`features: views must be [n, 3, ${this.size}, ${this.size}]; got ${views.length} values`);
    }
    const out = new Float32Array(count * this.dim);
    const parts: Promise<void>[] = [];
    for (let at = 0; at < count; at += this.batch) {
      const n = Math.min(this.batch, count - at);
      const features = this.encode(views.subarray(at * length, (at + n) * length), n);
      parts.push(heard(features.then((values) => out.set(values, at * this.dim))));
    }
    await Promise.all(parts);
    return out;
  }

  /**
   * Features of at most a batch. What is less is computed as it is, by a step of its own: filled up with black, it would take the time
   * of a batch. The views of a whole batch may be overwritten as soon as this returns.
   */
  encode(views: Float32Array, count: number): Promise<Float32Array> {
    // Reading is encoded at once, so the next batch may be issued before this one has arrived.
    if (count === this.batch) return read(this.#step({ views })) as Promise<Float32Array>;
    return this.#encodePartial(views.slice(), count);
  }

  async #encodePartial(views: Float32Array, count: number): Promise<Float32Array> {
    if (this.#rest?.count !== count) {
      const before = this.#rest;
      this.#rest = { count, run: record(this.#device, this.#vision, count) };
      (await before?.run)?.dispose();
    }
    const run = await (this.#rest as { readonly run: Promise<Step<'views', Tensor>> }).run;
    return (await read(run({ views }))) as Float32Array;
  }

  dispose(): void {
    this.#step.dispose();
    this.#rest?.run.then(
      (run) => run.dispose(),
      () => {}, // whoever asked for it has been told
    );
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function record(device: Device, vision: TeacherTower, batch: number): Promise<Step<'views', Tensor>> {
  const { image } = vision.config.vision;
  return step(device, { views: [batch, 3, image, image] }, ({ views }) => vision.forward(views), { name: 'teacher' });
}

/** Views of one photo on their way through a {@link ViewQueue}. */
export interface QueuedViews {
  /** `[n, dim]`, once all of them are encoded. */
  readonly features: Promise<Float32Array>;
  /** Whether all have been given to the teacher: until then, they wait for others to fill a batch. */
  readonly isIssued: boolean;
}

/**
 * Fills the batches of a teacher with the views of many photos, one after the other: no batch but the last is partly filled.
 *
 * ```ts
 * const queue = new ViewQueue(teacher);
 * const queued = photos.map((photo) => queue.add(teacherViews(photo, teacher.pixels)));
 * queue.flush();
 * const features = await Promise.all(queued.map(({ features }) => features));
 * ```
 */
export class ViewQueue {
  readonly #teacher: Teacher;
  readonly #length: number;
  readonly #views: Float32Array;
  #filled = 0;
  /** Called with the features of the batch that is being filled, and its error. */
  #takers: ((features: Promise<Float32Array>) => void)[] = [];

  constructor(teacher: Teacher) {
    this.#teacher = teacher;
    this.#length = 3 * teacher.size * teacher.size;
    this.#views = new Float32Array(teacher.batch * this.#length);
  }

  add(views: Float32Array): QueuedViews {
    const { batch, dim, size } = this.#teacher;
    const count = views.length / this.#length;
    if (!Number.isInteger(count)) {
      throw new ArgumentError(`ViewQueue: views must be [n, 3, ${size}, ${size}]; got ${views.length} values`);
    }
    const out = new Float32Array(count * dim);
    const parts: Promise<void>[] = [];
    let issued = 0;
    for (let at = 0; at < count; ) {
      const n = Math.min(batch - this.#filled, count - at);
      const [from, place] = [this.#filled * dim, at * dim];
      this.#views.set(views.subarray(at * this.#length, (at + n) * this.#length), this.#filled * this.#length);
      parts.push(
        new Promise((resolve, reject) => {
          this.#takers.push((features) => {
            issued += n;
            features.then((values) => {
              out.set(values.subarray(from, from + n * dim), place);
              resolve();
            }, reject);
          });
        }),
      );
      this.#filled += n;
      at += n;
      if (this.#filled === batch) this.flush();
    }
    const features = Promise.all(parts).then(() => out);
    features.catch(() => {}); // seen by whoever waits for it
    return {
      features,
      get isIssued() {
        return issued === count;
      },
    };
  }

  /** Gives the teacher what there is. */
  flush(): void {
    const [takers, filled] = [this.#takers, this.#filled];
    if (filled === 0) return;
    this.#takers = [];
    this.#filled = 0;
    let features: Promise<Float32Array>;
    try {
      features = this.#teacher.encode(this.#views.subarray(0, filled * this.#length), filled);
    } catch (error) {
      // Told to all whose views are in this batch, and not only to the photo that filled it.
      features = Promise.reject(error);
    }
    for (const take of takers) take(features);
  }
}
