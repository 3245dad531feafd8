import { expect, test } from 'vitest';
import { open } from '../../../bench/peers/libraries/zeroseg.mjs';
import { type Workload, workloads } from '../../../bench/peers/workloads.mjs';
import * as zeroseg from '../../../src/index.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

test("a block's training step is made and runs as bench:peers calls it", async () => {
  const workload = workloads.find(({ kind }) => kind === 'blockTraining') as Workload;
  const sizes = { batch: 1, tokens: 3, dim: 8, heads: 2, hidden: 12, eps: 1e-6 };
  const lengths = new Map([
    [384, sizes.dim],
    [3 * 384, 3 * sizes.dim],
    [1536, sizes.hidden],
  ]);
  const shapes = Object.fromEntries(
    Object.entries(workload.shapes).map(([name, shape]) => [
      name,
      name === 'x' ? [sizes.batch, sizes.tokens, sizes.dim] : shape.map((n) => lengths.get(n) ?? 0),
    ]),
  );
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i + 1) / 2),
    ]),
  );

  const library = await open({ zeroseg: { ...zeroseg, openDevice: async () => device.current } });
  const prepared = await library.prepare({ ...workload, shapes, sizes }, inputs);
  const { loss, ...weights } = await prepared.read(prepared.run());

  expect(Object.keys(weights).sort()).toEqual(
    Object.keys(shapes)
      .filter((name) => name !== 'x')
      .map((name) => `new ${name}`)
      .sort(),
  );
  expect(loss?.[0]).toBeGreaterThan(0);
  // A step of 1e-3, the rate, along each gradient.
  const moved = weights['new mlp.fc2.weight'] as Float32Array;
  expect(Math.abs((moved[0] as number) - (inputs['mlp.fc2.weight']?.[0] as number))).toBeCloseTo(1e-3, 5);
});
