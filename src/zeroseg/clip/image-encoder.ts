/// <reference lib="esnext.disposable" preserve="true" />

import { ArgumentError, type Device, DeviceError, heard } from '../../gpu/index.ts';
import { castFloat } from '../../kernels/elementwise/index.ts';
import { slice } from '../../kernels/layout/index.ts';
import { parameters, replaceParameters } from '../../nn/layers/index.ts';
import { free, Tensor } from '../../tensor/graph/index.ts';
import { evaluate, read, type Step, step } from '../../tensor/run/index.ts';
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
  readonly #halves: Halves;
  readonly #step: Step<'views', Tensor>;
  /** For what is left over of a batch; the last that was needed. */
  #rest: { readonly key: string; readonly run: Promise<Step<'views', Tensor>> } | undefined;

  private constructor(
    device: Device,
    vision: TeacherTower,
    run: Step<'views', Tensor>,
    { batch, halves }: { batch: number; halves: Halves },
  ) {
    this.#device = device;
    this.#vision = vision;
    this.#halves = halves;
    this.#step = run;
    this.batch = batch;
    this.size = vision.config.vision.image;
    this.dim = vision.config.projection;
    this.pixels = { size: this.size, ...clipPixels(vision.config) };
  }

  /**
   * With `precision` `f16`, it computes with copies of the weights in half precision; those of the tower may be freed then.
   *
   * @throws DeviceError when the device has no f16 arithmetic.
   */
  static async create(
    device: Device,
    vision: TeacherTower,
    { batch = 30, precision = 'f32' }: { batch?: number; precision?: TeacherPrecision } = {},
  ): Promise<Teacher> {
    const halves: Halves = precision === 'f16' ? await halvesOf(device, vision) : undefined;
    return new Teacher(device, vision, await record(device, vision, { halves, given: batch }), { batch, halves });
  }

  /** Bytes of GPU memory that the step takes beside the weights. */
  get memory(): number {
    const { planned, own, uniforms } = this.#step.memory;
    return planned + own + uniforms;
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
   * of a batch. The views of a whole batch may be overwritten as soon as this returns; those of a part that lie on the GPU, `[batch, 3,
   * size, size]` with the part in front, when the features are there.
   */
  encode(views: Float32Array | Tensor, count: number): Promise<Float32Array> {
    // Reading is encoded at once, so the next batch may be issued before this one has arrived.
    if (count === this.batch) return read(this.#step({ views })) as Promise<Float32Array>;
    return this.#encodePartial(views instanceof Tensor ? views : views.slice(), count);
  }

  async #encodePartial(views: Float32Array | Tensor, count: number): Promise<Float32Array> {
    const given = views instanceof Tensor ? this.batch : count;
    const key = `${count} of ${given}`;
    if (this.#rest?.key !== key) {
      const before = this.#rest;
      this.#rest = { key, run: record(this.#device, this.#vision, { halves: this.#halves, given, count }) };
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
    for (const half of this.#halves?.values() ?? []) free(half);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** In what a teacher computes. */
export type TeacherPrecision = 'f32' | 'f16';

/** The weights in half precision, by those that they are copies of. */
type Halves = ReadonlyMap<Tensor, Tensor> | undefined;

async function halvesOf(device: Device, vision: TeacherTower): Promise<Halves> {
  if (!device.features.has('shader-f16')) {
    throw new DeviceError(`teacher: '${device.name}' has no f16 arithmetic (shader-f16); compute in f32`);
  }
  const weights = [...parameters(vision).values()];
  const halves = await evaluate(weights.map((weight) => castFloat(weight, 'f16')));
  return new Map(weights.map((weight, i) => [weight, halves[i] as Tensor]));
}

/** Features of the first `count` of `given` views. */
function record(
  device: Device,
  vision: TeacherTower,
  { halves, given, count = given }: { readonly halves: Halves; readonly given: number; readonly count?: number },
): Promise<Step<'views', Tensor>> {
  const { image } = vision.config.vision;
  const body = ({ views }: { readonly views: Tensor }) => {
    const part = count === given ? views : slice(views, 0, 0, count);
    if (!halves) return vision.forward(part);
    const restore = replaceParameters(vision, halves);
    try {
      return castFloat(vision.forward(castFloat(part, 'f16')), 'f32');
    } finally {
      restore();
    }
  };
  return step(device, { views: [given, 3, image, image] }, body, { name: 'teacher' });
}
