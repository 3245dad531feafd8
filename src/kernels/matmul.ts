import type { Device } from '../gpu/device.ts';
import { kernel } from '../gpu/kernel.ts';
import { differentiable } from '../tensor/grad.ts';
import { dispatch, empty } from '../tensor/record.ts';
import { broadcastShapes, type Shape, ShapeError, sameShape, size } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Activation, activationPiece } from './activation.ts';
import { sumTo } from './broadcast.ts';
import { type MatmulKernel, subgroupKernel, tileKernel } from './matmul-kernels.ts';
import { sumRows } from './reduce.ts';

/** What a matmul does to its result, in this order, before it is stored. */
export interface MatmulTail {
  /** `[N]`, added to every row. */
  readonly bias?: Tensor | undefined;
  readonly activation?: Activation | undefined;
  /** Of the shape of the result, added last. */
  readonly residual?: Tensor | undefined;
}

export interface MatmulOptions extends MatmulTail {
  /** `a` is stored as `[..., K, M]`. */
  readonly transposeA?: boolean;
  /** `b` is stored as `[..., N, K]`. */
  readonly transposeB?: boolean;
}

/**
 * Matrix product `y = activation(a · b + bias) + residual`, with `a [..., M, K]`, `b [..., K, N]` and `y [..., M, N]`. The axes in
 * front are a batch and broadcast as in NumPy. Sums are f32; K = 0 gives zeros (and bias).
 *
 * With `d = dy · activation'(a · b + bias)` the gradients are `da = d · bᵀ`, `db = aᵀ · d`, `dbias = sum of d over the rows` and
 * `dresidual = dy`; those of stretched axes are summed.
 *
 * ```ts
 * const a = tensor(device, [1, 2, 3, 4], [2, 2]);
 * const b = tensor(device, [5, 6, 7, 8], [2, 2]);
 * await read(matmul(a, b)); // [19, 22, 43, 50]
 * await read(matmul(a, b, { transposeB: true })); // [17, 23, 39, 53]
 * ```
 *
 * @throws ShapeError when the inner sizes differ, the batches do not broadcast, or bias or residual do not fit.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  return withTail('matmul', { a, b }, options);
}

/**
 * Linear layer on the last axis: `y = activation(x · weightᵀ + bias) + residual`, with `x [..., in]`, `weight [out, in]`,
 * `bias [out]` and `y [..., out]`. Gradients as for {@link matmul}.
 *
 * ```ts
 * const weight = tensor(device, [1, 2, 3, 4, 5, 6], [3, 2]);
 * await read(linear(tensor(device, [1, -1]), weight)); // [-1, -1, -1]
 * ```
 *
 * @throws ShapeError when the last axes of `x` and `weight` differ, or bias or residual do not fit.
 */
export function linear(x: Tensor, weight: Tensor, options: MatmulTail = {}): Tensor {
  if (weight.shape.length !== 2) {
    throw new ShapeError('linear', 'weight must be [out, in]', { x: x.shape, weight: weight.shape });
  }
  return withTail('linear', { x, weight }, { ...options, transposeB: true });
}

/** A tensor seen as matrices; `down` and `across` are the strides from row to row and from column to column. */
interface Matrix {
  readonly x: Tensor;
  readonly batch: Shape;
  readonly rows: number;
  readonly cols: number;
  readonly down: number;
  readonly across: number;
}

function withTail(op: string, operands: Readonly<Record<string, Tensor>>, options: MatmulOptions): Tensor {
  const { bias, activation, residual, transposeA = false, transposeB = false } = options;
  const [a, b] = Object.values(operands) as [Tensor, Tensor];
  const shapes = Object.fromEntries(Object.entries(operands).map(([name, x]) => [name, x.shape]));
  // A vector is a matrix of one row for `linear` only: `matmul` leaves no doubt about which axis it sums over.
  const lifted = op === 'linear' && a.shape.length === 1;
  if ((!lifted && a.shape.length < 2) || b.shape.length < 2) {
    throw new ShapeError(op, 'both must have at least two axes', shapes);
  }
  const left = matrix(a, lifted ? [1, ...a.shape] : a.shape, transposeA);
  const right = matrix(b, b.shape, transposeB);
  if (left.cols !== right.rows) {
    throw new ShapeError(op, `inner sizes must agree (${left.cols} and ${right.rows})`, shapes);
  }
  const batch = broadcastShapes(op, left.batch, right.batch);
  const shape = lifted ? [right.cols] : [...batch, left.rows, right.cols];
  if (bias && !sameShape(bias.shape, [right.cols])) {
    throw new ShapeError(op, `bias must be [${right.cols}]`, { ...shapes, bias: bias.shape });
  }
  if (residual && !sameShape(residual.shape, shape)) {
    throw new ShapeError(op, 'residual must have the shape of the result', {
      ...shapes,
      result: shape,
      residual: residual.shape,
    });
  }

  const { y, pre } = product(op, left, right, batch, shape, { bias, activation, residual });

  return differentiable(
    y,
    [a, b, bias, residual].filter((x) => x !== undefined),
    (dy) => {
      let d = dy;
      if (activation) {
        d = empty(dy);
        dispatch(activationBackward(activation), { pre, dy, d }, { n: d.size });
      }
      const back: Matrix = { x: d, batch, rows: left.rows, cols: right.cols, down: right.cols, across: 1 };
      const da = transposeA
        ? gradientOf(op, a, right, transposed(back), batch)
        : gradientOf(op, a, back, transposed(right), batch);
      // A weight that the whole batch shares gets its gradient in one product, the batch being more rows.
      const flat = size(right.batch) === 1 && !transposeA && size(left.batch) === size(batch);
      const [seen, error] = flat ? [flattened(left), flattened(back)] : [left, back];
      const db = transposeB
        ? gradientOf(op, b, transposed(error), seen, flat ? [] : batch)
        : gradientOf(op, b, transposed(seen), error, flat ? [] : batch);
      return [da, db, ...(bias ? [sumRows(d)] : []), ...(residual ? [dy] : [])];
    },
  );
}

/** The product `left · right`, summed over the batch axes that `of` was stretched along. */
function gradientOf(op: string, of: Tensor, left: Matrix, right: Matrix, batch: Shape): Tensor {
  const last = [left.rows, right.cols];
  if (size(batch) * size(last) === of.size) return product(op, left, right, batch, of.shape).y;
  return sumTo(product(op, left, right, batch, [...batch, ...last]).y, of.shape);
}

function matrix(x: Tensor, shape: Shape, transpose: boolean): Matrix {
  const [rows, cols] = shape.slice(-2) as [number, number];
  const plain: Matrix = { x, batch: shape.slice(0, -2), rows, cols, down: cols, across: 1 };
  return transpose ? transposed(plain) : plain;
}

function transposed(m: Matrix): Matrix {
  return { ...m, rows: m.cols, cols: m.rows, down: m.across, across: m.down };
}

/** All matrices of a batch below each other, where their rows lie so. */
function flattened(m: Matrix): Matrix {
  return { ...m, batch: [], rows: size(m.batch) * m.rows };
}

/** Launches `y = activation(left · right + bias) + residual`; `pre` is what went into the activation. */
function product(
  op: string,
  left: Matrix,
  right: Matrix,
  batch: Shape,
  shape: Shape,
  { bias, activation, residual }: MatmulTail = {},
): { y: Tensor; pre: Tensor } {
  const y = empty(left.x, shape);
  const pre = empty(left.x, activation ? shape : [0]);
  const rowsOnly = size(right.batch) === 1 && size(left.batch) === size(batch) && left.across === 1;
  const a = rowsOnly ? flattened(left) : left;
  const axes = batchAxes(op, rowsOnly ? [] : batch, a, right);
  const { chosen, constants } = choose(y.device, a.rows, right.cols, activation);
  dispatch(
    chosen,
    { a: a.x, b: right.x, bias: bias ?? a.x, residual: residual ?? a.x, pre, y },
    {
      rows: a.rows,
      cols: right.cols,
      inner: a.cols,
      aDown: a.down,
      aAcross: a.across,
      bDown: right.down,
      bAcross: right.across,
      batch: rowsOnly ? 1 : size(batch),
      size0: axes[0]?.length ?? 1,
      size1: axes[1]?.length ?? 1,
      a0: axes[0]?.a ?? 0,
      a1: axes[1]?.a ?? 0,
      a2: axes[2]?.a ?? 0,
      b0: axes[0]?.b ?? 0,
      b1: axes[1]?.b ?? 0,
      b2: axes[2]?.b ?? 0,
      hasBias: bias ? 1 : 0,
      hasResidual: residual ? 1 : 0,
    },
    constants,
  );
  return { y, pre };
}

/** The batch, last axis first, with the strides of both operands (0: stretched). Axes that behave alike are one. */
function batchAxes(op: string, batch: Shape, left: Matrix, right: Matrix): { length: number; a: number; b: number }[] {
  const axes: { length: number; a: number; b: number }[] = [];
  let a = left.rows * left.cols;
  let b = right.rows * right.cols;
  for (let i = 1; i <= batch.length; i++) {
    const length = batch.at(-i) as number;
    const mine = left.batch.at(-i) ?? 1;
    const yours = right.batch.at(-i) ?? 1;
    const axis = { length, a: mine === 1 ? 0 : a, b: yours === 1 ? 0 : b };
    a *= mine;
    b *= yours;
    if (length === 1) continue;
    const before = axes.at(-1);
    if (before && axis.a === before.a * before.length && axis.b === before.b * before.length) before.length *= length;
    else axes.push(axis);
  }
  if (axes.length > 3) {
    throw new ShapeError(op, 'at most three runs of batch axes may be stretched in different ways', {
      a: left.batch,
      b: right.batch,
    });
  }
  return axes;
}

const kernels = new Map<string, MatmulKernel>();

/** Which kernel computes a product. Adapters on the CPU want subgroups and no workgroup memory; GPUs the other. */
function choose(
  device: Device,
  rows: number,
  cols: number,
  activation: Activation | undefined,
): { chosen: MatmulKernel; constants: Record<string, number> } {
  const lanes = device.isSoftware && device.features.has('subgroups') ? (device.adapter.subgroupMinSize ?? 0) : 0;
  if (lanes < 4) return { chosen: known(`tile ${activation}`, () => tileKernel(activation)), constants: {} };
  const across = lanes < 8 ? 4 : 8;
  const tall = rows > 8 ? 16 : 8;
  return {
    chosen: known(`${tall} ${across} ${activation}`, () => subgroupKernel(tall, across, activation)),
    constants: { WG: cols > 16 ? 32 : 8 },
  };
}

function known(key: string, make: () => MatmulKernel): MatmulKernel {
  let made = kernels.get(key);
  if (!made) kernels.set(key, (made = make()));
  return made;
}

type ActivationBackward = ReturnType<typeof makeActivationBackward>;
const activationBackwards = new Map<Activation, ActivationBackward>();

function activationBackward(activation: Activation): ActivationBackward {
  let made = activationBackwards.get(activation);
  if (!made) activationBackwards.set(activation, (made = makeActivationBackward(activation)));
  return made;
}

// One invocation computes four neighbours.
function makeActivationBackward(activation: Activation) {
  return kernel({
    name: `matmul ${activation} backward`,
    bind: { pre: 'read T', dy: 'read T', d: 'write T' },
    params: { n: 'u32' },
    override: { WG: 64 },
    use: [activationPiece(activation)],
    grid: ({ n }, { WG }) => [Math.ceil(n / (4 * WG))],
    wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let first = (flatGroup(g, size) * WG + l) * 4u;
  for (var i = first; i < min(first + 4u, params.n); i++) { d[i] = T(f32(dy[i]) * activateDerivative(f32(pre[i]))); }
}`,
  });
}
