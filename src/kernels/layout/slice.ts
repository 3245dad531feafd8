import { kernel } from '../../gpu/index.ts';
import { differentiableLinear, dispatch, empty, type Tensor, unchanged } from '../../tensor/graph/index.ts';
import { aroundAxis, isFloat, normalizeAxis, ShapeError } from '../../tensor/values/index.ts';
import { checkNumber, checkTensors, eachRow, rowConstants, rowGrid, rowOverrides, rowPlace } from '../axis/index.ts';

/**
 * A range of one axis, from `start` up to, but not with, `end`, every `step`-th: `y[…, i, …] = x[…, start + i · step, …]`. Negative
 * `start` and `end` count from the end of the axis, as in NumPy. The gradient is zero where nothing was taken. Of any dtype. For the
 * reverse order there is `flip`.
 *
 * ```ts
 * const patches = slice(tokens, 1, 1); // without the class token: [B, N, C] → [B, N - 1, C]
 * const last = slice(tokens, 1, -1); // [B, 1, C]
 * const even = slice(image, 2, 0, undefined, 2); // every second line: [B, C, H, W] → [B, C, ⌈H / 2⌉, W]
 * ```
 *
 * @throws ShapeError unless `0 ≤ start ≤ end ≤ length of the axis`, and `step` is a whole number above 0.
 */
export function slice(x: Tensor, axis: number, start: number, end?: number, step = 1): Tensor {
  checkTensors('slice', { x });
  const at = normalizeAxis('slice', axis, x.shape);
  const { outer, length, inner } = aroundAxis(x.shape, at);
  for (const [name, number] of Object.entries({ start, end: end ?? 0, step })) checkNumber('slice', name, number);
  if (!Number.isInteger(step) || step < 1) {
    const remedy = step < 0 ? '; flip reverses an axis' : '';
    throw new ShapeError('slice', `the step must be a whole number above 0 (${step})${remedy}`, { x: x.shape });
  }
  const begin = start < 0 ? start + length : start;
  const stop = end === undefined ? length : end < 0 ? end + length : end;
  if (!Number.isInteger(begin) || !Number.isInteger(stop) || begin < 0 || stop < begin || stop > length) {
    throw new ShapeError('slice', `${start} to ${end ?? length} is no range of axis ${at} (length ${length})`, {
      x: x.shape,
    });
  }
  if (begin === 0 && stop === length && step === 1) return unchanged(x);
  const count = Math.ceil((stop - begin) / step);
  // Neighbours of one step stay together; with another one, only what lies within the axis does.
  const element = elementOf(x, step === 1 ? [length * inner, begin * inner, stop * inner] : [inner]);
  const per = element === 'vec4<T>' ? 4 : 1;
  const together = step === 1 ? count : 1;
  const part = { rows: (outer * count) / (together || 1), width: (together * inner) / per };
  const whole = { rows: outer, width: (length * inner) / per };
  const first = (begin * inner) / per;
  const jumps = step === 1 ? { count: 1, hop: 0 } : { count: Math.max(count, 1), hop: (step * inner) / per };
  const taken = (from: Tensor): Tensor => {
    const shape = x.shape.map((one, i) => (i === at ? count : one));
    const y = empty(x, shape);
    const places = { ...part, other: whole.width, start: first, ...jumps };
    dispatch(sliceKernels[element], { x: from, y }, places, rowConstants(x.device, part));
    return y;
  };
  return differentiableLinear(x, taken, (dy) => {
    const backward = pad[element === 'vec4<T>' ? element : 'T'];
    const padded = (from: Tensor, to: Tensor, rows: typeof whole, place: { other: number; start: number }) => {
      dispatch(backward, { dy: from, dx: to }, { ...rows, ...place }, rowConstants(x.device, rows));
      return to;
    };
    const dx = empty(x);
    if (step === 1) return padded(dy, dx, whole, { other: part.width, start: first });
    // First what was stepped over, then what lies before and behind.
    const steps = { rows: part.rows, width: step * part.width };
    const stretched = padded(dy, empty(x, [outer, count * step, inner]), steps, { other: part.width, start: 0 });
    return padded(stretched, dx, whole, { other: count * steps.width, start: first });
  });
}

/** What is moved at once: four elements, where all widths and places are a multiple of 4. */
export function elementOf(x: Tensor, widths: readonly number[]): 'T' | 'vec4<T>' | 'u32' {
  if (!isFloat(x.dtype)) return 'u32';
  return widths.every((width) => width % 4 === 0) ? 'vec4<T>' : 'T';
}

// Rows of `width` elements, from or to a range of rows of `other` elements that begins at `start`.
const rangeParams = { rows: 'u32', width: 'u32', other: 'u32', start: 'u32' } as const;

// So many rows are of one range, `hop` apart.
const sliceKernel = (element: 'T' | 'vec4<T>' | 'u32') =>
  kernel({
    name: 'slice',
    bind: { x: `read ${element}`, y: `write ${element}` },
    params: { ...rangeParams, count: 'u32', hop: 'u32' },
    override: rowOverrides,
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  let range = row / params.count;
  let first = range * params.other + params.start + (row - range * params.count) * params.hop;
  for (var col = place.start; col < place.end; col += THREADS) { y[row * params.width + col] = x[first + col]; }`),
  });
const sliceKernels = {
  T: /*#__PURE__*/ sliceKernel('T'),
  'vec4<T>': /*#__PURE__*/ sliceKernel('vec4<T>'),
  u32: /*#__PURE__*/ sliceKernel('u32'),
};

// What lies beyond the end of a row of dx is left out.
const padKernel = (element: 'T' | 'vec4<T>') =>
  kernel({
    name: 'slice-backward',
    bind: { dy: `read ${element}`, dx: `write ${element}` },
    params: rangeParams,
    override: rowOverrides,
    use: [rowPlace],
    grid: rowGrid,
    wgsl: eachRow(/* wgsl */ `
  for (var col = place.start; col < place.end; col += THREADS) {
    // Below the start this wraps around and is too large as well.
    let inside = col - params.start;
    var value = ${element}();
    if (inside < params.other) { value = dy[row * params.other + inside]; }
    dx[row * params.width + col] = value;
  }`),
  });
const pad = { T: /*#__PURE__*/ padKernel('T'), 'vec4<T>': /*#__PURE__*/ padKernel('vec4<T>') };
