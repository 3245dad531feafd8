import { expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { mlp } from '../../../src/kernels/matmul/mlp.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** `x · wᵀ + b` over the last axis. */
function linear(x: Ref, w: Ref, b: Ref | undefined): Ref {
  const [outputs, inputs] = w.shape as [number, number];
  const rows = x.data.length / inputs;
  const data: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < outputs; o++) {
      let sum = b ? (b.data[o] as number) : 0;
      for (let i = 0; i < inputs; i++) sum += (x.data[r * inputs + i] as number) * (w.data[o * inputs + i] as number);
      data.push(sum);
    }
  }
  return ref([...x.shape.slice(0, -1), outputs], data);
}

const quick = (x: number) => x / (1 + Math.exp(-1.702 * x));

checkOp(
  'mlp',
  (x, weight1, bias1, weight2, bias2, residual) =>
    mlp(
      x as Tensor,
      { weight1: weight1 as Tensor, bias1, weight2: weight2 as Tensor, bias2 },
      { activation: 'quick-gelu', residual },
    ),
  {
    reference: ([x, w1, b1, w2, b2, residual]) => {
      const p = linear(x as Ref, w1 as Ref, b1);
      const y = linear(ref(p.shape, p.data.map(quick)), w2 as Ref, b2);
      return ref(
        y.shape,
        y.data.map((value, i) => value + ((residual as Ref).data[i] as number)),
      );
    },
    cases: [
      [[3, 4], [8, 4], [8], [4, 8], [4], [3, 4]],
      [[2, 17, 12], [36, 12], [36], [12, 36], [12], [2, 17, 12]],
      [[5, 3], [7, 3], [7], [9, 7], [9], [5, 9]],
      // A vector, as linear takes one.
      [[4], [8, 4], [8], [4, 8], [4], [4]],
      [[0, 4], [8, 4], [8], [4, 8], [4], [0, 4]],
    ],
    tolerance: { forward: 3e-6, gradient: 2e-5 },
  },
);

checkOp(
  'mlp without biases',
  (x, weight1, weight2) =>
    mlp(x as Tensor, { weight1: weight1 as Tensor, weight2: weight2 as Tensor }, { activation: 'quick-gelu' }),
  {
    reference: ([x, w1, w2]) => {
      const p = linear(x as Ref, w1 as Ref, undefined);
      return linear(ref(p.shape, p.data.map(quick)), w2 as Ref, undefined);
    },
    cases: [
      [
        [5, 8],
        [12, 8],
        [4, 12],
      ],
    ],
    tolerance: { forward: 3e-6, gradient: 2e-5 },
  },
);

it('takes two launches forward and four backward, biases and all', async () => {
  const at = (shape: number[]) => tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  const [x, weight1, bias1, weight2, bias2] = [at([8, 16]), at([32, 16]), at([32]), at([16, 32]), at([16])];
  const weights = { weight1, bias1, weight2, bias2 };
  using forward = await step(device.current, {}, () => mlp(x, weights));
  expect(forward.launches.length).toBe(2);
  using backward = await step(device.current, { dy: [8, 16] }, ({ dy }) =>
    gradients(mlp(x, weights, { residual: x }), [x, weight1, bias1, weight2, bias2], dy),
  );
  // The gradient that the residual brings to x is added to that of the MLP.
  expect(backward.launches.map(({ kernel }) => kernel.name)).toHaveLength(2 + 4 + 1 - 1);
});

it('refuses what does not fit', () => {
  const at = (...shape: number[]) => tensor(device.current, new Float32Array(shape.reduce((a, b) => a * b, 1)), shape);
  expect(() => mlp(at(3, 5), { weight1: at(8, 4), weight2: at(4, 8) })).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: mlp: x must be [..., in], and both weights must have the same hidden axis; got x [3, 5], weight1 [8, 4], weight2 [4, 8]]`,
  );
  expect(() => mlp(at(3, 4), { weight1: at(8, 4), weight2: at(4, 9) })).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: mlp: x must be [..., in], and both weights must have the same hidden axis; got x [3, 4], weight1 [8, 4], weight2 [4, 9]]`,
  );
  expect(() =>
    mlp(at(3, 4), { weight1: at(8, 4), bias1: at(4), weight2: at(4, 8) }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: mlp: bias1 must be [8]; got x [3, 4], weight1 [8, 4], weight2 [4, 8], bias1 [4]]`,
  );
  expect(() =>
    mlp(at(3, 4), { weight1: at(8, 4), weight2: at(4, 8) }, { residual: at(3, 8) }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[ShapeError: mlp: residual must have the shape of the result; got x [3, 4], weight1 [8, 4], weight2 [4, 8], result [3, 4], residual [3, 8]]`,
  );
});
