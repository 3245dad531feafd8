import { afterEach, describe, expect, it, vi } from 'vitest';
import { BLOCK, blockWord, clipGradients, type FlatGradients } from '../../../src/kernels/optimizer/clip.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();
afterEach(() => void vi.restoreAllMocks());

/** A flat buffer of parameters of these sizes; padding is not a number. */
function buffer(sizes: readonly number[], value: (i: number) => number): FlatGradients {
  const words: number[] = [];
  const values: number[] = [];
  for (const size of sizes) {
    for (let at = 0; at < Math.max(1, size); at += BLOCK) {
      const here = Math.min(BLOCK, size - at);
      words.push(blockWord(here, false));
      for (let i = 0; i < BLOCK; i++) values.push(i < here ? value(values.length) : Number.NaN);
    }
  }
  return { gradients: tensor(device.current, values), blocks: tensor(device.current, new Uint32Array(words)) };
}

async function clipped(
  buffers: readonly FlatGradients[],
  { scale = 1, maxNorm }: { scale?: number; maxNorm?: number } = {},
): Promise<[number, number]> {
  const hyper = tensor(device.current, [0, 0, 0, scale]);
  using made = await step(device.current, {}, () => ({ ...clipGradients(buffers, hyper, maxNorm) }));
  const { norm, factor } = made({});
  const [n, f] = await readAll([norm, factor]);
  return [n?.[0] as number, f?.[0] as number];
}

describe('clipGradients', () => {
  it.each(['a CPU', 'a GPU'])('measures all buffers and no padding, as on %s', async (kind) => {
    if (kind === 'a GPU') asOnGpu(device.current);
    expect(await clipped([buffer([1], () => 3), buffer([1, 0], () => 4)])).toEqual([5, 1]);
    const random = seeded(1);
    const values: number[] = [];
    const draw = () => {
      values.push(normal(random));
      return values.at(-1) as number;
    };
    const buffers = [buffer([1, 65, 300_000, 63, 64], draw), buffer([70_000], draw), buffer([5], draw)];
    const [norm, factor] = await clipped(buffers);
    const wanted = Math.sqrt(values.reduce((sum, v) => sum + Math.fround(v) ** 2, 0));
    expect(Math.abs(norm - wanted)).toBeLessThan(1e-6 * wanted);
    expect(factor).toBe(1);
  });

  it('brings the norm down to the largest allowed', async () => {
    const buffers = [buffer([2], () => 3), buffer([2], () => -3)];
    const [norm, factor] = await clipped(buffers, { maxNorm: 1.5 });
    expect(norm).toBe(6);
    expect(factor).toBeCloseTo(0.25, 6);
    expect(await clipped(buffers, { maxNorm: 7 })).toEqual([6, 1]);
    expect(await clipped([buffer([3], () => 0)], { maxNorm: 1 })).toEqual([0, 1]);
  });

  it('scales before it measures', async () => {
    const [norm, factor] = await clipped([buffer([1], () => 1024)], { scale: 1 / 256, maxNorm: 2 });
    expect(norm).toBe(4);
    expect(factor).toBeCloseTo(0.5 / 256, 8);
  });

  it('says where an update would destroy', async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e30]) {
      const [norm, factor] = await clipped([buffer([70], () => 1), buffer([70], (i) => (i === 69 ? bad : 1))], {
        maxNorm: 1,
      });
      expect(Number.isFinite(norm)).toBe(false);
      expect(factor).toBe(-1);
    }
  });
});
