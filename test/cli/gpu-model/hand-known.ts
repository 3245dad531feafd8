// Kernels whose counts can be worked out by hand. All on [64, 64] matrices of f32.
import { type Kernel, kernel } from '../../../src/gpu/kernel.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';

const SIDE = 64;

const builtins = '@builtin(workgroup_id) g: vec3u, @builtin(local_invocation_id) l: vec3u';

type Matrix = Kernel<{ x: 'read T'; y: 'write T' }, Record<never, 'u32'>, Record<never, number>>;

/** A kernel from `x [64, 64]` to `y [64, 64]`; `wgsl`: its function's body, and what stands before it. */
function onMatrix(name: string, workgroup: string, grid: readonly number[], body: string, before = ''): Matrix {
  return kernel({
    name,
    bind: { x: 'read T', y: 'write T' },
    grid: () => grid,
    wgsl: `${before}
@compute @workgroup_size(${workgroup})
fn main(${builtins}) {
${body}
}`,
  }) as Matrix;
}

/** Each thread takes an element from a row to a column. */
export const naiveTranspose: Matrix = onMatrix(
  'naive transpose',
  '32, 8',
  [2, 8],
  `  let column = g.x * 32u + l.x;
  let row = g.y * 8u + l.y;
  y[column * 64u + row] = x[row * 64u + column];`,
);

/** By tiles of 32 × 32 in workgroup memory, whose rows are `stride` apart. */
export const tiledTranspose = (stride: number): Matrix =>
  onMatrix(
    `transpose by tiles of stride ${stride}`,
    '32, 8',
    [2, 2],
    `  for (var i = 0u; i < 32u; i += 8u) {
    tile[(l.y + i) * ${stride}u + l.x] = x[(g.y * 32u + l.y + i) * 64u + g.x * 32u + l.x];
  }
  workgroupBarrier();
  for (var i = 0u; i < 32u; i += 8u) {
    y[(g.x * 32u + l.y + i) * 64u + g.y * 32u + l.x] = tile[l.x * ${stride}u + l.y + i];
  }`,
    `var<workgroup> tile: array<f32, ${32 * stride}>;`,
  );

/** y = x · x, an element a thread. */
export const naiveMatmul: Matrix = onMatrix(
  'naive matmul',
  '16, 16',
  [4, 4],
  `  let row = g.y * 16u + l.y;
  let column = g.x * 16u + l.x;
  var sum = 0.0;
  for (var k = 0u; k < 64u; k++) { sum += x[row * 64u + k] * x[k * 64u + column]; }
  y[row * 64u + column] = sum;`,
);

/** Four sums of each thread, of 0 to 7 elements: how many, goes round with the thread and the sum. */
export const raggedSums: Matrix = onMatrix(
  'ragged sums',
  '64',
  [64],
  `  let i = g.x * 64u + l.x;
  var sum = 0.0;
  for (var r = 0u; r < 4u; r++) {
    for (var k = 0u; k < (l.x + r) % 8u; k++) { sum += x[(i + 64u * k) % 4096u]; }
  }
  y[i] = sum;`,
);

export function apply(matrix: Matrix, x: Tensor): Tensor {
  const y = empty(x, [SIDE, SIDE]);
  dispatch(matrix, { x, y }, {});
  return y;
}
