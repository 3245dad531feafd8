import { expect, test } from 'vitest';
import { chooseWorkloads } from '../../../cli/src/bench/bench.ts';
import { lending } from '../../../cli/src/bench/workloads.ts';
import { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

test('every workload frees what it took', async () => {
  for (const { name, prepare } of chooseWorkloads({ quick: true })) {
    const before = device.current.bytes;
    const during = await lending(device.current, async (lend) => {
      prepare(lend);
      return device.current.bytes;
    });
    expect(during, name).toBeGreaterThan(before);
    expect(device.current.bytes, name).toBe(before);
  }
});

test('every quick workload gives finite numbers', async () => {
  for (const { name, prepare } of chooseWorkloads({ quick: true })) {
    await lending(device.current, async (lend) => {
      using run = await step(device.current, {}, prepare(lend));
      const results = run({}) as undefined | Tensor | Record<string, Tensor>;
      const tensors = results instanceof Tensor ? [results] : Object.values(results ?? {});
      expect(tensors.length, name).toBeGreaterThan(0);
      const values = await readAll(tensors);
      expect(
        values.every((array) => array.every((x) => Number.isFinite(x))),
        name,
      ).toBe(true);
    });
  }
});
