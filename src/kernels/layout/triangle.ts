import { kernel } from '../../gpu/index.ts';
import { differentiable, dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { isFloat, ShapeError, shown } from '../../tensor/values/index.ts';
import { checkTensors, eachRow, rowConstants, rowGrid, rowOverrides, rowPlace } from '../axis/index.ts';

/**
 * The lower triangle of matrices: `y[…, i, j] = x[…, i, j]` where j ≤ i + diagonal, else 0, whatever x holds there. `[…, M, N]`. The
 * gradient is the lower triangle of dy. Of any dtype.
 *
 * ```ts
 * await read(tril(tensor(device, [1, 2, 3, 4], [2, 2]))); // [1, 0, 3, 4]
 * ```
 *
 * @throws ShapeError when x has fewer than two axes, or the diagonal is no whole number.
 */
export function tril(x: Tensor, diagonal = 0): Tensor {
  return triangle('tril', x, diagonal);
}

/** The upper triangle of matrices: elements with j ≥ i + diagonal, else 0. As {@link tril}. */
export function triu(x: Tensor, diagonal = 0): Tensor {
  return triangle('triu', x, diagonal);
}

function triangle(op: 'tril' | 'triu', x: Tensor, diagonal: number): Tensor {
  checkTensors(op, { x });
  const [height, width] = x.shape.slice(-2);
  if (height === undefined || width === undefined) {
    throw new ShapeError(op, 'x must have at least two axes', { x: x.shape });
  }
  if (!Number.isInteger(diagonal) || Math.abs(diagonal) >= 2 ** 31) {
    throw new ShapeError(op, `the diagonal must be a whole number (${shown(diagonal)})`, { x: x.shape });
  }
  const y = empty(x);
  const rows = { rows: width === 0 ? 0 : x.size / width, width };
  dispatch(
    triangles[isFloat(x.dtype) ? 'T' : 'u32'],
    { x, y },
    { ...rows, height, diagonal },
    { ...rowConstants(x.device, rows), UPPER: Number(op === 'triu') },
  );
  return differentiable(y, [x], (dy) => [triangle(op, dy, diagonal)]);
}

// Rows are those of the matrices.
const triangleKernel = (element: 'T' | 'u32') =>
  kernel({
    name: 'triangle',
    bind: { x: `read ${element}`, y: `write ${element}` },
    params: { rows: 'u32', width: 'u32', height: 'u32', diagonal: 'i32' },
    override: { ...rowOverrides, UPPER: 0 },
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let on = i32(row % params.height) + params.diagonal;
  for (var col = place.start; col < place.end; col += THREADS) {
    var value = ${element}();
    if (select(i32(col) <= on, i32(col) >= on, UPPER == 1u)) { value = x[row * params.width + col]; }
    y[row * params.width + col] = value;
  }`),
  });
const triangles = { T: /*#__PURE__*/ triangleKernel('T'), u32: /*#__PURE__*/ triangleKernel('u32') };
