import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openWeights } from '../../../cli/src/weights/weight-files.ts';
import { toFloat32 } from '../../../src/nn/safetensors/index.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-large-'));
afterAll(() => rm(base, { recursive: true, force: true }));

test('a checkpoint beyond 4 GiB is read where its tensors are', async () => {
  const path = join(base, 'large.safetensors');
  // A hole of 4.5 GiB, which takes no room on the disk, between two small tensors.
  const hole = 4.5 * 2 ** 30;
  const json = JSON.stringify({
    first: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
    hole: { dtype: 'F32', shape: [hole / 4], data_offsets: [8, 8 + hole] },
    last: { dtype: 'F32', shape: [3], data_offsets: [8 + hole, 20 + hole] },
  }).padEnd(256);
  const start = new Uint8Array(8 + 256);
  new DataView(start.buffer).setBigUint64(0, 256n, true);
  new TextEncoder().encodeInto(json, start.subarray(8));
  const file = await open(path, 'w');
  await file.write(start, 0, start.length, 0);
  await file.write(Float32Array.of(1, 2), 0, 8, start.length);
  await file.write(Float32Array.of(3, 4, 5), 0, 12, start.length + 8 + hole);
  await file.close();
  const { tensors } = await openWeights(path);
  expect(toFloat32(await tensors.get('first')!.read())).toEqual(Float32Array.of(1, 2));
  expect(toFloat32(await tensors.get('last')!.read())).toEqual(Float32Array.of(3, 4, 5));
  expect(tensors.get('last')!.start).toBeGreaterThan(2 ** 32);
});
