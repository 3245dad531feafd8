import { type Device, type GPUCommandEncoder, heard } from '../../gpu/index.ts';
import { currentRecording, freeWhenCollected, memoryOf, oneOrMore, type Tensor, variable } from '../graph/index.ts';
import { StepError } from '../values/index.ts';
import { step } from './step.ts';

/**
 * Computes a tensor now and keeps its values on the GPU: what is made of the result does not compute it again. Of several tensors, what
 * they share runs once. A result of a step is copied, so that it outlives the next call of that step. So is what shares memory with a variable. Constants and variables
 * themselves are returned as they are. Gradients do not flow through it: what it gives is a value, as behind `stopGradient`.
 *
 * ```ts
 * const features = await evaluate(encoder(image)); // computed here …
 * console.log(await read(matmul(features, a)), await read(matmul(features, b))); // … and not again here
 * ```
 *
 * To gradients the result is a constant, or a parameter if they are asked for it. Its memory is freed by {@link free}, or
 * some time after nobody holds it.
 */
export function evaluate(x: Tensor): Promise<Tensor>;
export function evaluate(xs: readonly Tensor[]): Promise<Tensor[]>;
export function evaluate(given: Tensor | readonly Tensor[]): Promise<Tensor | Tensor[]> {
  return heard(Array.isArray(given) ? keep(given) : keep(given).then(([y]) => y as Tensor));
}

async function keep(given: Tensor | readonly Tensor[]): Promise<Tensor[]> {
  const xs = oneOrMore('evaluate', 'x', given);
  const { device } = xs[0] ?? {};
  if (!device) return [];
  const misuse = currentRecording()?.refuse(
    'evaluate: the body of a step has no values: it only records; use the tensor itself, or make it an input',
  );
  if (misuse) throw misuse;
  // Now: while the step below is made, those that these came from may be called again.
  const held = copying(device, (copy) => xs.map((x) => (isShared(x) ? copy(x, x.storage.root.origin) : x)));
  const once = await step(device, {}, () => held, { name: 'evaluate' });
  try {
    const results = once({});
    const kept = copying(device, (copy) =>
      held.map((x, i) => (x.storage.root.kind === 'recorded' ? copy(results[i] as Tensor) : x)),
    );
    await device.allocated(kept.flatMap(({ storage }) => storage.root.memory?.buffer ?? []));
    return kept;
  } finally {
    // Not by `using`, which compilers for today's browsers turn into a kilobyte.
    once.dispose();
  }
}

/** Whether it lies where other values may come to: in a result of a step, or in a variable that it is not itself. */
const isShared = ({ asOf, storage }: Tensor) => asOf !== undefined || storage.root.origin !== undefined;

/** Makes variables with what results of steps hold now, all by one submit; of `origin`, for gradients, which do not flow through them. */
function copying(device: Device, make: (copy: (x: Tensor, origin?: Tensor) => Tensor) => Tensor[]): Tensor[] {
  let encoder: GPUCommandEncoder | undefined;
  const made = make(({ shape, dtype, size, storage }, origin) => {
    const from = memoryOf(storage);
    if (!from && size > 0) throw new StepError(`evaluate: the memory of this tensor ${storage.root.lost}`);
    const y = variable(device, shape, undefined, dtype);
    freeWhenCollected(y);
    Object.assign(y.storage, { outcome: storage.root.outcome, origin });
    const to = memoryOf(y.storage);
    if (from && to) {
      encoder ??= device.gpu.createCommandEncoder({ label: 'evaluate' });
      encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, Math.ceil(y.storage.bytes / 4) * 4);
    }
    return y;
  });
  if (encoder) device.gpu.queue.submit([encoder.finish()]);
  return made;
}
