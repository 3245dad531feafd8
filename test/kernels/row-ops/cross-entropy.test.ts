import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { permute, reshape } from '../../../src/kernels/layout/index.ts';
import { crossEntropy } from '../../../src/kernels/row-ops/cross-entropy.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { checkOp, normal, ref } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

const IGNORED = 255;
/** Every third row does not count. */
const classOf = (row: number, C: number) => (row % 3 === 1 ? IGNORED : (row * 7) % C);

for (const reduction of ['mean', 'sum'] as const) {
  const op = (logits: Tensor) => {
    const [N, C] = logits.shape as [number, number];
    const classes = tensor(
      device.current,
      Uint32Array.from({ length: N }, (_, row) => classOf(row, C)),
    );
    return crossEntropy(logits, classes, { ignoreIndex: IGNORED, reduction });
  };
  checkOp(`crossEntropy ${reduction}`, op, {
    reference: ([x]) => {
      const [N, C] = x!.shape as [number, number];
      let sum = 0;
      let count = 0;
      for (let row = 0; row < N; row++) {
        const chosen = classOf(row, C);
        if (chosen === IGNORED) continue;
        const logits = x!.data.subarray(row * C, (row + 1) * C);
        const top = Math.max(...logits);
        const total = logits.reduce((a, b) => a + Math.exp(b - top), 0);
        sum += Math.log(total) + top - (logits[chosen] as number);
        count++;
      }
      return ref([], [reduction === 'mean' ? sum / count : sum]);
    },
    cases: [
      [[1, 1]],
      [[5, 4]],
      [[17, 3]],
      [[3, 197]],
      [[700, 21]],
      [[3, 1000]],
      // Large and far apart: nothing may overflow, and the offset must not eat the differences.
      { shapes: [[6, 65]], values: (_input, i, random) => 4000 * ((i / 65) | 0) + 30 * normal(random) },
    ],
  });
}

const WEIGHTS = [0.5, 2, 1, 0, 1.5];
/** The weighted, smoothed loss of each row as PyTorch defines it, 0 of ignored ones, and what the row counts for. */
function weightedLosses(x: Float64Array, C: number, smoothing: number, weights: readonly number[]) {
  return Array.from({ length: x.length / C }, (_, row) => {
    const chosen = classOf(row, C);
    if (chosen === IGNORED) return { loss: 0, count: 0 };
    const logits = x.subarray(row * C, (row + 1) * C);
    const top = Math.max(...logits);
    const total = logits.reduce((a, b) => a + Math.exp(b - top), 0);
    const losses = Array.from(logits, (v, c) => (weights[c] as number) * (Math.log(total) + top - v));
    const spread = losses.reduce((a, b) => a + b, 0) / C;
    return {
      loss: (1 - smoothing) * (losses[chosen] as number) + smoothing * spread,
      count: weights[chosen] as number,
    };
  });
}

for (const [labelSmoothing, isWeighted] of [
  [0.2, true],
  [0.2, false],
  [0, true],
] as const) {
  for (const reduction of ['mean', 'sum', 'none'] as const) {
    const weightsOf = (C: number) => Array.from({ length: C }, (_, c) => (isWeighted ? (WEIGHTS[c % 5] as number) : 1));
    const op = (logits: Tensor) => {
      const [N, C] = logits.shape as [number, number];
      const classes = tensor(
        device.current,
        Uint32Array.from({ length: N }, (_, row) => classOf(row, C)),
      );
      const weights = isWeighted ? tensor(device.current, weightsOf(C)) : undefined;
      return crossEntropy(logits, classes, { ignoreIndex: IGNORED, weights, labelSmoothing, reduction });
    };
    checkOp(`crossEntropy ${reduction}, smoothed by ${labelSmoothing}${isWeighted ? ', weighted' : ''}`, op, {
      reference: ([x]) => {
        const [N, C] = x!.shape as [number, number];
        const rows = weightedLosses(x!.data, C, labelSmoothing, weightsOf(C));
        if (reduction === 'none') {
          return ref(
            [N],
            rows.map(({ loss }) => loss),
          );
        }
        const sum = rows.reduce((a, { loss }) => a + loss, 0);
        return ref([], [reduction === 'sum' ? sum : sum / rows.reduce((a, { count }) => a + count, 0)]);
      },
      cases: reduction === 'mean' ? [[[5, 4]], [[17, 3]], [[700, 5]]] : [[[17, 3]]],
    });
  }
}

describe('crossEntropy', () => {
  it('takes any number of axes, and classes on any of them', async () => {
    const values = Float32Array.from({ length: 24 }, (_, i) => Math.sin(3 * i));
    const last = tensor(device.current, values, [2, 4, 3]);
    const classes = tensor(device.current, [0, 1, 2, 2, 1, 0, 0, 1], [2, 4], 'u32');
    const first = permute(last, [0, 2, 1]);
    const flat = crossEntropy(reshape(last, [8, 3]), reshape(classes, [8]), { reduction: 'none' });
    const each = crossEntropy(first, classes, { axis: 1, reduction: 'none' });
    expect(each.shape).toEqual([2, 4]);
    const [a, b, c, d, e] = await readAll([
      flat,
      each,
      crossEntropy(last, classes, { reduction: 'none', labelSmoothing: 0 }),
      gradients(crossEntropy(first, classes, { axis: -2 }), [last])[0],
      gradients(crossEntropy(reshape(last, [8, 3]), reshape(classes, [8])), [last])[0],
    ]);
    expect([b, c]).toEqual([a, a]);
    expect(d).toEqual(e);
    const one = crossEntropy(tensor(device.current, [0, 0]), tensor(device.current, 1, [], 'u32'));
    expect((await read(one))[0]).toBeCloseTo(Math.LN2, 6);
  });

  it('with weights, ignored rows may hold anything, and -∞ needs no smoothing', async () => {
    const low = Number.NEGATIVE_INFINITY;
    const logits = tensor(device.current, [Number.NaN, 1, low, 2, 0, 0], [3, 2]);
    const classes = tensor(device.current, new Uint32Array([9, 1, 0]));
    const weights = tensor(device.current, [1, 3]);
    const loss = crossEntropy(logits, classes, { ignoreIndex: 9, weights });
    const [y, d] = await readAll([loss, ...gradients(loss, [logits])]);
    expect((y as Float32Array)[0]).toBeCloseTo(Math.LN2 / 4, 6);
    [0, 0, 0, 0, -0.125, 0.125].forEach((want, i) => void expect((d as Float32Array)[i]).toBeCloseTo(want, 6));
    const out = crossEntropy(logits, tensor(device.current, new Uint32Array([9, 2, 0])), { ignoreIndex: 9, weights });
    expect([...(await read(out))]).toEqual([Number.NaN]);
  });

  it('refuses weights and smoothing that are none', () => {
    const logits = tensor(device.current, [1, 2, 3, 4], [2, 2]);
    const classes = tensor(device.current, new Uint32Array(2));
    expect(() => crossEntropy(logits, classes, { weights: tensor(device.current, [1, 2, 3]) })).toThrow(
      'crossEntropy: weights must be [C]; got logits [2, 2], weights [3]',
    );
    expect(() => crossEntropy(logits, classes, { labelSmoothing: 1.5 })).toThrow(
      'crossEntropy: labelSmoothing must be from 0 to 1; it is 1.5',
    );
    expect(() => crossEntropy(logits, classes, { axis: 2 })).toThrow('crossEntropy: axis 2 does not exist');
  });

  it('is 0 with gradient 0 where no row counts', async () => {
    const logits = tensor(device.current, [1, 2, 3, 4], [2, 2]);
    const loss = crossEntropy(logits, tensor(device.current, new Uint32Array([9, 9])), { ignoreIndex: 9 });
    const [y, d] = await readAll([loss, ...gradients(loss, [logits])]);
    expect([...(y ?? [])]).toEqual([0]);
    expect([...(d ?? [])]).toEqual([0, 0, 0, 0]);
    const none = crossEntropy(tensor(device.current, [], [0, 4]), tensor(device.current, new Uint32Array(0)));
    expect([...(await read(none))]).toEqual([0]);
  });

  it('is not a number where a class does not exist', async () => {
    const logits = tensor(device.current, [1, 2, 3, 4], [2, 2]);
    expect([...(await read(crossEntropy(logits, tensor(device.current, new Uint32Array([0, 2])))))]).toEqual([
      Number.NaN,
    ]);
  });

  it('says what it wants', () => {
    const logits = tensor(device.current, [1, 2, 3, 4], [2, 2]);
    expect(() => crossEntropy(logits, tensor(device.current, new Uint32Array(3)))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossEntropy: logits must be […, C] and classes […]; got logits [2, 2], classes [3]]`,
    );
    expect(() => crossEntropy(logits, tensor(device.current, [0, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossEntropy: classes must be u32 or i32; these are f32; got classes [2]]`,
    );
    expect(() => crossEntropy(logits, [0, 1] as never)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossEntropy: classes must be a tensor; it is a list; tensor(device, values) makes one]`,
    );
    expect(() =>
      crossEntropy(tensor(device.current, [], [2, 0]), tensor(device.current, new Uint32Array(2))),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossEntropy: there must be at least one class; got logits [2, 0]]`,
    );
  });
});
