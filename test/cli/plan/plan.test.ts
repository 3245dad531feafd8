import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { flopsOf, largestMicro, teacherCost, trainingCost } from '../../../cli/src/plan/costs.ts';
import { measuredDevice, namedDevice } from '../../../cli/src/plan/devices.ts';
import { dryDevice, gpuFacts } from '../../../cli/src/plan/dry-device.ts';
import { planRun } from '../../../cli/src/plan/plan.ts';
import { efficiency, links, networkBytes, type StepParts, stepSeconds } from '../../../cli/src/plan/ranks.ts';
import { openClip } from '../../../cli/src/weights/clip-folder.ts';
import { buildModule, freeParameters, newWeights } from '../../../src/nn/layers/index.ts';
import { Teacher } from '../../../src/zeroseg/clip/image-encoder.ts';
import { featureBytes, openCache } from '../../../src/zeroseg/features/index.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/index.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';
import { Trainer } from '../../../src/zeroseg/training/trainer.ts';
import { useDevice } from '../../support/device.ts';
import { noiseData, smallModel } from '../../support/training.ts';

const device = useDevice();
const config = resolveConfig(smallModel);
const base = await mkdtemp(join(tmpdir(), 'zeroseg-plan-'));
afterAll(() => rm(base, { recursive: true }));

test('bytes on the GPU are those of a training that is really made, to the byte', async () => {
  const settings = { ...defaultSettings, batch: 8, micro: 2, epochs: 1, clip_grad: 1 };
  const planned = await trainingCost(dryDevice(device.current), config, settings);
  const model = await buildModule(newWeights(device.current, 0), (weights) => new ZeroSeg(weights, config));
  using trainer = await Trainer.create(device.current, model, noiseData(config), settings, { statisticsEvery: 0 });
  const { step, weights } = trainer.memory;
  expect([planned.step, planned.weights]).toEqual([step, weights]);
  expect(planned.flops).toBe(flopsOf(trainer.launches));
  freeParameters(model);
});

test('bytes of the teacher are those of one that is really made, and its FLOP those of the formula', async () => {
  const clip = await openClip('random-tiny');
  const planned = await teacherCost(dryDevice(device.current), clip, 5);
  const vision = await clip.vision(device.current);
  using teacher = await Teacher.create(device.current, vision, { batch: 5 });
  const input = 4 * 5 * 3 * 32 * 32;
  expect(planned.step).toBe(teacher.memory + input);
  freeParameters(vision);
  // 16 patches and a class token; width 64, two blocks, features of 64.
  const block = 2 * 17 * (4 * 64 ** 2 + 2 * 64 * 256) + 4 * 17 ** 2 * 64;
  const view = 2 * 16 * (3 * 8 * 8) * 64 + 2 * block + 2 * 64 * 64;
  for (const facts of [device.current, gpuFacts('a GPU')]) {
    expect((await teacherCost(dryDevice(facts), clip, 5)).flops).toBe(5 * view);
  }
});

test('bytes of features and squares are those of the files of a cache', async () => {
  const key = { teacher: 't', weights: 'w', grids: [1], viewSource: 'native', teacherSize: 8 } as const;
  for (const [studentSize, photos, shardSize] of [
    [4, 11, 4],
    [null, 7, 7],
    [4, 2, 256],
  ] as const) {
    const files = memoryFileSystem();
    const shape = { views: 5, dim: 6, studentSize };
    const cache = await openCache(files, { ...key, ...shape, mean: [0, 0, 0], std: [1, 1, 1] }, { shardSize });
    for (let i = 0; i < photos; i++) {
      const image = studentSize === null ? undefined : { width: 4, height: 4, data: new Uint8Array(48) };
      await cache.add({ path: `${i}`, size: 1, mtime: 1, hash: '' }, new Float32Array(30), image);
    }
    await cache.close();
    let bytes = 0;
    for (const name of await files.list()) {
      if (name.endsWith('.safetensors')) bytes += (await files.status(name))?.size ?? 0;
    }
    expect(featureBytes(shape, photos, shardSize)).toBe(bytes);
  }
});

test('the micro-batch is the largest divisor that leaves a tenth of the memory free', async () => {
  const dry = dryDevice(gpuFacts('a GPU'));
  const tiny = resolveConfig({ ...smallModel, depth: 1, dec_depth: 1 });
  const settings = { ...defaultSettings, batch: 6, micro: 1 };
  const { weights, step } = await trainingCost(dry, tiny, { ...settings, micro: 3 });
  const bytes = (weights + step) / 0.9;
  expect(await largestMicro(dry, tiny, settings, bytes + 1)).toMatchObject({ micro: 3, cost: { weights, step } });
  expect((await largestMicro(dry, tiny, settings, bytes - 2)).micro).toBe(2);
  expect((await largestMicro(dry, tiny, settings, 1e9)).micro).toBe(6);
  await expect(largestMicro(dry, tiny, settings, 1e4)).rejects.toThrow('one image of [3, 32, 32] takes more');
});

const parts: StepParts = { passes: 64, pass: 0.5, update: 0.01, gradients: 720e6, bucket: 16e6 };

test('ranks follow the formula', () => {
  const link = { name: 'slow', bandwidth: 1e8, latency: 0.01 };
  const slow = (2 * 3 * 720e6) / 4 / 1e8 + 2 * 3 * 0.01 * 45;
  // 44 of the 45 buckets may be summed beside the last backward pass.
  const beside = ((2 / 3) * 0.5 * 44) / 45;
  expect(stepSeconds(parts, 4, link)).toBeCloseTo(16 * 0.5 + slow - beside + 32e6 / 25e9 + 0.01, 12);
  // A link that is faster than the way to the host.
  const fast = { ...link, bandwidth: 1e12, latency: 0 };
  expect(stepSeconds(parts, 4, fast)).toBeCloseTo(16 * 0.5 + 720e6 / 25e9 / 45 + 32e6 / 25e9 + 0.01, 12);
  // A share of a quarter of a micro-batch.
  const many = { ...link, latency: 0 };
  const sums = (2 * 255 * 720e6) / 256 / 1e8;
  expect(stepSeconds(parts, 256, many)).toBeCloseTo(0.125 + sums - beside / 4 + 32e6 / 25e9 + 0.01, 12);
  expect(networkBytes(4, 720e6)).toBe(1080e6);
  expect([networkBytes(1, 720e6), stepSeconds(parts, 1, link)]).toEqual([0, 32.01]);
  for (const one of Object.values(links)) {
    const shares = [1, 2, 4, 8, 16, 32, 64].map((ranks) => efficiency(parts, ranks, one));
    expect(shares[0]).toBe(1);
    expect(shares.every((share, i) => i === 0 || share < (shares[i - 1] as number))).toBe(true);
  }
});

test('hours are FLOP by the rate of the device, and say what they wait for', async () => {
  const clip = await openClip('random-tiny');
  const settings = { ...defaultSettings, batch: 8, micro: 8, epochs: 3, warmup: 0 };
  const training = { preset: 'small', config, settings, notes: [], isPositionsOpen: false };
  const named = { ...namedDevice('h100', 0.5), flops: 1e9 };
  const options = { training, isMicroChosen: true, clip, ranks: 1, link: links['100gbe'], device: named };
  const plan = await planRun({ ...options, images: 80, threads: 1 });
  expect(plan.steps).toBe(30);
  expect(plan.cache.device).toBeCloseTo((80 * plan.flops.photo) / 1e9, 9);
  expect(plan.training.device).toBeCloseTo(30 * ((8 * plan.flops.image) / 1e9 + plan.step.update), 9);
  expect([plan.cache.limit, plan.cache.total]).toEqual(['the device', plan.cache.device]);
  const fast = await planRun({ ...options, images: 80, threads: 1, device: { ...named, flops: 1e16 } });
  expect([fast.cache.limit, fast.cache.total]).toEqual(["the host's threads", 80 * 0.0125]);
  expect(namedDevice('h100', 0.5).flops).toBeCloseTo(0.5 * 2 * 132 * 128 * 1.98e9, -3);
});

test('a benchmark gives the rate of its training steps; other files are refused', async () => {
  const file = async (name: string, value: unknown) => {
    await writeFile(join(base, name), JSON.stringify(value));
    return join(base, name);
  };
  const row = { name: 'ViT block [4, 197, 384], training step', gflops: 80 };
  const good = { adapter: 'here', limits: { bytesPerSecond: 9e9 }, rows: [row, { name: 'matmul', gflops: 200 }, null] };
  expect(await measuredDevice(await file('bench.json', good))).toMatchObject({
    name: 'here',
    flops: 80e9,
    bandwidth: 9e9,
  });
  for (const [i, bad] of [[], null, { ...good, limits: {} }, { ...good, rows: [{ ...row, gflops: 0 }] }].entries()) {
    await expect(measuredDevice(await file(`${i}.json`, bad))).rejects.toThrow(/this is no benchmark|no training step/);
  }
  await expect(measuredDevice(join(base, 'none.json'))).rejects.toThrow('none.json');
});
