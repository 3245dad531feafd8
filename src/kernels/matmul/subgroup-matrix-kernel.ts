import type { WgslTools } from './kernel-interface.ts';
import type { Operand } from './subgroup-kernel.ts';
import type { TileSpec } from './tile-kernel.ts';

/** A product that matrix units do in one instruction: `[M, K] · [K, N]`, with elements of `component` and sums of f32. */
export interface MatrixUnit {
  readonly component: 'f16' | 'f32';
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** Threads of a workgroup: {@link SUBGROUPS} of the largest subgroups of the device. */
  readonly threads: number;
  /** How WGSL says which way a matrix lies: `row_major` in the template, or formerly whether columns are contiguous, among the arguments. */
  readonly spelling: 'template' | 'argument';
}

/** Subgroups that multiply, two rows of two. Where subgroups are smaller than they may be there are more, and the rest only load and store. */
export const SUBGROUPS = 4;

/** Steps of the inner axis that lie in workgroup memory at a time. */
export const stepsOf = (component: MatrixUnit['component']): number => (component === 'f16' ? 32 : 16);

/** Workgroup memory of the largest kernel: squares of 64 and M of 16, with sums of rows. */
export const WORKGROUP_BYTES = 20_992;

/** Products before sums are added to those before them, as of the usual tiles. */
const RUN = 1024;

/** 16 bytes, to which Vulkan wants rows aligned, as elements: beside a power of two they keep rows in different banks. */
const PADDING = { f16: 8, f32: 4 } as const;

/** How a tile of an operand lies in workgroup memory: as the operand does in the GPU's, so that nothing is turned. */
interface Tile {
  readonly which: 'a' | 'b';
  readonly isInner: boolean;
  readonly isFour: boolean;
  readonly component: MatrixUnit['component'];
  /** Rows of the square, or columns. */
  readonly side: number;
  readonly threads: number;
  /** Elements from one contiguous line to the next. */
  readonly stride: number;
  readonly length: number;
  /** Vec4s that a thread brings. */
  readonly fours: number;
}

/**
 * The tiles of GPUs by their matrix units, with the same parameters, places and epilogues as those of `tile-kernel.ts`. Each of four
 * subgroups computes a quarter of the square, M × N at a time, out of tiles in workgroup memory with zeros beyond the inner axis. The next
 * tiles are on their way while these are multiplied. A sum's place in a matrix is the device's own affair: sums go through `slab`,
 * rows of both upper and both lower subgroups at a time, and each thread finishes vec4s of those. Sums of a's rows are products with ones.
 */
export function subgroupMatrixWgsl(
  unit: MatrixUnit,
  { threadTile, a, b, loops, epilogue }: TileSpec,
  { times, list }: WgslTools,
): string {
  const { component, M, N, K, threads, spelling } = unit;
  const side = 8 * threadTile;
  const half = side / 2;
  const steps = stepsOf(component);
  const [down, across] = [half / M, half / N];
  const tileOf = (which: 'a' | 'b', { along, four }: Operand): Tile => {
    const isInner = along === 'inner';
    const stride = (isInner ? steps : side) + PADDING[component];
    const length = (isInner ? side : steps) * stride;
    const fours = Math.ceil((side * steps) / 4 / threads);
    return { which, isInner, isFour: four, component, side, threads, stride, length, fours };
  };
  const tiles = [tileOf('a', a), tileOf('b', b)] as const;
  const each = (code: (tile: Tile) => string) => tiles.map(code).join('\n');
  const [aTile, bTile] = tiles;

  const matrixAt = (kind: string, from: string, at: string, isRowMajor: boolean, stride: number) =>
    spelling === 'template'
      ? `subgroupMatrixLoad<${kind}, ${isRowMajor ? 'row_major' : 'col_major'}>(&${from}, ${at}, ${stride}u)`
      : `subgroupMatrixLoad<${kind}>(&${from}, ${at}, ${!isRowMajor}, ${stride}u)`;
  const storeMatrix = (to: string, at: string, matrix: string, stride: number) =>
    spelling === 'template'
      ? `subgroupMatrixStore<row_major>(&${to}, ${at}, ${matrix}, ${stride}u);`
      : `subgroupMatrixStore(&${to}, ${at}, ${matrix}, false, ${stride}u);`;
  /** Where a matrix begins whose first line is `line`, from step k on. */
  const placeIn = ({ isInner, stride }: Tile, line: string) =>
    isInner ? `(${line}) * ${stride}u + k` : `k * ${stride}u + ${line}`;

  const { rowSums: hasRowSums, four } = epilogue;
  const ifSums = (code: string) => (hasRowSums ? code : '');
  const isLong = loops > 1;
  const width = four ? 4 : 1;
  // A vec4 more, so that rows begin in different banks.
  const long = side + 4;
  const rows = 2 * M;
  const inRow = side / width;
  const turns = Math.ceil((rows * inRow) / threads);
  const rowTurns = Math.ceil(rows / threads);
  const ofSlab = (c: number) => `slab[q * ${long}u + col${c ? ` + ${c}u` : ''}]`;
  const type = four ? 'vec4f' : 'f32';
  // The last run's sums are stored; those of others are kept. They lie in memory, of which a run of 1024 products takes no notice.
  const keep = (totals: string, value: string, count: number) =>
    isLong
      ? `let at = i * ${count}u + n / ${threads}u;
        ${value} += ${totals}[at];
        if (!isLast) { ${totals}[at] = ${value}; continue; }`
      : '';
  // Not an array of matrices: one with an index that is known when it runs would lie in memory.
  const storeSums = (r: number) => `
        ${times(across, (c) => storeMatrix('slab', `slabAt + ${c * N}u`, `s${r}_${c}`, long))}
        ${ifSums(`if (p.col == 0u && left == 0u) { ${storeMatrix('rowSlab', `top / ${half}u * ${M * N}u`, `rowSum${r}`, N)} }`)}`;

  const multiply = `
    for (var start = ${isLong ? 'run' : 'p.k'}; start < ${isLong ? 'runEnd' : 'p.end'}; start += ${steps}u) {
      ${each((tile) => storeTile(tile))}
      workgroupBarrier();
      let next = start + ${steps}u;
      ${each((tile) => loadTile(tile, 'next'))}
      if (subgroup < ${SUBGROUPS}u) {
        for (var k = 0u; k < ${steps}u; k += ${K}u) {
          ${times(down, (r) => `let a${r} = ${matrixAt('Left', 'aTile', placeIn(aTile, `top + ${r * M}u`), aTile.isInner, aTile.stride)};`)}
          ${ifSums(`if (p.col == 0u && left == 0u) {
            let ones = Right(1);
            ${times(down, (r) => `rowSum${r} = subgroupMatrixMultiplyAccumulate(a${r}, ones, rowSum${r});`)}
          }`)}
          ${times(
            across,
            (
              c,
            ) => `let b${c} = ${matrixAt('Right', 'bTile', placeIn(bTile, `left + ${c * N}u`), !bTile.isInner, bTile.stride)};
          ${times(down, (r) => `s${r}_${c} = subgroupMatrixMultiplyAccumulate(a${r}, b${c}, s${r}_${c});`)}`,
          )}
        }
      }
      workgroupBarrier();
    }`;
  // The bound is a parameter, as a constant would let compilers unroll it with the epilogue.
  const finish = `
    for (var i = 0u; i < min(${down}u, params.maxRows); i++) {
      if (subgroup < ${SUBGROUPS}u) {
        let slabAt = top / ${half}u * ${M * long}u + left;
        switch (i) {
          ${times(down - 1, (r) => `case ${r + 1}u: { ${storeSums(r + 1)} }`)}
          default: { ${storeSums(0)} }
        }
      }
      workgroupBarrier();
      for (var n = l; n < ${rows * inRow}u; n += ${threads}u) {
        let q = n / ${inRow}u;
        let col = n % ${inRow}u * ${width}u;
        let row = p.row + q / ${M}u * ${half}u + i * ${M}u + q % ${M}u;
        var value = ${four ? `vec4f(${list(4, ofSlab)})` : ofSlab(0)};
        ${keep('totals', 'value', turns)}
        if (row < params.rows) { store(p.batch, row, p.col + col, value); }
      }
      ${ifSums(`if (p.col == 0u) {
        for (var n = l; n < ${rows}u; n += ${threads}u) {
          let row = p.row + n / ${M}u * ${half}u + i * ${M}u + n % ${M}u;
          var rowSum = rowSlab[n * ${N}u];
          ${keep('rowTotals', 'rowSum', rowTurns)}
          if (row < params.rows) { sums[p.batch * params.rows + row] = S(rowSum); }
        }
      }`)}
      workgroupBarrier();
    }`;
  const matrices = `
    ${times(down, (r) => times(across, (c) => `var s${r}_${c} = Sums();`))}
    ${ifSums(times(down, (r) => `var rowSum${r} = Sums();`))}`;
  return `
alias Left = subgroup_matrix_left<${component}, ${K}, ${M}>;
alias Right = subgroup_matrix_right<${component}, ${N}, ${K}>;
alias Sums = subgroup_matrix_result<f32, ${N}, ${M}>;
${each(({ which, length }) => `var<workgroup> ${which}Tile: array<${component}, ${length}>;`)}
var<workgroup> slab: array<f32, ${rows * long}>;
${ifSums(`var<workgroup> rowSlab: array<f32, ${rows * N}>;`)}
// What depends on the subgroup alone is the same for all of its threads.
@diagnostic(off, chromium.subgroup_matrix_uniformity)
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32,
  @builtin(subgroup_id) subgroup: u32
) {
  let p = placeOf(flatGroup(g, size), ${side}u, ${side}u);
  if (!p.inside) { return; }
  let top = subgroup / 2u * ${half}u;
  let left = subgroup % 2u * ${half}u;
  ${each((tile) => placeTile(tile))}
  ${each((tile) => loadTile(tile, 'p.k'))}
  ${
    isLong
      ? `var totals: array<${type}, ${down * turns}>;
  ${ifSums(`var rowTotals: array<f32, ${down * rowTurns}>;`)}
  // Also where there is nothing to sum: zeros.
  for (var run = p.k; run == p.k || run < p.end; run += ${RUN}u) {
    let runEnd = min(p.end, run + ${RUN}u);
    let isLast = runEnd == p.end;
    ${matrices}
    ${multiply}
    ${finish}
  }`
      : `${matrices}
  ${multiply}
  ${finish}`
  }
}`;
}

/** Which line and step the `i`-th vec4 of a thread begins at. Neighbours bring what lies next to each other. */
function partOf({ isInner, component, side, threads }: Tile, i: number) {
  const part = i === 0 ? 'l' : `(l + ${i * threads}u)`;
  const inLine = (isInner ? stepsOf(component) : side) / 4;
  const [line, along] = [`${part} / ${inLine}u`, `${part} % ${inLine}u * 4u`];
  return isInner ? { line, step: along } : { line: along, step: line };
}

/** All vec4s of a tile that a thread brings; those beyond the last, where threads are more than vec4s, are none. */
function everyPart(
  tile: Tile,
  code: (i: number, part: { readonly line: string; readonly step: string }) => string,
): string {
  const { component, side, threads, fours } = tile;
  const lines = Array.from({ length: fours }, (_, i) => code(i, partOf(tile, i)));
  const count = (side * stepsOf(component)) / 4;
  return count < threads ? `if (l < ${count}u) {\n${lines.join('\n')}\n}` : lines.join('\n');
}

/** Declares what a thread brings, and where in the GPU's memory its lines begin. Lines beyond the edge repeat the last, and are not stored. */
function placeTile(tile: Tile): string {
  const { which, isInner, isFour, component, fours } = tile;
  const [first, count] = which === 'a' ? ['p.row', 'params.rows'] : ['p.col', 'params.cols'];
  const stride = strideOf(tile);
  return Array.from({ length: fours }, (_, i) => {
    const { line } = partOf(tile, i);
    const last = `${count} - ${!isInner && isFour ? 4 : 1}u`;
    const lineAt = `min(${first} + ${line}, ${last})`;
    return `let ${which}At${i} = p.${which} + ${isInner ? `${lineAt} * ${stride}` : lineAt};
  var ${which}Held${i} = vec4<${component}>();`;
  }).join('\n');
}

function strideOf({ which, isInner }: Tile): string {
  return `params.${which}${isInner === (which === 'a') ? 'Down' : 'Across'}`;
}

/** Loads what a thread brings of the tile from step `k` on, or zeros beyond the inner axis. */
function loadTile(tile: Tile, k: string): string {
  const { which, isInner, isFour, component } = tile;
  const stride = strideOf(tile);
  const [first, count] = which === 'a' ? ['p.row', 'params.rows'] : ['p.col', 'params.cols'];
  return everyPart(tile, (i, { line, step }) => {
    const held = `${which}Held${i}`;
    const from = `${which}At${i}`;
    const at = isInner ? `${from} + ${k} + ${step}` : `${from} + (${k} + ${step}) * ${stride}`;
    if (isFour) {
      return `${held} = vec4<${component}>();
      if (${k} + ${step} < p.end) { ${held} = vec4<${component}>(${which}[(${at}) / 4u]); }`;
    }
    // Rows in memory begin anywhere: element by element.
    const one = (n: number) => {
      // Lines that follow the first end with the last.
      const further = isInner ? `${n}u` : `min(${n}u, ${count} - 1u - min(${first} + ${line}, ${count} - 1u))`;
      const isThere = isInner ? `${k} + ${step} + ${n}u < p.end` : `${k} + ${step} < p.end`;
      return `if (${isThere}) {
        let at = ${at} + ${further};
        ${held}[${n}] = ${component}(${which}[at / 4u][at % 4u]);
      }`;
    };
    return `${held} = vec4<${component}>();\n${[0, 1, 2, 3].map(one).join('\n')}`;
  });
}

/** Stores in the tile what a thread has brought. */
function storeTile(tile: Tile): string {
  const { which, isInner, stride } = tile;
  return everyPart(tile, (i, { line, step }) => {
    const at = isInner ? `(${line}) * ${stride}u + ${step}` : `(${step}) * ${stride}u + ${line}`;
    return [0, 1, 2, 3].map((n) => `${which}Tile[${at} + ${n}u] = ${which}Held${i}[${n}];`).join('\n');
  });
}
