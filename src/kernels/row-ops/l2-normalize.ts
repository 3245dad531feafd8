import { notNumbers } from '../../gpu/index.ts';
import { differentiable, empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError, size } from '../../tensor/values/index.ts';
import { checkFloats, checkNumber, rowKernel, sum } from '../axis/index.ts';
import { div, maximum, sqrt, square } from '../elementwise/index.ts';

/**
 * Rows of unit length, over the last axis: `y = x / max(|x|, eps)`. A row of zeros stays zeros, one that holds NaN becomes NaN.
 * Lengths come out right where they are normal numbers, also if squares are not.
 *
 * The gradient is `dx = (dy - y · sum(dy · y)) / |x|`, and `dy / eps` for a row shorter than `eps`.
 *
 * ```ts
 * await read(l2Normalize(tensor(device, [3, 4]))); // [0.6, 0.8]
 * ```
 *
 * @throws ShapeError for a scalar.
 */
export function l2Normalize(x: Tensor, eps = 1e-12): Tensor {
  checkFloats('l2Normalize', { x });
  checkNumber('l2Normalize', 'eps', eps);
  const cols = x.shape.at(-1);
  if (cols === undefined) throw new ShapeError('l2Normalize', 'x needs an axis', { x: x.shape });
  const rows = size(x.shape.slice(0, -1));
  const axis = { outer: rows, length: cols, inner: 1 };
  const y = empty(x);
  const length = empty(x, [rows], 'f32');
  l2Forward({ x, y, length }, axis, { eps });
  return differentiable(
    y,
    [x],
    (dy) => {
      const dx = empty(x);
      l2Backward({ y, length, dy, dx }, axis, { eps });
      return [dx];
    },
    (t) => div(t, maximum(sqrt(sum(square(t), { axes: -1, keepDims: true })), eps)),
  );
}

const l2Forward = /*#__PURE__*/ rowKernel({
  name: 'l2-normalize',
  elements: { x: 'read T', y: 'write T' },
  perRow: { length: 'write f32' },
  params: { eps: 'f32' },
  use: [notNumbers],
  body: ({ each, eachIf, inRow, sum, write }) => `
  var squares = F(0.0);
  ${each(`squares += ${inRow('x * x', '0.0')};`)}
  let plain = ${sum('squares')};
  // Squares overflow from 2^64 on, and vanish below 2^-63: then once more, in another unit.
  let isSmall = plain < 1.0;
  let isFar = !isFinite(plain) || plain < 1e-30;
  let unit = select(1.0, select(0x1p-80, 0x1p+64, isSmall), isFar);
  squares = F(0.0);
  ${eachIf('isFar', `squares += ${inRow('x * unit * (x * unit)', '0.0')};`)}
  let norm = sqrt(select(plain, ${sum('squares')}, isFar));
  let factor = select(1.0 / max(norm, params.eps * unit), norm, isNan(norm));
  ${write('y', 'x * unit * factor')}
  if (lead) { length[row] = norm * select(1.0, select(0x1p+80, 0x1p-64, isSmall), isFar); }`,
});

const l2Backward = /*#__PURE__*/ rowKernel({
  name: 'l2-normalize-backward',
  elements: { y: 'read T', dy: 'read T', dx: 'write T' },
  perRow: { length: 'read f32' },
  params: { eps: 'f32' },
  body: ({ each, inRow, sum, write }) => `
  var products = F(0.0);
  ${each(`products += ${inRow('y * dy', '0.0')};`)}
  let norm = length[row];
  // Below eps the divisor is a constant, so nothing flows through it.
  let total = select(${sum('products')}, 0.0, norm < params.eps);
  let factor = 1.0 / max(norm, params.eps);
  ${write('dx', '(dy - y * total) * factor')}`,
});
