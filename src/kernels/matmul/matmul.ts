import { differentiable, fillFloats, type Tensor } from '../../tensor/graph/index.ts';
import { broadcastShapes, type Shape, ShapeError, sameShape, size } from '../../tensor/values/index.ts';
import { checkChoice, checkFloats, checkOptions, checkTensors, sumRows } from '../axis/index.ts';
import { activationBackward, activations, mul } from '../elementwise/index.ts';
import {
  flattened,
  gradientOf,
  linearGradients,
  type MatmulEpilogue,
  type Matrix,
  matrix,
  product,
  transposed,
} from './product.ts';

export interface MatmulOptions extends MatmulEpilogue {
  /** `a` is stored as `[..., K, M]`. */
  readonly transposeA?: boolean;
  /** `b` is stored as `[..., N, K]`. */
  readonly transposeB?: boolean;
}

/**
 * Matrix product `y = activation(a · b + bias) + residual`, with `a [..., M, K]`, `b [..., K, N]` and `y [..., M, N]`. The axes in
 * front are a batch and broadcast as in NumPy. Sums are f32, unless `useHalfSums` asks otherwise; K = 0 gives zeros (and bias).
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
  checkOptions('matmul', options, ['bias', 'activation', 'residual', 'transposeA', 'transposeB']);
  return withEpilogue('matmul', { a, b }, options);
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
export function linear(x: Tensor, weight: Tensor, options: MatmulEpilogue = {}): Tensor {
  checkOptions('linear', options, ['bias', 'activation', 'residual']);
  return withEpilogue('linear', { x, weight }, { ...options, transposeB: true });
}

function withEpilogue(op: string, operands: Readonly<Record<string, Tensor>>, options: MatmulOptions): Tensor {
  const { bias, activation, residual, transposeA = false, transposeB = false } = options;
  if (activation !== undefined) checkChoice(op, 'activation', activation, activations);
  checkFloats(op, operands);
  checkTensors(op, { ...(bias && { bias }), ...(residual && { residual }) });
  const [a, b] = Object.values(operands) as [Tensor, Tensor];
  const shapes = Object.fromEntries(Object.entries(operands).map(([name, x]) => [name, x.shape]));
  const isLinear = op === 'linear';
  if (isLinear && b.shape.length !== 2) throw new ShapeError(op, 'weight must be [out, in]', shapes);
  // A vector is a matrix of one row for `linear` only: `matmul` leaves no doubt about which axis it sums over.
  const lifted = isLinear && a.shape.length === 1;
  if ((!lifted && a.shape.length < 2) || b.shape.length < 2) {
    throw new ShapeError(op, 'both must have at least two axes', shapes);
  }
  const left = matrix(a, lifted ? [1, ...a.shape] : a.shape, transposeA);
  const right = matrix(b, b.shape, transposeB);
  if (left.cols !== right.rows) {
    throw new ShapeError(op, `inner sizes must agree (${left.cols} and ${right.rows})`, shapes);
  }
  const batch = broadcastShapes(op, { a: left.batch, b: right.batch });
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

  const inputs = [a, b, ...(bias ? [bias] : []), ...(residual ? [residual] : [])];
  const backward = (d: Tensor, dresidual?: Tensor) => {
    const names = Object.keys(operands) as [string, string];
    const of: Bilinear = { op, names, transposeA, transposeB, lifted, batch };
    const da = towardsA(of, a, b, d);
    const { db, dbias } = towardsB(of, a, b, d, bias !== undefined);
    // `a` is read by the launch that sums rows in passing.
    // Times ones, which `mul` stretches: broadcastTo would bring all copies into a bundle, for second derivatives alone.
    const ones = () => fillFloats(d.device, [...d.shape.slice(0, -1), 1], 1, d.dtype as 'f32' | 'f16');
    const sums = () => differentiable(dbias ?? sumRows(d), [d, a], (u) => [mul(u, ones()), undefined]);
    return [da, db, ...(bias ? [sums()] : []), ...(residual ? [dresidual] : [])];
  };
  // What goes into an activation is what its gradient's own gradient flows to. The residual does not, which the launch reads too.
  if (activation) differentiable(pre, inputs, (d) => backward(d));
  return differentiable(y, inputs, (dy) => backward(activation ? activationBackward(activation, pre, dy) : dy, dy));
}

/**
 * A product without its epilogue. It is linear in both operands, and so are the gradients of each of the three that belong together,
 * the product, the gradient of `a`, and that of `b`: each is one of the other two. So all derivatives of any order are there.
 */
interface Bilinear {
  readonly op: string;
  readonly names: readonly [string, string];
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly lifted: boolean;
  readonly batch: Shape;
}

function times({ op, names, transposeA, transposeB }: Bilinear, a: Tensor, b: Tensor): Tensor {
  return withEpilogue(op, { [names[0]]: a, [names[1]]: b }, { transposeA, transposeB });
}

/** The operands as matrices, and `d`, the gradient of their product. */
function matrices(of: Bilinear, a: Tensor, b: Tensor, d: Tensor): Record<'left' | 'right' | 'back', Matrix> {
  const { transposeA, transposeB, lifted, batch } = of;
  const left = matrix(a, lifted ? [1, ...a.shape] : a.shape, transposeA);
  const right = matrix(b, b.shape, transposeB);
  const back: Matrix = { x: d, batch, rows: left.rows, cols: right.cols, down: right.cols, across: 1 };
  return { left, right, back };
}

/** The gradient of `a`, whose values are not needed. */
function towardsA(of: Bilinear, a: Tensor, b: Tensor, d: Tensor): Tensor {
  const { right, back } = matrices(of, a, b, d);
  const { op, batch } = of;
  const da = of.transposeA
    ? gradientOf(op, a, right, transposed(back), batch)
    : gradientOf(op, a, back, transposed(right), batch);
  return differentiable(da, [d, b], (u) => [times(of, u, b), towardsB(of, u, b, d).db]);
}

/** The gradient of `b`, whose values are not needed, and that of a bias where it comes with it. */
function towardsB(of: Bilinear, a: Tensor, b: Tensor, d: Tensor, bias = false): { db: Tensor; dbias?: Tensor } {
  const { left, right, back } = matrices(of, a, b, d);
  const { op, batch, transposeA, transposeB } = of;
  const again = (db: Tensor) => differentiable(db, [a, d], (u) => [towardsA(of, a, u, d), times(of, a, u)]);
  // A weight that the whole batch shares gets its gradient in one product, the batch being more rows.
  const flat = size(right.batch) === 1 && !transposeA && size(left.batch) === size(batch);
  const [seen, error] = flat ? [flattened(left), flattened(back)] : [left, back];
  if (bias && flat && transposeB) {
    const { weight, bias: dbias } = linearGradients(op, b, seen, error);
    return { db: again(weight), dbias };
  }
  const db = transposeB
    ? gradientOf(op, b, transposed(error), seen, flat ? [] : batch)
    : gradientOf(op, b, transposed(seen), error, flat ? [] : batch);
  return { db: again(db) };
}
