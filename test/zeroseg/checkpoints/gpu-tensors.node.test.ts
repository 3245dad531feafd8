import { expect, it } from 'vitest';
import { OutOfMemoryError } from '../../../src/gpu/errors.ts';
import { parameters } from '../../../src/nn/layers/module.ts';
import { AdamW } from '../../../src/nn/optimizer/adamw.ts';
import { free, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import { GpuTensors, type TensorContent } from '../../../src/zeroseg/checkpoints/gpu-tensors.ts';
import { tensorFile } from '../../../src/zeroseg/checkpoints/tensor-file.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Parameters of odd sizes in an optimizer's buffers, one of no elements, and one in memory of its own. */
function made() {
  const shapes = [[3, 50], [1], [0, 4], [130], [7, 9]];
  const at = (i: number) => Float32Array.from({ length: shapes[i]?.reduce((a, b) => a * b) ?? 0 }, (_, j) => i + j / 7);
  const model = shapes.map((shape, i) => variable(device.current, shape, at(i)));
  const optimizer = new AdamW(device.current, parameters(model), { bufferBytes: 1024 });
  const alone = variable(device.current, [5], Float32Array.of(1, 2, 3, 4, 5));
  const named = new Map([...parameters(model), ...optimizer.state(), ['alone', alone] as const]);
  const content: TensorContent = { named, metadata: { format: 'a test', step: '3' } };
  return { model, optimizer, alone, content };
}

async function piecesOf(tensors: GpuTensors, content: TensorContent): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of tensors.file(content)) pieces.push(piece);
  return pieces;
}

it('a copy gives the file of the moment in which it was made, in pieces', async () => {
  const { model, optimizer, alone, content } = made();
  const wanted = await tensorFile(content.named, content.metadata);
  const copies = await Promise.all(
    [2 ** 24, 200, 64].map((piece) => GpuTensors.copyOf(device.current, content.named.values(), piece)),
  );
  write(alone, new Float32Array(5));
  for (const t of optimizer.state().values()) write(t, new Float32Array(t.size).fill(9));
  for (const [i, piece] of [2 ** 24, 200, 64].entries()) {
    const copy = copies[i] as GpuTensors;
    const pieces = await piecesOf(copy, content);
    expect(Buffer.concat(pieces).equals(wanted)).toBe(true);
    expect(pieces.slice(0, -1).every(({ length }) => length === piece)).toBe(true);
    // What was read from stays as it was.
    expect(Buffer.concat(await piecesOf(copy, content)).equals(wanted)).toBe(true);
    copy.dispose();
  }
  const now = await tensorFile(content.named, content.metadata);
  expect(Buffer.concat([now]).equals(wanted)).toBe(false);
  expect(Buffer.concat(await piecesOf(GpuTensors.of(device.current, 100), content)).equals(now)).toBe(true);
  optimizer.dispose();
  for (const t of [...model, alone]) free(t);
});

it('where there is no room for a copy there is none, and nothing of it stays', async () => {
  const { model, optimizer, alone, content } = made();
  const before = device.current.bytes;
  const { allocated } = device.current;
  device.current.allocated = () => Promise.reject(new OutOfMemoryError('no more', 1));
  try {
    expect(await GpuTensors.copyOf(device.current, content.named.values())).toBeUndefined();
  } finally {
    device.current.allocated = allocated;
  }
  expect(device.current.bytes).toBe(before);
  free(alone);
  await expect(GpuTensors.copyOf(device.current, [alone])).rejects.toThrow(
    'checkpoint: the memory of a tensor was freed',
  );
  optimizer.dispose();
  for (const t of model) free(t);
});
