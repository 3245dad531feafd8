import { expect, it } from 'vitest';
import { allReduce, broadcast } from '../../../src/nn/distributed/all-reduce.ts';
import type { ProcessGroup } from '../../../src/nn/distributed/process-group.ts';
import { free, tensor, variable } from '../../../src/tensor/graph/host-tensors.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
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
  };
  await expect(allReduce(group, [own], { bucketBytes: 256 })).rejects.toThrow('gone');
  free(own);
});
