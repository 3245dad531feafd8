// Every matmul kernel computes y[z] = epilogue(a[z] · b[z]) for all z of the batch. How a matrix lies in memory, transposed or not,
// and which of them a batch shares, is a matter of strides: `down` rows and `across` columns of a and of b, and up to three
// batch axes. Here is what the variants share: parameters, the place of a tile, the epilogue. Their main functions are in
// `tile-kernel.ts` (GPUs), `subgroup-kernel.ts` and `quad-kernel.ts` (CPU adapters), of which a page loads the one that its device takes;
// `variants.ts` chooses.

import { type Binding, type Kernel, kernel, type Piece, type WgslFeature } from '../../gpu/index.ts';
import { inRuns } from '../axis/index.ts';
import { type Activation, activationPiece } from '../elementwise/index.ts';

/**
 * Sizes, and strides in elements. The batch axes are numbered from the last; the length of the third is not needed. `chunk` is
 * how much of the inner axis a workgroup sums: all of it, unless the product is split over it. `maxRows` is the number of rows
 * that an invocation keeps: as a constant it would let compilers unroll the loop that stores them, epilogue and all (on lavapipe
 * 6 s of compilation instead of 0.8). All of it is uniform, since every pipeline costs.
 */
export const matmulParams = {
  rows: 'u32',
  cols: 'u32',
  inner: 'u32',
  aDown: 'u32',
  aAcross: 'u32',
  bDown: 'u32',
  bAcross: 'u32',
  batch: 'u32',
  size0: 'u32',
  size1: 'u32',
  a0: 'u32',
  a1: 'u32',
  a2: 'u32',
  b0: 'u32',
  b1: 'u32',
  b2: 'u32',
  chunk: 'u32',
  maxRows: 'u32',
  hasBias: 'u32',
  hasResidual: 'u32',
} as const;

export type MatmulParams = { readonly [K in keyof typeof matmulParams]: number };

/**
 * A kernel by its bindings: a bias or residual that is not there is bound to `a`, and a `pre` or `sums` that nobody needs to a
 * tensor without elements.
 */
export type MatmulKernel = Kernel<MatmulBindings, typeof matmulParams, Record<never, number>>;

export interface MatmulBindings extends Record<string, Binding> {
  readonly a: Binding;
  readonly b: Binding;
  readonly bias: Binding;
  readonly residual: Binding;
  readonly pre: Binding;
  readonly y: Binding;
  readonly sums: Binding;
}

/** What a kernel does with a sum. */
export interface EpilogueSpec {
  /**
   * It can add a bias, or a residual; whether it does is decided by the launch. A kernel that cannot is another pipeline, but CPU
   * adapters run both arms of a condition: without these, products of a short inner axis (64) take a sixth less time.
   */
  readonly bias?: boolean;
  readonly residual?: boolean;
  /** `y = activate(sum + bias)`, and what went into it is kept as `pre`. */
  readonly activation?: Activation | undefined;
  /** `y = sum · activation'(pre)`: a gradient on its way back through an activation. */
  readonly gate?: Activation | undefined;
  /** Sums of the rows of a are stored too: the gradient of a bias, beside that of its weight. */
  readonly rowSums?: boolean;
  /** Parts of sums go to memory as f32, `y [parts, batch, rows, cols]`, for `splitSumKernel`. */
  readonly parts?: boolean;
  /** `cols` is a multiple of 4, and so bias, residual, pre and y are read and written as vec4s. */
  readonly four: boolean;
}

/** What an epilogue calls itself in profiles: `matmul gelu`. */
function matmulName(epilogue: EpilogueSpec): string {
  const words = [
    'matmul',
    epilogue.activation,
    epilogue.gate && `${epilogue.gate} backward`,
    epilogue.rowSums && 'and row sums',
  ];
  return words.filter(Boolean).join(' ');
}

/**
 * Where a tile lies, from its flat number: columns first, then rows, then the batch, then the parts of the inner axis; and how many of
 * its rows from one on exist.
 */
const place: Piece = {
  name: 'place',
  wgsl: `
struct Place { row: u32, col: u32, batch: u32, a: u32, b: u32, k: u32, end: u32, inside: bool }
fn placeOf(tile: u32, tileRows: u32, tileCols: u32) -> Place {
  let wide = (params.cols + tileCols - 1u) / tileCols;
  let high = (params.rows + tileRows - 1u) / tileRows;
  // A remainder by what was divided: lavapipe divides lane by lane.
  let flat = tile / (wide * high);
  let inPlane = tile - flat * (wide * high);
  let down = inPlane / wide;
  let part = flat / params.batch;
  let z = flat - part * params.batch;
  let k = part * params.chunk;
  let z12 = z / params.size0;
  let z0 = z - z12 * params.size0;
  let z2 = z12 / params.size1;
  let z1 = z12 - z2 * params.size1;
  return Place(
    down * tileRows, (inPlane - down * wide) * tileCols, flat,
    z0 * params.a0 + z1 * params.a1 + z2 * params.a2, z0 * params.b0 + z1 * params.b1 + z2 * params.b2,
    k, min(params.inner, k + params.chunk), k < max(params.inner, 1u));
}
fn rowsFrom(row: u32) -> u32 { return min(params.maxRows, max(params.rows, row) - row); }`,
};

/** `store(batch, row, col, sum)`: what happens to a sum, or to four in a row, before it is stored. */
function epiloguePiece(spec: EpilogueSpec): Piece {
  const { activation, gate, parts, four } = spec;
  const each = (f: string, ...xs: readonly string[]) =>
    four ? `vec4f(${[...'xyzw'].map((i) => `${f}(${xs.map((x) => `${x}.${i}`)})`)})` : `${f}(${xs})`;
  const wide = four ? 'vec4f' : 'f32';
  const element = four ? 'vec4<T>' : 'T';
  const finish = parts
    ? ''
    : `
fn finish(i: u32, col: u32, sum: ${wide}) {
  var value = sum;
  ${spec.bias ? `if (params.hasBias != 0u) { value += ${wide}(bias[col]); }` : ''}
  ${activation ? `pre[i] = ${element}(value); value = ${each('activate', 'value')};` : ''}
  ${gate ? `let before = ${wide}(pre[i]); value = ${each('activateGradient', 'before', 'value')};` : ''}
  ${spec.residual ? `if (params.hasResidual != 0u) { value += ${wide}(residual[i]); }` : ''}
  y[i] = ${element}(value);
}`;
  const unit = four ? 4 : 1;
  const store = `
fn store(batch: u32, row: u32, col: u32, sum: ${wide}) {
  if (col >= params.cols) { return; }
  let i = ((batch * params.rows + row) * params.cols + col) / ${unit}u;
  ${parts ? 'y[i] = sum;' : `finish(i, col / ${unit}u, sum);`}
}`;
  return {
    name: 'epilogue',
    needs: activation || gate ? [activationPiece((activation ?? gate) as Activation)] : [],
    wgsl: `${finish}${store}`,
  };
}

/** Of a variant: its operands' elements, what a workgroup computes, and its main function. */
export interface VariantSpec {
  readonly a: 'T' | 'vec2<T>' | 'vec4<T>';
  readonly b: 'T' | 'vec2<T>' | 'vec4<T>';
  readonly requires?: readonly WgslFeature[] | undefined;
  readonly rowsPerWorkgroup: number;
  readonly colsPerWorkgroup: number;
  readonly wgsl: () => Promise<string>;
  readonly rule?: Kernel['rule'];
}

export function matmulKernel(variant: VariantSpec, epilogue: EpilogueSpec): MatmulKernel {
  const { a, b, requires = [], rowsPerWorkgroup, colsPerWorkgroup, wgsl, rule } = variant;
  const along = epilogue.four ? 'vec4<T>' : 'T';
  // Row sums of a part of the inner axis are parts as well.
  const sums = epilogue.parts ? 'f32' : 'T';
  return kernel({
    name: matmulName(epilogue),
    bind: {
      a: `read ${a}`,
      b: `read ${b}`,
      bias: `read ${along}`,
      residual: `read ${along}`,
      pre: epilogue.gate ? `read ${along}` : `write ${along}`,
      y: epilogue.parts ? (epilogue.four ? 'write vec4<f32>' : 'write f32') : `write ${along}`,
      sums: `write ${sums}`,
    } satisfies MatmulBindings,
    params: matmulParams,
    adds: epilogue.residual && 'y',
    requires,
    use: [place, epiloguePiece(epilogue), { name: 'sums', wgsl: `alias S = ${sums};` }],
    // Tiles × batch × parts.
    grid: ({ rows, cols, inner, batch, chunk }) => [
      Math.ceil(rows / rowsPerWorkgroup) *
        Math.ceil(cols / colsPerWorkgroup) *
        batch *
        Math.max(1, Math.ceil(inner / Math.max(1, chunk))),
    ],
    rule,
    wgsl,
  });
}

/** A `rowParts` or `sums` that nobody needs is bound to a tensor without elements. */
export interface SplitSumBindings extends Record<string, Binding> {
  readonly parts: Binding;
  readonly bias: Binding;
  readonly residual: Binding;
  readonly pre: Binding;
  readonly y: Binding;
  readonly rowParts: Binding;
  readonly sums: Binding;
}

export type SplitSumKernel = Kernel<
  SplitSumBindings,
  { count: 'u32'; n: 'u32'; rows: 'u32'; cols: 'u32'; hasBias: 'u32'; hasResidual: 'u32' },
  Record<never, number>
>;

/** Adds up the parts of a product that was split over its inner axis, and finishes it. */
export function splitSumKernel(
  epilogue: EpilogueSpec,
  wgsl: () => Promise<string>,
  rule: Kernel['rule'],
): SplitSumKernel {
  const along = epilogue.four ? 'vec4<T>' : 'T';
  return kernel({
    name: `${matmulName(epilogue)} parts`,
    bind: {
      parts: epilogue.four ? 'read vec4<f32>' : 'read f32',
      bias: `read ${along}`,
      residual: `read ${along}`,
      pre: epilogue.gate ? `read ${along}` : `write ${along}`,
      y: `write ${along}`,
      rowParts: 'read f32',
      sums: 'write T',
    } satisfies SplitSumBindings,
    params: { count: 'u32', n: 'u32', rows: 'u32', cols: 'u32', hasBias: 'u32', hasResidual: 'u32' },
    adds: 'y',
    use: [epiloguePiece(epilogue)],
    grid: ({ n, rows }) => [Math.ceil(Math.max(n / (epilogue.four ? 4 : 1), epilogue.rowSums ? rows : 0) / 64)],
    rule,
    wgsl,
  });
}

/** What main functions are written with: they are loaded on demand, and so import no values (see `tensor/run/on-demand.ts`). */
export interface WgslTools {
  readonly inRuns: typeof inRuns;
  /** `n` lines of code. */
  readonly times: (n: number, code: (i: number) => string) => string;
  /** `n` expressions. */
  readonly list: (n: number, code: (i: number) => string) => string;
}

const repeated = (separator: string) => (n: number, code: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => code(i)).join(separator);

export const wgslTools: WgslTools = {
  inRuns,
  times: /*#__PURE__*/ repeated('\n'),
  list: /*#__PURE__*/ repeated(', '),
};
