/// <reference lib="esnext.disposable" preserve="true" />
import type { Device } from '../gpu/device.ts';
import { heard } from '../gpu/outcome.ts';
import { read } from '../tensor/read.ts';
import { type Step, step } from '../tensor/step.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ClipVision } from './clip.ts';

/**
 * The frozen teacher: CLIP's image tower as a recorded step over batches of one size.
 *
 * ```ts
 * using teacher = await Teacher.create(device, vision, { batch: 30 });
 * const features = await teacher.features(teacherViews(photo)); // [30, 768]
 * ```
 */
export class Teacher implements Disposable {
  /** Views that go through the GPU at once. */
  readonly batch: number;
  /** Side of a view, and width of a feature. */
  readonly size: number;
  readonly dim: number;
  readonly #step: Step<'views', Tensor>;

  private constructor(run: Step<'views', Tensor>, batch: number, size: number, dim: number) {
    this.#step = run;
    this.batch = batch;
    this.size = size;
    this.dim = dim;
  }

  static async create(device: Device, vision: ClipVision, { batch = 30 }: { batch?: number } = {}): Promise<Teacher> {
    const { image } = vision.config.vision;
    const run = await step(device, { views: [batch, 3, image, image] }, ({ views }) => vision.forward(views), {
      name: 'teacher',
    });
    return new Teacher(run, batch, image, vision.config.projection);
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
      throw new RangeError(`features: views must be [n, 3, ${this.size}, ${this.size}]; got ${views.length} values`);
    }
    const out = new Float32Array(count * this.dim);
    const parts: Promise<void>[] = [];
    for (let at = 0; at < count; at += this.batch) {
      const many = Math.min(this.batch, count - at);
      let part = views.subarray(at * length, (at + many) * length);
      if (many < this.batch) {
        // The step takes whole batches: what is missing is black, and its features are dropped.
        const padded = new Float32Array(this.batch * length);
        padded.set(part);
        part = padded;
      }
      // Reading is encoded at once, so the next batch may be issued before this one has arrived.
      const features = read(this.#step({ views: part }));
      parts.push(heard(features.then((values) => out.set(values.subarray(0, many * this.dim), at * this.dim))));
    }
    await Promise.all(parts);
    return out;
  }

  dispose(): void {
    this.#step.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
