import { dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { type Shape, ShapeError, size } from '../../tensor/values/index.ts';
import { sumRows } from '../axis/index.ts';
import { type Activation, mergedAxes, sumTo } from '../elementwise/index.ts';
import type { EpilogueSpec } from './kernel-interface.ts';
import type { Operand } from './subgroup-kernel.ts';
import { chooseVariant, kernelOf, type Product, splitSumOf } from './variants.ts';

/** What a matmul does to its result, in this order, before it is stored. */
export interface MatmulEpilogue {
  /** `[N]`, added to every row. */
  readonly bias?: Tensor | undefined;
  readonly activation?: Activation | undefined;
  /** Of the shape of the result, added last. */
  readonly residual?: Tensor | undefined;
}

/** A tensor seen as matrices; `down` and `across` are the strides from row to row and from column to column. */
export interface Matrix {
  readonly x: Tensor;
  readonly batch: Shape;
  readonly rows: number;
  readonly cols: number;
  readonly down: number;
  readonly across: number;
}

/** The product `left · right`, summed over the batch axes that `of` was stretched along. */
export function gradientOf(op: string, of: Tensor, left: Matrix, right: Matrix, batch: Shape): Tensor {
  const last = [left.rows, right.cols];
  if (size(batch) * size(last) === of.size) return product(op, left, right, batch, of.shape).y;
  return sumTo(product(op, left, right, batch, [...batch, ...last], { wide: true }).y, of.shape, of.dtype);
}

/** The gradients of a linear layer's weight `[out, in]` and bias, from `x` and `d = dy`, both with their batch as rows. */
export function linearGradients(op: string, weight: Tensor, x: Matrix, d: Matrix): { weight: Tensor; bias: Tensor } {
  const { y, sums } = product(op, transposed(d), x, [], weight.shape, { rowSums: true });
  return { weight: y, bias: sums ?? sumRows(d.x) };
}

/** The last two axes of `shape` as a matrix, turned if it is stored so. */
export function matrix(x: Tensor, shape: Shape, transpose: boolean): Matrix {
  const [rows, cols] = shape.slice(-2) as [number, number];
  const plain: Matrix = { x, batch: shape.slice(0, -2), rows, cols, down: cols, across: 1 };
  return transpose ? transposed(plain) : plain;
}

export function transposed(m: Matrix): Matrix {
  return { ...m, rows: m.cols, cols: m.rows, down: m.across, across: m.down };
}

/** All matrices of a batch below each other, where their rows lie so. A column that is turned has a row, and no step to a next one. */
export function flattened(m: Matrix): Matrix {
  return { ...m, batch: [], rows: size(m.batch) * m.rows, down: m.rows === 1 ? m.cols : m.down };
}

/** What {@link product} does beside multiplying. */
export interface ProductOptions extends MatmulEpilogue {
  /** Multiplies the result by the derivative of an activation at `pre`. */
  readonly gate?: { readonly activation: Activation; readonly pre: Tensor } | undefined;
  /** Sums the rows of `left` too, `[rows]`, where the variant can do it in passing. */
  readonly rowSums?: boolean;
  /** The result is f32 whatever the operands are: it is to be summed. Without an epilogue. */
  readonly wide?: boolean;
}

/** Launches `y = activation(left · right + bias) + residual`; `pre` is what went into the activation. */
export function product(
  op: string,
  left: Matrix,
  right: Matrix,
  batch: Shape,
  shape: Shape,
  options: ProductOptions = {},
): { y: Tensor; pre: Tensor; sums: Tensor | undefined } {
  const { bias, activation, residual, gate, rowSums = false, wide = false } = options;
  const y = empty(left.x, shape, wide ? 'f32' : left.x.dtype);
  const pre = gate?.pre ?? empty(left.x, activation ? shape : [0]);
  const rowsOnly = size(right.batch) === 1 && size(left.batch) === size(batch) && left.across === 1;
  const a = rowsOnly ? flattened(left) : left;
  const axes = mergedAxes(rowsOnly ? [] : batch, [a.batch, right.batch], [a.rows * a.cols, right.rows * right.cols]);
  if (axes.length > 3) {
    throw new ShapeError(op, 'at most three runs of batch axes may be stretched', {
      a: a.batch,
      b: right.batch,
    });
  }
  const strideOf = (operand: 0 | 1, axis: number) => axes[axis]?.strides[operand] ?? 0;
  const planned: Product = {
    rows: a.rows,
    cols: right.cols,
    inner: a.cols,
    batch: rowsOnly ? 1 : size(batch),
    a: operand(a.across === 1, a.across === 1 ? a.cols : a.rows),
    b: operand(right.down === 1, right.down === 1 ? right.rows : right.cols),
    dtype: left.x.dtype,
  };
  const variant = chooseVariant(y.device, planned);
  const parts = variant.kind === 'tile' ? variant.splitK : 1;
  const chunk = parts === 1 ? Math.max(1, a.cols) : Math.ceil(a.cols / parts / 16) * 16;
  const count = Math.max(1, Math.ceil(a.cols / chunk));
  const summed = rowSums && y.size > 0;
  const sums = empty(left.x, summed ? [a.rows] : [0]);
  const rowParts = empty(left.x, summed && count > 1 ? [count, a.rows] : [0], 'f32');
  // One pipeline for all linear layers without activation: it adds a bias, a residual, or both. On a GPU all can, as a condition that is
  // the same for all threads costs nothing there; what is added may be a gradient that meets the result.
  const layer = variant.kind === 'tile' || (!activation && !gate && !!(bias ?? residual));
  const epilogue: EpilogueSpec = {
    bias: layer || !!bias,
    residual: layer || !!residual,
    activation,
    gate: gate?.activation,
    four: right.cols % 4 === 0,
  };
  const inParts = count > 1 || wide;
  const partial = count > 1 ? empty(left.x, [count, ...shape], 'f32') : y;
  const nothing = empty(left.x, [0]);
  const tensors = { bias: bias ?? a.x, residual: residual ?? a.x };
  const has = { hasBias: bias ? 1 : 0, hasResidual: residual ? 1 : 0 };
  dispatch(
    kernelOf(
      y.device,
      variant,
      planned,
      inParts ? { parts: true, four: epilogue.four, rowSums: summed } : { ...epilogue, rowSums: summed },
    ),
    { a: a.x, b: right.x, ...tensors, pre: inParts ? nothing : pre, y: partial, sums: inParts ? rowParts : sums },
    {
      rows: a.rows,
      cols: right.cols,
      inner: a.cols,
      aDown: a.down,
      aAcross: a.across,
      bDown: right.down,
      bAcross: right.across,
      batch: planned.batch,
      size0: axes[0]?.size ?? 1,
      size1: axes[1]?.size ?? 1,
      a0: strideOf(0, 0),
      a1: strideOf(0, 1),
      a2: strideOf(0, 2),
      b0: strideOf(1, 0),
      b1: strideOf(1, 1),
      b2: strideOf(1, 2),
      chunk,
      maxRows: variant.kind === 'subgroup' ? variant.rowsPerThread : variant.threadTile,
      ...has,
    },
  );
  if (count > 1 && wide) return { y: sumTo(partial, [1, ...shape]), pre, sums: undefined };
  if (count > 1) {
    dispatch(
      splitSumOf({ ...epilogue, rowSums: summed }),
      { parts: partial, ...tensors, pre, y, rowParts, sums },
      { count, n: y.size, rows: a.rows, cols: right.cols, ...has },
    );
  }
  return { y, pre, sums: summed ? sums : undefined };
}

function operand(inner: boolean, length: number): Operand {
  return { along: inner ? 'inner' : 'outer', four: length % 4 === 0 };
}
