import { kernel, notNumbers, type Piece } from '../../gpu/index.ts';
import {
  differentiable,
  dispatch,
  elementGrid,
  elementLoop,
  elementOverride,
  elementParams,
  elementsOf,
  empty,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { ShapeError, StepError } from '../../tensor/values/index.ts';
import { checkChoice, checkFloats, checkOptions } from '../axis/index.ts';
import { add, cast, mul, stopGradient, sub } from '../elementwise/index.ts';
import { permute, reshape, slice, stack, takeRows } from '../layout/index.ts';
import { type Samples, sampled } from './samples.ts';

export interface GridSampleOptions {
  /** `bilinear` weighs the four pixels around a place; `nearest` takes the nearest one, of two the even one. Default: bilinear. */
  readonly mode?: 'bilinear' | 'nearest';
  /** What lies outside of the image: zeros, the pixels at its border, or its reflections. Default: zeros. */
  readonly padding?: 'zeros' | 'border' | 'reflection';
  /** Whether -1 and 1 are the centres of the corner pixels; else they are the outer edges. Default: false. */
  readonly alignCorners?: boolean;
  /** Where the channels are, in x and in the result: `last` is `[B, H, W, C]`, `first` is `[B, C, H, W]`. Default: last. */
  readonly channels?: 'first' | 'last';
}

const paddings = ['zeros', 'border', 'reflection'] as const;

/**
 * Images at the places of a grid: `x [B, H, W, C]`, `grid [B, h, w, 2]` → `[B, h, w, C]`; with channels first `[B, C, H, W]` → `[B, C, h, w]`.
 * Each place is `(across, down)`, from -1 at the left and upper edge to 1 at the right and lower one. PyTorch's `grid_sample`. The grid may be f32
 * beside images of f16, which cannot name places among many pixels.
 *
 * Bilinear is `Σ w x` over the four pixels around, `w = (1 - |across - i|) (1 - |down - j|)` in pixels. The gradient of `x` adds up `w dy` at each
 * pixel, that of the grid is `Σ dy x` times how w changes, 0 where padding holds a place. Nearest gives the grid none. A place of
 * NaN gives NaN by bilinear, zeros by nearest.
 *
 * ```ts
 * const image = tensor(device, [1, 2, 3, 4], [1, 2, 2, 1]);
 * const grid = tensor(device, [[[[0, 0], [-0.5, 0.5]]]]); // the middle, and the centre of the lower left pixel
 * await read(gridSample(image, grid)); // [2.5, 3]
 * ```
 *
 * @throws ShapeError unless x is images with pixels and the grid `[B, h, w, 2]` with their B.
 */
export function gridSample(x: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const op = 'gridSample';
  checkFloats(op, { x });
  checkFloats(op, { grid });
  if (x.device !== grid.device) throw new StepError(`${op}: 'grid' is on another device`);
  checkOptions(op, options, ['mode', 'padding', 'alignCorners', 'channels']);
  const { mode = 'bilinear', padding = 'zeros', alignCorners = false, channels = 'last' } = options;
  checkChoice(op, 'mode', mode, ['bilinear', 'nearest']);
  checkChoice(op, 'padding', padding, paddings);
  checkChoice(op, 'channels', channels, ['first', 'last']);
  const isFirst = channels === 'first';
  const shapes = { x: x.shape, grid: grid.shape };
  const last = x.shape.length === 4 && isFirst ? permute(x, [0, 2, 3, 1]) : x;
  const [batch = 0, height = 0, across = 0, width = 0] = last.shape;
  if (x.shape.length !== 4 || height === 0 || across === 0) {
    throw new ShapeError(op, `x must be ${isFirst ? '[B, C, H, W]' : '[B, H, W, C]'}, with pixels`, shapes);
  }
  const [ofBatch, rows = 0, cols = 0, two] = grid.shape;
  if (grid.shape.length !== 4 || two !== 2 || ofBatch !== batch) {
    throw new ShapeError(op, 'the grid must be [B, h, w, 2] with the B of x', shapes);
  }
  const places = rows * cols;
  const numbers = { height, across, align: Number(alignCorners), padding: paddings.indexOf(padding) };
  const flat = reshape(grid, [batch, places, 2]);
  let y: Tensor;
  if (mode === 'nearest') {
    const ids = empty(x, [batch, places], 'u32');
    const held = stopGradient(flat);
    dispatch(nearestPixels, { grid: held, ids }, { ...elementsOf(x.device, 4 * ids.size), ...numbers });
    y = takeRows(reshape(last, [batch, height * across, width]), ids);
  } else {
    const { cells, weights } = around(flat, numbers);
    const samples: Samples = { batch, height, across, places, width, cells };
    y = sampled(samples, last, weights);
  }
  const image = reshape(y, [batch, rows, cols, width]);
  return isFirst ? permute(image, [0, 3, 1, 2]) : image;
}

/** The cell between four pixels that each place of `grid [B, K, 2]` lies in, and their weights `[B, K, 4]`. */
function around(grid: Tensor, numbers: { height: number; across: number; align: number; padding: number }) {
  const [batch, places] = grid.shape as [number, number];
  const cells = empty(grid, [batch, places], 'u32');
  const weights = empty(grid, [batch, places, 4], 'f32');
  const inCell = empty(grid, [batch, places, 4], 'f32');
  const elements = elementsOf(grid.device, 4 * cells.size);
  dispatch(cellsOfPlaces, { grid, cells, weights, inCell }, { ...elements, ...numbers });
  differentiable(
    weights,
    [grid],
    (dy) => {
      const dx = empty(grid);
      dispatch(cellsBackward, { inCell, dy, dx }, elements);
      return [dx];
    },
    (grid) => {
      const known = stopGradient(inCell);
      const wide = cast(grid, 'f32');
      // Its value and its slopes; where these are 0, outside, weights do not change, whatever they are.
      const part = add(slice(known, 2, 0, 2), mul(sub(wide, stopGradient(wide)), slice(known, 2, 2, 4)));
      const sides = stack([sub(1, part), part], 3);
      const line = (axis: number) => slice(sides, 2, axis, axis + 1);
      return reshape(mul(reshape(line(1), [batch, places, 2, 1]), line(0)), [batch, places, 4]);
    },
  );
  return { cells, weights };
}

/** Where a number of the grid lies in pixels, and how fast it moves with it: PyTorch's rules. */
const gridPlace: Piece = {
  name: 'gridPlace',
  needs: [notNumbers],
  wgsl: `
fn gridPlace(g: f32, count: u32) -> vec2f {
  let n = f32(count);
  let isAligned = params.align == 1u;
  var slope = select(0.5 * n, 0.5 * (n - 1.0), isAligned);
  var at = select(((g + 1.0) * n - 1.0) * 0.5, (g + 1.0) * 0.5 * (n - 1.0), isAligned);
  if (params.padding == 0u || isNan(at)) { return vec2f(at, slope); }
  if (params.padding == 2u) {
    let low = select(-0.5, 0.0, isAligned);
    let span = select(n, n - 1.0, isAligned);
    if (span == 0.0) { return vec2f(0.0); }
    let away = abs(at - low);
    slope = select(slope, -slope, at < low);
    let flips = floor(away / span);
    let rest = away - flips * span;
    let isOdd = flips - 2.0 * floor(0.5 * flips) == 1.0;
    at = select(rest, span - rest, isOdd) + low;
    slope = select(slope, -slope, isOdd);
  }
  // Held at the border, where it does not move.
  return vec2f(clamp(at, 0.0, n - 1.0), select(slope, 0.0, at <= 0.0 || at >= n - 1.0));
}`,
};
const gridParams = { ...elementParams, height: 'u32', across: 'u32', align: 'u32', padding: 'u32' } as const;

// Cells have one line more than pixels, above and to the left: the last number is that of the pixel below and to the right of it.
const cellsOfPlaces = /*#__PURE__*/ kernel({
  name: 'grid-cells',
  bind: { grid: 'read T', cells: 'write u32', weights: 'write vec4<f32>', inCell: 'write vec4<f32>' },
  params: gridParams,
  override: elementOverride,
  use: [gridPlace],
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop(`
    let x = gridPlace(f32(grid[2u * i]), params.across);
    let y = gridPlace(f32(grid[2u * i + 1u]), params.height);
    let isNot = isNan(x.x) || isNan(y.x);
    // -1 and below n: which pixels these are is known, and infinite places are told from them.
    let isIn = x.x >= -1.0 && y.x >= -1.0 && x.x < f32(params.across) && y.x < f32(params.height);
    let corner = vec2f(floor(x.x), floor(y.x));
    let part = vec2f(x.x, y.x) - corner;
    let rest = 1.0 - part;
    let four = vec4f(rest.x * rest.y, part.x * rest.y, rest.x * part.y, part.x * part.y);
    let known = select(vec2u(1u), vec2u(vec2i(select(vec2f(), corner, isIn)) + 1), !isNot);
    cells[i] = select(0xffffffffu, known.y * (params.across + 1u) + known.x, isIn || isNot);
    let none = select(vec4f(), vec4f(nanFrom(x.x + y.x)), isNot);
    weights[i] = select(none, four, isIn && !isNot);
    inCell[i] = select(none, vec4f(part, x.y, y.y), isIn && !isNot);`),
});

const cellsBackward = /*#__PURE__*/ kernel({
  name: 'grid-cells-backward',
  bind: { inCell: 'read vec4<f32>', dy: 'read vec4<f32>', dx: 'write T' },
  params: elementParams,
  override: elementOverride,
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop(`
    let at = inCell[i];
    let d = dy[i];
    dx[2u * i] = T(at.z * ((1.0 - at.y) * (d.y - d.x) + at.y * (d.w - d.z)));
    dx[2u * i + 1u] = T(at.w * ((1.0 - at.x) * (d.z - d.x) + at.x * (d.w - d.y)));`),
});

const nearestPixels = /*#__PURE__*/ kernel({
  name: 'grid-pixels',
  bind: { grid: 'read T', ids: 'write u32' },
  params: gridParams,
  override: elementOverride,
  use: [gridPlace],
  grid: elementGrid,
  wgsl: /*#__PURE__*/ elementLoop(`
    let x = round(gridPlace(f32(grid[2u * i]), params.across).x);
    let y = round(gridPlace(f32(grid[2u * i + 1u]), params.height).x);
    let isIn = !isNan(x) && !isNan(y) && x >= 0.0 && y >= 0.0 && x < f32(params.across) && y < f32(params.height);
    ids[i] = select(0xffffffffu, u32(select(0.0, y, isIn)) * params.across + u32(select(0.0, x, isIn)), isIn);`),
});
