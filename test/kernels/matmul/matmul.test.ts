import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { linear, type MatmulOptions, matmul } from '../../../src/kernels/matmul/matmul.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { checkOp, close, normal, type Ref, ref, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();

/** `a · b`, one element after the other. Every matrix of the batch is found by its index in the result. */
function product([a, b]: readonly Ref[], { transposeA = false, transposeB = false } = {}): Ref {
  const [m, k] = last(a as Ref, transposeA);
  const [, n] = last(b as Ref, transposeB);
  const rank = Math.max(a!.shape.length, b!.shape.length);
  const padded = [a, b].map((x) => [...Array(rank - x!.shape.length).fill(1), ...x!.shape].slice(0, -2));
  const batch = padded[0]!.map((length, i) => (length === 1 ? padded[1]![i] : length));
  const data = new Float64Array(size(batch) * m * n);
  const [as, bs] = [a!.data, b!.data];
  // From an element to the next along the inner axis.
  const [stepA, stepB] = [transposeA ? m : 1, transposeB ? 1 : n];
  for (let z = 0; z < size(batch); z++) {
    const [za, zb] = padded.map((own) => {
      let [at, stride, rest] = [0, 1, z];
      for (let i = batch.length - 1; i >= 0; i--) {
        if (own[i] !== 1) at += (rest % batch[i]) * stride;
        stride *= own[i];
        rest = Math.floor(rest / batch[i]);
      }
      return at;
    }) as [number, number];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let left = za * m * k + (transposeA ? i : i * k);
        let right = zb * k * n + (transposeB ? j * k : j);
        let sum = 0;
        for (let s = 0; s < k; s++) {
          sum += as[left]! * bs[right]!;
          left += stepA;
          right += stepB;
        }
        data[(z * m + i) * n + j] = sum;
      }
    }
  }
  return { shape: [...batch, m, n], data };
}

function last(x: Ref, transpose: boolean): [number, number] {
  const [rows, cols] = x.shape.slice(-2) as [number, number];
  return transpose ? [cols, rows] : [rows, cols];
}

const map = (x: Ref, f: (value: number, i: number) => number): Ref => ({ shape: x.shape, data: x.data.map(f) });

checkOp('matmul', matmul as (...inputs: Tensor[]) => Tensor, {
  reference: (inputs) => product(inputs),
  cases: [
    [
      [1, 1],
      [1, 1],
    ],
    [
      [3, 17],
      [17, 5],
    ],
    [
      [65, 65],
      [65, 65],
    ],
    [
      [5, 0],
      [0, 3],
    ],
    [
      [0, 4],
      [4, 3],
    ],
    [
      [4, 3],
      [3, 0],
    ],
    [
      [197, 7],
      [7, 130],
    ],
    [
      [1, 300],
      [300, 1],
    ],
    [
      [2, 3, 4, 5],
      [2, 3, 5, 6],
    ],
    [
      [2, 1, 4, 5],
      [3, 5, 2],
    ],
    [
      [4, 5],
      [3, 5, 2],
    ],
    [
      [3, 4, 5],
      [5, 2],
    ],
    [
      [2, 1, 2, 4, 5],
      [1, 3, 1, 5, 2],
    ],
    [
      [0, 4, 5],
      [5, 2],
    ],
  ],
  tolerance: { forward: 2e-6 },
});

for (const options of [
  { transposeA: true },
  { transposeB: true },
  { transposeA: true, transposeB: true },
] satisfies MatmulOptions[]) {
  const turned = (shape: number[], turn = false) =>
    turn ? [...shape.slice(0, -2), ...shape.slice(-2).reverse()] : shape;
  checkOp(`matmul ${Object.keys(options).join(' ')}`, (a, b) => matmul(a, b, options), {
    reference: (inputs) => product(inputs, options),
    cases: [
      [
        [17, 33],
        [33, 19],
      ],
      [
        [3, 70, 20],
        [3, 20, 35],
      ],
      [
        [3, 9, 8],
        [8, 10],
      ],
      // Turned, a is a column for each of the batch.
      [
        [3, 1, 8],
        [8, 10],
      ],
      [
        [2, 1, 4, 5],
        [3, 5, 2],
      ],
    ].map(([a, b]) => [turned(a!, options.transposeA), turned(b!, options.transposeB)]),
    tolerance: { forward: 2e-6 },
  });
}

/** erf(x) = 2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (1·3·5···(2n+1)): no term cancels another. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const activations: Record<NonNullable<MatmulOptions['activation']>, (x: number) => number> = {
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  'gelu-tanh': (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  'quick-gelu': (x) => x * sigmoid(1.702 * x),
  relu: (x) => Math.max(x, 0),
};

for (const [activation, f] of Object.entries(activations)) {
  checkOp(
    `linear bias ${activation} residual`,
    (x, weight, bias, residual) =>
      linear(x, weight, { bias: bias!, residual: residual!, activation: activation as 'gelu' }),
    {
      reference: ([x, weight, bias, residual]) => {
        const out = weight!.shape[0]!;
        const sums = product([x!, weight!], { transposeB: true });
        return map(sums, (value, i) => f(value + bias!.data[i % out]!) + residual!.data[i]!);
      },
      cases: [
        [[2, 5, 7], [11, 7], [11], [2, 5, 11]],
        [[67, 3], [65, 3], [65], [67, 65]],
        [[3, 0], [4, 0], [4], [3, 4]],
      ],
      tolerance: { forward: 2e-6 },
    },
  );
}

checkOp('linear', linear as (...inputs: Tensor[]) => Tensor, {
  reference: ([x, weight]) => {
    const y = product([ref([x!.data.length / 6, 6], x!.data), weight!], { transposeB: true });
    return ref([...x!.shape.slice(0, -1), 4], y.data);
  },
  cases: [
    [[6], [4, 6]],
    [
      [3, 6],
      [4, 6],
    ],
    [
      [2, 3, 5, 6],
      [4, 6],
    ],
  ],
});

checkOp(
  'matmul transposed, as a mixer over tokens',
  (x, w, bias) => matmul(x, w, { transposeA: true, transposeB: true, bias: bias!, activation: 'gelu' }),
  {
    reference: ([x, w, bias]) =>
      map(product([x!, w!], { transposeA: true, transposeB: true }), (value, i) =>
        activations.gelu(value + bias!.data[i % bias!.data.length]!),
      ),
    cases: [[[2, 7, 5], [9, 7], [9]]],
    tolerance: { forward: 2e-6 },
  },
);

describe('matmul', () => {
  it('keeps its accuracy over a long inner axis, in both directions', async () => {
    const random = seeded(5);
    const [m, k, n] = [33, 3001, 40];
    const a = Float32Array.from({ length: m * k }, () => normal(random));
    const b = Float32Array.from({ length: k * n }, () => normal(random));
    const want = product([ref([m, k], a), ref([k, n], b)]);
    close(
      await read(matmul(tensor(device.current, a, [m, k]), tensor(device.current, b, [k, n]))),
      want.data,
      5e-6,
      'a · b',
    );
  });

  it('spreads more tiles than one axis of a grid can have', async () => {
    const x = tensor(
      device.current,
      Float32Array.from({ length: 70_000 }, (_, i) => i % 97),
      [70_000, 1, 1],
    );
    const y = await read(matmul(x, matmul(x, tensor(device.current, [2], [1, 1, 1]))));
    expect(y.findIndex((value, i) => value !== 2 * (i % 97) ** 2)).toBe(-1);
  });

  it('takes one tensor as both sides', async () => {
    const x = tensor(device.current, [1, 2, 3, 4], [2, 2]);
    const y = matmul(x, x);
    const [values, dx] = await readAll([
      y,
      gradients(y, [x], tensor(device.current, [1, 0, 0, 0], [2, 2]))[0] as Tensor,
    ]);
    expect([...values!]).toEqual([7, 10, 15, 22]);
    expect([...dx!]).toEqual([2, 3, 2, 0]);
  });

  it('lets an infinity through only where it belongs', async () => {
    const a = tensor(device.current, [1, 2, 3, Number.POSITIVE_INFINITY, 1, 1], [2, 3]);
    expect([...(await read(matmul(a, tensor(device.current, [1, 1, 1], [3, 1]))))]).toEqual([
      6,
      Number.POSITIVE_INFINITY,
    ]);
  });

  it('refuses what does not fit', () => {
    const x = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)), shape);
    expect(() => matmul(x(2, 3), x(2, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: matmul: inner sizes must agree (3 and 2); got a [2, 3], b [2, 3]]`,
    );
    expect(() => matmul(x(3), x(3, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: matmul: both must have at least two axes; got a [3], b [3, 2]]`,
    );
    expect(() => matmul(x(2, 4, 3), x(3, 3, 5))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: matmul: axes must be equal, or 1, counted from the last; got a [2], b [3]]`,
    );
    expect(() => matmul(x(2, 3), x(3, 5), { bias: x(2) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: matmul: bias must be [5]; got a [2, 3], b [3, 5], bias [2]]`,
    );
    expect(() => matmul(x(2, 3), x(3, 5), { residual: x(5) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: matmul: residual must have the shape of the result; got a [2, 3], b [3, 5], result [2, 5], residual [5]]`,
    );
    expect(() => linear(x(2, 3), x(5, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: linear: inner sizes must agree (3 and 4); got x [2, 3], weight [5, 4]]`,
    );
    expect(() => linear(x(2, 3), x(3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: linear: weight must be [out, in]; got x [2, 3], weight [3]]`,
    );
    expect(() => matmul(x(2, 1, 2, 1, 1, 1), x(1, 2, 1, 2, 1, 1))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: matmul: at most three runs of batch axes may be stretched; got a [2, 1, 2, 1], b [1, 2, 1, 2]]`,
    );
  });
});

// The adapters of this suite compute on the CPU, which have a kernel of their own.
describe('as on a GPU', () => {
  beforeAll(() => void asOnGpu(device.current));
  afterAll(() => void vi.restoreAllMocks());
  checkOp('matmul', matmul as (...inputs: Tensor[]) => Tensor, {
    reference: (inputs) => product(inputs),
    cases: [
      [
        [1, 1],
        [1, 1],
      ],
      [
        [65, 33],
        [33, 130],
      ],
      [
        [5, 0],
        [0, 3],
      ],
      [
        [2, 1, 4, 17],
        [3, 17, 2],
      ],
    ],
    tolerance: { forward: 2e-6 },
  });
  checkOp(
    'linear bias gelu residual',
    (x, weight, bias, residual) => linear(x, weight, { bias, residual, activation: 'gelu' }),
    {
      reference: ([x, weight, bias, residual]) =>
        map(product([x!, weight!], { transposeB: true }), (value, i) => {
          const out = bias!.data.length;
          return activations.gelu(value + bias!.data[i % out]!) + residual!.data[i]!;
        }),
      // The last two add up the gradients of weight and bias over many rows in parts.
      cases: [
        [[67, 3], [65, 3], [65], [67, 65]],
        [[520, 8], [4, 8], [4], [520, 4]],
        [[530, 7], [5, 7], [5], [530, 5]],
      ],
      tolerance: { forward: 2e-6 },
    },
  );
});
