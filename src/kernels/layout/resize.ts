import { kernel } from '../../gpu/index.ts';
import {
  differentiableLinear,
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  type Tensor,
  tensor,
  unchanged,
} from '../../tensor/graph/index.ts';
import { type Shape, ShapeError, shown } from '../../tensor/values/index.ts';
import { type AxisRows, checkChoice, checkFloats, checkOptions } from '../axis/index.ts';
export interface InterpolateOptions {
  readonly mode: 'nearest' | 'bilinear' | 'bicubic';
  /** When shrinking, widen the filter so that every pixel counts. Default: false. */
  readonly antialias?: boolean;
  /** The centres of the corner pixels lie on each other, `align_corners=True`; not with antialiasing. Default: false. */
  readonly alignCorners?: boolean;
  /** Where the channels are, in x and in the result: `first` is `[B, C, H, W]`, `last` is `[B, H, W, C]`. Default: last. */
  readonly channels?: 'first' | 'last';
}

/**
 * Resizes `x [B, H, W, C]` to `[B, height, width, C]`, or with channels first `[B, C, H, W]`, with half-pixel centres as PyTorch's `interpolate` with
 * `align_corners=False`. Bicubic has a = -0.75, with antialiasing a = -0.5 as Pillow. Nearest takes pixel ⌊i · H / height⌋, as PyTorch's
 * `nearest`, and only that.
 *
 * Along each axis it is a product with a narrow matrix, `y = R x`; the gradient is the product with its transpose.
 *
 * ```ts
 * const maps = interpolate(logits, 448, 448, { mode: 'bilinear' }); // [B, H, W, C] → [B, 448, 448, C]
 * ```
 *
 * @throws ShapeError when x does not have four axes, or a side is 0 or no whole number.
 */
export function interpolate(x: Tensor, height: number, width: number, options: InterpolateOptions): Tensor {
  checkFloats('interpolate', { x });
  checkOptions('interpolate', options, ['mode', 'antialias', 'alignCorners', 'channels']);
  checkChoice('interpolate', 'mode', options.mode, ['nearest', 'bilinear', 'bicubic']);
  const { channels = 'last' } = options;
  checkChoice('interpolate', 'channels', channels, ['first', 'last']);
  const isLast = channels === 'last';
  // Each channel is an image of one where channels are first.
  const [batch = 0, second = 0, third = 0, fourth = 0] = x.shape;
  const [outer, rows, cols, inner] = isLast ? [batch, second, third, fourth] : [batch * second, third, fourth, 1];
  if (x.shape.length !== 4 || rows === 0 || cols === 0) {
    throw new ShapeError('interpolate', `x must be ${isLast ? '[B, H, W, C]' : '[B, C, H, W]'}, with pixels`, {
      x: x.shape,
    });
  }
  checkSides('interpolate', height, width, x.shape);
  if (options.antialias && options.alignCorners) {
    throw new ShapeError('interpolate', 'antialias and alignCorners exclude each other', { x: x.shape });
  }
  if (options.mode === 'nearest' && (options.antialias || options.alignCorners)) {
    throw new ShapeError('interpolate', 'nearest has neither antialias nor alignCorners', { x: x.shape });
  }
  const first = isLast ? 1 : 2;
  const along = (y: Tensor, axis: number, made: number): Tensor => {
    const rest = axis === first ? (y.shape[first + 1] as number) * inner : inner;
    const before = axis === first ? outer : outer * (y.shape[first] as number);
    return resize(
      y,
      { outer: before, length: y.shape[axis] as number, inner: rest },
      y.shape.with(axis, made),
      made,
      options,
    );
  };
  const overRows = (y: Tensor): Tensor => along(y, first, height);
  const overCols = (y: Tensor): Tensor => along(y, first + 1, width);
  // First the axis that leaves less to do for the second. Going down the rows neighbours are resized alike, four at a time; along
  // the columns each element has weights of its own, which takes about four times as long.
  const rowsFirst = height * cols + 4 * height * width;
  return rowsFirst <= 4 * rows * width + height * width ? overCols(overRows(x)) : overRows(overCols(x));
}

/** Where the positions of another grid lie in a table: see {@link interpolatePositions}. */
export type PositionRule = 'size' | 'offset' | 'dino' | 'antialias';

/**
 * Resamples learnt positions `pos [1, R·R, D]` of a square grid to `[1, rows·cols, D]`: bicubic as {@link interpolate} without
 * antialiasing, which is how published checkpoints are used at other image sizes.
 *
 * `rule` is where position i of `rows` lies in the table: by `size`, `(i + ½)·R/rows − ½`; by `offset`, `(i + ½)·R/(rows + 0.1) − ½`,
 * as SCLIP, ClearCLIP and NACLIP do it, which take a table of just as many positions as it is, whatever the grid; by `dino`, as `offset`,
 * with the table as it is only for a square of its own size; by `antialias`, as `size` with a = −0.5 and a filter that widens when
 * shrinking, as DINOv2 with registers does it.
 *
 * @throws ShapeError when the positions are not those of a square, or a side is 0 or no whole number.
 */
export function interpolatePositions(pos: Tensor, rows: number, cols: number, rule: PositionRule = 'size'): Tensor {
  checkFloats('interpolatePositions', { pos });
  const [batch = 0, count = 0, dim = 0] = pos.shape;
  const side = Math.round(Math.sqrt(count));
  if (pos.shape.length !== 3 || count === 0 || side * side !== count) {
    throw new ShapeError('interpolatePositions', 'pos must be [1, R·R, D], the positions of a square', {
      pos: pos.shape,
    });
  }
  checkSides('interpolatePositions', rows, cols, pos.shape);
  checkChoice('interpolatePositions', 'rule', rule, ['size', 'offset', 'dino', 'antialias']);
  if (rule === 'offset' && rows * cols === count) return unchanged(pos);
  if ((rule === 'dino' || rule === 'antialias') && rows === side && cols === side) return unchanged(pos);
  const more = rule === 'offset' || rule === 'dino' ? 0.1 : 0;
  const bicubic = { mode: 'bicubic', more, antialias: rule === 'antialias' } as const;
  const tall = resize(pos, { outer: batch, length: side, inner: side * dim }, [batch, rows * side, dim], rows, bicubic);
  return resize(tall, { outer: batch * rows, length: side, inner: dim }, [batch, rows * cols, dim], cols, bicubic);
}

function checkSides(op: string, height: number, width: number, x: Shape): void {
  if (Number.isInteger(height) && Number.isInteger(width) && height > 0 && width > 0) return;
  throw new ShapeError(op, `cannot make ${shown(height)} × ${shown(width)}; both must be whole numbers above 0`, { x });
}

/** A sparse matrix whose rows have `taps` neighbouring entries: row o holds `weights[o·taps + k]` at column `first[o] + k`. */
interface Band {
  readonly taps: number;
  readonly first: Uint32Array;
  readonly weights: Float32Array;
}

/** Where outputs lie among inputs: as many more as `more` says would be of the inputs' extent. */
interface ResizeOptions extends InterpolateOptions {
  readonly more?: number;
}

/** Resamples one axis to `length` elements. */
function resize(x: Tensor, axis: AxisRows, shape: Shape, length: number, options: ResizeOptions): Tensor {
  // All filters are 1 at 0 and 0 at the other whole numbers.
  if (axis.length === length && !options.more) return unchanged(x);
  return resample(x, axis, shape, matrix(axis.length, length, options));
}

/** An axis times a narrow matrix: each row of it has the weights of the places that make one of the result. */
export function resample(x: Tensor, axis: AxisRows, shape: Shape, rows: readonly Row[]): Tensor {
  return differentiableLinear(
    x,
    (t) => multiply(t, axis, shape, band(rows, axis.length)),
    (dy) => multiply(dy, { ...axis, length: rows.length }, x.shape, band(transpose(rows, axis.length), rows.length)),
  );
}

function multiply(x: Tensor, axis: AxisRows, shape: Shape, { taps, first, weights }: Band): Tensor {
  const y = empty(x, shape);
  const tables = { firsts: tensor(x.device, first), weights: tensor(x.device, weights) };
  const { length, inner } = axis;
  const inVec4s = inner % 4 === 0;
  const elements = elementsOf(x.device, inVec4s ? y.size : 4 * y.size);
  const params = { ...elements, length, inner: inVec4s ? inner / 4 : inner, made: first.length, taps };
  dispatch(multiplyBand[inVec4s ? 'vec4<T>' : 'T'], { x, ...tables, y }, params, { UNIT: Number(inner === 1) });
  return y;
}

export type Row = ReadonlyMap<number, number>;

/** Which inputs, with which weights, make each output. */
function matrix(length: number, made: number, options: ResizeOptions): Row[] {
  const { mode, antialias = false, alignCorners = false, more = 0 } = options;
  if (mode === 'nearest')
    return Array.from({ length: made }, (_, o) => new Map([[Math.floor((o * length) / made), 1]]));
  const step = alignCorners ? (length - 1) / Math.max(made - 1, 1) : length / (made + more);
  const half = alignCorners ? 0 : 0.5;
  const stretch = antialias ? Math.max(step, 1) : 1;
  const reach = (mode === 'bilinear' ? 1 : 2) * stretch;
  const a = antialias ? -0.5 : -0.75;
  return Array.from({ length: made }, (_, o) => {
    // Centre of the output, where the centre of input i is i.
    const centre = (o + half) * step - half;
    const row = new Map<number, number>();
    let total = 0;
    for (let i = Math.ceil(centre - reach); i <= centre + reach; i++) {
      // Beyond the border the last pixel repeats; with antialiasing there is nothing.
      if (antialias && (i < 0 || i >= length)) continue;
      const at = Math.min(Math.max(i, 0), length - 1);
      const distance = Math.abs(i - centre) / stretch;
      const weight = mode === 'bilinear' ? Math.max(0, 1 - distance) : cubic(distance, a);
      row.set(at, (row.get(at) ?? 0) + weight);
      total += weight;
    }
    return new Map([...row].map(([i, weight]) => [i, weight / total]));
  });
}

/** Keys' cubic convolution kernel at a distance from 0 (https://doi.org/10.1109/TASSP.1981.1163711). */
function cubic(d: number, a: number): number {
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

function transpose(rows: readonly Row[], columns: number): Row[] {
  const result = Array.from({ length: columns }, () => new Map<number, number>());
  rows.forEach((row, o) => {
    for (const [i, weight] of row) result[i]?.set(o, weight);
  });
  return result;
}

function band(rows: readonly Row[], columns: number): Band {
  const spans = rows.map((row) => {
    const places = [...row].filter(([, weight]) => weight !== 0).map(([i]) => i);
    return places.length > 0 ? { low: Math.min(...places), high: Math.max(...places) } : { low: 0, high: 0 };
  });
  const taps = Math.max(...spans.map(({ low, high }) => high - low + 1));
  const first = Uint32Array.from(spans, ({ low }) => Math.min(low, columns - taps));
  const weights = new Float32Array(rows.length * taps);
  rows.forEach((row, o) => {
    for (let k = 0; k < taps; k++) weights[o * taps + k] = row.get((first[o] as number) + k) ?? 0;
  });
  return { taps, first, weights };
}

// Neighbours read neighbours, or the same.
const bandKernel = (element: 'T' | 'vec4<T>', sum: 'f32' | 'vec4f') =>
  kernel({
    name: 'resize',
    bind: { x: `read ${element}`, firsts: 'read u32', weights: 'read f32', y: `write ${element}` },
    params: { ...elementParams, length: 'u32', inner: 'u32', made: 'u32', taps: 'u32' },
    override: { ...elementOverride, UNIT: 0 },
    grid: elementGrid,
    wgsl: elementLoop(`
    // As few divisions as can be: they would cost more than all the rest.
    var line = i;
    if (UNIT == 0u) { line = i / params.inner; }
    let outer = line / params.made;
    let o = line - outer * params.made;
    let start = (outer * params.length + firsts[o]) * params.inner + (i - line * params.inner);
    var total = ${sum}();
    for (var k = 0u; k < params.taps; k++) {
      // Where fewer make it than elsewhere the weight is 0, and what is there may be anything.
      let weight = weights[o * params.taps + k];
      total += select(weight * ${sum}(x[start + k * params.inner]), ${sum}(), weight == 0.0);
    }
    y[i] = ${element}(total);`),
  });
const multiplyBand = {
  T: /*#__PURE__*/ bandKernel('T', 'f32'),
  'vec4<T>': /*#__PURE__*/ bandKernel('vec4<T>', 'vec4f'),
};
