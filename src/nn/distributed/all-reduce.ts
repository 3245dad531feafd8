import { ArgumentError, heard } from '../../gpu/index.ts';
import { range, type Tensor, write } from '../../tensor/graph/index.ts';
import { read } from '../../tensor/run/index.ts';
import { StepError } from '../../tensor/values/index.ts';
import type { ProcessGroup } from './process-group.ts';

export interface AllReduceOptions {
  /** The most bytes that are read, sent and written at once. Default: 16 MiB. */
  readonly bucketBytes?: number;
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
  { bucketBytes = BUCKET_BYTES }: AllReduceOptions = {},
): Promise<void> {
  if (!(bucketBytes >= ALIGNMENT)) {
    throw new ArgumentError(`allReduce: bucketBytes must be ${ALIGNMENT} or more; it is ${bucketBytes}`);
  }
  if (group.size === 1) return checkVariables('allReduce', tensors);
  await eachBucket('allReduce', tensors, bucketBytes, (values) => group.allReduce(values));
}

/** Replaces the values of f32 variables by those of process 0: weights and what an optimizer remembers, before the first step. */
export async function broadcast(group: ProcessGroup, tensors: readonly Tensor[]): Promise<void> {
  if (group.size === 1) return checkVariables('broadcast', tensors);
  await eachBucket('broadcast', tensors, BUCKET_BYTES, (values) =>
    group.broadcast(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  );
}

/** Reads buckets, changes each, and writes it: all are on their way at once, and are changed in their order. */
async function eachBucket(
  op: string,
  tensors: readonly Tensor[],
  bucketBytes: number,
  change: (values: Float32Array) => Promise<void>,
): Promise<void> {
  checkVariables(op, tensors);
  const buckets = tensors.flatMap((tensor) => bucketsOf(tensor, Math.floor(bucketBytes / ALIGNMENT) * ALIGNMENT));
  const all = buckets.map((bucket) => ({ bucket, reading: read(bucket) }));
  const changes: Promise<void>[] = [];
  for (const { bucket, reading } of all) {
    const values = await reading;
    changes.push(heard(change(values).then(() => write(bucket, values))));
  }
  await Promise.all(changes);
}

function bucketsOf(tensor: Tensor, bucketBytes: number): Tensor[] {
  const bytes = tensor.size * 4;
  const buckets: Tensor[] = [];
  for (let at = 0; at < bytes; at += bucketBytes) {
    buckets.push(range(tensor, at, [Math.min(bucketBytes, bytes - at) / 4]));
  }
  return buckets;
}

function checkVariables(op: string, tensors: readonly Tensor[]): void {
  tensors.forEach(({ storage, dtype }, i) => {
    if (storage.root.kind === 'variable' && dtype === 'f32') return;
    throw new StepError(
      `${op}: tensor ${i} is no f32 variable; give optimizer.gradientSums(), or what variable() made`,
    );
  });
}
