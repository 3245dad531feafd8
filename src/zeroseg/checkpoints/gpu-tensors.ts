import { type Device, type GPUBuffer, OutOfMemoryError } from '../../gpu/index.ts';
import { type FileTensor, streamSafetensors } from '../../nn/safetensors/index.ts';
import { type Memory, memoryOf, type Tensor } from '../../tensor/graph/index.ts';
import { StepError } from '../../tensor/values/index.ts';

/** What a file of tensors holds. */
export interface TensorContent {
  readonly named: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes that are brought to the host at a time, and pieces that files come in: what they are beyond that is never in memory. */
const PIECE = 2 ** 24;

/** Where a buffer's copy is, and which bytes of the buffer it has. */
interface Copied {
  readonly buffer: GPUBuffer;
  readonly from: number;
}

/**
 * Variables (f32) on the GPU, as they are or in a copy of the moment, to be read in pieces while steps go on.
 *
 * ```ts
 * const copy = await GpuTensors.copyOf(device, parameters(model).values());
 * train(batch); // writes the weights, not the copy
 * for await (const bytes of copy.file({ named: parameters(model), metadata: {} })) await file.write(bytes);
 * copy.dispose();
 * ```
 */
export class GpuTensors {
  readonly #device: Device;
  /** By the buffer that was copied; none of what is read where it is. */
  readonly #copies: ReadonlyMap<GPUBuffer, Copied>;
  #window: { readonly buffer: GPUBuffer; readonly from: number; readonly bytes: Uint8Array } | undefined;

  readonly #piece: number;

  private constructor(device: Device, copies: ReadonlyMap<GPUBuffer, Copied>, piece: number) {
    this.#device = device;
    this.#piece = piece;
    this.#copies = copies;
  }

  /** What is read is what is there then: nothing may write it meanwhile. */
  static of(device: Device, piece: number = PIECE): GpuTensors {
    return new GpuTensors(device, new Map(), piece);
  }

  /** Copies what tensors hold after all that was submitted before this resolves; undefined where there is no memory for it. */
  static async copyOf(
    device: Device,
    tensors: Iterable<Tensor>,
    piece: number = PIECE,
  ): Promise<GpuTensors | undefined> {
    const ranges = new Map<GPUBuffer, { from: number; to: number }>();
    for (const t of tensors) {
      if (t.size === 0) continue;
      const { buffer, offset } = placeOf(t);
      const { from, to } = ranges.get(buffer) ?? { from: offset, to: offset };
      ranges.set(buffer, { from: Math.min(from, offset), to: Math.max(to, offset + t.storage.bytes) });
    }
    const copies = new Map<GPUBuffer, Copied>();
    const own = new GpuTensors(device, copies, piece);
    try {
      for (const [buffer, { from, to }] of ranges) {
        copies.set(buffer, { buffer: device.buffer(to - from, 'copy for a checkpoint'), from });
      }
      await device.allocated([...copies.values()].map((copy) => copy.buffer));
    } catch (error) {
      own.dispose();
      if (error instanceof OutOfMemoryError) return undefined;
      throw error;
    }
    const encoder = device.gpu.createCommandEncoder({ label: 'copy for a checkpoint' });
    for (const [buffer, { from, to }] of ranges) {
      encoder.copyBufferToBuffer(buffer, from, (copies.get(buffer) as Copied).buffer, 0, to - from);
    }
    device.gpu.queue.submit([encoder.finish()]);
    return own;
  }

  /** A safetensors file of some of them, in pieces of 16 MiB, or as was said, but for the last. */
  async *file({ named, metadata }: TensorContent): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    const tensors = new Map([...named].map(([name, t]) => [name, this.#asInFile(name, t)]));
    let piece = new Uint8Array(this.#piece);
    let filled = 0;
    for await (const part of streamSafetensors(tensors, { metadata })) {
      for (let at = 0; at < part.length; ) {
        const length = Math.min(part.length - at, this.#piece - filled);
        piece.set(part.subarray(at, at + length), filled);
        at += length;
        filled += length;
        if (filled < this.#piece) continue;
        yield piece;
        piece = new Uint8Array(this.#piece);
        filled = 0;
      }
    }
    if (filled > 0) yield piece.slice(0, filled);
  }

  dispose(): void {
    for (const { buffer } of this.#copies.values()) this.#device.destroyBuffer(buffer);
    this.#window = undefined;
  }

  #asInFile(name: string, t: Tensor): FileTensor {
    const { shape } = t;
    const about = { file: 'checkpoint', name, dtype: 'F32', shape, start: 0 } as const;
    const readPart = (from: number, to: number) => this.#read(t, 4 * from, 4 * to);
    return { ...about, readPart, read: async () => ({ ...about, bytes: await readPart(0, t.size) }) };
  }

  /** Bytes of a tensor. A window of its buffer is read, in which its neighbours lie too. */
  async #read(t: Tensor, start: number, end: number): Promise<Uint8Array> {
    if (start === end) return new Uint8Array(0);
    const { buffer, offset } = placeOf(t);
    const copy = this.#copies.get(buffer) ?? { buffer, from: 0 };
    const from = offset + start - copy.from;
    const length = end - start;
    let window = this.#window;
    const isIn =
      window?.buffer === copy.buffer && window.from <= from && from + length <= window.from + window.bytes.length;
    if (!window || !isIn) {
      const bytes = Math.min(Math.max(this.#piece, length), copy.buffer.size - from);
      const encoder = this.#device.gpu.createCommandEncoder({ label: 'read a checkpoint' });
      const [read] = await this.#device.readBack(encoder, [{ buffer: copy.buffer, offset: from, bytes }]);
      window = this.#window = { buffer: copy.buffer, from, bytes: new Uint8Array(read as ArrayBuffer) };
    }
    return window.bytes.subarray(from - window.from, from - window.from + length);
  }
}

function placeOf(t: Tensor): Memory {
  if (t.dtype !== 'f32') throw new Error(`internal: a checkpoint holds f32, not ${t.dtype}`);
  const memory = memoryOf(t.storage);
  if (!memory) throw new StepError('checkpoint: the memory of a tensor was freed');
  return memory;
}
