import type { Piece } from '../../gpu/index.ts';
import { differentiable, empty, type Tensor } from '../../tensor/graph/index.ts';
import { aroundAxis, normalizeAxis, ShapeError } from '../../tensor/values/index.ts';
import { checkFloats, max, type RowCode, rowKernel, sum } from '../axis/index.ts';
import { clamp, div, exp, log, stopGradient, sub } from '../elementwise/index.ts';
/**
 * Softmax along an axis: `y = exp(x - max x) / sum(exp(x - max x))`. An entry of -∞ gives exactly 0; a row of nothing else
 * gives zeros. A row that holds NaN or ∞ gives NaN.
 *
 * The gradient needs only the result: `dx = y · (dy - sum(dy · y))`.
 *
 * ```ts
 * await read(softmax(tensor(device, [0, 0, Math.log(2)]))); // [0.25, 0.25, 0.5]
 * ```
 *
 * @throws ShapeError when the axis does not exist or is empty.
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  return along('softmax', x, axis);
}

/**
 * Logarithm of the softmax along an axis: `y = x - max x - log(sum(exp(x - max x)))`, exact where the softmax is 0. A row that
 * holds NaN or ∞ gives NaN, and so does one of nothing but -∞.
 *
 * The gradient is `dx = dy - exp(y) · sum(dy)`.
 *
 * @throws ShapeError when the axis does not exist or is empty.
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return along('logSoftmax', x, axis);
}

function along(op: keyof typeof kernels, x: Tensor, axis: number): Tensor {
  checkFloats(op, { x });
  const rows = aroundAxis(x.shape, normalizeAxis(op, axis, x.shape));
  if (rows.length === 0) throw new ShapeError(op, `axis ${axis} is empty`, { x: x.shape });
  const y = empty(x);
  kernels[op].forward({ x, y }, rows);
  return differentiable(
    y,
    [x],
    (dy) => {
      const dx = empty(x);
      kernels[op].backward({ y, dy, dx }, rows);
      return [dx];
    },
    plain[op](axis),
  );
}

const reduced = (axis: number) => ({ axes: axis, keepDims: true });
const topOf = (x: Tensor, axis: number) => max(stopGradient(x), reduced(axis));

/** Both by ops, for gradients of gradients. The logarithm of a row of nothing but -∞ has none. */
const plain = {
  softmax: (axis: number) => (x: Tensor) => {
    // Below a finite number, what is -∞ is exp(-∞) = 0; the sum is at least 1, that of the largest, or 0 in a row of nothing else.
    const lowest = x.dtype === 'f16' ? -65504 : -3.4028234663852886e38;
    const e = exp(sub(x, clamp(topOf(x, axis), lowest, Number.POSITIVE_INFINITY)));
    return div(e, clamp(sum(e, reduced(axis)), 1, Number.POSITIVE_INFINITY));
  },
  logSoftmax: (axis: number) => (x: Tensor) => {
    const d = sub(x, topOf(x, axis));
    return sub(d, log(sum(exp(d), reduced(axis))));
  },
};

/**
 * Exponentials of differences to a maximum. From -∞ to -104 they are 0 in f32, and WGSL promises nothing of exp(-∞). By bits, so
 * that NaN does not pass for one of those: its exponential is not finite (on SwiftShader infinite), and no sum that it is in is.
 * Moved so that those are the lowest i32, they are found by one comparison.
 */
const expBelowRow: Piece = {
  name: 'expBelow of F',
  wgsl: 'fn expBelow(d: F) -> F { return select(exp(d), F(0.0), bitcast<FI>(d) + FI(-1120927745) <= FI(-1129316353)); }',
};

/**
 * What a sum of exponentials says of its row, asked once and not for each element: a sum that is not finite had NaN or ∞ in it,
 * one of 0 nothing but -∞.
 */
export const sumOverRow: Piece = {
  name: 'sumOverRow',
  wgsl: `
fn nanOf(sum: S) -> S { return bitcast<S>(bitcast<SI>(sum) | SI(0x7fc00000)); }
fn inverseOf(sum: S) -> S {
  let bits = bitcast<SI>(sum) & SI(0x7fffffff);
  return select(select(1.0 / sum, S(0.0), bits == SI(0)), nanOf(sum), bits >= SI(0x7f800000));
}
fn logOf(sum: S) -> S {
  let bits = bitcast<SI>(sum) & SI(0x7fffffff);
  return select(log(sum), nanOf(sum), (bits == SI(0)) | (bits >= SI(0x7f800000)));
}`,
};

/** Maximum of the row, and the sum of exponentials below it, in one walk: what was summed up is scaled when a maximum is beaten. */
const topAndTotal = ({ each, inRow, max, sum }: RowCode): string => `
  var tops = F(-3.40282346e38);
  var totals = F(0.0);
  ${each(
    `
    let higher = max(tops, ${inRow('x', '-3.40282346e38')});
    totals = totals * expBelow(tops - higher) + ${inRow('expBelow(x - higher)', '0.0')};
    tops = higher;`,
    // The maximum may have been beaten since the sum before the run was made.
    {
      sums: ['totals'],
      kept: ['tops'],
      join: (sum, before) => `${before(sum)} * expBelow(${before('tops')} - tops) + ${sum}`,
    },
  )}
  let top = ${max('tops')};
  let total = ${sum('totals * expBelow(tops - top)')};`;

const elements = { x: 'read T', y: 'write T' } as const;
const elementsBackward = { y: 'read T', dy: 'read T', dx: 'write T' } as const;

const kernels = {
  softmax: {
    forward: /*#__PURE__*/ rowKernel({
      name: 'softmax',
      elements,
      use: [expBelowRow, sumOverRow],
      body: (code) => `${topAndTotal(code)}
  let factor = inverseOf(total);
  ${code.write('y', 'expBelow(x - top) * factor')}`,
    }),
    backward: /*#__PURE__*/ rowKernel({
      name: 'softmax-backward',
      elements: elementsBackward,
      body: ({ each, inRow, sum, write }) => `
  var totals = F(0.0);
  ${each(`totals += ${inRow('y * dy', '0.0')};`)}
  let total = ${sum('totals')};
  ${write('dx', 'y * (dy - total)')}`,
    }),
  },
  logSoftmax: {
    forward: /*#__PURE__*/ rowKernel({
      name: 'log-softmax',
      elements,
      use: [expBelowRow, sumOverRow],
      body: (code) => `${topAndTotal(code)}
  let logTotal = logOf(total);
  ${code.write('y', '(x - top) - logTotal')}`,
    }),
    backward: /*#__PURE__*/ rowKernel({
      name: 'log-softmax-backward',
      elements: elementsBackward,
      use: [expBelowRow],
      body: ({ each, inRow, sum, write }) => `
  var totals = F(0.0);
  ${each(`totals += ${inRow('dy', '0.0')};`)}
  let total = ${sum('totals')};
  ${write('dx', 'select(dy - expBelow(y) * total, y, (bitcast<FI>(y) & FI(0x7fffffff)) > FI(0x7f800000))')}`,
    }),
  },
};
