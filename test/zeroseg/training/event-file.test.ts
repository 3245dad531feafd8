import { expect, it } from 'vitest';
import { memoryFileSystem } from '../../../src/zeroseg/storage/memory-file-system.ts';
import { crc32c, EventFile } from '../../../src/zeroseg/training/event-file.ts';
import type { Metrics } from '../../../src/zeroseg/training/metrics.ts';

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

it("has RFC 3720's checksums", () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
});

const line = (step: number): Metrics => ({
  ...{ step, epoch: 0.5, lr: 0.25, loss: 1.5, terms: {}, gradNorm: Number.POSITIVE_INFINITY },
  ...{ seconds: 2, imagesPerSecond: 4, probe: { 'validation loss': 3 } },
});

it('writes records that TensorBoard reads: lengths, checksums, fields', async () => {
  const files = memoryFileSystem();
  expect(await EventFile.isIn(files)).toBe(false);
  const events = await EventFile.begin(files, 1024, []);
  expect(await EventFile.isIn(files)).toBe(true);
  const [name] = await files.list('tensorboard');
  expect(name).toBe('events.out.tfevents.1024.zeroseg');
  const path = `tensorboard/${name}`;
  // 24 bytes: field 1 a double of 1024, field 3 the version.
  expect(hex(await files.read(path))).toMatch(
    /^1800000000000000a37f4b2209000000000000904{1}01a0d627261696e2e4576656e743a32[0-9a-f]{8}$/,
  );
  const before = (await files.read(path)).length;
  await events.add(line(300));
  const data = (await files.read(path)).subarray(before);
  // Time 1026, step 300 in two bytes, then the summary; tags and their floats.
  expect(hex(data.subarray(12, 24))).toBe('09000000000008904010ac02');
  const text = new TextDecoder('latin1').decode(data);
  for (const tag of ['loss/total', 'training/learning rate', 'validation/loss']) expect(text).toContain(tag);
  expect(hex(data)).toContain(`${hex(new TextEncoder().encode('loss/total'))}150000c03f`);

  // One that goes on has each step once.
  await EventFile.begin(files, 1024, [line(300)]);
  expect(await files.list('tensorboard')).toEqual([name]);
  expect(hex((await files.read(path)).subarray(before))).toBe(hex(data));
});
