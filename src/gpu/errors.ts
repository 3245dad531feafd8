/** No usable GPU, or a GPU that went away while it was used. Everything made on a lost device is gone. */
export class DeviceError extends Error {
  override readonly name = 'DeviceError';
}

/** A kernel did not compile, or was launched in a way the GPU rejects. `source` is the complete WGSL. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly kernel: string;
  readonly source: string;

  constructor(kernel: string, message: string, source: string) {
    super(message);
    this.kernel = kernel;
    this.source = source;
  }
}

/** The device cannot hold what was asked for. `bytes` is the size of the request that failed. */
export class OutOfMemoryError extends Error {
  override readonly name = 'OutOfMemoryError';
  readonly bytes: number;

  constructor(message: string, bytes: number) {
    super(message);
    this.bytes = bytes;
  }
}

/** `1234567` → `1.2 MB`. For messages and tables. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}
