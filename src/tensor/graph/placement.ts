import { bytesPerElement, type Shape, size } from '../values/index.ts';
import { type Launch, Storage, Tensor } from './tensor.ts';

/** A tensor over a range of a variable, `offset` bytes from its start (a multiple of 256: WebGPU's alignment). */
export function range(of: Tensor, offset: number, shape: Shape): Tensor {
  const bytes = size(shape) * bytesPerElement(of.dtype);
  if (offset % 256 !== 0 || offset + bytes > of.storage.bytes) {
    throw new Error(`internal: range of ${bytes} bytes at ${offset} in a storage of ${of.storage.bytes}`);
  }
  const storage = new Storage(of.device, bytes, of.storage.kind);
  storage.parent = of.storage;
  storage.offset = offset;
  return new Tensor(storage, shape, of.dtype);
}

/** Makes a variable a range of `into`, `offset` bytes from its start, and frees the memory that it had. Its values are not copied. */
export function moveVariable({ device, storage }: Tensor, into: Tensor, offset: number): void {
  if (storage.memory) device.destroyBuffer(storage.memory.buffer);
  storage.memory = undefined;
  storage.parent = into.storage;
  storage.offset = offset;
}

/**
 * Makes the launches that write a recorded tensor write to a range of `into` instead, `offset` bytes from its start: before the
 * step is planned, neither has memory.
 */
export function writeInto({ storage }: Tensor, into: Tensor, offset: number): void {
  storage.parent = into.storage;
  storage.offset = offset;
  into.storage.writers.push(...storage.writers);
  storage.writers.length = 0;
}

/** Whether a tensor is all that its storage holds, written only by launches of these: what {@link writeInto} can move. */
export function isWrittenWhole({ storage, size, dtype }: Tensor, launches: ReadonlySet<Launch>): boolean {
  if (storage.kind !== 'recorded' || storage.parent || storage.bytes !== size * bytesPerElement(dtype)) return false;
  return storage.writers.length > 0 && storage.writers.every((writer) => launches.has(writer));
}
