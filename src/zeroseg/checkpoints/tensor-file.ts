import { type WritableTensor, writeSafetensors } from '../../nn/safetensors/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { read } from '../../tensor/run/index.ts';

/** Tensors of the GPU as a safetensors file in f32: a model's weights, an optimizer's state. */
export async function tensorFile(
  named: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const entries: [string, WritableTensor][] = [];
  for (const [name, t] of named) entries.push([name, { dtype: 'F32', shape: t.shape, data: await read(t) }]);
  return writeSafetensors(entries, metadata);
}
