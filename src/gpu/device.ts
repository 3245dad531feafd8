/// <reference lib="esnext.disposable" preserve="true" />
import { provide, quietly, tuningStore } from '#provider';
import { DeviceError, formatBytes, KernelError, OutOfMemoryError } from './errors.ts';
import { type Binding, type Kernel, source } from './kernel.ts';
import { SlotPool } from './slots.ts';

/** Numbers of the WebGPU specification, so that nothing depends on globals that Node does not have. */
export const bufferUsage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const;
const MAP_READ = 1;
const COMPUTE_STAGE = 4;

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

export interface CompiledKernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/**
 * An opened GPU. Owns everything that is made on it; `dispose()` frees it all. A process of Node ends only after that.
 */
export class Device implements Disposable {
  readonly gpu: GPUDevice;
  readonly adapter: GPUAdapterInfo;
  readonly limits: GPUSupportedLimits;
  readonly features: ReadonlySet<string>;
  readonly slots: SlotPool;
  /** Which form of a kernel proved fastest here, by class of work: what `tune` found, now or in an earlier run. */
  readonly tuned: Map<string, string> = new Map<string, string>();
  #owner: unknown;
  #failure: Error | undefined;
  #disposed = false;
  #bytes = 0;
  #buffersMade = 0;
  readonly #compiled = new Map<Kernel, Map<string, Promise<CompiledKernel>>>();
  readonly #staging: GPUBuffer[] = [];
  readonly #onDispose = new Set<() => void>();

  /** @internal Use {@link openDevice}. */
  constructor(gpu: GPUDevice, adapter: GPUAdapterInfo, owner: unknown) {
    this.gpu = gpu;
    this.adapter = adapter;
    this.limits = gpu.limits;
    this.features = gpu.features as ReadonlySet<string>;
    this.#owner = owner;
    this.slots = new SlotPool(this);
    gpu.addEventListener('uncapturederror', (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.#failure ??= new DeviceError(`the GPU rejected a command: ${error.message}`);
    });
    void gpu.lost.then((info) => {
      if (this.#disposed) return;
      this.#failure = new DeviceError(
        `the GPU device was lost (${info.message || info.reason || 'no reason given'}); open a new device and load the last checkpoint`,
      );
    });
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

  /** Throws what went wrong on the GPU since the last check: device loss, a rejected command. */
  check(): void {
    if (this.#disposed) throw new DeviceError('this device was disposed; open another with openDevice()');
    if (this.#failure) throw this.#failure;
  }

  /** A buffer that can be bound (as whole vec4s), copied from and written; counted in {@link bytes}. */
  buffer(bytes: number, label: string, usage: number = bufferUsage.storage): GPUBuffer {
    this.check();
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    if (size > this.limits.maxBufferSize) {
      throw new OutOfMemoryError(
        `${label} needs a buffer of ${formatBytes(size)}; '${this.name}' allows ${formatBytes(this.limits.maxBufferSize)}; ` +
          'use a smaller batch or model',
        size,
      );
    }
    let buffer: GPUBuffer;
    this.gpu.pushErrorScope('out-of-memory');
    try {
      buffer = this.gpu.createBuffer({ size, label, usage: usage | bufferUsage.copySource | bufferUsage.copyTarget });
    } catch (cause) {
      throw this.#outOfMemory(label, size, cause);
    } finally {
      void this.gpu.popErrorScope().then(
        (error) => {
          if (error) this.#failure ??= this.#outOfMemory(label, size, error);
        },
        () => {},
      );
    }
    this.#bytes += size;
    this.#buffersMade++;
    return buffer;
  }

  destroyBuffer(buffer: GPUBuffer): void {
    this.#bytes -= buffer.size;
    buffer.destroy();
  }

  /** Waits until errors of buffers made so far are known, and throws them. */
  async settle(): Promise<void> {
    this.gpu.pushErrorScope('validation');
    const error = await this.gpu.popErrorScope().catch(() => null);
    if (error) this.#failure ??= new DeviceError(error.message);
    this.check();
  }

  /** Resolves when everything that was submitted is done. */
  async finished(): Promise<void> {
    await this.#awaited(this.gpu.queue.onSubmittedWorkDone());
    this.check();
  }

  #awaited<T>(promise: Promise<T>): Promise<T> {
    return this.isSoftware ? quietly(promise) : promise;
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

  /** Compiles a kernel, once per element type and set of constants. Fails with the compiler's words and the line. */
  compile(
    kernel: Kernel,
    element: 'f32' | 'f16',
    constants: Readonly<Record<string, number>>,
  ): Promise<CompiledKernel> {
    let variants = this.#compiled.get(kernel);
    if (!variants) this.#compiled.set(kernel, (variants = new Map()));
    const key = `${element} ${JSON.stringify(constants)}`;
    let compiled = variants.get(key);
    if (!compiled) {
      compiled = this.#compile(kernel, element, constants);
      variants.set(key, compiled);
    }
    return compiled;
  }

  async #compile(
    kernel: Kernel,
    element: 'f32' | 'f16',
    constants: Readonly<Record<string, number>>,
  ): Promise<CompiledKernel> {
    this.check();
    if (element === 'f16' && !this.features.has('shader-f16')) {
      throw new DeviceError(`${kernel.name}: '${this.name}' has no f16 arithmetic (shader-f16); use f32`);
    }
    const code = source(kernel, element);
    this.gpu.pushErrorScope('validation');
    const module = this.gpu.createShaderModule({ code, label: kernel.name });
    const scope = this.gpu.popErrorScope();
    const [info, error] = await Promise.all([module.getCompilationInfo(), scope]);
    const messages = info.messages.filter((message) => message.type === 'error');
    if (messages.length > 0 || error) {
      const lines = code.split('\n');
      const words = messages
        .map((m) => `  line ${m.lineNum}: ${m.message}\n    ${(lines[m.lineNum - 1] ?? '').trim()}`)
        .join('\n');
      throw new KernelError(kernel.name, `kernel ${kernel.name} does not compile:\n${words || error?.message}`, code);
    }
    const entries: GPUBindGroupLayoutEntry[] = kernel.names.map((name, binding) => ({
      binding,
      visibility: COMPUTE_STAGE,
      buffer: { type: (kernel.bind[name] as Binding).startsWith('read') ? 'read-only-storage' : 'storage' },
    }));
    if (kernel.paramNames.length > 0) {
      entries.push({ binding: kernel.names.length, visibility: COMPUTE_STAGE, buffer: { type: 'uniform' } });
    }
    const layout = this.gpu.createBindGroupLayout({ entries, label: kernel.name });
    try {
      const pipeline = await this.gpu.createComputePipelineAsync({
        label: kernel.name,
        layout: this.gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main', constants },
      });
      return { pipeline, layout };
    } catch (cause) {
      if (this.#failure) throw this.#failure;
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new KernelError(kernel.name, `kernel ${kernel.name} makes no pipeline: ${words}`, code);
    }
  }

  /**
   * Copies ranges of buffers to the host in one go. The copies are added to `encoder`, so that they see what it did and
   * nothing later; the encoder is finished and submitted here.
   */
  async readBack(
    encoder: GPUCommandEncoder,
    ranges: readonly { buffer: GPUBuffer; offset: number; bytes: number }[],
  ): Promise<ArrayBuffer[]> {
    this.check();
    const total = ranges.reduce((sum, range) => sum + Math.ceil(range.bytes / 4) * 4, 0);
    const staging = this.#takeStaging(total);
    let at = 0;
    for (const { buffer, offset, bytes } of ranges) {
      const size = Math.ceil(bytes / 4) * 4;
      if (size > 0) encoder.copyBufferToBuffer(buffer, offset, staging, at, size);
      at += size;
    }
    this.gpu.queue.submit([encoder.finish()]);
    try {
      await this.#awaited(staging.mapAsync(MAP_READ, 0, staging.size));
    } catch (cause) {
      this.check();
      throw new DeviceError('reading back from the GPU failed', { cause });
    }
    const mapped = staging.getMappedRange();
    at = 0;
    const results = ranges.map(({ bytes }) => {
      const copy = mapped.slice(at, at + bytes);
      at += Math.ceil(bytes / 4) * 4;
      return copy;
    });
    staging.unmap();
    if (this.#staging.length < 4 && !this.#disposed) this.#staging.push(staging);
    else this.destroyBuffer(staging);
    this.check();
    return results;
  }

  #takeStaging(bytes: number): GPUBuffer {
    const size = Math.max(256, bytes);
    const index = this.#staging.findIndex((buffer) => buffer.size >= size);
    if (index >= 0) return this.#staging.splice(index, 1)[0] as GPUBuffer;
    // Too small ones make room: the ring holds few buffers, and the sizes that are read tend to repeat.
    const small = this.#staging.pop();
    if (small) this.destroyBuffer(small);
    this.#bytes += size;
    this.#buffersMade++;
    return this.gpu.createBuffer({ size, usage: bufferUsage.mapRead | bufferUsage.copyTarget, label: 'read back' });
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
    this.gpu.destroy();
    this.#owner = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal Keeps the provider's object reachable: see `Provided.owner`. */
  get owner(): unknown {
    return this.#owner;
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
  const { adapter, owner, notice } = await provide(options);
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
  const gpu = await adapter.requestDevice({
    label: 'zeroseg',
    requiredFeatures: wanted.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
    requiredLimits,
  });
  if (notice && options.notice !== null) (options.notice ?? console.warn)(notice);
  const device = new Device(gpu, info, owner);
  if (options.tuning ?? true) {
    // Files can be damaged or be of another version: what is no form is left out.
    const kept = await tuningStore.load(device.name);
    const entries = typeof kept === 'object' && kept !== null && !Array.isArray(kept) ? Object.entries(kept) : [];
    for (const [work, form] of entries) if (typeof form === 'string') device.tuned.set(work, form);
  }
  return device;
}
