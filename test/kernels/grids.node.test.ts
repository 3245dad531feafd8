import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Kernel } from '../../src/gpu/kernel.ts';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import { AdamW } from '../../src/nn/optimizer/index.ts';
import { fill } from '../../src/tensor/graph/fill.ts';
import { tensor, variable } from '../../src/tensor/graph/host-tensors.ts';
import type { Launch, Tensor } from '../../src/tensor/graph/tensor.ts';
import { fold } from '../../src/tensor/run/fold.ts';
import { fuse } from '../../src/tensor/run/fuse.ts';
import { size } from '../../src/tensor/values/shape.ts';
import * as ops from '../support/all-ops.ts';
import { normal, seeded } from '../support/check-op.ts';
import { asOnGpu, useDevice } from '../support/device.ts';
import { everyLaunch, kernelNames, NO_OPS } from '../support/every-launch.ts';
import { compareGrids, launchesOf, withSurplus } from '../support/surplus.ts';

// A launch of more than 65,535 workgroups is wrapped into two dimensions, and then has some too many. These must write nothing.
// Here every kernel gets some too many, at sizes that are quick, and what it writes must be as without them, and lie where it
// belongs.

// A tensor ends at whole vec4s, and what lies between is nobody's: parts and rows are as many as make whole ones.

const device = useDevice();
afterEach(() => void vi.restoreAllMocks());

const { ofOps, beside, ofOptimizers } = everyLaunch(
  device,
  () => asOnGpu(device.current),
  () => void vi.restoreAllMocks(),
);
const random = seeded(5);
const floats = (...shape: number[]): Tensor =>
  tensor(
    device.current,
    Float32Array.from({ length: size(shape) }, () => normal(random)),
    shape,
  );

/** Kernels that never have more than 65,535 workgroups: one, or 64 to 1,024 a flat buffer of gradients. */
const FEW = ['total', 'weighted-mean', 'clip', 'squared-norm', 'scan-begin', 'scan-count'];

/** Kernels of check mode, launched by no op: 1,024 workgroups at most, which take turns (test/tensor/run/check/check-mode.test.ts). */
const OF_CHECKS = ['forget', 'scan', 'judge'];

/** Launched by no op: a step places it (test/tensor/run/old-values.test.ts). */
const OF_STEPS = ['copy of old values'];

const launched = new Set<string>();

async function faultsOf(body: () => void): Promise<string[]> {
  const launches = launchesOf(device.current, body);
  const isFew = ({ name }: Kernel) => FEW.includes(name);
  for (const { kernel } of launches) launched.add(kernel.name);
  return compareGrids(device.current, launches, (launch) => (isFew(launch.kernel) ? launch.grid : withSurplus(launch)));
}

describe('workgroups too many write nothing', () => {
  it('in an op of this table, which has all of them', () => {
    expect(Object.keys(ofOps).sort()).toEqual(
      Object.keys(ops)
        .filter((name) => !NO_OPS.includes(name))
        .sort(),
    );
  });

  for (const [name, body] of Object.entries({ ...ofOps, ...beside })) {
    it(name, async () => {
      expect(await faultsOf(body)).toEqual([]);
    });
  }

  for (const [name, bodies] of Object.entries(ofOptimizers)) {
    it(`in ${name}`, async () => {
      for (const body of bodies) expect(await faultsOf(body)).toEqual([]);
    });
  }

  it('in a launch that takes the place of several', async () => {
    const vector = () => variable(device.current, [36], new Float32Array(36).fill(0.5));
    const [weight, bias, other, shift] = [vector(), vector(), vector(), vector()];
    const named = Object.entries({ weight, bias, other, shift });
    const optimizer = new AdamW(device.current, named);
    const hyper = tensor(device.current, optimizer.hyperparameters(1, 0.1));
    const body = () => {
      const y = ops.layerNorm(ops.layerNorm(floats(70, 36), weight, bias, 1e-6), other, shift, 1e-6);
      optimizer.update(gradients(y, optimizer.parameters, floats(70, 36)) as Tensor[], hyper);
    };
    const launches = await fuse(launchesOf(device.current, body), new Set());
    const name = 'layer-norm-weights of all';
    expect(launches.filter(({ kernel }) => kernel.name === name)).toHaveLength(1);
    launched.add(name);
    const grid = (launch: Launch) => (launch.kernel.name === name ? withSurplus(launch) : launch.grid);
    expect(await compareGrids(device.current, launches, grid)).toEqual([]);
  });

  it('in launches that pointwise ops are folded into', async () => {
    const body = () => {
      const [x, other] = [floats(37, 9), floats(37, 9)];
      const y = ops.mean(ops.square(ops.sub(ops.exp(x), other)));
      gradients(y, [x]);
    };
    const launches = fold(launchesOf(device.current, body), new Set());
    const isFolded = ({ kernel }: Launch) => / in /.test(kernel.name);
    expect(launches.filter(isFolded).length).toBeGreaterThan(1);
    const grid = (launch: Launch) => (isFolded(launch) ? withSurplus(launch) : launch.grid);
    expect(await compareGrids(device.current, launches, grid)).toEqual([]);
  });

  it('in launches that choose groups and weigh members at once on GPUs', async () => {
    asOnGpu(device.current);
    const body = () => {
      const logits = floats(3, 5, 7);
      const { hard } = ops.gumbelSoftmax(logits, { axis: 1, key: tensor(device.current, Uint32Array.of(1, 2)) });
      const weights = ops.assignNormalise(hard);
      const others = Array.from({ length: 24 }, (_, i) => fill(device.current, [1], i));
      return [weights, ...gradients(weights, [logits], floats(3, 5, 7)), ...others];
    };
    const launches = await fuse(launchesOf(device.current, body), new Set());
    const isOne = ({ kernel }: Launch) => /^choose and weights/.test(kernel.name);
    expect(launches.filter(isOne)).toHaveLength(2);
    const grid = (launch: Launch) => (isOne(launch) ? withSurplus(launch) : launch.grid);
    expect(await compareGrids(device.current, launches, grid)).toEqual([]);
  });

  it('in launches that take the place of products on GPUs', async () => {
    asOnGpu(device.current);
    const named = [0, 1, 2, 3, 4, 5, 6, 7].map(
      (i) => [`${i}`, variable(device.current, [8, 8], new Float32Array(64).fill(0.5 - 0.1 * i))] as const,
    );
    const optimizer = new AdamW(device.current, named);
    const hyper = tensor(device.current, optimizer.hyperparameters(1, 0.1));
    const body = () => {
      const y = named.reduce((x, [, weight]) => ops.linear(x, weight), floats(520, 8));
      optimizer.update(gradients(y, optimizer.parameters, floats(520, 8)) as Tensor[], hyper);
    };
    const launches = await fuse(launchesOf(device.current, body), new Set());
    const [parts, pair] = ['matmul parts of all', 'matmul and matmul'];
    const counts = [parts, pair].map((name) => launches.filter(({ kernel }) => kernel.name === name).length);
    expect(counts).toEqual([1, expect.any(Number)]);
    expect(counts[1]).toBeGreaterThan(0);
    launched.add(parts);
    const grid = (launch: Launch) => ([parts, pair].includes(launch.kernel.name) ? withSurplus(launch) : launch.grid);
    expect(await compareGrids(device.current, launches, grid)).toEqual([]);
  });

  it('in a kernel that these tests launch: all of them', () => {
    const names = kernelNames();
    const isHalf = device.current.features.has('shader-f16');
    const exempt = [...OF_CHECKS, ...OF_STEPS, ...(isHalf ? [] : ['narrow', 'widen', 'scan-round'])];
    const missing = names.filter((name) => !launched.has(name) && !exempt.includes(name));
    expect(names.length).toBeGreaterThan(50);
    expect(missing).toEqual([]);
  });
});
