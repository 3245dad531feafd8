import { type Binding, type Element, type Kernel, kernel, type Scalar } from '../../gpu/index.ts';
import {
  differentiable,
  differentiableAll,
  dispatch,
  empty,
  fill,
  over,
  type Tensor,
  unchanged,
} from '../../tensor/graph/index.ts';
import {
  aroundAxis,
  checkShape,
  normalizeAxis,
  type Shape,
  ShapeError,
  sameShape,
  size,
} from '../../tensor/values/index.ts';
import { checkList, checkTensors, eachRow, rowConstants, rowGrid, rowOverrides, rowPlace, sum } from '../axis/index.ts';
import { copied } from './copy.ts';
import { elementOf } from './slice.ts';

/**
 * The same elements in the same order under another shape. Nothing is launched: both tensors share their bytes, unless a step writes those
 * of a variable in between (see `assign`). One axis may be −1: what is left. The gradient is reshaped back.
 *
 * ```ts
 * const x = tensor(device, [1, 2, 3, 4, 5, 6], [2, 3]);
 * reshape(x, [3, 2]); // [[1, 2], [3, 4], [5, 6]]
 * reshape(x, [-1, 2]).shape; // [3, 2]
 * ```
 *
 * @throws ShapeError when the shapes do not hold equally many elements.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  checkTensors('reshape', { x });
  const full = withoutWildcard(x, shape);
  if (size(full) !== x.size) {
    throw new ShapeError('reshape', `the shapes must hold equally many elements (${x.size} and ${size(full)})`, {
      x: x.shape,
      shape,
    });
  }
  return view(x, full);
}

/** {@link reshape} to a shape that is known to fit. */
export function view(x: Tensor, shape: Shape): Tensor {
  if (sameShape(shape, x.shape)) return unchanged(x);
  const y = over(x, shape);
  return differentiable(y, [x], (dy) => [view(dy, x.shape)]);
}

function withoutWildcard(x: Tensor, shape: Shape): Shape {
  // A number in its place, as in reshape(x, 6), is said to be none.
  if (!Array.isArray(shape)) checkShape('reshape', shape);
  const at = shape.indexOf(-1);
  if (at < 0) {
    checkShape('reshape', shape);
    return shape;
  }
  const others = shape.filter((_, i) => i !== at);
  if (!others.every((axis) => Number.isInteger(axis) && axis >= 0)) {
    throw new ShapeError('reshape', 'axes must be whole numbers, 0 or more, and at most one -1', { x: x.shape, shape });
  }
  const rest = x.size / size(others);
  if (!Number.isInteger(rest)) {
    throw new ShapeError('reshape', 'the axis -1 would not be a whole number', { x: x.shape, shape });
  }
  return shape.map((axis, i) => (i === at ? rest : axis));
}

/**
 * Reorders axes: axis `i` of the result is axis `order[i]` of `x`, `y[i₀, i₁, …] = x[…]` with `i_k` at axis `order[k]`.
 * The gradient goes through the inverse order. Of any dtype.
 *
 * ```ts
 * const heads = permute(reshape(x, [B, N, H, D]), [0, 2, 1, 3]); // [B, H, N, D]
 * ```
 *
 * @throws ShapeError when `order` does not name every axis once.
 */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  checkTensors('permute', { x });
  checkList('permute', 'the order', order, '[1, 0]');
  const axes = order.map((axis) => normalizeAxis('permute', axis, x.shape));
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) {
    throw new ShapeError('permute', `the order [${order.join(', ')}] must name every axis once`, { x: x.shape });
  }
  const steps = strides(x.shape);
  const shape = axes.map((axis) => x.shape[axis] as number);
  const y = copied(
    x,
    shape,
    axes.map((axis) => steps[axis] as number),
  );
  const inverse = axes.map((_, i) => axes.indexOf(i));
  return differentiable(y, [x], (dy) => [permute(dy, inverse)]);
}

/**
 * Repeats `x` to a larger shape by NumPy's rule: axes are aligned at the end; an axis of 1, or a missing one, is repeated.
 * The gradient is summed over the repeated axes. Of any dtype.
 *
 * ```ts
 * broadcastTo(tensor(device, [1, 2], [2, 1]), [2, 3]); // [[1, 1, 1], [2, 2, 2]]
 * ```
 *
 * @throws ShapeError when an axis of `x` is neither 1 nor that of `shape`.
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  checkTensors('broadcastTo', { x });
  checkShape('broadcastTo', shape);
  const missing = shape.length - x.shape.length;
  const aligned = shape.map((_, i) => (i < missing ? 1 : (x.shape[i - missing] as number)));
  if (missing < 0 || !aligned.every((axis, i) => axis === 1 || axis === shape[i])) {
    throw new ShapeError('broadcastTo', 'axes must be equal to those of the shape, or 1, counted from the last', {
      x: x.shape,
      shape,
    });
  }
  if (sameShape(x.shape, shape)) return unchanged(x);
  const steps = strides(aligned).map((step, i) => (aligned[i] === 1 ? 0 : step));
  const y = copied(x, shape, steps);
  const axes = shape.flatMap((axis, i) => (aligned[i] === 1 && axis !== 1 ? [i] : []));
  return differentiable(y, [x], (dy) => [reshape(axes.length > 0 ? sum(dy, { axes, keepDims: true }) : dy, x.shape)]);
}

/**
 * Joins tensors along one axis (default: the first), in order; all other axes agree. Each gets its range of the gradient. Of any dtype.
 *
 * ```ts
 * const tokens = concat([classToken, patches], 1); // [B, 1, C] and [B, N, C] → [B, N + 1, C]
 * ```
 *
 * @throws ShapeError when there is none, or when other axes or dtypes differ.
 */
export function concat(xs: readonly Tensor[], axis = 0): Tensor {
  const first = firstOf('concat', xs);
  const at = normalizeAxis('concat', axis, first.shape);
  const shapes = Object.fromEntries(xs.map((x, i) => [`x${i}`, x.shape]));
  for (const x of xs) {
    if (x.dtype !== first.dtype) {
      throw new ShapeError('concat', `all must have one dtype (${first.dtype} and ${x.dtype})`, shapes);
    }
    if (x.shape.length !== first.shape.length || !x.shape.every((one, i) => i === at || one === first.shape[i])) {
      throw new ShapeError('concat', `all axes but axis ${at} must be equal`, shapes);
    }
  }
  if (xs.length === 1) return unchanged(first);
  const sizes = xs.map((x) => x.shape[at] as number);
  const y = joined(xs, at);
  return differentiable(y, xs, (dy) => split(dy, at, sizes));
}

/** The first of several tensors, of which there must be one. */
export function firstOf(op: string, xs: readonly Tensor[]): Tensor {
  const first = xs?.[0];
  if (!first) throw new ShapeError(op, 'give a list of at least one tensor, such as [a, b]');
  checkTensors(op, Object.fromEntries([...xs].map((x, i) => [`x${i}`, x])));
  return first;
}

/**
 * Cuts a tensor along one axis into parts of the given sizes: the inverse of {@link concat}, and as cheap. Of any dtype.
 *
 * ```ts
 * const [q, k, v] = split(qkv, -1, [C, C, C]); // [B, N, 3 C] → three of [B, N, C]
 * ```
 *
 * @throws ShapeError when the sizes do not add up to the axis.
 */
export function split(x: Tensor, axis: number, sizes: readonly number[]): Tensor[] {
  checkTensors('split', { x });
  const at = normalizeAxis('split', axis, x.shape);
  checkList('split', 'the sizes', sizes, 'split(x, axis, [2, 1])');
  checkShape('split', sizes);
  const total = sizes.reduce((a, b) => a + b, 0);
  if (total !== x.shape[at]) {
    throw new ShapeError('split', `the sizes ${sizes.join(' + ')} = ${total} must fill axis ${at}`, { x: x.shape });
  }
  const ys = parts(x, at, sizes);
  differentiableAll(ys, [x], (dys) => {
    const dtype = x.dtype === 'f16' ? 'f16' : 'f32';
    const all = dys.map((dy, i) => dy ?? fill(x.device, (ys[i] as Tensor).shape, 0, dtype));
    return [concat(all, at)];
  });
  return ys;
}

/** As many tensors are joined or cut by one launch: eight bindings, one of which is the whole. */
const PARTS = 7;

function joined(xs: readonly Tensor[], axis: number): Tensor {
  const first = xs[0] as Tensor;
  const shape = first.shape.map((one, i) => (i === axis ? xs.reduce((n, x) => n + (x.shape[axis] as number), 0) : one));
  const filled = xs.filter((x) => x.size > 0);
  if (filled.length === 0) return empty(first, shape);
  if (filled.length === 1) return over(filled[0] as Tensor, shape);
  if (filled.length > PARTS) {
    const groups: Tensor[] = [];
    for (let i = 0; i < filled.length; i += PARTS) groups.push(joined(filled.slice(i, i + PARTS), axis));
    return joined(groups, axis);
  }
  const y = empty(first, shape);
  launchParts('concat', y, filled, axis);
  return y;
}

function parts(x: Tensor, axis: number, sizes: readonly number[]): Tensor[] {
  const ys = sizes.map((one) =>
    empty(
      x,
      x.shape.map((other, i) => (i === axis ? one : other)),
    ),
  );
  if (x.size === 0) return ys;
  const filled = ys.filter((y) => y.size > 0);
  if (filled.length > PARTS) {
    // In groups: first ranges of up to seven times as many, then the parts of each.
    const groups: number[][] = [];
    for (let i = 0; i < sizes.length; i += PARTS) groups.push(sizes.slice(i, i + PARTS));
    const ranges = parts(
      x,
      axis,
      groups.map((group) => group.reduce((a, b) => a + b, 0)),
    );
    return ranges.flatMap((range, i) => parts(range, axis, groups[i] as number[]));
  }
  if (filled.length === 1) {
    return ys.map((y) => (y.size > 0 ? over(x, y.shape) : y));
  }
  launchParts('split', x, filled, axis);
  return ys;
}

function launchParts(name: 'concat' | 'split', whole: Tensor, some: readonly Tensor[], axis: number): void {
  const widths = some.map((part) => {
    const { length, inner } = aroundAxis(part.shape, axis);
    return length * inner;
  });
  const tensors: Record<string, Tensor> = { whole };
  const element = elementOf(whole, widths);
  const per = element === 'vec4<T>' ? 4 : 1;
  const width = widths.reduce((a, b) => a + b, 0);
  const rows = { rows: whole.size / width, width: width / per };
  const params: Record<string, number> = { ...rows };
  some.forEach((part, i) => {
    tensors[`part${i}`] = part;
    params[`width${i}`] = (widths[i] as number) / per;
  });
  dispatch(splitSumKernel(name, some.length, element), tensors, params, rowConstants(whole.device, rows));
}

/** Elements to step over for the next index of each axis. */
function strides(shape: Shape): number[] {
  return shape.map((_, i) => size(shape.slice(i + 1)));
}

type SplitSumKernel = Kernel<Record<string, Binding>, Record<string, Scalar>, typeof rowOverrides>;
const splitSumKernels = new Map<string, SplitSumKernel>();

// Rows of the whole are made of one stretch of each part.
function splitSumKernel(name: 'concat' | 'split', count: number, element: Element): SplitSumKernel {
  const key = `${name} ${count} ${element}`;
  const known = splitSumKernels.get(key);
  if (known) return known;
  const [ofWhole, ofPart] = name === 'concat' ? (['write', 'read'] as const) : (['read', 'write'] as const);
  const bind: Record<string, Binding> = { whole: `${ofWhole} ${element}` };
  const params: Record<string, Scalar> = { rows: 'u32', width: 'u32' };
  let branches = '';
  for (let i = 0; i < count; i++) {
    bind[`part${i}`] = `${ofPart} ${element}`;
    params[`width${i}`] = 'u32';
    const part = `part${i}[row * params.width${i} + at]`;
    const assignment = name === 'concat' ? `whole[i] = ${part};` : `${part} = whole[i];`;
    branches += `    if (at < params.width${i}) { ${assignment} continue; }\n    at -= params.width${i};\n`;
  }
  const made = kernel({
    name,
    bind,
    params,
    override: rowOverrides,
    use: [rowPlace],
    grid: ({ rows, width }, constants) => rowGrid({ rows: rows as number, width: width as number }, constants),
    wgsl: eachRow(/* wgsl */ `
  for (var col = place.start; col < place.end; col += THREADS) {
    let i = row * params.width + col;
    var at = col;
${branches}  }`),
  });
  splitSumKernels.set(key, made);
  return made;
}
