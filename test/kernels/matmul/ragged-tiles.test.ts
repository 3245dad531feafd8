import { expect, it, onTestFinished, vi } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { linear } from '../../../src/kernels/matmul/matmul.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();

const at = (x: Float32Array, row: number, col: number, cols: number) => x[row * cols + col] as number;

/** `x [rows, cols]` in float64, summed over `inner`. */
function sums(rows: number, cols: number, inner: number, term: (r: number, c: number, k: number) => number) {
  return Float64Array.from({ length: rows * cols }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += term(Math.floor(i / cols), i % cols, k);
    return sum;
  });
}

// Rows of x and of the weight begin anywhere, and so do those of both gradients; more rows than a tile has, and steps that are no whole 16.
// With one output the rows that are summed for the bias lie along the inner axis.
it.each([
  [67, 35, 23],
  [19, 21, 1],
  [33, 18, 36],
])('kernels for GPUs: a layer of %i rows, from %i to %i, and its gradients', async (rows, width, out) => {
  asOnGpu(device.current);
  onTestFinished(() => void vi.restoreAllMocks());
  const random = seeded(rows);
  const values = (n: number) => Float32Array.from({ length: n }, () => normal(random));
  const [x, w, b, dy] = [values(rows * width), values(out * width), values(out), values(rows * out)];
  const [X, W, B] = [
    tensor(device.current, x, [rows, width]),
    tensor(device.current, w, [out, width]),
    tensor(device.current, b),
  ];
  const y = linear(X, W, { bias: B });
  const got = await readAll([y, ...gradients(y, [X, W, B], tensor(device.current, dy, [rows, out]))]);
  const expected = [
    sums(rows, out, width, (r, c, k) => at(x, r, k, width) * at(w, c, k, width)).map(
      (s, i) => s + (b[i % out] as number),
    ),
    sums(rows, width, out, (r, c, k) => at(dy, r, k, out) * at(w, k, c, width)),
    sums(out, width, rows, (r, c, k) => at(dy, k, r, out) * at(x, k, c, width)),
    sums(1, out, rows, (_, c, k) => at(dy, k, c, out)),
  ];
  expect(got).toHaveLength(4);
  for (const [i, name] of ['y', 'dx', 'dw', 'db'].entries()) {
    close(got[i] as Float32Array, expected[i] as Float64Array, 3e-6, name);
  }
});
