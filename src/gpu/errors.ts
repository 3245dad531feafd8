/**
 * What every error for users of this library is an instance of: something that they gave, or their machine, is at fault, and
 * the message says what and how to mend it. Anything else that is thrown is a mistake of the library.
 *
 * `code` names the kind and stays the same whatever the message says: one code for each class.
 *
 * ```ts
 * try {
 *   matmul(a, b);
 * } catch (error) {
 *   if (error instanceof ZeroSegError && error.code === 'shape') console.log(error.message);
 * }
 * ```
 */
export abstract class ZeroSegError extends Error {
  abstract readonly code: string;
}

/** A value that a function was given is none that it takes: a number out of range, a list that is empty. */
export class ArgumentError extends ZeroSegError {
  override readonly name = 'ArgumentError';
  readonly code = 'argument';
}

/** No usable GPU, or a GPU that went away while it was used. Everything made on a lost device is gone. */
export class DeviceError extends ZeroSegError {
  override readonly name = 'DeviceError';
  readonly code = 'device';
}

/** A kernel did not compile, or was launched in a way the GPU rejects. `source` is the complete WGSL. */
export class KernelError extends ZeroSegError {
  override readonly name = 'KernelError';
  readonly code = 'kernel';
  readonly kernel: string;
  readonly source: string;

  constructor(kernel: string, message: string, source: string) {
    super(message);
    this.kernel = kernel;
    this.source = source;
  }
}

/** The device cannot hold what was asked for. `bytes` is the size of the request that failed. */
export class OutOfMemoryError extends ZeroSegError {
  override readonly name = 'OutOfMemoryError';
  readonly code = 'out-of-memory';
  readonly bytes: number;

  constructor(message: string, bytes: number) {
    super(message);
    this.bytes = bytes;
  }
}

/** `1234567` → `1.2 MB`. For messages and tables. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  let value = bytes;
  let unit = '';
  for (unit of ['kB', 'MB', 'GB', 'TB']) {
    value /= 1000;
    if (value < 999.95) break;
  }
  return `${value.toFixed(1)} ${unit}`;
}
