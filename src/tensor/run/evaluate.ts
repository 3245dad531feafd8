import { heard } from '../../gpu/index.ts';
import { freeWhenCollected, memoryOf, Tensor, variable } from '../graph/index.ts';
import { describe, StepError } from '../values/index.ts';
import { step } from './step.ts';

/**
 * Computes a tensor now and keeps its values on the GPU: what is made of the result does not compute it again. Of several tensors, what
 * they share runs once. Constants and variables are returned as they are.
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
  return heard(given instanceof Tensor ? keep([given]).then(([y]) => y as Tensor) : keep(given));
}

async function keep(xs: readonly Tensor[]): Promise<Tensor[]> {
  for (const x of xs) if (!(x instanceof Tensor)) throw new StepError(`evaluate: give tensors; got ${describe(x)}`);
  const { device } = xs[0] ?? {};
  if (!device) return [];
  const once = await step(device, {}, () => xs, { name: 'evaluate' });
  try {
    const results = once({});
    const encoder = device.gpu.createCommandEncoder({ label: 'evaluate' });
    const kept = xs.map((x, i) => {
      if (x.storage.root.kind !== 'recorded') return x;
      const y = variable(device, x.shape, undefined, x.dtype);
      freeWhenCollected(y);
      const [from, to] = [memoryOf((results[i] as Tensor).storage), memoryOf(y.storage)];
      if (from && to) {
        encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, Math.ceil(y.storage.bytes / 4) * 4);
      }
      return y;
    });
    device.gpu.queue.submit([encoder.finish()]);
    await device.allocated(kept.flatMap(({ storage }) => storage.root.memory?.buffer ?? []));
    return kept;
  } finally {
    // Not by `using`, which compilers for today's browsers turn into a kilobyte.
    once.dispose();
  }
}
