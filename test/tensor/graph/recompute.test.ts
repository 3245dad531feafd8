import { describe, expect, it } from 'vitest';
import { mean, sum } from '../../../src/kernels/axis/reduce.ts';
import { assign } from '../../../src/kernels/elementwise/assign.ts';
import { add, mul } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { randomNormal } from '../../../src/kernels/elementwise/random.ts';
import { stopGradient } from '../../../src/kernels/elementwise/stop-gradient.ts';
import { scale, sigmoid, square } from '../../../src/kernels/elementwise/unary.ts';
import { reshape } from '../../../src/kernels/layout/layout.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { BatchNorm } from '../../../src/nn/layers/batch-norm.ts';
import { Block } from '../../../src/nn/layers/block.ts';
import { xavierUniform } from '../../../src/nn/layers/init.ts';
import { parameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { free, tensor, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import { type RecomputeResults, recompute } from '../../../src/tensor/graph/recompute.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import { normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

type Run = <R extends RecomputeResults>(body: (...xs: Tensor[]) => R, ...xs: Tensor[]) => R;
const plain: Run = (body, ...xs) => body(...xs);

/** Losses and gradients of a body, with and without recompute(), are the same to the bit. */
async function same(body: (run: Run) => { loss: Tensor; of: readonly Tensor[] }): Promise<void> {
  const values = async (run: Run) => {
    using made = await step(device.current, {}, () => {
      const { loss, of } = body(run);
      return [loss, ...gradients(loss, of)];
    });
    return readAll(made({}) as Tensor[]);
  };
  const wanted = await values(plain);
  expect(wanted.some((g) => g.some((v) => v !== 0))).toBe(true);
  expect(await values(recompute)).toEqual(wanted);
}

function numbers(shape: readonly number[], seed: number): Tensor {
  const random = seeded(seed);
  return tensor(
    device.current,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => normal(random)),
    shape,
  );
}

describe('recompute', () => {
  it('gives the same values and gradients, also of what the body finds outside', async () => {
    const [x, w] = [numbers([5, 4], 1), numbers([4, 4], 2)];
    await same((run) => {
      const scaled = scale(w, 0.5);
      const y = run((x) => sigmoid(linear(square(x), scaled)), x);
      // `scaled` is used inside and outside: its two gradients are added.
      return { loss: sum(add(sum(square(y)), sum(mul(scaled, w)))), of: [x, w, scaled] };
    });
  });

  it('takes several inputs and gives several results, of which not all are used', async () => {
    const [a, b] = [numbers([3, 2], 1), numbers([3, 2], 2)];
    await same((run) => {
      const { product, kept } = run((a, b) => ({ product: mul(a, b), unused: square(a), kept: b }), a, b);
      const [left] = run((p, k) => [add(p, k), square(k)], product, kept) as [Tensor, Tensor];
      return { loss: sum(square(left)), of: [a, b] };
    });
  });

  it('may be nested', async () => {
    const x = numbers([6], 3);
    await same((run) => {
      const inner = (x: Tensor) => run((x) => sigmoid(square(x)), x);
      return { loss: sum(run((x) => mul(inner(add(x, x)), inner(x)), x)), of: [x] };
    });
  });

  it('draws the same random numbers again', async () => {
    const x = numbers([100], 4);
    const key = tensor(device.current, new Uint32Array([7, 9]));
    await same((run) => ({
      loss: sum(run((x) => square(mul(x, randomNormal(key, [100], 3))), x)),
      of: [x],
    }));
  });

  it('works outside of steps', async () => {
    const x = tensor(device.current, [1, 2, 3]);
    const y = recompute((x) => square(square(x)), x);
    expect([...(await read(y))]).toEqual([1, 16, 81]);
    expect([...(await read(gradients(sum(y), [x])[0] as Tensor))]).toEqual([4, 32, 108]);
  });

  it('takes less memory in a stack of transformer blocks, for one more forward pass', async () => {
    const [B, N, D, DEPTH] = [8, 100, 32, 6];
    const weights = newWeights(device.current, 1);
    const options = { dim: D, heads: 4, hidden: 4 * D, eps: 1e-6, init: xavierUniform };
    const blocks = Array.from({ length: DEPTH }, (_, i) => new Block(weights.in(i), options));
    const of = blocks.flatMap((block) => [...parameters(block).values()]);
    const start = numbers([B, N, D], 5);
    const stack = (run: Run) =>
      step(device.current, {}, () => {
        const y = blocks.reduce((y, block) => run((y) => block.forward(y), y), start);
        return gradients(mean(square(y)), of);
      });
    using whole = await stack(plain);
    using less = await stack(recompute);
    expect(await readAll(less({}) as Tensor[])).toEqual(await readAll(whole({}) as Tensor[]));
    expect(less.memory.planned).toBeLessThan(0.4 * whole.memory.planned);
    // The last launch of each block, its sum, is not needed again.
    expect(less.launches.length).toBeLessThan(1.4 * whole.launches.length);
  });

  it('says when a body does not repeat itself', () => {
    let runs = 0;
    const x = tensor(device.current, [1]);
    const y = recompute((x) => (runs++ === 0 ? [x, x] : [x]), x);
    expect(() => gradients(y[0] as Tensor, [x])).toThrowErrorMatchingInlineSnapshot(
      `[StepError: recompute: the body gave 2 results, then 1; it must repeat itself]`,
    );
  });
});

describe('variables that the body of recompute() writes', () => {
  /** The losses, gradients and variables after a call, with and without recompute(). */
  async function both(
    body: (run: Run, c: Tensor, x: Tensor) => { loss: Tensor; of: readonly Tensor[] },
  ): Promise<readonly (readonly number[])[]> {
    const values = async (run: Run) => {
      const c = variable(device.current, [3], [1, 2, 3]);
      using made = await step(device.current, { x: [3] }, ({ x }) => {
        const { loss, of } = body(run, c, x);
        return [loss, ...gradients(loss, of)];
      });
      made({ x: [0.5, 1, 2] });
      const results = await readAll([...made({ x: [0.5, 1, 2] }), c]);
      free(c);
      return results.map((list) => [...list]);
    };
    const wanted = await values(plain);
    expect(await values(recompute)).toEqual(wanted);
    return wanted;
  }

  it('are written once a call', async () => {
    const all = await both((run, c, x) => {
      const y = run((q) => {
        assign(c, add(c, 1));
        return sigmoid(square(q));
      }, x);
      return { loss: sum(square(y)), of: [x] };
    });
    expect(all.at(-1)).toEqual([3, 4, 5]);
  });

  it('have the values of the first time, before and behind each assign, for ops and their gradients', async () => {
    await both((run, c, x) => {
      const y = run((q) => {
        const before = mul(sigmoid(stopGradient(c)), q);
        const view = reshape(c, [3, 1]);
        assign(c, scale(c, 2));
        const between = mul(square(stopGradient(c)), square(q));
        assign(c, add(c, stopGradient(q)));
        const behind = sigmoid(mul(stopGradient(c), q));
        return add(add(before, between), mul(behind, square(reshape(view, [3]))));
      }, x);
      return { loss: sum(square(y)), of: [x] };
    });
  });

  it('are those of each call of one body, nested and one after the other', async () => {
    const all = await both((run, c, x) => {
      const block = (q: Tensor) => {
        const y = mul(sigmoid(stopGradient(c)), square(q));
        assign(c, scale(c, 0.5));
        return sigmoid(add(y, stopGradient(c)));
      };
      const twice = (q: Tensor) => run(block, run(block, q));
      return { loss: sum(square(run(twice, run(twice, x)))), of: [x] };
    });
    expect(all.at(-1)).toEqual([1 / 256, 2 / 256, 3 / 256]);
  });

  it('and what others write: second derivatives would read the new values, which is an error', async () => {
    const [v, x] = [variable(device.current, [1], [1]), variable(device.current, [1], [1])];
    for (const of of [(t: Tensor) => t, (t: Tensor) => reshape(t, [1])]) {
      const second = (when: 'before' | 'after') =>
        run(device.current, () => {
          const y = recompute((x) => square(mul(x, of(v))), x);
          const [g] = gradients(sum(y), [x]);
          const early = when === 'before' ? gradients(sum(square(g)), [x]) : [];
          assign(v, scale(v, 2));
          return [g, ...(when === 'before' ? early : gradients(sum(square(g)), [x]))];
        });
      await expect(second('after')).rejects.toThrow(/as it was, but 'assign' has written there since/);
      write(v, [1]);
      expect((await second('before')).map((list) => [...list])).toEqual([[2], [8]]);
      write(v, [1]);
    }
    free(v);
    free(x);
  });

  it('move running statistics once, in BatchNorm', async () => {
    const states = async (run: Run) => {
      const norm = new BatchNorm(newWeights(device.current, 1), 3);
      using made = await step(device.current, { x: [4, 3] }, ({ x }) => {
        const y = run((q) => sigmoid(norm.forwardInTraining(square(q))), x);
        return [y, ...gradients(sum(square(y)), [x, norm.weight, norm.bias])];
      });
      const x = [1, 2, 3, 4, 1, 6, 0, 8, 2, 5, 1, 1];
      made({ x });
      return readAll([...made({ x }), norm.running_mean, norm.running_var]);
    };
    expect(await states(recompute)).toEqual(await states(plain));
  });
});
