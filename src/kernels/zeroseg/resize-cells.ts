import { kernel } from '../../gpu/index.ts';
import { dispatch, empty, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';

/** A square photo, and how the cells of its grids are resized; all but `shades` are u32. */
export interface CellInputs {
  /** The square row by row, red + 256 green + 65536 blue; what lies behind its side² pixels is not looked at. */
  readonly pixels: Tensor;
  /** `[W, 3]`, an output column of some cell each: its first pixel in the square, how many, and where their weights begin. Rows likewise. */
  readonly columns: Tensor;
  /** Weights of 22 fractional bits: i32, as the bits of u32. */
  readonly weights: Tensor;
  /** `[V, 2]`: the columns that each cell's columns and rows begin at. */
  readonly origins: Tensor;
  /** `[3, 256]`, f32: what each byte of red, green and blue becomes. */
  readonly shades: Tensor;
  /** `[4]`: the side of the square, the first cell to resize, how many, and the view that the first becomes. */
  readonly part: Tensor;
}

/**
 * Resizes cells of a square photo into `views` `[N, 3, S, S]`, a variable, by Pillow's two passes of whole numbers (columns, then rows, each
 * rounded to bytes), and normalises them: to the bit what `teacherViews` computes on the host, for a upload of the photo instead of all of
 * its views. With `w` weights and `p` pixels of a channel,
 *
 *     views[n, c, y, x] = shades[c, byte(Σ_j w_yj byte(Σ_i w_xi p[j, i]))]
 *
 * Other views keep their values. It has no gradient.
 *
 * @throws ShapeError when shapes are not those above.
 */
export function resizeCells(views: Tensor, { pixels, columns, weights, origins, shades, part }: CellInputs): void {
  const [, channels, side = 0, width] = views.shape;
  const shapes = { views: views.shape, columns: columns.shape, origins: origins.shape, shades: shades.shape };
  if (views.shape.length !== 4 || channels !== 3 || side !== width || side === 0) {
    throw new ShapeError('resizeCells', 'views must be [N, 3, S, S]', shapes);
  }
  const [W = 0] = columns.shape;
  const [cells = 0] = origins.shape;
  const fits = columns.size === 3 * W && origins.size === 2 * cells && shades.size === 768 && part.size === 4;
  if (!fits || W === 0) {
    throw new ShapeError('resizeCells', 'columns must be [W, 3], origins [V, 2], shades [3, 256], part [4]', {
      ...shapes,
      part: part.shape,
    });
  }
  // The largest square that fits: its rows are all that the second pass can ask for.
  const rows = Math.floor(Math.sqrt(pixels.size));
  const narrow = empty(pixels, [rows, W]);
  dispatch(resizeRows, { pixels, columns, weights, part, narrow }, { n: rows * W, W });
  dispatch(
    resizeColumns,
    { narrow, columns, weights, origins, shades, part, views },
    { n: cells * side * side, W, side },
  );
}

/** A byte of a sum: 22 fractional bits, rounded, cut off at both ends. */
const toByte = `
fn toByte(sum: vec3i) -> vec3u { return vec3u(clamp((sum + (1 << 21)) >> vec3u(22), vec3i(0), vec3i(255))); }
fn channels(pixel: u32) -> vec3i { return vec3i(vec3u(pixel, pixel >> 8, pixel >> 16) & vec3u(255)); }`;

/** The byte of a line (its three numbers lie at `line` of `columns`), of whose k-th pixel `pixel` is the source. */
const byteOf = (line: string, pixel: string) => `let start = columns[${line}];
  let end = start + columns[${line} + 1];
  let at = columns[${line} + 2] - start;
  var sum = vec3i();
  for (var k = start; k < end; k++) { sum += weights[at + k] * channels(${pixel}); }
  let byte = toByte(sum);`;

// An invocation per pixel of the square's rows, each as wide as all columns of all grids together.
const resizeRows = /*#__PURE__*/ kernel({
  name: 'resize rows of cells',
  bind: { pixels: 'read u32', columns: 'read u32', weights: 'read i32', part: 'read u32', narrow: 'write u32' },
  params: { n: 'u32', W: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /*#__PURE__*/ `${toByte}
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let side = part[0];
  let y = i / params.W;
  if (y >= side) {
    narrow[i] = 0;
    return;
  }
  let column = 3 * (i % params.W);
  ${byteOf('column', 'pixels[y * side + k]')}
  narrow[i] = byte.r | (byte.g << 8) | (byte.b << 16);
}`,
});

// An invocation per pixel of the views.
const resizeColumns = /*#__PURE__*/ kernel({
  name: 'resize columns of cells',
  bind: {
    narrow: 'read u32',
    columns: 'read u32',
    weights: 'read i32',
    origins: 'read u32',
    shades: 'read f32',
    part: 'read u32',
    views: 'update f32',
  },
  params: { n: 'u32', W: 'u32', side: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: /*#__PURE__*/ `${toByte}
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * WG + l;
  let area = params.side * params.side;
  let n = i / area;
  if (i >= params.n || n >= part[2]) { return; }
  let pixel = i % area;
  let cell = 2 * (part[1] + n);
  let x = origins[cell] + pixel % params.side;
  let row = 3 * (origins[cell + 1] + pixel / params.side);
  ${byteOf('row', 'narrow[k * params.W + x]')}
  let out = (part[3] + n) * 3 * area + pixel;
  views[out] = shades[byte.r];
  views[out + area] = shades[256 + byte.g];
  views[out + 2 * area] = shades[512 + byte.b];
}`,
});
