import { type Device, openDevice } from '@zeroseg/core';

export interface GpuFacts {
  readonly name: string;
  /** Whether it computes on the processor. */
  readonly isSoftware: boolean;
}

/** The page's one device. When it is lost, what was made on it is let go, and the next call opens another. */
export class Gpu {
  #device: Promise<Device> | undefined;
  readonly #onLost = new Set<() => void>();

  device(): Promise<Device> {
    this.#device ??= this.#open();
    return this.#device;
  }

  async facts(): Promise<GpuFacts> {
    const { name, isSoftware } = await this.device();
    return { name, isSoftware };
  }

  /** Called when a device is lost, never when it is closed. */
  onLost(call: () => void): void {
    this.#onLost.add(call);
  }

  async #open(): Promise<Device> {
    const opening = openDevice({ notice: null });
    opening.catch(() => {
      this.#device = undefined; // the next call tries again
    });
    const device = await opening;
    void device.gpu.lost.then(() => {
      this.#device = undefined;
      for (const call of this.#onLost) call();
    });
    return device;
  }
}
