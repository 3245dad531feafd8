import { ArgumentError, heard } from '../../gpu/index.ts';
import { packHalves } from '../../kernels/optimizer/index.ts';
import { range, type Tensor, write } from '../../tensor/graph/index.ts';
import { read, readU32 } from '../../tensor/run/index.ts';
import { type HostArray, StepError } from '../../tensor/values/index.ts';
import { exchangeShares, gatherShares, sumShares } from './half-sums.ts';
import type { ProcessGroup } from './process-group.ts';

/** What values are rounded to on their way between processes. */
export type Wire = 'f32' | 'f16';

export interface AllReduceOptions {
  /** The most bytes that are read, sent and written at once. Default: 16 MiB. */
  readonly bucketBytes?: number;
  /**
   * What values are rounded to on their way between processes. `f16`: half the bytes are read from the GPU and sent; each 64 values share a
   * power of two, so that none overflows; sums are f32. A sum is off by at most 2⁻¹⁰ of the largest of its 64, typically by 2⁻¹³.
   * Default: f32.
   */
  readonly wire?: Wire;
  /**
   * Values of the tensors that are being read already, such as by `readEarly` of a step, while its backward pass still runs: one for each
   * tensor, which is a bucket then. With `wire: 'f16'` those of {@link packHalves} of it.
   */
  readonly early?: readonly Promise<HostArray>[];
  /** Is told when values of the bucket of this number begin to be read, summed over all processes, and written; what it returns, when they have been. */
  readonly trace?: ((phase: 'read' | 'sum' | 'write', bucket: number) => (() => void) | undefined) | undefined;
}

const BUCKET_BYTES = 16 * 1024 * 1024;
/** Ranges of a buffer begin at multiples of so many bytes. */
const ALIGNMENT = 256;

/**
 * Replaces the values of f32 variables by their sums over all processes: of gradients that an optimizer has accumulated, before it applies
 * them. Every process calls it with variables of the same shapes, in the same order.
 *
 * ```ts
 * const inputs = { x: [4, 8], hyper: [optimizer.hyperparameterCount] };
 * const backward = await step(device, { x: [4, 8] }, ({ x }) => {
 *   const loss = model.loss(x);
 *   optimizer.accumulate(gradients(loss, optimizer.parameters), 1 / group.size); // the mean over all processes
 *   return loss;
 * });
 * const update = await step(device, { hyper: inputs.hyper }, ({ hyper }) => optimizer.apply(hyper).norm);
 * for (let t = 1; t <= 1000; t++) {
 *   backward({ x: shareOfBatch(t, group.rank) });
 *   await allReduce(group, optimizer.gradientSums());
 *   update({ hyper: optimizer.hyperparameters(t, 1e-3) });
 * }
 * ```
 *
 * Buckets of 16 MiB go through one after the other: while one is summed, the next is read from the GPU and the one before written to it.
 *
 * @throws StepError for a tensor that is no f32 variable.
 */
export async function allReduce(
  group: ProcessGroup,
  tensors: readonly Tensor[],
  { bucketBytes = BUCKET_BYTES, wire = 'f32', early, trace }: AllReduceOptions = {},
): Promise<void> {
  if (!(bucketBytes >= ALIGNMENT)) {
    throw new ArgumentError(`allReduce: bucketBytes must be ${ALIGNMENT} or more; it is ${bucketBytes}`);
  }
  if (wire !== 'f32' && wire !== 'f16') throw new ArgumentError(`allReduce: wire must be f32 or f16; it is ${wire}`);
  if (early && early.length !== tensors.length) {
    throw new ArgumentError(
      `allReduce: early has ${early.length} values for ${tensors.length} tensors; give one for each, in their order`,
    );
  }
  checkVariables('allReduce', tensors);
  if (group.size === 1) return;
  const buckets = early
    ? tensors.map((tensor, i) => ({ bucket: tensor, reading: early[i] as Promise<HostArray> }))
    : bucketsOf(tensors, bucketBytes).map((bucket) => ({
        bucket,
        reading: wire === 'f16' ? heard(readU32(packHalves(bucket))) : heard(read(bucket)),
      }));
  const traced = buckets.map(({ bucket, reading }, i) => ({ bucket, reading: during(trace?.('read', i), reading) }));
  if (wire === 'f16') await sumHalves(group, traced, trace);
  else await eachBucket(traced as Bucket<Float32Array>[], (values) => group.allReduce(values), trace);
}

/** Ends what is traced with what it is of. */
function during<T>(end: (() => void) | undefined, work: Promise<T>): Promise<T> {
  return end ? heard(work.finally(end)) : work;
}

/** Replaces the values of f32 variables by those of process 0: weights and what an optimizer remembers, before the first step. */
export async function broadcast(group: ProcessGroup, tensors: readonly Tensor[]): Promise<void> {
  checkVariables('broadcast', tensors);
  if (group.size === 1) return;
  const buckets = bucketsOf(tensors, BUCKET_BYTES).map((bucket) => ({ bucket, reading: heard(read(bucket)) }));
  await eachBucket(buckets, (values) =>
    group.broadcast(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  );
}

function put(bucket: Tensor, values: Float32Array, end: (() => void) | undefined): void {
  write(bucket, values);
  end?.();
}

/** A range of a variable, and values that are on their way from it. */
interface Bucket<V> {
  readonly bucket: Tensor;
  readonly reading: Promise<V>;
}

/** Changes the values of buckets, and writes them: in their order, as they come; all are on their way at once. */
async function eachBucket(
  buckets: readonly Bucket<Float32Array>[],
  change: (values: Float32Array) => Promise<void>,
  trace?: AllReduceOptions['trace'],
): Promise<void> {
  const changes: Promise<void>[] = [];
  for (const [i, { bucket, reading }] of buckets.entries()) {
    const values = await reading;
    const changed = during(trace?.('sum', i), change(values));
    changes.push(heard(changed.then(() => put(bucket, values, trace?.('write', i)))));
  }
  await Promise.all(changes);
}

/**
 * Sums packed values, and writes the sums. While a bucket is on its way to those who sum it, the one before is summed and sent to all. Every
 * process begins these in the same order: both of a bucket, but for the second, which comes after the first of the next.
 */
async function sumHalves(
  group: ProcessGroup,
  buckets: readonly Bucket<HostArray>[],
  trace?: AllReduceOptions['trace'],
): Promise<void> {
  const writes: Promise<void>[] = [];
  let before: { bucket: Tensor; received: Promise<Uint8Array>; summed: (() => void) | undefined } | undefined;
  for (const [i, { bucket, reading }] of [...buckets, { bucket: undefined, reading: undefined }].entries()) {
    const packed = (await reading) as Uint32Array | undefined;
    const next = bucket &&
      packed && { bucket, summed: trace?.('sum', i), received: heard(exchangeShares(group, packed)) };
    if (before) {
      const { bucket: own, received, summed } = before;
      const share = sumShares(group, await received);
      const sums = during(summed, gatherShares(group, share, own.size));
      writes.push(heard(sums.then((values) => put(own, values, trace?.('write', i - 1)))));
    }
    before = next;
  }
  await Promise.all(writes);
}

function bucketsOf(tensors: readonly Tensor[], bucketBytes: number): Tensor[] {
  const most = Math.floor(bucketBytes / ALIGNMENT) * ALIGNMENT;
  return tensors.flatMap((tensor) => {
    const bytes = tensor.size * 4;
    return Array.from({ length: Math.ceil(bytes / most) }, (_, i) =>
      range(tensor, i * most, [Math.min(most, bytes - i * most) / 4]),
    );
  });
}

function checkVariables(op: string, tensors: readonly Tensor[]): void {
  tensors.forEach(({ storage, dtype }, i) => {
    if (storage.root.kind === 'variable' && dtype === 'f32') return;
    throw new StepError(
      `${op}: tensor ${i} is no f32 variable; give optimizer.gradientSums(), or what variable() made`,
    );
  });
}
