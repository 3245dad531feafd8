import { type BufferRange, type Buffers, bufferUsage } from './buffers.ts';
import { DeviceError } from './errors.ts';
import type { Faults } from './faults.ts';
import type { GPUBuffer, GPUCommandEncoder, GPUDevice } from './webgpu.ts';

const MAP_READ = 1;

/** What is copied is whole words. */
const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** How many staging buffers are kept for the next reads. */
const RING = 4;

/** Copies from the GPU to the host, through a ring of staging buffers. */
export class Readback {
  readonly #gpu: GPUDevice;
  readonly #faults: Faults;
  readonly #buffers: Buffers;
  readonly #awaited: <T>(promise: Promise<T>) => Promise<T>;
  readonly #ring: GPUBuffer[] = [];

  /** `awaited` waits for the GPU in the way of the platform. */
  constructor(gpu: GPUDevice, faults: Faults, buffers: Buffers, awaited: <T>(promise: Promise<T>) => Promise<T>) {
    this.#gpu = gpu;
    this.#faults = faults;
    this.#buffers = buffers;
    this.#awaited = awaited;
  }

  /**
   * Copies ranges of buffers to the host in one go. The copies are added to `encoder`, so that they see what it did and
   * nothing later; the encoder is finished and submitted here, before this returns. `isScoped`: the caller hears what is refused.
   */
  async read(encoder: GPUCommandEncoder, ranges: readonly BufferRange[], isScoped: boolean): Promise<ArrayBuffer[]> {
    this.#faults.alive();
    const { strays } = this.#faults;
    let total = 0;
    const starts = ranges.map(({ bytes }) => {
      const start = total;
      total += padded(bytes);
      return start;
    });
    const staging = this.#take(total);
    let isGood = false;
    try {
      const copy = () => {
        ranges.forEach(({ buffer, offset, bytes }, i) => {
          if (bytes > 0) encoder.copyBufferToBuffer(buffer, offset, staging, starts[i] as number, padded(bytes));
        });
        this.#gpu.queue.submit([encoder.finish()]);
      };
      const used = [staging, ...ranges.filter(({ bytes }) => bytes > 0).map(({ buffer }) => buffer)];
      // What is refused because there is no memory is told as that.
      const isSure = isScoped || used.every((buffer) => this.#buffers.isAllocated(buffer));
      const refusal = isSure ? copy() : this.#faults.scoped(copy).refusal;
      try {
        await this.#awaited(staging.mapAsync(MAP_READ, 0, staging.size));
      } catch (cause) {
        await this.#buffers.allocated(used);
        await this.#faults.whyGone('reading back from the GPU failed', cause);
      }
      const mapped = staging.getMappedRange();
      const results = ranges.map(({ bytes }, i) => mapped.slice(starts[i], (starts[i] as number) + bytes));
      staging.unmap();
      this.#faults.alive();
      await this.#buffers.allocated(used);
      const refused = await refusal;
      if (refused) throw new DeviceError(`the GPU rejected a command: ${refused.message}`);
      if (this.#faults.strays !== strays) throw this.#faults.takeStray();
      isGood = true;
      return results;
    } finally {
      if (isGood && this.#ring.length < RING) this.#ring.push(staging);
      else this.#buffers.destroy(staging);
    }
  }

  #take(bytes: number): GPUBuffer {
    const size = Math.max(256, bytes);
    const index = this.#ring.findIndex((buffer) => buffer.size >= size);
    if (index >= 0) return this.#ring.splice(index, 1)[0] as GPUBuffer;
    // Too small ones make room: the ring holds few buffers, and the sizes that are read tend to repeat.
    const small = this.#ring.pop();
    if (small) this.#buffers.destroy(small);
    return this.#buffers.create(size, 'read back', bufferUsage.mapRead | bufferUsage.copyTarget);
  }
}
