import { afterAll, afterEach, beforeAll, vi } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { openDevice } from '../../src/gpu/open-device.ts';
import { profileOf } from '../../src/gpu/profile.ts';

let shared: Device | undefined;

/**
 * The device of a test file. A machine without any adapter fails the suite; errors that the GPU reports after a test fail
 * that test.
 */
export function useDevice(): { readonly current: Device } {
  beforeAll(async () => {
    shared ??= await openDevice({ notice: null, tuning: false });
  });
  afterEach(async () => {
    await shared?.settle();
  });
  afterAll(() => {
    shared?.dispose();
    shared = undefined;
  });
  return {
    get current(): Device {
      if (!shared) throw new Error('the device is opened in beforeAll; use it inside tests only');
      return shared;
    },
  };
}

/** Kernels and launches are those of a GPU from now on, until `vi.restoreAllMocks()`: the adapters of this suite compute on the CPU. */
export function asOnGpu(device: Device): void {
  const { adapter, features } = device;
  vi.spyOn(device, 'profile', 'get').mockReturnValue(profileOf(adapter, features.has('subgroups'), false));
}
