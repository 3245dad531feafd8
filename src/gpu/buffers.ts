import { DeviceError, formatBytes, OutOfMemoryError } from './errors.ts';
import type { Faults } from './faults.ts';
import type { GPUBuffer, GPUDevice } from './webgpu.ts';

/** Numbers of the WebGPU specification, so that nothing depends on globals that Node does not have. */
export const bufferUsage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  indirect: 0x100,
  queryResolve: 0x200,
} as const;

/** A stretch of a buffer. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** Makes, counts, writes and destroys the buffers of a device. Whether there is memory for one is known only after it is made. */
export class Buffers {
  readonly #gpu: GPUDevice;
  readonly #adapter: string;
  readonly #faults: Faults;
  /** Bytes of the buffers that exist now. */
  bytes = 0;
  /** Buffers made so far. */
  made = 0;
  /** Buffers destroyed so far: while it stays the same, what was bound is still there. */
  destroyed = 0;
  /** Buffers of which it is not known yet whether there was memory for them, and those for which there was none. */
  readonly #allocating = new Map<GPUBuffer, Promise<void>>();
  readonly #refused = new WeakMap<GPUBuffer, OutOfMemoryError>();

  /** `adapter`: its name, for messages. */
  constructor(gpu: GPUDevice, adapter: string, faults: Faults) {
    this.#gpu = gpu;
    this.#adapter = adapter;
    this.#faults = faults;
  }

  /** A buffer that can be bound (as whole vec4s), copied from and written. */
  make(bytes: number, label: string, usage: number = bufferUsage.storage): GPUBuffer {
    this.#faults.check();
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    return this.create(size, label, usage | bufferUsage.copySource | bufferUsage.copyTarget);
  }

  /** A buffer of exactly this size and usage. */
  create(size: number, label: string, usage: number): GPUBuffer {
    const max = this.#gpu.limits.maxBufferSize;
    if (size > max) {
      throw new OutOfMemoryError(
        `${label} needs a buffer of ${formatBytes(size)}; '${this.#adapter}' allows ${formatBytes(max)}; ` +
          'use a smaller batch or model',
        size,
      );
    }
    const make = () => {
      try {
        return this.#gpu.createBuffer({ size, label, usage });
      } catch (cause) {
        throw this.#outOfMemory(label, size, cause);
      }
    };
    const { value: buffer, refusal } = this.#faults.scoped(make, 'out-of-memory');
    const known = refusal.then((error) => {
      if (error) this.#refused.set(buffer, this.#outOfMemory(label, size, error));
      this.#allocating.delete(buffer);
    });
    this.#allocating.set(buffer, known);
    this.#faults.track(known);
    this.bytes += size;
    this.made++;
    return buffer;
  }

  destroy(buffer: GPUBuffer): void {
    this.bytes -= buffer.size;
    this.destroyed++;
    buffer.destroy();
  }

  /** Why there is no memory behind a buffer, as far as is known. */
  refused(buffer: GPUBuffer): OutOfMemoryError | undefined {
    return this.#refused.get(buffer);
  }

  /** Whether it is known that there is memory behind a buffer. */
  isAllocated(buffer: GPUBuffer): boolean {
    return !this.#allocating.has(buffer) && !this.#refused.has(buffer);
  }

  /** Waits until it is known whether there is memory behind these buffers, and throws if not. */
  async allocated(buffers: Iterable<GPUBuffer>): Promise<void> {
    for (const buffer of buffers) {
      const known = this.#allocating.get(buffer);
      if (known) await known;
      const refused = this.#refused.get(buffer);
      if (refused) throw refused;
    }
  }

  /** Writes to a buffer. One for which there was no memory is an error here, not a refused command later. */
  write(buffer: GPUBuffer, offset: number, data: ArrayBufferView): void {
    const refused = this.#refused.get(buffer);
    if (refused) throw refused;
    const write = () => this.#gpu.queue.writeBuffer(buffer, offset, data as GPUAllowSharedBufferSource);
    const known = this.#allocating.get(buffer);
    if (!known) {
      write();
      return;
    }
    const { refusal } = this.#faults.scoped(write);
    const told = Promise.all([refusal, known]).then(([error]) => {
      if (error && !this.#refused.has(buffer)) {
        this.#faults.report(new DeviceError(`the GPU rejected a command: ${error.message}`));
      }
    });
    this.#faults.track(told);
  }

  #outOfMemory(label: string, size: number, cause: unknown): OutOfMemoryError {
    const error = new OutOfMemoryError(
      `${label} needs ${formatBytes(size)} beside the ${formatBytes(this.bytes)} in use, and '${this.#adapter}' has no more; ` +
        'use a smaller batch or model',
      size,
    );
    error.cause = cause;
    return error;
  }
}
