import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
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

describe('crossEntropy', () => {
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
      `[ShapeError: crossEntropy: logits must be [N, C] and classes [N]; got logits [2, 2], classes [3]]`,
    );
    expect(() => crossEntropy(logits, tensor(device.current, [0, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossEntropy: classes must be u32; these are f32; got classes [2]]`,
    );
    expect(() =>
      crossEntropy(tensor(device.current, [], [2, 0]), tensor(device.current, new Uint32Array(2))),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossEntropy: there must be at least one class; got logits [2, 0]]`,
    );
  });
});
