import { beforeAll, describe, expect, it } from 'vitest';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { assign } from '../../../src/kernels/elementwise/assign.ts';
import { add, mul } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { randomUniform } from '../../../src/kernels/elementwise/index.ts';
import { reshape } from '../../../src/kernels/layout/layout.ts';
import { free, tensor, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { jit } from '../../../src/tensor/run/jit.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { toArray } from '../../../src/tensor/run/show.ts';
import { run } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const f32 = (values: readonly number[]) => tensor(device.current, values);
const values = async (x: Tensor) => [...(await read(x))];

/** Reads what `make` makes until that makes no buffer any more, as the program of an earlier read runs again. */
async function kept(make: () => Tensor): Promise<number[]> {
  for (let i = 0; i < 100; i++) {
    const made = device.current.buffersMade;
    const found = await values(make());
    if (device.current.buffersMade === made) return found;
    await new Promise((resolve) => setTimeout(resolve, i));
  }
  throw new Error('no program was kept');
}

/** The same launches on [4] for all tests, so that they share the program. */
const both = (a: Tensor, b: Tensor, factor = 2) => sum(mul(add(a, b), factor));
beforeAll(async () => {
  // Whoever shows values has the programs of earlier reads.
  expect(await toArray(f32([1, 2]))).toEqual([1, 2]);
  expect(await kept(() => both(f32([1, 2, 3, 4]), f32([10, 20, 30, 40])))).toEqual([220]);
});

describe('a read like an earlier one makes no buffer, and gives the values', () => {
  const expectKept = async (x: () => Tensor, wanted: readonly number[]) => {
    const made = device.current.buffersMade;
    expect(await values(x())).toEqual(wanted);
    expect(device.current.buffersMade).toBe(made);
  };

  it('of other constants, in the same and in other places', async () => {
    await expectKept(() => both(f32([1, 1, 1, 1]), f32([0, 0, 0, 1])), [10]);
    const [a, b] = [f32([1, 0, 0, 0]), f32([5, 5, 5, 5])];
    for (let i = 0; i < 3; i++) {
      await expectKept(() => both(a, b), [42]);
      await expectKept(() => both(b, a), [42]);
      await expectKept(() => both(f32([i, 0, 0, 0]), b), [40 + 2 * i]);
    }
  });

  it('of other params, also where one is -0', async () => {
    const [a, b] = [f32([1, 2, 3, 4]), f32([1, 0, 0, 0])];
    for (const factor of [3, -1, 0.5, 3]) await expectKept(() => both(a, b, factor), [11 * factor]);
    for (const factor of [0, -0, 0]) {
      await kept(() => mul(a, factor));
      expect((await values(mul(a, factor))).map((x) => Object.is(x, -0))).toEqual(Array(4).fill(Object.is(factor, -0)));
    }
  });

  it('of random keys', async () => {
    const draw = (...key: [number, number]) => randomUniform(tensor(device.current, new Uint32Array(key)), [4]);
    const first = await values(draw(1, 2));
    await kept(() => draw(1, 2));
    const second = await values(draw(1, 3));
    expect(second).not.toEqual(first);
    await expectKept(() => draw(1, 2), first);
    await expectKept(() => draw(1, 3), second);
  });

  it('of variables as they are now: written, assigned, others, freed', async () => {
    const b = f32([0, 0, 0, 0]);
    const w = variable(device.current, [4], [1, 1, 1, 1]);
    expect(await kept(() => both(w, b))).toEqual([8]);
    write(w, [2, 2, 2, 2]);
    await expectKept(() => both(w, b), [16]);
    await run(device.current, () => assign(w, f32([1, 2, 3, 4])));
    await expectKept(() => both(w, b), [20]);
    const other = variable(device.current, [4], [5, 0, 0, 0]);
    expect(await values(both(other, b))).toEqual([10]);
    expect(await kept(() => both(other, b))).toEqual([10]);
    await expectKept(() => both(w, b), [20]);
    free(w);
    await expect(read(both(w, b))).rejects.toThrow(/^add: uses a tensor \[4\] whose memory was freed/);
    await expectKept(() => both(other, b), [10]);
    // At the place where the freed one was, perhaps.
    const next = variable(device.current, [4], [7, 0, 0, 0]);
    expect(await values(both(next, b))).toEqual([14]);
  });

  it('of a result of jit, which holds until the next call', async () => {
    using twice = jit(device.current, (x) => add(x, x));
    const b = f32([0, 0, 0, 0]);
    for (let i = 1; i < 4; i++) {
      const y = await twice([i, 0, 0, 0]);
      expect(await values(both(y, b))).toEqual([4 * i]);
    }
    const y = await twice([1, 0, 0, 0]);
    await twice([2, 0, 0, 0]);
    await expect(read(both(y, b))).rejects.toThrow(
      /^add: uses a tensor \[4\] whose memory was overwritten by the next call of its step; read it/,
    );
  });

  it('of reads that are under way together, at the moment of their calls', async () => {
    const w = variable(device.current, [4], [0, 0, 0, 0]);
    const b = f32([1, 0, 0, 0]);
    await kept(() => both(w, b));
    const reads = Array.from({ length: 12 }, (_, i) => {
      write(w, [i, 0, 0, 0]);
      return values(both(w, f32([0, 0, 0, 1]), i));
    });
    write(w, [9, 9, 9, 9]);
    expect((await Promise.all(reads)).flat()).toEqual(Array.from({ length: 12 }, (_, i) => i * (i + 1)));
  });

  it('of several tensors, whichever are asked for', async () => {
    const [a, b] = [f32([1, 2, 3, 4]), f32([1, 1, 1, 1])];
    const parts = () => {
      const y = add(a, b);
      return [y, sum(y), a, mul(y, 1)] as const;
    };
    const wanted = [[2, 3, 4, 5], [14], [1, 2, 3, 4], [2, 3, 4, 5]];
    for (const pick of [[0], [1], [0, 1], [1, 0], [3, 1, 2], [1, 1, 0], [0, 1, 2, 3]]) {
      for (let i = 0; i < 3; i++) {
        const all = parts();
        const found = await readAll(pick.map((k) => all[k as 0]));
        expect(found.map((one) => [...one])).toEqual(pick.map((k) => wanted[k]));
      }
    }
  });

  it('of other shapes with as many elements', async () => {
    const [x, y] = [f32([1, 2, 3, 4, 5, 6]), f32([1, 1, 1, 1, 1, 1])];
    const axes = (shape: readonly number[]) => sum(add(reshape(x, shape), reshape(y, shape)), { axes: 0 });
    for (let i = 0; i < 3; i++) {
      expect(await values(axes([2, 3]))).toEqual([7, 9, 11]);
      expect(await values(axes([3, 2]))).toEqual([12, 15]);
    }
  });

  it('of gradients', async () => {
    const slope = (at: number) => {
      const x = f32([at, 0, 0, 0]);
      return gradients(sum(mul(x, x)), [x])[0];
    };
    await kept(() => slope(1));
    for (const at of [1, -2, 3]) expect((await values(slope(at)))[0]).toBe(2 * at);
  });
});

it('what programs keep is bounded', async () => {
  const before = device.current.bytes;
  for (let n = 0; n < 40; n++) {
    const x = tensor(device.current, new Float32Array(2 ** 18 - 4 * n));
    for (let i = 0; i < 2; i++) await read(sum(add(x, 1)));
  }
  // 40 MiB of constants came by.
  expect(device.current.bytes - before).toBeLessThan(24 * 2 ** 20);
});
