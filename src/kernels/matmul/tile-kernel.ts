import type { WgslFeature } from '../../gpu/index.ts';
import type { EpilogueSpec, WgslTools } from './kernel-interface.ts';
import type { Operand } from './subgroup-kernel.ts';
import { type Block, blockOf, linesOf } from './tile-blocks.ts';

export interface TileSpec {
  /** Rows and columns of an invocation. */
  readonly threadTile: 4 | 8;
  readonly a: Operand;
  readonly b: Operand;
  /** Over the inner axis: see `inRuns`. */
  readonly loops: number;
  readonly epilogue: EpilogueSpec;
  /** What is made of the usual tiles: what the device was told to take, else by the operands' dtype and its vendor. See `half-tiles.ts`. */
  readonly form: TileForm | string;
}

/** A way to compute tiles that is taken where a program asks for it. */
export interface TileForm {
  readonly name: string;
  readonly requires?: readonly WgslFeature[];
  /** The main function and its memory, of those of the usual tiles. */
  readonly wgsl: (
    usual: string,
    spec: TileSpec,
    tools: WgslTools & { readonly halfTiles: (wgsl: string, spec: TileSpec) => string },
  ) => string;
}

/** Steps of the inner axis that are multiplied at a time. */
const STEPS = 16;

/**
 * For GPUs. A workgroup of 8 × 8 threads computes a square of `8 · threadTile`. Each brings a block of 4 × 4 of both operands by vec4s
 * along the axis that is contiguous, turns it where that is the inner one, and stores it as vec4s along rows of a and columns of b. The
 * next blocks are on their way while these are multiplied. A thread has fours of rows that follow each other, and fours of columns that
 * lie eight fours apart, so that neighbours read and write neighbours. The smaller square is for products that would leave a GPU's cores
 * idle with the larger. `ragged`: what matrices take whose rows are no whole vec4s. V is what a tile holds, and behind its loop the tile
 * of a holds sums: `half-tiles.ts` builds on both.
 *
 * Loaded on demand, and so imports no values of other scripts.
 */
export function tileWgsl(
  { threadTile, a, b, loops, epilogue }: TileSpec,
  tools: WgslTools,
  ragged: typeof import('./ragged-tiles.ts') | undefined,
): string {
  const { inRuns, times } = tools;
  const side = 8 * threadTile;
  const fours = side / 4;
  const quads = threadTile / 4;
  const isLarge = threadTile === 8;
  const { rowSums: hasRowSums } = epilogue;
  const block = (which: 'a' | 'b', operand: Operand): Block => {
    const lines = linesOf(which, operand, fours);
    if (operand.four || !ragged) return blockOf(lines, operand, tools);
    return operand.along === 'inner'
      ? ragged.shiftedBlock(lines, tools)
      : ragged.unalignedBlock(blockOf(lines, operand, tools), lines, tools);
  };
  const blocks = { a: block('a', a), b: block('b', b) };
  // Of the large square each thread brings a block of a and one of b. Of the small one the first half of them brings a, the other b.
  const both = (code: (which: 'a' | 'b') => string) =>
    isLarge ? `${code('a')}\n${code('b')}` : `if (l < 32u) {\n${code('a')}\n} else {\n${code('b')}\n}`;
  const nameOf = (which: 'a' | 'b') => (isLarge ? which : 'held');
  const load = (k: string) => both((which) => blocks[which].load(nameOf(which), k));
  const store = (which: 'a' | 'b', k: string) => `${blocks[which].store(nameOf(which), k)}
    ${which === 'a' && hasRowSums ? blocks.a.addRows(nameOf('a')) : ''}`;
  const early = (which: 'a' | 'b') =>
    blocks[which].isShifted
      ? blocks[which].load(nameOf(which), `p.k - ${STEPS}u`) + store(which, `p.k - ${STEPS}u`)
      : '';
  const sums = (code: (r: number, c: number) => string) => times(threadTile, (r) => times(quads, (c) => code(r, c)));
  const summed = [...sums((r, c) => `s${r}${c}`).split('\n'), ...(hasRowSums ? ['rowSum'] : [])];
  return `
alias V = vec4f;
var<workgroup> aTile: array<vec4f, ${blocks.a.length}>;
var<workgroup> bTile: array<vec4f, ${blocks.b.length}>;
${[a, b].some(({ along, four }) => along === 'outer' && !four) ? ragged?.unaligned : ''}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let p = placeOf(flatGroup(g, size), ${side}u, ${side}u);
  if (!p.inside) { return; }
  let block = l${isLarge ? '' : ' % 32u'};
  ${blocks.a.place}
  ${blocks.b.place}
  ${times(4, (i) => (isLarge ? `var a${i} = V(); var b${i} = V();` : `var held${i} = V();`))}
  ${summed.map((name) => `var ${name} = vec4f();`).join('\n')}
  ${blocks.a.isShifted || blocks.b.isShifted ? both(early) : ''}
  ${load('p.k')}
  let top = l / 8u;
  let left = l % 8u;
  ${inRuns(
    Object.fromEntries(summed.map((name) => [name, 'vec4f'])),
    { counter: 'start', from: 'p.k', to: 'p.end', by: `${STEPS}u` },
    `${both((which) => store(which, 'start'))}
    workgroupBarrier();
    ${load(`start + ${STEPS}u`)}
    for (var four = 0u; four < 4u; four++) {
      ${times(quads, (r) => `let aQuad${r} = ${blocks.a.quadAt(`top * ${quads}u + ${r}u`)};`)}
      ${times(quads, (c) => `let bQuad${c} = ${blocks.b.quadAt(`left + ${8 * c}u`)};`)}
      for (var k = 0u; k < 4u; k++) {
        ${times(quads, (r) => `let a${r}x = vec4f(aTile[aQuad${r} + ${blocks.a.stepAt}]);`)}
        ${times(quads, (c) => `let b${c}x = vec4f(bTile[bQuad${c} + ${blocks.b.stepAt}]);`)}
        ${sums((r, c) => `s${r}${c} += a${Math.floor(r / 4)}x[${r % 4}] * b${c}x;`)}
      }
    }
    workgroupBarrier();`,
    { loops },
  )}
  ${hasRowSums ? storeRowSums(fours, blocks.a) : ''}
  for (var i = 0u; i < params.maxRows; i++) {
    ${times(quads, (c) => `var v${c} = s0${c};`)}
    // Not an array: one with an index that is known when it runs would lie in memory.
    switch (i) {
      ${times(threadTile - 1, (r) => `case ${r + 1}u: { ${times(quads, (c) => `v${c} = s${r + 1}${c};`)} }`)}
      default: {}
    }
    ${
      ragged && (blocks.b.isShifted || !epilogue.four)
        ? ragged.storeThroughTile(fours, blocks.b.isShifted, epilogue.four, blocks.a.rowOf, tools)
        : `let row = p.row + ${blocks.a.rowOf('top')};
    if (row >= params.rows) { continue; }
    for (var j = 0u; j < ${quads}u; j++) {
      store(p.batch, row, p.col + left * 4u + j * 32u, ${isLarge ? 'select(v0, v1, j == 1u)' : 'v0'});
    }`
    }
  }
}`;
}

/** The sums of the rows that threads have brought are in pieces: every four steps were others'. */
const storeRowSums = (fours: number, { step, line, lineAt }: Block) => `
  if (p.col == 0u) {
    if (l < ${4 * fours}u) { aTile[(${step}) * ${fours}u + ${line}] = rowSum; }
    workgroupBarrier();
    if (l < ${4 * fours}u && p.row + l < params.rows) {
      var total = 0.0;
      for (var i = 0u; i < 4u; i++) { total += aTile[i * ${fours}u + ${lineAt}]; }
      sums[p.batch * params.rows + p.row + l] = S(total);
    }
  }`;
