import type { Piece } from '../gpu/kernel.ts';
import { differentiable } from '../tensor/grad.ts';
import { empty } from '../tensor/record.ts';
import { aroundAxis, normalizeAxis, ShapeError } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type LineCode, lineKernel } from './line-kernel.ts';

/**
 * Softmax along an axis: `y = exp(x - max x) / sum(exp(x - max x))`. An entry of -∞ gives exactly 0; a line of nothing else
 * gives zeros.
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
 * Logarithm of the softmax along an axis: `y = x - max x - log(sum(exp(x - max x)))`, exact where the softmax is 0.
 *
 * The gradient is `dx = dy - exp(y) · sum(dy)`.
 *
 * @throws ShapeError when the axis does not exist or is empty.
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return along('logSoftmax', x, axis);
}

function along(op: keyof typeof kernels, x: Tensor, axis: number): Tensor {
  const lines = aroundAxis(x.shape, normalizeAxis(op, axis, x.shape));
  if (lines.length === 0) throw new ShapeError(op, `axis ${axis} is empty`, { x: x.shape });
  const y = empty(x);
  kernels[op].forward({ x, y }, lines);
  return differentiable(y, [x], (dy) => {
    const dx = empty(x);
    kernels[op].backward({ y, dy, dx }, lines);
    return [dx];
  });
}

// Far enough below the maximum the result is 0 in f32: WGSL promises nothing of exp(-∞).
const expBelow: Piece = {
  name: 'expBelow',
  wgsl: 'fn expBelow(d: F) -> F { return select(F(0.0), exp(max(d, F(-104.0))), d > F(-104.0)); }',
};

/** Maximum of the line, and the sum of exponentials below it, in one walk: what was summed up is scaled when a maximum is beaten. */
const topAndTotal = ({ each, inLine, max, sum }: LineCode): string => `
  var tops = F(-3.4e38);
  var totals = F(0.0);
  ${each(
    `
    let value = ${inLine('x', '-3.40282346e38')};
    let higher = max(tops, value);
    totals = totals * expBelow(tops - higher) + expBelow(value - higher);
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
    forward: lineKernel({
      name: 'softmax',
      elements,
      use: [expBelow],
      body: (code) => `${topAndTotal(code)}
  let factor = select(S(0.0), 1.0 / total, total > S(0.0));
  ${code.write('y', 'expBelow(x - top) * factor')}`,
    }),
    backward: lineKernel({
      name: 'softmax-backward',
      elements: elementsBackward,
      body: ({ each, inLine, sum, write }) => `
  var totals = F(0.0);
  ${each(`totals += ${inLine('y * dy', '0.0')};`)}
  let total = ${sum('totals')};
  ${write('dx', 'y * (dy - total)')}`,
    }),
  },
  logSoftmax: {
    forward: lineKernel({
      name: 'log-softmax',
      elements,
      use: [expBelow],
      body: (code) => `${topAndTotal(code)}
  let logTotal = log(total);
  ${code.write('y', '(x - top) - logTotal')}`,
    }),
    backward: lineKernel({
      name: 'log-softmax-backward',
      elements: elementsBackward,
      use: [expBelow],
      body: ({ each, inLine, sum, write }) => `
  var totals = F(0.0);
  ${each(`totals += ${inLine('dy', '0.0')};`)}
  let total = ${sum('totals')};
  ${write('dx', 'dy - expBelow(y) * total')}`,
    }),
  },
};
