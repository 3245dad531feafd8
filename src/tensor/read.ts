import { bytesPerElement, type HostArray } from './dtype.ts';
import { StepError } from './errors.ts';
import { fromHalf } from './half.ts';
import { collect, Program } from './program.ts';
import { currentRecording } from './record.ts';
import { formatShape } from './shape.ts';
import type { Memory, Storage, Tensor } from './tensor.ts';
import { memoryOf } from './tensor.ts';

/**
 * The values of a tensor, f32, or f16 that is widened. A tensor without memory is computed first: just the launches it depends on are planned
 * and run. Reading is a promise on every platform; a training loop reads seldom.
 *
 * ```ts
 * const y = softmax(matmul(a, b));
 * console.log(await read(y));
 * ```
 */
export async function read(x: Tensor): Promise<Float32Array> {
  if (x.dtype === 'u32') throw new StepError(`read: this tensor is u32 ${formatShape(x.shape)}; use readU32`);
  const [values] = await readAll([x]);
  return values as Float32Array;
}

/** The values of a u32 tensor: indices, seeds, bits. */
export async function readU32(x: Tensor): Promise<Uint32Array> {
  if (x.dtype !== 'u32') throw new StepError(`readU32: this tensor is ${x.dtype} ${formatShape(x.shape)}; use read`);
  const [values] = await readAll([x]);
  return values as Uint32Array;
}

/** The values of several tensors, computed together: what they share runs once. */
export async function readAll(xs: readonly Tensor[]): Promise<HostArray[]> {
  const first = xs[0];
  if (!first) return [];
  if (currentRecording())
    throw new StepError('read: a step has no values while it is recorded; return the tensor from it');
  const { device } = first;
  device.check();
  for (const x of xs) {
    if (x.device !== device) throw new StepError('readAll: the tensors are on different devices');
    if (x.storage.root.kind === 'input') {
      throw new StepError(
        'read: this tensor is an input of a step and has no value; return it from the step to keep it',
      );
    }
    // No await without need: the copy must be encoded before the caller's next line issues another step.
    const { pending } = x.storage.root;
    if (pending) await pending;
  }
  const computed = xs.filter((x) => x.storage.root.kind === 'recorded' && x.size > 0);
  const launches = collect(computed, []);
  const program =
    launches.length > 0
      ? await Program.build(device, launches, new Set(), new Set(computed.map((x) => x.storage.root)))
      : undefined;
  try {
    const encoder = device.gpu.createCommandEncoder({ label: 'read' });
    if (program) {
      const pass = encoder.beginComputePass({ label: 'read' });
      program.encode(pass);
      pass.end();
    }
    const onGpu = xs.filter((x) => x.storage.root.kind !== 'constant');
    const ranges = onGpu.map((x) => ({ ...locate(x.storage, program), bytes: x.size * bytesPerElement(x.dtype) }));
    const copied = await device.readBack(encoder, ranges);
    return xs.map((x) => {
      const data = x.storage.root.data;
      if (data) return data instanceof Uint16Array ? fromHalf(data.subarray(0, x.size)) : data.slice();
      const bytes = copied[onGpu.indexOf(x)] as ArrayBuffer;
      if (x.dtype === 'f16') return fromHalf(new Uint16Array(bytes));
      return x.dtype === 'u32' ? new Uint32Array(bytes) : new Float32Array(bytes);
    });
  } finally {
    program?.dispose();
  }
}

function locate(storage: Storage, program: Program | undefined): Memory {
  if (storage.bytes === 0) return { buffer: undefined as unknown as GPUBuffer, offset: 0 };
  if (program && storage.root.kind === 'recorded') return program.memoryOf(storage);
  const memory = memoryOf(storage);
  if (!memory) throw new StepError('read: the memory of this tensor was freed');
  return memory;
}
