import { adapterNames as namesOfAdapters, provide, readTuning, writeTuning } from '#provider';
import { Device } from './device.ts';
import { ArgumentError, DeviceError } from './errors.ts';
import type { GPUDevice } from './webgpu.ts';

export interface DeviceOptions {
  /**
   * Which adapter to take. In Node: `'hardware'`, `'lavapipe'`, `'swiftshader'`, `'software'`, or part of an adapter's name;
   * in browsers: `'software'`. Default: the environment variable `ZEROSEG_ADAPTER`, else the fastest kind there is.
   */
  readonly adapter?: string;
  /**
   * Gets the one line that says that a slow software adapter had to be taken, where none was asked for. Default: `console.warn`; `null` is
   * silent.
   */
  readonly notice?: ((line: string) => void) | null;
  /** Whether what `tune` found on this adapter in earlier runs is used. Default: true. */
  readonly tuning?: boolean;
}

/**
 * Opens a GPU.
 *
 * ```ts
 * using device = await openDevice();
 * console.log(device.name);
 * ```
 *
 * @throws DeviceError when there is no adapter, none of the wanted kind, or for an option that there is not.
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  // An adapter's name alone would be passed over.
  const isObject = Object.prototype.toString.call(options) === '[object Object]';
  const wrong = Object.keys(options ?? {}).find((name) => !['adapter', 'notice', 'tuning'].includes(name));
  if (!isObject || wrong !== undefined) {
    const which = isObject ? `; there is no '${wrong}'` : '';
    throw new DeviceError(`openDevice: options come by name: { adapter, notice, tuning }${which}`);
  }
  const { gpu, info, notice } = await request(options);
  const device = new Device(gpu, info);
  try {
    if (notice && options.notice !== null) (options.notice ?? console.warn)(notice);
    if (options.tuning ?? true) {
      // Files can be damaged or be of another version: values of another type are left out.
      const kept = (await readTuning(device.name)) ?? {};
      for (const [work, variant] of Object.entries(kept))
        if (typeof variant === 'string') device.tuned.set(work, variant);
    }
    return device;
  } catch (error) {
    device.dispose();
    throw error;
  }
}

/** A browser whose GPU process starts anew takes back the adapter that it has just given: then another is asked for. */
async function request(
  options: DeviceOptions,
  attempts = 3,
): Promise<{ gpu: GPUDevice; info: GPUAdapterInfo; notice: string | undefined }> {
  const { adapter, notice } = await provide(options);
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
  try {
    const gpu = await adapter.requestDevice({
      // The last are `timestamp-query` and `chromium-experimental-subgroup-matrix`.
      requiredFeatures: [...adapter.features].filter((name) =>
        /^(shader-f16|subgroups)$|p-(query|matrix)$/.test(name),
      ) as GPUFeatureName[],
      requiredLimits,
    });
    return { gpu, info, notice };
  } catch (cause) {
    if (attempts > 1) return request(options, attempts - 1);
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new DeviceError(`openDevice: '${info.description || info.vendor}' gave no device: ${words}`, { cause });
  }
}

/**
 * Keeps `device.tuned` for later runs on its adapter, as `tune` does by itself unless told otherwise: in `~/.cache/zeroseg`, or in the page's
 * caches.
 *
 * @throws DeviceError when it could not be kept; ArgumentError for what is no device.
 */
export async function saveTuning(device: Device): Promise<void> {
  if (!(device instanceof Device)) {
    throw new ArgumentError(`saveTuning: give the device, as openDevice() gives it; got ${typeof device}`);
  }
  await writeTuning(device.name, Object.fromEntries(device.tuned));
}

/** Names of the adapters that {@link openDevice} could take; '' for one that is taken without being named. */
export function adapterNames(): Promise<string[]> {
  return namesOfAdapters();
}
