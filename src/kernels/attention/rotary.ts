import { type Binding, type Device, type Kernel, kernel, notNumbers } from '../../gpu/index.ts';
import { checkDevice, differentiable, dispatch, empty, type Tensor, tensor } from '../../tensor/graph/index.ts';
import { ShapeError, sameShape, shown, size } from '../../tensor/values/index.ts';
import { checkFloats, checkNumber, checkOptions, checkTensors } from '../axis/index.ts';
import { memoize } from './interface.ts';

/**
 * Cosines and sines for {@link rotaryEmbedding}, `[length, width]`: row p holds `cos(p w_j)` for j < width / 2, then `sin(p w_j)`, with
 * `w_j = base^(-2j / width)`. Computed in double precision. Any other table of this form does as well: scaled frequencies, or axes of an
 * image.
 *
 * @throws ShapeError unless the length is a whole number and the width an even one.
 */
export function rotaryTable(device: Device, length: number, width: number, base = 10_000): Tensor {
  checkDevice('rotaryTable', device);
  checkNumber('rotaryTable', 'base', base);
  if (!Number.isInteger(length) || length < 0 || !Number.isInteger(width) || width % 2 !== 0 || width < 2) {
    throw new ShapeError(
      'rotaryTable',
      `the length must be whole and the width even; got ${shown(length)} and ${shown(width)}`,
    );
  }
  const half = width / 2;
  const table = new Float32Array(length * width);
  for (let j = 0; j < half; j++) {
    const w = base ** (-j / half);
    for (let p = 0; p < length; p++) {
      table[p * width + j] = Math.cos(p * w);
      table[p * width + half + j] = Math.sin(p * w);
    }
  }
  return tensor(device, table, [length, width]);
}

export interface RotaryOptions {
  /** u32 or i32 `[N]`, or `[B, N]` with the first axis of x: the row of the table for each place. Default: 0, 1, …, N - 1. */
  readonly positions?: Tensor | undefined;
  /** Pairs are neighbours, as in the paper and GPT-J; else the first half and the second, as in LLaMA. Default: false. */
  readonly interleaved?: boolean;
}

/**
 * Rotary position embedding (https://arxiv.org/abs/2104.09864): turns pairs of elements of queries and keys by angles that grow with the
 * position: `y₁ = x₁ cos - x₂ sin`, `y₂ = x₂ cos + x₁ sin`. `x [B, …, N, D]`, or `[N, D]`, and a table of {@link rotaryTable}. The gradient
 * turns `dy` back. A position that the table does not have gives NaN.
 *
 * ```ts
 * const table = rotaryTable(device, 2048, 64);
 * const y = attention(rotaryEmbedding(q, table), rotaryEmbedding(k, table), v, { causal: true }); // q [B, H, N, 64]
 * ```
 *
 * @throws ShapeError when the widths differ, the table is shorter than N, or positions are not u32 or i32 `[N]` or `[B, N]`.
 */
export function rotaryEmbedding(x: Tensor, table: Tensor, options: RotaryOptions = {}): Tensor {
  const op = 'rotaryEmbedding';
  checkOptions(op, options, ['positions', 'interleaved']);
  const { positions, interleaved = false } = options;
  checkFloats(op, { x });
  checkTensors(op, { table, ...(positions && { positions }) });
  const shapes = { x: x.shape, table: table.shape, ...(positions && { positions: positions.shape }) };
  const [places = 0, width = 0] = x.shape.slice(-2);
  const [length = 0] = table.shape;
  if (x.shape.length < 2 || width % 2 !== 0 || table.shape.length !== 2 || table.shape[1] !== width) {
    throw new ShapeError(op, 'x must be […, N, D] with an even D, the table [length, D]', shapes);
  }
  if (table.dtype !== 'f32') throw new ShapeError(op, `the table must be f32; it is ${table.dtype}`, shapes);
  const each = positions !== undefined && positions.shape.length === 2;
  if (positions ? !['u32', 'i32'].includes(positions.dtype) : length < places) {
    const rule = positions
      ? `positions must be u32 or i32, not ${positions.dtype}`
      : 'the table must have a row for each place';
    throw new ShapeError(op, rule, shapes);
  }
  if (positions && !sameShape(positions.shape, each ? [x.shape[0] as number, places] : [places])) {
    throw new ShapeError(op, 'positions must be [N], or [B, N] with the first axis of x', shapes);
  }
  const params = {
    pairs: x.size / 2,
    width,
    places,
    length,
    // From one image to the next, in places and in positions.
    image: each ? size(x.shape.slice(1, -1)) : Math.max(1, x.size),
    positionsOfEach: each ? places : 0,
    interleaved: Number(interleaved),
  };
  const turn = (from: Tensor, sign: number): Tensor => {
    const y = empty(from);
    const made = memoize(kernels, positions !== undefined, () => makeKernel(positions !== undefined));
    dispatch(made, { x: from, table, ...(positions && { positions }), y }, { ...params, sign });
    return differentiable(y, [from], (dy) => [turn(dy, -sign)]);
  };
  return turn(x, 1);
}

const kernels = new Map<boolean, RotaryKernel>();
type RotaryKernel = Kernel<Record<string, Binding>, Record<string, 'u32' | 'f32'>, { WG: number }>;

// An invocation turns one pair. A position below 0 is beyond the table, as u32.
function makeKernel(hasPositions: boolean): RotaryKernel {
  return kernel({
    name: 'rotary-embedding',
    bind: {
      x: 'read T',
      table: 'read f32',
      ...(hasPositions && { positions: 'read u32' as const }),
      y: 'write T',
    },
    params: {
      pairs: 'u32',
      width: 'u32',
      places: 'u32',
      length: 'u32',
      image: 'u32',
      positionsOfEach: 'u32',
      interleaved: 'u32',
      sign: 'f32',
    },
    override: { WG: 64 },
    use: [notNumbers],
    grid: ({ pairs }, { WG }) => [Math.ceil(pairs / WG)],
    wgsl: /* wgsl */ `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let pair = flatGroup(g, size) * WG + l;
  if (pair >= params.pairs) { return; }
  let half = params.width / 2u;
  let row = pair / half;
  let j = pair - row * half;
  let place = row % params.places;
  let position = ${hasPositions ? 'positions[row / params.image * params.positionsOfEach + place]' : 'place'};
  let at = row * params.width;
  let first = at + select(j, 2u * j, params.interleaved == 1u);
  let second = first + select(half, 1u, params.interleaved == 1u);
  let x1 = f32(x[first]);
  let x2 = f32(x[second]);
  var c = nanFrom(x1);
  var s = c;
  if (position < params.length) {
    c = table[position * params.width + j];
    s = table[position * params.width + half + j] * params.sign;
  }
  y[first] = T(x1 * c - x2 * s);
  y[second] = T(x2 * c + x1 * s);
}`,
  }) as unknown as RotaryKernel;
}
