// What `tile-kernel.ts` does for matrices whose rows in memory are no whole vec4s, and so begin anywhere. Every load is an aligned vec4
// nevertheless: memory ends at whole vec4s. Loaded on demand, and so imports no values.
import type { WgslTools } from './kernel-interface.ts';
import type { Block, Lines } from './tile-blocks.ts';

// With it comes what operands in f16 take: a small page has neither.
export { formed } from './half-tiles.ts';

/** `unaligned(low, high, at)`: four elements from `at` on, of the vec4 that the first lies in and the next. */
export const unaligned = `
fn unaligned(low: V, high: V, at: u32) -> V {
  let isFar = (at & 2u) != 0u;
  let four = select(low, V(low.zw, high.xy), isFar);
  return select(four, V(four.yzw, select(high.x, high.z, isFar)), (at & 1u) != 0u);
}`;

/**
 * As the block of whole vec4s, but where lines lie side by side, each four of them lies in two vec4s: a thread loads both, of which one is
 * its neighbour's too and in the nearest cache.
 */
export function unalignedBlock(block: Block, { which, first, count, stride }: Lines, { times }: WgslTools): Block {
  const { step, line } = block;
  const [at, last] = [`${which}At`, `${which}Last`];
  return {
    ...block,
    place: `let ${at} = p.${which} + ${first} + (${line}) * 4u;
      let ${last} = (p.${which} + (max(params.inner, 1u) - 1u) * ${stride} + ${count} - 1u) / 4u;`,
    load: (name, k) =>
      times(
        4,
        (i) => `${name}${i} = V();
        if (${k} + ${step} * 4u + ${i}u < p.end) {
          let at = ${at} + (${k} + ${step} * 4u + ${i}u) * ${stride};
          ${name}${i} = unaligned(V(${which}[min(at / 4u, ${last})]), V(${which}[min(at / 4u + 1u, ${last})]), at);
        }`,
      ),
  };
}

/** Steps that a tile of shifted rows holds: the 16 that are multiplied, and those that came with them. */
const HELD = 32;

/**
 * Of rows along the inner axis. A thread's four rows lie `fours` apart, so that they begin at the same place modulo `fours`. Of each row 16
 * steps are loaded from the next multiple of `fours` elements in memory on: whole sectors, up to 15 steps later than of another row. The
 * tile holds 32 steps, of which the first 16 are complete; what is stored lies in it by its own step modulo 32.
 *
 * Of eight threads that store side by side, four have four steps each of one vec4 of rows, and four of the next: exchanging vec4s by the
 * step keeps them in different banks.
 */
export function shiftedBlock({ which, first, count, stride, fours }: Lines, { list, times }: WgslTools): Block {
  const [step, line] = ['block % 4u', 'block / 4u'];
  const [row, begin, shift] = [`${which}Row`, `${which}Begin`, `${which}Shift`];
  const further = (n: number) => `select(0u, ${n * fours}u * ${stride}, ${row} + ${n * fours}u < ${count})`;
  return {
    ...{ step, line, length: HELD * fours, isShifted: true, lineAt: `l % ${fours}u][l / ${fours}u` },
    rowOf: (thread) => `${thread} * ${fours / 8}u + i / 4u + i % 4u * ${fours}u`,
    // Rows beyond the edge repeat others, and are not stored.
    place: `let ${row} = min(${first} + ${line}, ${count} - 1u);
      let ${begin} = p.${which} + ${row} * ${stride};
      let ${shift} = ((0u - ${begin}) & ${fours - 1}u) + ${step} * 4u;
      ${times(4, (n) => `let ${which}At${n} = ${begin} + ${shift} + ${further(n)};`)}`,
    load: (name, k) => `${times(4, (n) => `${name}${n} = V();`)}
      {
        let inside = ${k} + ${shift} - p.k + vec4u(0u, 1u, 2u, 3u) < vec4u(p.end - p.k);
        if (any(inside)) {
          ${times(4, (n) => `${name}${n} = select(V(), V(${which}[(${which}At${n} + ${k}) / 4u]), inside);`)}
        }
      }`,
    store: (name, k) =>
      times(
        4,
        (i) => `{
        let slot = (${k} + ${shift} + ${i}u) % ${HELD}u;
        ${which}Tile[slot * ${fours}u + ((${line}) ^ (slot / 4u * 2u % 8u))] = V(${list(4, (n) => `${name}${n}[${i}]`)});
      }`,
      ),
    quadAt: (quad) => `start % ${HELD}u * ${fours}u + ((${quad}) ^ (four * 2u))`,
    stepAt: `(four * 4u + k) * ${fours}u`,
    addRows: (name) => `rowSum += vec4f(${list(4, (n) => `dot(vec4f(${name}${n}), vec4f(1.0))`)});`,
  };
}

/**
 * Stores the `i`-th row of every thread, `v0` and `v1`, through the tile of a: where the result's rows begin anywhere, or a thread's columns
 * lie apart, neighbours so store neighbours. `rowOf`: the row of eight threads that share one.
 */
export function storeThroughTile(
  fours: number,
  isShifted: boolean | undefined,
  isFour: boolean,
  rowOf: (thread: string) => string,
  { list, times }: WgslTools,
): string {
  const unit = isFour ? 4 : 1;
  // A vec4 more, so that rows begin in different banks.
  const long = fours + 1;
  const one = isShifted
    ? (n: number) => `aTile[above * ${long}u + (col + ${n}u) % ${fours}u][col / ${fours}u]`
    : () => `aTile[above * ${long}u + col / 4u][col % 4u]`;
  return `workgroupBarrier();
    ${times(fours / 8, (c) => `aTile[top * ${long}u + left + ${8 * c}u] = v${c};`)}
    workgroupBarrier();
    for (var n = l; n < ${(32 * fours) / unit}u; n += 64u) {
      let above = n / ${(4 * fours) / unit}u;
      let col = n % ${(4 * fours) / unit}u * ${unit}u;
      let row = p.row + ${rowOf('above')};
      if (row < params.rows) { store(p.batch, row, p.col + col, ${isFour ? `vec4f(${list(4, one)})` : one(0)}); }
    }`;
}
