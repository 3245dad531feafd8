/// <reference lib="esnext.disposable" preserve="true" />

import { awaitWithBackoff } from '#provider';
import { type BufferRange, Buffers } from './buffers.ts';
import { type CompiledKernel, Compiler } from './compiler.ts';
import type { OutOfMemoryError } from './errors.ts';
import { Faults } from './faults.ts';
import type { Kernel } from './kernel.ts';
import type { Reports } from './outcome.ts';
import { type DeviceProfile, profileOf } from './profile.ts';
import { Readback } from './readback.ts';
import { SlotPool } from './slots.ts';
import type {
  GPUAdapterInfo,
  GPUBuffer,
  GPUCommandEncoder,
  GPUDevice,
  GPUError,
  GPUSupportedLimits,
} from './webgpu.ts';

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
  /** @internal */
  readonly slots: SlotPool;
  /** Which variant of a kernel proved fastest here, by class of work: what `tune` found, now or in an earlier run. */
  readonly tuned: Map<string, string> = new Map<string, string>();
  /** @internal How products compute their tiles, where a program has asked for another way than the usual, by the operands' dtype. */
  declare form?: (dtype: string) => { readonly name: string } | undefined;
  readonly #profile: DeviceProfile;
  readonly #faults: Faults;
  readonly #buffers: Buffers;
  readonly #compiler: Compiler;
  readonly #readback: Readback;
  /** How to wait for the GPU. */
  readonly #awaited: <T>(promise: Promise<T>) => Promise<T>;
  readonly #onDispose = new Set<() => void>();

  /** @internal Use {@link openDevice}. */
  constructor(gpu: GPUDevice, adapter: GPUAdapterInfo) {
    this.gpu = gpu;
    this.adapter = adapter;
    this.limits = gpu.limits;
    this.features = gpu.features as ReadonlySet<string>;
    this.#profile = profileOf(adapter, this.features.has('subgroups'), this.isSoftware);
    this.#faults = new Faults(gpu);
    this.#buffers = new Buffers(gpu, this.name, this.#faults);
    this.#compiler = new Compiler(gpu, this.name, this.#faults);
    // The threads of a software adapter need the core on which Node would poll.
    this.#awaited = this.isSoftware ? awaitWithBackoff : (promise) => promise;
    this.#readback = new Readback(gpu, this.#faults, this.#buffers, this.#awaited);
    this.slots = new SlotPool(this.#buffers);
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

  /** @internal What kernels choose their variants by. */
  get profile(): DeviceProfile {
    return this.#profile;
  }

  /** Bytes of GPU buffers that exist now. */
  get bytes(): number {
    return this.#buffers.bytes;
  }

  /** Buffers made since the device was opened: constant while steps replay. */
  get buffersMade(): number {
    return this.#buffers.made;
  }

  get disposed(): boolean {
    return this.#faults.isDisposed;
  }

  /** @internal Buffers destroyed so far: while it stays the same, what was bound is still there. */
  get destroyed(): number {
    return this.#buffers.destroyed;
  }

  /** Throws if the device is gone, or what went wrong in an earlier call that nobody waited for: each of these once. */
  check(): void {
    this.#faults.check();
  }

  /** @internal Throws if the device is gone. */
  alive(): void {
    this.#faults.alive();
  }

  /** @internal {@link settle} waits for this work, which must not fail. */
  track(work: Promise<void>): void {
    this.#faults.track(work);
  }

  /** @internal Where what goes wrong after the call that began it is reported. */
  get reports(): Reports {
    return this.#faults;
  }

  /** @internal Runs `body`, which must not wait for anything, and tells what the GPU refused of it. */
  scoped<T>(body: () => T): { readonly value: T; readonly refusal: Promise<GPUError | null> } {
    return this.#faults.scoped(body);
  }

  /** A buffer that can be bound (as whole vec4s), copied from and written; counted in {@link bytes}. */
  buffer(bytes: number, label: string, usage?: number): GPUBuffer {
    return this.#buffers.make(bytes, label, usage);
  }

  destroyBuffer(buffer: GPUBuffer): void {
    this.#buffers.destroy(buffer);
  }

  /** @internal Why there is no memory behind a buffer, as far as is known. */
  refused(buffer: GPUBuffer): OutOfMemoryError | undefined {
    return this.#buffers.refused(buffer);
  }

  /** @internal Waits until it is known whether there is memory behind these buffers, and throws if not. */
  allocated(buffers: Iterable<GPUBuffer>): Promise<void> {
    return this.#buffers.allocated(buffers);
  }

  /** @internal Writes to a buffer. One for which there was no memory is an error here, not a refused command later. */
  writeBuffer(buffer: GPUBuffer, offset: number, data: ArrayBufferView): void {
    this.#buffers.write(buffer, offset, data);
  }

  /** Waits until the errors of all calls so far are known, and throws the first that nobody was told of. */
  settle(): Promise<void> {
    return this.#faults.settle();
  }

  /** Resolves when everything that was submitted is done; throws the first error of it that nobody was told of. */
  async finished(): Promise<void> {
    this.alive();
    const done = this.gpu.queue.onSubmittedWorkDone();
    await this.#awaited(done.catch(() => this.#faults.whyGone('waiting for the GPU failed')));
    await this.settle();
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
    return this.#awaited(this.#compiler.compile(kernel, element, constants));
  }

  /**
   * Copies ranges of buffers to the host in one go. The copies are added to `encoder`, so that they see what it did and
   * nothing later; the encoder is finished and submitted here, before this returns. `isScoped`: the caller hears what is refused.
   */
  readBack(encoder: GPUCommandEncoder, ranges: readonly BufferRange[], isScoped = false): Promise<ArrayBuffer[]> {
    return this.#readback.read(encoder, ranges, isScoped);
  }

  /** @internal Runs `free` when the device is disposed, unless it is taken back first. */
  onDispose(free: () => void): () => void {
    this.#onDispose.add(free);
    return () => this.#onDispose.delete(free);
  }

  /** Frees everything on the device. Tensors and steps of it can no longer be used. */
  dispose(): void {
    if (this.disposed) return;
    for (const free of this.#onDispose) free();
    this.#onDispose.clear();
    this.#faults.dispose();
    this.gpu.destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
