/// <reference lib="esnext.disposable" preserve="true" />

import { provide, quietly, tuningStore } from '#provider';
import { type CompiledKernel, Compiler } from './compiler.ts';
import { DeviceError, formatBytes, OutOfMemoryError } from './errors.ts';
import type { Kernel } from './kernel.ts';
import { Outcome } from './outcome.ts';
import { SlotPool } from './slots.ts';
import type {
  GPUAdapterInfo,
  GPUBuffer,
  GPUCommandEncoder,
  GPUDevice,
  GPUError,
  GPUSupportedLimits,
} from './webgpu.ts';

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
const MAP_READ = 1;

export interface DeviceOptions {
  /**
   * Which adapter to take. In Node: `'hardware'`, `'lavapipe'`, `'swiftshader'`, `'software'`, or part of an adapter's name;
   * in browsers: `'software'`. Default: the environment variable `ZEROSEG_ADAPTER`, else the fastest kind there is.
   */
  readonly adapter?: string;
  /** Gets the one line that says that a slow software adapter had to be taken. Default: `console.warn`; `null` is silent. */
  readonly notice?: ((line: string) => void) | null;
  /** Whether what `tune` found on this adapter in earlier runs is used. Default: true. */
  readonly tuning?: boolean;
}

/** A stretch of a buffer. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** Milliseconds to wait for the reason of a loss, which may come after the failure that it causes. */
const LOSS_IS_KNOWN_AFTER = 100;

/**
 * An opened GPU. Owns everything that is made on it; `dispose()` frees it all, and whatever still waits for the device fails
 * with a {@link DeviceError}. Node ends without it too: an open device keeps no process alive.
 *
 * Errors belong to the call that made them. What the GPU says later is kept for the read that waits for that call; where nobody
 * waits, the next call on the device throws it, once.
 */
export class Device implements Disposable {
  readonly gpu: GPUDevice;
  readonly adapter: GPUAdapterInfo;
  readonly limits: GPUSupportedLimits;
  readonly features: ReadonlySet<string>;
  readonly slots: SlotPool;
  /** Which form of a kernel proved fastest here, by class of work: what `tune` found, now or in an earlier run. */
  readonly tuned: Map<string, string> = new Map<string, string>();
  /** Why the device is gone for good. */
  #lost: DeviceError | undefined;
  /** What went wrong in calls that nobody waits for, until somebody hears of it. */
  readonly #reports = new Set<Error>();
  /** Refused commands that belong to no call that is known: what was on its way meanwhile is not to be trusted. */
  #strays = 0;
  readonly #listener: (event: unknown) => void;
  #lastStray: Error | undefined;
  #disposed = false;
  #destroyed = 0;
  #bytes = 0;
  #buffersMade = 0;
  readonly #compiler: Compiler;
  /** Buffers of which it is not known yet whether there was memory for them, and those for which there was none. */
  readonly #allocating = new Map<GPUBuffer, Promise<void>>();
  readonly #refused = new WeakMap<GPUBuffer, OutOfMemoryError>();
  readonly #unsettled = new Set<Promise<void>>();
  readonly #staging: GPUBuffer[] = [];
  readonly #onDispose = new Set<() => void>();

  /** @internal Use {@link openDevice}. */
  constructor(gpu: GPUDevice, adapter: GPUAdapterInfo) {
    this.gpu = gpu;
    this.adapter = adapter;
    this.limits = gpu.limits;
    this.features = gpu.features as ReadonlySet<string>;
    this.slots = new SlotPool(this);
    this.#compiler = new Compiler(this);
    // Dawn keeps what listens for as long as the device: what refers back to it would keep both for ever.
    const self = new WeakRef(this);
    this.#listener = (event) => {
      const device = self.deref();
      if (device) device.#stray((event as GPUUncapturedErrorEvent).error);
    };
    gpu.addEventListener('uncapturederror', this.#listener);
    void gpu.lost.then((info) => {
      const device = self.deref();
      if (device) device.#lose(info);
    });
  }

  #stray({ message }: GPUError): void {
    this.#lastStray = new DeviceError(`the GPU rejected a command: ${message}`);
    this.#strays++;
    this.#reports.add(this.#lastStray);
  }

  #lose({ message, reason }: GPUDeviceLostInfo): void {
    if (this.#disposed) return;
    this.#lost = new DeviceError(
      `the GPU device was lost (${message || reason || 'no reason given'}); open a new device and load the last checkpoint`,
    );
    this.#reports.clear();
  }

  /** The adapter in words, for logs and tables. */
  get name(): string {
    const { description, device, architecture, vendor } = this.adapter;
    return description || device || [vendor, architecture].filter(Boolean).join(' ') || 'unknown adapter';
  }

  /** Whether the adapter computes on the CPU. */
  get isSoftware(): boolean {
    return this.adapter.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software/i.test(this.name);
  }

  /** Bytes of GPU buffers that exist now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Buffers made since the device was opened: constant while steps replay. */
  get buffersMade(): number {
    return this.#buffersMade;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @internal Buffers destroyed so far: while it stays the same, what was bound is still there. */
  get destroyed(): number {
    return this.#destroyed;
  }

  /** Throws if the device is gone, or what went wrong in an earlier call that nobody waited for: each of these once. */
  check(): void {
    this.alive();
    if (this.#reports.size === 0) return;
    for (const error of this.#reports) {
      this.#reports.delete(error);
      throw error;
    }
  }

  /** @internal Throws if the device is gone. */
  alive(): void {
    if (this.#disposed) throw new DeviceError('this device was disposed; open another with openDevice()');
    if (this.#lost) throw this.#lost;
  }

  /** @internal The next {@link check} throws this, unless it is withdrawn first. */
  report(error: Error): void {
    if (!this.#disposed && !this.#lost) this.#reports.add(error);
  }

  /** @internal */
  withdraw(error: Error): void {
    this.#reports.delete(error);
  }

  /** @internal Follows work that goes on after the call that began it. */
  follow(work: Promise<void>): Outcome {
    const outcome = new Outcome(this, work);
    this.#await(outcome.settled);
    return outcome;
  }

  /**
   * @internal Runs `body`, which must not wait for anything, and tells what the GPU refused of it. Error scopes are a stack of the
   * whole device: one that is open during an `await` would take the errors of others.
   */
  scoped<T>(body: () => T): { readonly value: T; readonly refusal: Promise<GPUError | null> } {
    let refusal: Promise<GPUError | null> | undefined;
    this.gpu.pushErrorScope('validation');
    try {
      const value = body();
      refusal = this.#popScope();
      return { value, refusal };
    } finally {
      if (!refusal) void this.#popScope();
    }
  }

  /** A scope of a device that is lost has nothing to say. */
  #popScope(): Promise<GPUError | null> {
    return this.gpu.popErrorScope().catch(() => null);
  }

  /** A buffer that can be bound (as whole vec4s), copied from and written; counted in {@link bytes}. */
  buffer(bytes: number, label: string, usage: number = bufferUsage.storage): GPUBuffer {
    this.check();
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    return this.#create(size, label, usage | bufferUsage.copySource | bufferUsage.copyTarget);
  }

  #create(size: number, label: string, usage: number): GPUBuffer {
    if (size > this.limits.maxBufferSize) {
      throw new OutOfMemoryError(
        `${label} needs a buffer of ${formatBytes(size)}; '${this.name}' allows ${formatBytes(this.limits.maxBufferSize)}; ` +
          'use a smaller batch or model',
        size,
      );
    }
    let buffer: GPUBuffer | undefined;
    this.gpu.pushErrorScope('out-of-memory');
    try {
      buffer = this.gpu.createBuffer({ size, label, usage });
    } catch (cause) {
      throw this.#outOfMemory(label, size, cause);
    } finally {
      const refusal = this.#popScope();
      if (buffer) this.#allocate(buffer, label, size, refusal);
    }
    this.#bytes += size;
    this.#buffersMade++;
    return buffer;
  }

  #allocate(buffer: GPUBuffer, label: string, size: number, refusal: Promise<GPUError | null>): void {
    const known = refusal.then((error) => {
      if (error) this.#refused.set(buffer, this.#outOfMemory(label, size, error));
      this.#allocating.delete(buffer);
    });
    this.#allocating.set(buffer, known);
    this.#await(known);
  }

  /** Keeps work, which never fails, until it is done. */
  #await(work: Promise<void>): void {
    this.#unsettled.add(work);
    void work.then(() => this.#unsettled.delete(work));
  }

  destroyBuffer(buffer: GPUBuffer): void {
    this.#bytes -= buffer.size;
    this.#destroyed++;
    buffer.destroy();
  }

  /** @internal Why there is no memory behind a buffer, as far as is known. */
  refused(buffer: GPUBuffer): OutOfMemoryError | undefined {
    return this.#refused.get(buffer);
  }

  /** @internal Waits until it is known whether there is memory behind these buffers, and throws if not. */
  async allocated(buffers: Iterable<GPUBuffer>): Promise<void> {
    for (const buffer of buffers) {
      const known = this.#allocating.get(buffer);
      if (known) await known;
      const refused = this.#refused.get(buffer);
      if (refused) throw refused;
    }
  }

  /** @internal Writes to a buffer. One for which there was no memory is an error here, not a refused command later. */
  writeBuffer(buffer: GPUBuffer, offset: number, data: ArrayBufferView): void {
    const refused = this.#refused.get(buffer);
    if (refused) throw refused;
    const write = () => this.gpu.queue.writeBuffer(buffer, offset, data as GPUAllowSharedBufferSource);
    const known = this.#allocating.get(buffer);
    if (!known) {
      write();
      return;
    }
    const { refusal } = this.scoped(write);
    const told = Promise.all([refusal, known]).then(([error]) => {
      if (error && !this.#refused.has(buffer))
        this.report(new DeviceError(`the GPU rejected a write: ${error.message}`));
    });
    this.#await(told);
  }

  /** Waits until the errors of all calls so far are known, and throws the first that nobody has heard of. */
  async settle(): Promise<void> {
    await this.scoped(() => {}).refusal;
    while (this.#unsettled.size > 0) await Promise.all(this.#unsettled);
    this.check();
  }

  /** Resolves when everything that was submitted is done; throws the first error of it that nobody has heard of. */
  async finished(): Promise<void> {
    this.alive();
    await this.#awaited(this.gpu.queue.onSubmittedWorkDone().catch(() => this.whyGone('waiting for the GPU failed')));
    await this.settle();
  }

  #awaited<T>(promise: Promise<T>): Promise<T> {
    return this.isSoftware ? quietly(promise) : promise;
  }

  /** @internal Throws why what the GPU was asked for did not come. */
  async whyGone(what: string, cause?: unknown): Promise<never> {
    if (!this.#disposed && !this.#lost) {
      await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, LOSS_IS_KNOWN_AFTER))]);
    }
    this.alive();
    throw new DeviceError(what, { cause });
  }

  #outOfMemory(label: string, size: number, cause: unknown): OutOfMemoryError {
    const error = new OutOfMemoryError(
      `${label} needs ${formatBytes(size)} beside the ${formatBytes(this.#bytes)} in use, and '${this.name}' has no more; ` +
        'use a smaller batch or model',
      size,
    );
    error.cause = cause;
    return error;
  }

  /** A kernel that was compiled before for this element type and these constants. */
  compiled(
    kernel: Kernel,
    element: 'f32' | 'f16',
    constants: Readonly<Record<string, number>>,
  ): CompiledKernel | undefined {
    return this.#compiler.compiled(kernel, element, constants);
  }

  /** Compiles a kernel, once per element type and set of constants. Fails with the compiler's words and the line. */
  compile(
    kernel: Kernel,
    element: 'f32' | 'f16',
    constants: Readonly<Record<string, number>>,
  ): Promise<CompiledKernel> {
    return this.#compiler.compile(kernel, element, constants);
  }

  /**
   * Copies ranges of buffers to the host in one go. The copies are added to `encoder`, so that they see what it did and
   * nothing later; the encoder is finished and submitted here, before this returns. `isScoped`: the caller hears what is refused.
   */
  async readBack(encoder: GPUCommandEncoder, ranges: readonly BufferRange[], isScoped = false): Promise<ArrayBuffer[]> {
    this.alive();
    const strays = this.#strays;
    const total = ranges.reduce((sum, range) => sum + Math.ceil(range.bytes / 4) * 4, 0);
    const staging = this.#takeStaging(total);
    let isGood = false;
    try {
      const copy = () => {
        let at = 0;
        for (const { buffer, offset, bytes } of ranges) {
          const size = Math.ceil(bytes / 4) * 4;
          if (size > 0) encoder.copyBufferToBuffer(buffer, offset, staging, at, size);
          at += size;
        }
        this.gpu.queue.submit([encoder.finish()]);
      };
      const buffers = [staging, ...ranges.map(({ buffer }) => buffer)];
      // What is refused because there is no memory is told as that.
      const isSure = isScoped || !buffers.some((buffer) => this.#allocating.has(buffer) || this.#refused.has(buffer));
      const refusal = isSure ? copy() : this.scoped(copy).refusal;
      try {
        await this.#awaited(staging.mapAsync(MAP_READ, 0, staging.size));
      } catch (cause) {
        await this.allocated(buffers);
        await this.whyGone('reading back from the GPU failed', cause);
      }
      const mapped = staging.getMappedRange();
      let at = 0;
      const results = ranges.map(({ bytes }) => {
        const copy = mapped.slice(at, at + bytes);
        at += Math.ceil(bytes / 4) * 4;
        return copy;
      });
      staging.unmap();
      this.alive();
      await this.allocated(buffers);
      const refused = await refusal;
      if (refused) throw new DeviceError(`the GPU rejected a command: ${refused.message}`);
      if (this.#strays !== strays) throw this.#heard();
      isGood = true;
      return results;
    } finally {
      if (isGood && this.#staging.length < 4) this.#staging.push(staging);
      else this.destroyBuffer(staging);
    }
  }

  /** What the GPU refused last, of a call that is not known; whoever asks tells the user. */
  #heard(): Error {
    const error = this.#lastStray as Error;
    this.#reports.delete(error);
    return error;
  }

  #takeStaging(bytes: number): GPUBuffer {
    const size = Math.max(256, bytes);
    const index = this.#staging.findIndex((buffer) => buffer.size >= size);
    if (index >= 0) return this.#staging.splice(index, 1)[0] as GPUBuffer;
    // Too small ones make room: the ring holds few buffers, and the sizes that are read tend to repeat.
    const small = this.#staging.pop();
    if (small) this.destroyBuffer(small);
    return this.#create(size, 'read back', bufferUsage.mapRead | bufferUsage.copyTarget);
  }

  /** Keeps {@link tuned} for later runs on this adapter: in `~/.cache/zeroseg`, or in the page's IndexedDB. */
  async saveTuning(): Promise<void> {
    await tuningStore.save(this.name, Object.fromEntries(this.tuned));
  }

  /** @internal Runs `free` when the device is disposed, unless it is taken back first. */
  onDispose(free: () => void): () => void {
    this.#onDispose.add(free);
    return () => this.#onDispose.delete(free);
  }

  /** Frees everything on the device. Tensors and steps of it can no longer be used. */
  dispose(): void {
    if (this.#disposed) return;
    for (const free of this.#onDispose) free();
    this.#onDispose.clear();
    this.#disposed = true;
    this.#reports.clear();
    this.gpu.removeEventListener('uncapturederror', this.#listener);
    this.gpu.destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Opens a GPU.
 *
 * ```ts
 * using device = await openDevice();
 * console.log(device.name);
 * ```
 *
 * @throws DeviceError when there is no adapter, or none of the wanted kind.
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const { adapter, notice } = await provide(options);
  const wanted = ['shader-f16', 'subgroups', 'timestamp-query'];
  const requiredLimits: Record<string, number> = {};
  for (const name of [
    'maxBufferSize',
    'maxStorageBufferBindingSize',
    'maxComputeWorkgroupStorageSize',
    'maxComputeInvocationsPerWorkgroup',
    'maxComputeWorkgroupSizeX',
    'maxComputeWorkgroupSizeY',
  ] as const) {
    requiredLimits[name] = adapter.limits[name];
  }
  const info = adapter.info;
  let gpu: GPUDevice;
  try {
    gpu = await adapter.requestDevice({
      label: 'zeroseg',
      requiredFeatures: wanted.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
      requiredLimits,
    });
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new DeviceError(`openDevice: '${info.description || info.vendor}' gave no device: ${words}`, { cause });
  }
  const device = new Device(gpu, info);
  try {
    if (notice && options.notice !== null) (options.notice ?? console.warn)(notice);
    if (options.tuning ?? true) {
      // Files can be damaged or be of another version: what is no form is left out.
      const kept = await tuningStore.load(device.name);
      const entries = typeof kept === 'object' && kept !== null && !Array.isArray(kept) ? Object.entries(kept) : [];
      for (const [work, form] of entries) if (typeof form === 'string') device.tuned.set(work, form);
    }
    return device;
  } catch (error) {
    device.dispose();
    throw error;
  }
}
