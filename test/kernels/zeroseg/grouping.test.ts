import { describe, expect, it } from 'vitest';
import { argmax } from '../../../src/kernels/axis/extreme.ts';
import { sum } from '../../../src/kernels/axis/reduce.ts';
import { add, div } from '../../../src/kernels/elementwise/binary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { randomGumbel } from '../../../src/kernels/elementwise/random.ts';
import { addScalar, scale } from '../../../src/kernels/elementwise/unary.ts';
import { matmul } from '../../../src/kernels/matmul/matmul.ts';
import { softmax } from '../../../src/kernels/row-ops/softmax.ts';
import {
  assignNormalise,
  type GroupOptions,
  groupMembers,
  gumbelSoftmax,
} from '../../../src/kernels/zeroseg/grouping.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll, readU32 } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { type Shape, size } from '../../../src/tensor/values/shape.ts';
import { checkOp, close, normal, type Ref, ref, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

function random(shape: Shape, seed: number): Tensor {
  const next = seeded(seed);
  return tensor(
    device.current,
    Float32Array.from({ length: size(shape) }, () => normal(next)),
    shape,
  );
}

/** Softmax of `(x + noise) / tau` along an axis. */
function softmaxOf(x: Ref, noise: Ref | undefined, axis: number, tau: number): Ref {
  const along = axis < 0 ? axis + x.shape.length : axis;
  const length = x.shape[along] as number;
  const inner = size(x.shape.slice(along + 1));
  const y = new Float64Array(x.data.length);
  for (let line = 0; line < y.length / length; line++) {
    const first = Math.floor(line / inner) * length * inner + (line % inner);
    const at = Array.from({ length }, (_, k) => first + k * inner);
    const z = at.map((i) => ((x.data[i] as number) + (noise?.data[i] ?? 0)) / tau);
    const top = Math.max(...z);
    const sum = z.reduce((total, v) => total + Math.exp(v - top), 0);
    at.forEach((i, k) => {
      y[i] = Math.exp((z[k] as number) - top) / sum;
    });
  }
  return ref(x.shape, y);
}

/** `a / (sum over the last axis + eps)`. */
function normalised(a: Ref, eps: number): Ref {
  const N = a.shape.at(-1) as number;
  const y = new Float64Array(a.data.length);
  for (let first = 0; first < y.length; first += N) {
    const row = a.data.subarray(first, first + N);
    const sum = row.reduce((x, v) => x + v, 0) + eps;
    row.forEach((v, k) => {
      y[first + k] = v / sum;
    });
  }
  return ref(a.shape, y);
}

for (const [axis, tau] of [
  [1, 1],
  [-1, 0.5],
] as const) {
  checkOp(`gumbelSoftmax along ${axis}`, (x, noise) => gumbelSoftmax(x, { axis, tau, noise }).soft, {
    reference: ([x, noise]) => softmaxOf(x!, noise, axis, tau),
    constant: [1],
    cases: (
      [
        [1, 1],
        [2, 4, 6],
        [3, 17, 65],
        [2, 32, 197],
        [1, 1000],
      ] as const
    ).map((shape) => [shape, shape]),
    tolerance: { forward: 2e-6 },
  });
}

checkOp('gumbelSoftmax without noise', (x) => gumbelSoftmax(x, { axis: 1 }).soft, {
  reference: ([x]) => softmaxOf(x!, undefined, 1, 1),
  values: (_input, i, next) => 1000 * (i % 2) + 3 * normal(next),
  cases: [[[2, 8, 34]], [[4, 6]]],
  tolerance: { forward: 1e-5 },
});

checkOp('assignNormalise', (a) => assignNormalise(a), {
  reference: ([a]) => normalised(a!, 1),
  values: (_input, _i, next) => next(),
  cases: [[[1]], [[2, 3, 7]], [[2, 32, 78]], [[3, 1025]]],
});

const soft: GroupOptions = { hard: false, tau: 0.7, eps: 0.5 };
checkOp('groupMembers soft', (x, values, noise) => groupMembers(x, values, { ...soft, noise }).grouped, {
  reference: ([x, values, noise]) => {
    const [B, G, N] = x!.shape as [number, number, number];
    const D = values!.shape[2] as number;
    const fractions = normalised(softmaxOf(x!, noise, 1, 0.7), 0.5);
    const y = new Float64Array(B * G * D);
    for (let row = 0; row < B * G; row++) {
      for (let n = 0; n < N; n++) {
        const fraction = fractions.data[row * N + n] as number;
        const member = Math.floor(row / G) * N + n;
        for (let d = 0; d < D; d++) y[row * D + d]! += fraction * (values!.data[member * D + d] as number);
      }
    }
    return ref([B, G, D], y);
  },
  constant: [2],
  cases: [
    [
      [1, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
    ],
    [
      [2, 3, 5],
      [2, 5, 4],
      [2, 3, 5],
    ],
    [
      [2, 8, 33],
      [2, 33, 70],
      [2, 8, 33],
    ],
  ],
  tolerance: { forward: 3e-6 },
});

describe('gumbelSoftmax', () => {
  it('is exactly one-hot in value, at the first maximum, and soft in gradient', async () => {
    const x = tensor(device.current, [1, 5, 5, 3, 3, 3, 0, -9, 0], [3, 3]);
    const { soft, hard } = gumbelSoftmax(x);
    expect([...(await read(hard))]).toEqual([0, 1, 0, 1, 0, 0, 1, 0, 0]);
    const dy = random([3, 3], 1);
    const [viaHard, viaSoft] = await readAll([...gradients(hard, [x], dy), ...gradients(soft, [x], dy)]);
    expect(viaHard).toEqual(viaSoft);
    const [both] = gradients([soft, hard], [x], [dy, dy]);
    close(
      await read(both),
      [...(viaSoft ?? [])].map((v) => 2 * v),
      1e-6,
      'both',
    );
  });

  it('finds ties and maxima that far apart threads hold', async () => {
    const x = new Float32Array(3 * 1000);
    x[800] = 2;
    x[130] = 2;
    x[1000 + 999] = 1;
    const { hard } = gumbelSoftmax(tensor(device.current, x, [3, 1000]));
    const values = await read(hard);
    expect([...values.keys()].filter((i) => values[i] === 1)).toEqual([130, 1999, 2000]);
    expect(values.reduce((a, b) => a + b)).toBe(3);
  });

  it('makes noise from a key', async () => {
    const x = random([2, 4, 9], 2);
    const key = tensor(device.current, new Uint32Array([7, 8]));
    const [made, given, other] = await readAll([
      gumbelSoftmax(x, { axis: 1, key, stream: 3 }).soft,
      gumbelSoftmax(x, { axis: 1, noise: randomGumbel(key, x.shape, 3) }).soft,
      gumbelSoftmax(x, { axis: 1, key, stream: 4 }).soft,
    ]);
    expect(made).toEqual(given);
    expect(made).not.toEqual(other);
  });

  it('draws from the softmax', async () => {
    const draws = 20_000;
    const p = [0.1, 0.6, 0.3];
    const logits = Float32Array.from({ length: 3 * draws }, (_, i) => Math.log(p[Math.floor(i / draws)] as number));
    const key = tensor(device.current, new Uint32Array([1, 1]));
    const { hard } = gumbelSoftmax(tensor(device.current, logits, [3, draws]), { axis: 0, key });
    const values = await read(hard);
    p.forEach((wanted, k) => {
      const count = values.subarray(k * draws, (k + 1) * draws).reduce((a, b) => a + b);
      expect(Math.abs(count / draws - wanted)).toBeLessThan(4 * Math.sqrt((wanted * (1 - wanted)) / draws));
    });
  });

  it('shows what is not a number', async () => {
    const { soft } = gumbelSoftmax(tensor(device.current, [1, Number.NaN, 2, 1, 2, 3], [2, 3]));
    expect([...(await read(soft))].slice(0, 3).every(Number.isNaN)).toBe(true);
    expect([...(await read(soft))].slice(3).every(Number.isFinite)).toBe(true);
  });

  it('says what is wrong', () => {
    const x = random([2, 3], 1);
    const key = tensor(device.current, new Uint32Array([7, 8]));
    expect(() => gumbelSoftmax(x, { noise: random([3, 2], 1) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: gumbelSoftmax: the noise must have the shape of the logits; got logits [2, 3], noise [3, 2]]`,
    );
    expect(() => gumbelSoftmax(x, { noise: x, key })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: gumbelSoftmax: give noise, or a key to make it from, not both; got noise [2, 3]]`,
    );
    expect(() => gumbelSoftmax(x, { tau: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: gumbelSoftmax: the temperature must be above 0; it is 0; got logits [2, 3]]`,
    );
    expect(() => gumbelSoftmax(tensor(device.current, [], [2, 0]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: gumbelSoftmax: there is nothing to choose from; got logits [2, 0]]`,
    );
    expect(() => groupMembers(random([1, 2, 3], 1), random([1, 2, 3], 1))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: groupMembers: logits must be [B, G, N] and values [B, N, D]; got logits [1, 2, 3], values [1, 2, 3]]`,
    );
  });
});

describe('groupMembers', () => {
  /** The same of plain ops; straight-through is `soft + (one-hot - soft)` with a constant in brackets. */
  const composition = (
    x: Tensor,
    values: Tensor,
    { eps = 1, tau = 1, noise }: GroupOptions,
    through?: Float32Array,
  ) => {
    const soft = softmax(scale(add(x, noise as Tensor), 1 / tau), 1);
    const assign = through ? add(soft, tensor(device.current, through, x.shape)) : soft;
    const fractions = div(assign, addScalar(sum(assign, { axes: -1, keepDims: true }), eps));
    return { grouped: matmul(fractions, values), assign, soft };
  };

  for (const [B, G, N, D] of [
    [1, 1, 1, 1],
    [2, 3, 7, 5],
    [3, 8, 32, 65],
    [2, 32, 78, 96],
    [1, 64, 196, 17],
  ] as const) {
    for (const hard of [true, false]) {
      it(`equals the composition, ${hard ? 'hard' : 'soft'} [${B}, ${G}, ${N}, ${D}]`, async () => {
        const x = random([B, G, N], 1);
        const values = random([B, N, D], 2);
        const options = { hard, noise: random([B, G, N], 3), tau: 0.8, eps: 1 };
        const cotangents = [random([B, G, D], 4), random([B, G, N], 5), random([B, G, N], 6)];
        const plain = composition(x, values, options).soft;
        const [softValues, top] = [await read(plain), await readU32(argmax(plain, 1))];
        const through = softValues.map((v, i) => {
          const [b, g, n] = [Math.floor(i / (G * N)), Math.floor(i / N) % G, i % N];
          return Number(top[b * N + n] === g) - v;
        });
        const results = ({ grouped, assign, soft }: ReturnType<typeof composition>) => [
          grouped,
          assign,
          soft,
          ...gradients([grouped, assign, soft], [x, values], cotangents),
          ...gradients(grouped, [x, values], cotangents[0]),
        ];
        using fused = await step(device.current, {}, () => results(groupMembers(x, values, options)), { check: true });
        using apart = await step(device.current, {}, () =>
          results(composition(x, values, options, hard ? through : undefined)),
        );
        const got = await readAll(fused({}));
        const want = await readAll(apart({}));
        got.forEach((values, i) => {
          close(values, want[i] as Float32Array, 1e-5, `result ${i}`);
        });
      });
    }
  }

  it('leaves an empty group at zero, and takes phantoms into the mean', async () => {
    const logits = tensor(device.current, [1, 1, 0, 0, 0, 1, -1, -1, -1], [1, 3, 3]);
    const values = tensor(device.current, [3, 6, 4], [1, 3, 1]);
    const { grouped, assign } = groupMembers(logits, values);
    expect([...(await read(assign))]).toEqual([1, 1, 0, 0, 0, 1, 0, 0, 0]);
    expect([...(await read(grouped))]).toEqual([3, 2, 0]);
  });

  it('takes three launches forward, of which the gradient needs two, and four backward', async () => {
    const x = random([2, 8, 32], 1);
    const values = random([2, 32, 48], 2);
    using forward = await step(device.current, {}, () => groupMembers(x, values).grouped);
    expect(forward.launches.map((launch) => launch.label)).toEqual(['choose', 'assign-normalise', 'matmul']);
    using both = await step(device.current, {}, () =>
      gradients(groupMembers(x, values).grouped, [x, values], random([2, 8, 48], 3)),
    );
    expect(both.launches.length).toBe(6);
  });

  it('handles nothing', async () => {
    const none = groupMembers(tensor(device.current, [], [0, 3, 4]), tensor(device.current, [], [0, 4, 5]));
    expect(none.grouped.shape).toEqual([0, 3, 5]);
    expect((await read(none.grouped)).length).toBe(0);
    const noMembers = groupMembers(tensor(device.current, [], [1, 3, 0]), tensor(device.current, [], [1, 0, 2]));
    expect([...(await read(noMembers.grouped))]).toEqual([0, 0, 0, 0, 0, 0]);
    expect((await read(assignNormalise(tensor(device.current, [], [2, 0])))).length).toBe(0);
  });
});
