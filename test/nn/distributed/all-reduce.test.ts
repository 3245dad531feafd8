import { expect, it } from 'vitest';
import { mean } from '../../../src/kernels/axis/reduce.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { square } from '../../../src/kernels/elementwise/index.ts';
import { packHalves } from '../../../src/kernels/optimizer/pack-halves.ts';
import { allReduce, broadcast } from '../../../src/nn/distributed/all-reduce.ts';
import { gradientBuckets } from '../../../src/nn/distributed/gradient-buckets.ts';
import type { ProcessGroup } from '../../../src/nn/distributed/process-group.ts';
import { freeParameters, Linear, newWeights, parameters } from '../../../src/nn/layers/index.ts';
import { SGD } from '../../../src/nn/optimizer/sgd.ts';
import { free, tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/index.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';
import { processGroup } from '../../support/process-group.ts';

const device = useDevice();

const filled = (size: number, at: (i: number) => number) =>
  variable(
    device.current,
    [size],
    Float32Array.from({ length: size }, (_, i) => at(i)),
  );

/** Two tensors of several buckets in each of three processes, after `work`. */
async function inThree(work: (group: ProcessGroup, own: ReturnType<typeof filled>[]) => Promise<void>) {
  const groups = processGroup(3);
  const own = groups.map(({ rank }) => [filled(201, (i) => i + 1000 * rank), filled(1, () => rank)]);
  await Promise.all(groups.map((group, rank) => work(group, own[rank] as ReturnType<typeof filled>[])));
  const values = await Promise.all(own.map((tensors) => readAll(tensors)));
  own.flat().forEach(free);
  return values;
}

it('allReduce: every process gets the sums, of whole buckets and of the last one', async () => {
  for (const bucketBytes of [256, 700, 1 << 20]) {
    for (const [first, second] of await inThree((group, own) => allReduce(group, own, { bucketBytes }))) {
      expect(first).toEqual(Float32Array.from({ length: 201 }, (_, i) => 3 * i + 3000));
      expect(second).toEqual(new Float32Array([3]));
    }
  }
});

it('allReduce in f16: blocks of 64 values of any size keep 11 bits, are summed in f32, and are the same in every process', async () => {
  // From 2^-90 to 2^90 by block, and zeros; the last block is not whole.
  const at = (rank: number) => (i: number) =>
    i < 64 ? 0 : Math.sin(i * 3 + rank) * 2 ** (Math.floor(i / 64) * 30 - 120);
  const n = 500;
  for (const bucketBytes of [256, 768, 1 << 20]) {
    const groups = processGroup(3);
    const own = groups.map(({ rank }) => filled(n, at(rank)));
    await Promise.all(
      groups.map((group, rank) => allReduce(group, [own[rank] as Tensor], { bucketBytes, wire: 'f16' })),
    );
    const [first, ...others] = (await readAll(own)) as Float32Array[];
    own.forEach(free);
    for (const other of others) expect(other).toEqual(first);
    let worst = 0;
    for (let i = 0; i < n; i++) {
      const wanted = [0, 1, 2].reduce((sum, rank) => sum + Math.fround(at(rank)(i)), 0);
      const largest = 3 * 2 ** (Math.floor(i / 64) * 30 - 120);
      worst = Math.max(worst, Math.abs((first?.[i] as number) - wanted) / largest);
    }
    expect(worst).toBeLessThan(2 ** -11);
    expect(worst).toBeGreaterThan(0);
  }
});

it('allReduce in f16: what is not finite in one process is not a number in its block in all, and nowhere else', async () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const groups = processGroup(2);
    const own = groups.map(({ rank }) => filled(192, (i) => (rank === 1 && i === 70 ? bad : 1)));
    await Promise.all(groups.map((group, rank) => allReduce(group, [own[rank] as Tensor], { wire: 'f16' })));
    const wanted = Float32Array.from({ length: 192 }, (_, i) => (i >= 64 && i < 128 ? Number.NaN : 2));
    for (const values of await readAll(own)) expect(values).toEqual(wanted);
    own.forEach(free);
  }
});

it('sums gradients while the backward pass of a step still runs, bucket by bucket', async () => {
  const groups = processGroup(2);
  const trained = await Promise.all(
    groups.map(async (group, rank) => {
      const sums: Float32Array[][] = [];
      for (const wire of ['f32', 'f16'] as const) {
        const layers = [1, 2, 3].map((seed) => new Linear(newWeights(device.current, seed), 16, 16));
        const optimizer = new SGD(device.current, parameters(layers), { bucketBytes: 2048 });
        using pass = await step(
          device.current,
          { x: [4, 16] },
          ({ x }) => {
            const y = layers.reduce((value, layer) => layer.forward(value), x);
            optimizer.accumulate(gradients(mean(square(y)), optimizer.parameters), 0.5);
            return wire === 'f16' ? gradientBuckets(optimizer).map(packHalves) : [];
          },
          { readEarly: (packed) => (wire === 'f16' ? packed : gradientBuckets(optimizer)) },
        );
        const buckets = gradientBuckets(optimizer);
        expect(buckets.length).toBeGreaterThan(2);
        const { early } = pass.readEarly({ x: Float32Array.from({ length: 64 }, (_, i) => Math.sin(i + 64 * rank)) });
        await allReduce(group, buckets, { early, wire });
        sums.push((await readAll(optimizer.gradientSums())) as Float32Array[]);
        optimizer.dispose();
        freeParameters(layers);
      }
      return sums;
    }),
  );
  const [exact, rounded] = trained[0] as [Float32Array[], Float32Array[]];
  const [others, othersRounded] = trained[1] as [Float32Array[], Float32Array[]];
  expect(others).toEqual(exact);
  expect(othersRounded).toEqual(rounded);
  const [first, second] = [exact[0], rounded[0]] as [Float32Array, Float32Array];
  expect(first.some((value) => value !== 0)).toBe(true);
  const largest = Math.max(...first.map(Math.abs));
  expect(Math.max(...first.map((value, i) => Math.abs(value - (second[i] as number)))) / largest).toBeLessThan(
    2 ** -10,
  );
});

it('broadcast: every process gets what the first has', async () => {
  for (const [first, second] of await inThree((group, own) => broadcast(group, own))) {
    expect(first).toEqual(Float32Array.from({ length: 201 }, (_, i) => i));
    expect(second).toEqual(new Float32Array([0]));
  }
});

it('sums nothing where a process is alone, and refuses what cannot be written', async () => {
  const [alone] = processGroup(1) as [ProcessGroup];
  const own = filled(3, (i) => i);
  await allReduce(alone, [own]);
  await broadcast(alone, [own]);
  expect((await readAll([own]))[0]).toEqual(new Float32Array([0, 1, 2]));
  const constant = tensor(device.current, [1, 2]);
  await expect(allReduce(alone, [own, constant])).rejects.toThrowErrorMatchingInlineSnapshot(
    `[StepError: allReduce: tensor 1 is no f32 variable; give optimizer.gradientSums(), or what variable() made]`,
  );
  await expect(allReduce(alone, [own], { wire: 'f8' as 'f16' })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: allReduce: wire must be f32 or f16; it is f8]`,
  );
  await expect(allReduce(alone, [own], { early: [] })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: allReduce: early has 0 values for 1 tensors; give one for each, in their order]`,
  );
  await expect(allReduce(alone, [own], { bucketBytes: 4 })).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: allReduce: bucketBytes must be 256 or more; it is 4]`,
  );
  free(own);
});

it('what goes wrong in the group is thrown', async () => {
  const own = filled(200, (i) => i);
  const group: ProcessGroup = {
    rank: 0,
    size: 2,
    allReduce: () => Promise.reject(new Error('gone')),
    broadcast: () => Promise.reject(new Error('gone')),
    allToAll: () => Promise.reject(new Error('gone')),
    allGather: () => Promise.reject(new Error('gone')),
  };
  await expect(allReduce(group, [own], { bucketBytes: 256 })).rejects.toThrow('gone');
  await expect(allReduce(group, [own], { bucketBytes: 256, wire: 'f16' })).rejects.toThrow('gone');
  free(own);
});
