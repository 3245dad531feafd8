import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { flopsOfWork, workKinds, workOf } from '../../../cli/src/bench/work.ts';
import { largestMicro, teacherCost, trainingCost } from '../../../cli/src/plan/costs.ts';
import { measuredDevice, namedDevice, type PlanDevice } from '../../../cli/src/plan/devices.ts';
import { dryDevice, gpuFacts } from '../../../cli/src/plan/dry-device.ts';
import { hostMemory } from '../../../cli/src/plan/host-memory.ts';
import { type PlanOptions, planRun } from '../../../cli/src/plan/plan.ts';
import {
  efficiency,
  links,
  networkBytes,
  proposedRanks,
  type StepParts,
  stepSeconds,
} from '../../../cli/src/plan/ranks.ts';
import { secondsOf } from '../../../cli/src/plan/rates.ts';
import { openClip } from '../../../cli/src/weights/clip-folder.ts';
import { openDevice } from '../../../src/gpu/open-device.ts';
import { buildModule, freeParameters, newWeights } from '../../../src/nn/layers/index.ts';
import { Teacher } from '../../../src/zeroseg/clip/image-encoder.ts';
import { teacherIdentity } from '../../../src/zeroseg/clip-files/source.ts';
import { featureBytes, openCache } from '../../../src/zeroseg/features/index.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/index.ts';
import { TrainingRun } from '../../../src/zeroseg/training/run.ts';
import { copyForCheckpoint } from '../../../src/zeroseg/training/run-checkpoint.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';
import { benchmarkOf, madeUpRates as rates } from '../../support/benchmark.ts';
import { useDevice } from '../../support/device.ts';
import { noiseData, smallModel } from '../../support/training.ts';

const device = useDevice();
const config = resolveConfig(smallModel);
const base = await mkdtemp(join(tmpdir(), 'zeroseg-plan-'));
afterAll(() => rm(base, { recursive: true }));

test('bytes on the GPU and of the files of a checkpoint are those of a run that is really made, to the byte', async () => {
  // Of its own: what other tests used would be used again.
  using own = await openDevice({ notice: null, tuning: false });
  const settings = { ...defaultSettings, batch: 8, micro: 2, epochs: 2, clip_grad: 1, ema: 0.9 };
  const naming = { scoring: 'softmax' } as const;
  const about = { teacher: 'a teacher', naming, steps: 2 };
  const planned = await trainingCost(own, { config, settings, ranks: 1, about });
  const key = { teacher: 'a teacher', weights: 'f'.repeat(64), grids: [1, 2], viewSource: 'native' } as const;
  const files = memoryFileSystem();
  const run = await TrainingRun.begin(files, {
    device: own,
    data: noiseData(config),
    description: {
      ...{ version: '1', preset: 'small', init: null, config, settings },
      cache: {
        ...{ folder: 'f', photos: 8, paths: 'p' },
        key: { ...key, teacherSize: 8, mean: [0, 0, 0], std: [1, 1, 1], views: 5, dim: 8, studentSize: 32 },
      },
    },
    teacher: teacherIdentity(key.teacher, key.weights),
    naming,
    newModel: () => buildModule(newWeights(own, 0), (weights) => new ZeroSeg(weights, config)),
  });
  const { trainer } = run;
  expect([planned.step, planned.weights, planned.device]).toEqual([
    trainer.memory.step,
    trainer.memory.weights,
    own.bytes,
  ]);
  expect([planned.work, planned.update]).toEqual([workOf(trainer.launches), workOf(trainer.updateLaunches)]);
  const copy = await copyForCheckpoint(trainer, 0, undefined);
  expect(own.bytes - planned.device).toBe(planned.copy);
  copy?.dispose();
  await run.train({ saveEvery: 2 });
  const sizeOf = async (name: string) => (await files.status(`checkpoints/step-000002/${name}.safetensors`))?.size;
  expect(planned.files).toEqual({ model: await sizeOf('model'), optimizer: await sizeOf('optimizer') });
  await run.close();
});

test('of processes that share a batch, each keeps sums of gradients', async () => {
  const settings = { ...defaultSettings, batch: 4, micro: 2 };
  const alone = await trainingCost(gpuFacts('a GPU'), { config, settings: { ...settings, batch: 2 }, ranks: 1 });
  const shared = await trainingCost(gpuFacts('a GPU'), { config, settings, ranks: 2 });
  expect([alone.update.launches, shared.update.launches > 0]).toEqual([0, true]);
  expect(shared.weights - alone.weights).toBeGreaterThanOrEqual(4 * shared.parameters);
});

test('bytes of the teacher are those of one that is really made, and its FLOP those of the formula', async () => {
  const clip = await openClip('random-tiny');
  const planned = await teacherCost(device.current, clip, 5);
  const vision = await clip.vision(device.current);
  using teacher = await Teacher.create(device.current, vision, { batch: 5 });
  const input = 4 * 5 * 3 * 32 * 32;
  expect(planned.step).toBe(teacher.memory + input);
  freeParameters(vision);
  // 16 patches and a class token; width 64, two blocks, features of 64.
  const block = 2 * 17 * (4 * 64 ** 2 + 2 * 64 * 256) + 4 * 17 ** 2 * 64;
  const view = 2 * 16 * (3 * 8 * 8) * 64 + 2 * block + 2 * 64 * 64;
  for (const facts of [device.current, gpuFacts('a GPU')]) {
    expect(flopsOfWork((await teacherCost(facts, clip, 5)).work)).toBe(5 * view);
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
  const facts = gpuFacts('a GPU');
  const tiny = resolveConfig({ ...smallModel, depth: 1, dec_depth: 1 });
  const planned = { config: tiny, settings: { ...defaultSettings, batch: 6, micro: 1 }, ranks: 1 };
  const three = await trainingCost(facts, { ...planned, settings: { ...planned.settings, micro: 3 } });
  const bytes = (three.device + three.copy) / 0.9;
  expect(await largestMicro(facts, planned, bytes + 1)).toEqual({ micro: 3, cost: three });
  expect((await largestMicro(facts, planned, bytes - 2)).micro).toBe(2);
  expect((await largestMicro(facts, planned, 1e9)).micro).toBe(6);
  await expect(largestMicro(facts, planned, 1e4)).rejects.toThrow('one image of [3, 32, 32] at a time takes');
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

async function smallRun(): Promise<PlanOptions> {
  const settings = { ...defaultSettings, batch: 8, micro: 8, epochs: 3, warmup: 0 };
  return {
    training: { preset: 'small', config, settings, notes: [], isPositionsOpen: false },
    ...{ isMicroChosen: true, clip: await openClip('random-tiny'), images: 80, ranks: 1, link: links['100gbe'] },
    ...{ device: namedDevice('h100', 0.5) as PlanDevice, threads: 1 },
  };
}

test('hours of a device by name are FLOP by its rate and its launches, and say what they wait for', async () => {
  const run = await smallRun();
  const { device: h100 } = run;
  expect(1 / h100.rates.products).toBeCloseTo(0.5 * 2 * 132 * 128 * 1.98e9, -3);
  const slow = { ...h100, rates: { ...h100.rates, products: 1e-9, smallProducts: 1e-9, attention: 1e-9, launches: 0 } };
  const plan = await planRun({ ...run, device: slow });
  expect(plan.steps).toBe(30);
  expect(plan.cache.device).toBeCloseTo((80 * plan.flops.photo) / 1e9, 9);
  // Sums of gradients, weights and two means are read and written, at 3.352 TB/s: little.
  expect(plan.training.device).toBeCloseTo((30 * 8 * plan.flops.image) / 1e9, 3);
  expect(plan.cache.limit).toMatch(/^the device \(small matrix products: \d+ %\)$/);
  expect(plan.cache.total).toBe(plan.cache.device);
  expect(plan.evaluation.total).toBeCloseTo(plan.evaluation.device + plan.evaluation.host, 9);
  const fast = await planRun({
    ...run,
    device: { ...h100, rates: { ...slow.rates, products: 1e-16, smallProducts: 1e-16, attention: 0 } },
  });
  expect([fast.cache.limit, fast.cache.total]).toEqual(["the host's threads", 80 * 0.0125]);
  expect(fast.evaluation.limit).toBe("the host's threads");
  const small = await planRun(run);
  expect(small.stepSeconds).toBeGreaterThan(5e-6 * small.memory.training.work.launches);
  expect(small.training.limit).toMatch(/^the device \(launches: \d+ %\)$/);
  const link = { name: 'a wire', bandwidth: 1e3, latency: 0 };
  const settings = { ...run.training.settings, micro: 4 };
  const apart = await planRun({ ...run, training: { ...run.training, settings }, ranks: 2, link });
  expect(apart.training.limit).toBe('the network');
  expect(apart.training.total).toBeCloseTo(30 * apart.stepSeconds, 9);
});

test('a device has one name, however it is written', () => {
  const names = ['RTX 4090', '4090', 'rtx4090', 'M3 Max', 'm3max', 'H100', 'h200', 'RTX M3', './h100'].map(
    (name) => namedDevice(name)?.name,
  );
  expect(names).toEqual([
    ...['NVIDIA RTX 4090', 'NVIDIA RTX 4090', 'NVIDIA RTX 4090', 'Apple M3 Max, 40 cores', 'Apple M3 Max, 40 cores'],
    ...['NVIDIA H100 SXM', undefined, undefined, undefined],
  ]);
});

test('a benchmark tells what each kind of work takes, and a plan is the sum of it', async () => {
  const file = join(base, 'bench.json');
  await writeFile(file, JSON.stringify(benchmarkOf(rates)));
  const measured = await measuredDevice(file);
  for (const kind of workKinds) expect(Math.abs(measured.rates[kind] / rates[kind] - 1), kind).toBeLessThan(0.03);
  expect(measured).toMatchObject({ name: 'llvmpipe of a test', clock: 'processor', pace: 0.5, isSoftware: true });
  expect(dryDevice(measured.facts).profile).toMatchObject({ kind: 'cpu', subgroupSize: 8 });
  const run = { ...(await smallRun()), device: { ...measured, rates } };
  const plan = await planRun(run);
  const { work, update } = plan.memory.training;
  expect(plan.stepSeconds).toBeCloseTo(0.5 * (secondsOf(work, rates) + secondsOf(update, rates)), 12);
  // The processor is either device or host.
  expect(plan.training.total).toBeCloseTo(30 * plan.stepSeconds + plan.training.host, 9);
  expect(plan.training.limit).toMatch(/^the device \(launches: \d+ %\)$/);
});

test('what is no benchmark of this version is refused, and what has no training', async () => {
  const good = benchmarkOf(rates) as { readonly rows: readonly { readonly name: string }[] };
  const without = { ...good, rows: good.rows.filter(({ name }) => !name.startsWith('ZeroSeg')) };
  for (const [i, [bad, reason]] of [
    [[], 'this is no benchmark of this version: it must be an object; got []'],
    [{ ...good, limits: {} }, "this is no benchmark of this version: 'limits' cannot be {}"],
    [{ ...good, rows: [{ name: 'matmul' }] }, "this is no benchmark of this version: 'rows' cannot be"],
    [without, 'it holds no training step of ZeroSeg; `zeroseg bench --json'],
  ].entries()) {
    const file = join(base, `${i}.json`);
    await writeFile(file, JSON.stringify(bad));
    await expect(measuredDevice(file)).rejects.toThrow(reason as string);
  }
  await expect(measuredDevice(join(base, 'none.json'))).rejects.toThrow('none.json');
});

test('the ranks that are proposed are the most that share the batch evenly and are nine tenths efficient', () => {
  const parts: StepParts = { passes: 12, pass: 1, update: 0.1, gradients: 700e6, bucket: 16e6 };
  for (const link of Object.values(links)) {
    const of = { batch: 96, micro: 36, isMicroChosen: false };
    const { ranks, micro, efficiency: share } = proposedRanks(parts, of, link);
    const divisors = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96];
    expect(ranks).toBe(divisors.findLast((n) => efficiency(parts, n, link) >= 0.9));
    expect(share).toBe(efficiency(parts, ranks, link));
    expect((96 / ranks) % micro).toBe(0);
    expect(micro).toBeLessThanOrEqual(36);
    // As --ranks takes them with --micro 8: whole micro-batches of 8 for each.
    const chosen = proposedRanks(parts, { batch: 96, micro: 8, isMicroChosen: true }, link);
    expect([chosen.micro, 96 % (8 * chosen.ranks)]).toEqual([8, 0]);
    expect(chosen.ranks).toBeGreaterThan(1);
  }
  const slow = { name: 'slow', bandwidth: 1e6, latency: 1 };
  expect(proposedRanks(parts, { batch: 96, micro: 8, isMicroChosen: false }, slow)).toEqual({
    ...{ ranks: 1, micro: 8, efficiency: 1 },
  });
});

test('host memory of a process: rows up to what is kept, micro-batches, and gradients of several ranks', () => {
  const facts = {
    pixels: 300,
    features: 40,
    images: 1000,
    micro: 8,
    parameters: 1e6,
    ranks: 1,
    index: 5000,
    device: 0,
  };
  const alone = 550e6 + 1000 * (300 + 160) + 3 * 8 * 4 * 340 + 5000;
  expect(hostMemory(facts)).toBe(alone);
  expect(hostMemory({ ...facts, ranks: 2 })).toBe(alone + 8e6);
  expect(hostMemory({ ...facts, device: 7 })).toBe(alone + 7);
  expect(hostMemory({ ...facts, images: 1e9 })).toBe(alone - 1000 * 460 + 2 ** 30);
});
