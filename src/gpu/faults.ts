import { DeviceError } from './errors.ts';
import type { GPUDevice, GPUError } from './webgpu.ts';

/** Milliseconds to wait for the reason of a loss, which may come after the failure that it causes. */
const LOSS_IS_KNOWN_AFTER = 100;

/**
 * What goes wrong on a GPU, and who is told. Errors belong to the call that made them. What the GPU says later is kept for the
 * read that waits for that call; where nobody waits, the next {@link check} throws it, once.
 */
export class Faults {
  readonly #gpu: GPUDevice;
  /** Why the device is gone for good. */
  #lost: DeviceError | undefined;
  isDisposed = false;
  /** What went wrong in calls that nobody waits for, until somebody is told. */
  readonly #reports = new Set<Error>();
  /** Errors so far that belong to no known call ({@link takeStray}): results that were on their way meanwhile cannot be trusted. */
  strays = 0;
  #lastStray: Error | undefined;
  readonly #listener: (event: unknown) => void;
  readonly #unsettled = new Set<Promise<void>>();

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
    // Dawn keeps listeners for as long as the device: one that refers back to it would keep both for ever.
    const self = new WeakRef(this);
    this.#listener = (event) => {
      const faults = self.deref();
      if (faults) faults.#stray((event as GPUUncapturedErrorEvent).error);
    };
    gpu.addEventListener('uncapturederror', this.#listener);
    void gpu.lost.then((info) => {
      const faults = self.deref();
      if (faults) faults.#lose(info);
    });
  }

  #stray({ message }: GPUError): void {
    this.#lastStray = new DeviceError(`the GPU rejected a command: ${message}`);
    this.strays++;
    this.#reports.add(this.#lastStray);
  }

  #lose({ message, reason }: GPUDeviceLostInfo): void {
    if (this.isDisposed) return;
    this.#lost = new DeviceError(
      `the GPU device was lost (${message || reason || 'no reason given'}); open a new device and load the last checkpoint`,
    );
    this.#reports.clear();
  }

  /** The last error that belongs to no known call; whoever takes it tells the user. */
  takeStray(): Error {
    const error = this.#lastStray as Error;
    this.#reports.delete(error);
    return error;
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

  /** Throws if the device is gone. */
  alive(): void {
    if (this.isDisposed) throw new DeviceError('this device was disposed; open another with openDevice()');
    if (this.#lost) throw this.#lost;
  }

  /** The next {@link check} throws this, unless it is withdrawn first. */
  report(error: Error): void {
    if (!this.isDisposed && !this.#lost) this.#reports.add(error);
  }

  withdraw(error: Error): void {
    this.#reports.delete(error);
  }

  /** {@link settle} waits for this work, which must not fail. */
  track(work: Promise<void>): void {
    this.#unsettled.add(work);
    void work.then(() => this.#unsettled.delete(work));
  }

  /**
   * Runs `body`, which must not wait for anything, and tells what the GPU refused of it. Error scopes are a stack of the whole
   * device: one that is open during an `await` would take the errors of others.
   */
  scoped<T>(
    body: () => T,
    filter: 'validation' | 'out-of-memory' = 'validation',
  ): { readonly value: T; readonly refusal: Promise<GPUError | null> } {
    let refusal: Promise<GPUError | null> | undefined;
    this.#gpu.pushErrorScope(filter);
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
    return this.#gpu.popErrorScope().catch(() => null);
  }

  /** Waits until the errors of all calls so far are known, and throws the first that nobody was told of. */
  async settle(): Promise<void> {
    await this.scoped(() => {}).refusal;
    while (this.#unsettled.size > 0) await Promise.all(this.#unsettled);
    this.check();
  }

  /** Throws why what the GPU was asked for did not come. */
  async whyGone(what: string, cause?: unknown): Promise<never> {
    if (!this.isDisposed && !this.#lost) {
      await Promise.race([this.#gpu.lost, new Promise((resolve) => setTimeout(resolve, LOSS_IS_KNOWN_AFTER))]);
    }
    this.alive();
    throw new DeviceError(what, { cause });
  }

  dispose(): void {
    this.isDisposed = true;
    this.#reports.clear();
    this.#gpu.removeEventListener('uncapturederror', this.#listener);
  }
}

/**
 * A promise that may be awaited late, or by nobody any more because something else failed first. Its failure is then no news, and
 * must not end the process.
 */
export function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
