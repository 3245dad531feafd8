import type { WgslTools } from './kernel-interface.ts';
import type { Operand, SubgroupSpec } from './subgroup-kernel.ts';

// For CPU adapters with subgroups of 4, which is SwiftShader. Its compiler makes code that is long for what it does: 80 instructions a load of an element
// in four lanes, however they lie; some 20 a broadcast; nine for every sum at the end of a turn, which it stores through a mask of lanes;
// and it moves operands that do not fit into registers before and after each product. Code that does not fit into the first cache is no
// faster with fewer instructions, so that a small kernel is as fast as a large one, and is compiled in a third of the time.
//
// So: the lanes of a quad load a row each, and the quad is turned three times, which is one instruction: a lane multiplies the rows of all
// four by its columns. Sums are scalars, whose products are added up in a register before they are added to it. Operands are
// taken out of their vectors once. b comes first in a product, since it is the first that is moved.

/** As that of `subgroup-kernel.ts`, in whose place it is loaded. `group`: threads of a workgroup. Imports no values, as it is loaded on demand. */
export function subgroupWgsl(spec: SubgroupSpec, group: number, { inRuns, list, times }: WgslTools): string {
  const { rowsPerThread, colsPerThread, a, b, ragged, loops, innermost, epilogue } = spec;
  // A column, or four that follow each other, is a lane's unit.
  const unit = epilogue.four ? 4 : 1;
  const wide = colsPerThread / unit;
  const type = epilogue.four ? 'vec4f' : 'f32';
  const quads = rowsPerThread / 4;
  // Step k + i, inside the matrix; and what was loaded of it, or zero beyond.
  const at = (i: number) => (ragged ? `min(k + ${i}u, p.end - 1u)` : `(k + ${i}u)`);
  const inside = (i: number, of: string, zero: string) => (ragged ? `select(${zero}, ${of}, k + ${i}u < p.end)` : of);
  // Four steps of a line that begins at `from`.
  const strip = ({ four }: Operand, name: 'a' | 'b', from: string) =>
    four
      ? `vec4f(${name}[(${from} + k) / 4u])`
      : `vec4f(${list(4, (i) => inside(i, `f32(${name}[${from} + ${at(i)}])`, '0.0'))})`;

  // Lanes hold rows that follow each other, or, where vec4s of a are four rows, four of these.
  const isTall = a.along === 'outer' && a.four && rowsPerThread % 16 === 0;
  const rowOf = (q: string, lane: string) =>
    isTall ? `p.row + ${q} / 4u * 16u + ${lane} * 4u + ${q} % 4u` : `p.row + ${q} * 4u + ${lane}`;
  const tall = (q: number) => Math.floor(q / 4);
  const placeA = (q: number) => {
    if (isTall)
      return q % 4 === 0 ? `let aAt${tall(q)} = p.a + min(p.row + ${4 * q}u + lane * 4u, params.rows - 4u);` : '';
    const row = `min(${rowOf(`${q}u`, 'lane')}, params.rows - 1u)`;
    return `let aAt${q} = p.a + ${row}${a.along === 'inner' ? ' * params.aDown' : ''};`;
  };
  const loadA = (q: number) => {
    if (a.along === 'inner') return `let a${q} = ${strip(a, 'a', `aAt${q}`)};`;
    const from = (name: string, i: number) => `${name} + ${at(i)} * params.aAcross`;
    if (!isTall) {
      const element = (i: number) => {
        const place = from(`aAt${q}`, i);
        return inside(i, a.four ? `f32(a[(${place}) / 4u][(${place}) % 4u])` : `f32(a[${place}])`, '0.0');
      };
      return `let a${q} = vec4f(${list(4, element)});`;
    }
    const fours = (i: number) =>
      `let fours${tall(q)}${i} = ${inside(i, `vec4f(a[(${from(`aAt${tall(q)}`, i)}) / 4u])`, 'vec4f()')};`;
    return `${q % 4 === 0 ? times(4, fours) : ''}
    let a${q} = vec4f(${list(4, (i) => `fours${tall(q)}${i}[${q % 4}]`)});`;
  };

  const placeB = (c: number) => `
    let col${c} = p.col + (l + ${c * group}u) * ${unit}u;
    ${
      b.along === 'inner'
        ? times(unit, (n) => `let bAt${c}${n} = p.b + min(col${c} + ${n}u, params.cols - 1u) * params.bAcross;`)
        : `let bAt${c} = p.b + min(col${c}, params.cols - ${unit}u);`
    }`;
  // Step i of column c is `b{i}_{c}`.
  const loadB = (c: number) => {
    if (b.along === 'inner') {
      const column = (n: number) => `let t${c}${n} = ${strip(b, 'b', `bAt${c}${n}`)};
      ${times(4, (i) => `let b${i}_${unit * c + n} = t${c}${n}[${i}];`)}`;
      return times(unit, column);
    }
    return times(4, (i) => {
      const from = `bAt${c} + ${at(i)} * params.bDown`;
      const all = inside(i, epilogue.four ? `vec4f(b[(${from}) / 4u])` : `f32(b[${from}])`, `${type}()`);
      return epilogue.four
        ? `let fours${c}_${i} = ${all}; ${times(4, (n) => `let b${i}_${4 * c + n} = fours${c}_${i}[${n}];`)}`
        : `let b${i}_${c} = ${all};`;
    });
  };

  const turns = ['', 'quadSwapX', 'quadSwapY', 'quadSwapDiagonal'];
  const products = (r: number) => `{ let w = ${turns[r % 4]}(a${Math.floor(r / 4)});
      ${times(4, (i) => `let w${i} = w[${i}];`)}
      ${times(
        colsPerThread,
        (c) => `s${r}_${c} += fma(b3_${c}, w3, fma(b2_${c}, w2, fma(b1_${c}, w1, b0_${c} * w0)));`,
      )} }`;

  const variables: [string, string][] = [];
  for (let r = 0; r < rowsPerThread; r++) for (let c = 0; c < colsPerThread; c++) variables.push([`s${r}_${c}`, 'f32']);
  // Row sums of a: each lane sums what it loads; at the end they are brought together, in the order of the rows.
  if (epilogue.rowSums) for (let q = 0; q < quads; q++) variables.push([`total${q}`, 'vec4f']);
  const total = (row: number) => {
    const [q, lane] = isTall
      ? [Math.floor(row / 16) * 4 + (row % 4), Math.floor(row / 4) % 4]
      : [Math.floor(row / 4), row % 4];
    return `subgroupBroadcast(dot(total${q}, vec4f(1.0)), ${lane}u)`;
  };
  const storeTotals = `
  var totals = array<f32, ${rowsPerThread}>(${list(rowsPerThread, total)});
  if (p.col == 0u && l == 0u) {
    for (var i = 0u; i < rowsFrom(p.row); i++) { sums[p.batch * params.rows + p.row + i] = T(totals[i]); }
  }`;
  // How many are stored is known when it runs: see `maxRows`. A quad's rows lie in another order in each lane: all of them are visited.
  const stored = (i: number) => {
    const r = Math.floor(i / wide);
    return unit === 1 ? `s${r}_${i % wide}` : `vec4f(${list(4, (n) => `s${r}_${4 * (i % wide) + n}`)})`;
  };

  return `
@compute @workgroup_size(${group})
fn main(
  @builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32,
  @builtin(subgroup_invocation_id) inSubgroup: u32
) {
  let p = placeOf(flatGroup(g, size), ${rowsPerThread}u, ${group * colsPerThread}u);
  if (!p.inside) { return; }
  let lane = inSubgroup % 4u;
  // Rows and columns beyond the edge repeat the last ones and are not stored.
  ${times(quads, placeA)}
  ${times(wide, placeB)}
  ${variables.map(([name, type]) => `var ${name} = ${type}();`).join('\n')}
  ${inRuns(
    Object.fromEntries(variables),
    { counter: 'k', from: 'p.k', to: 'p.end', by: '4u' },
    `    ${times(quads, loadA)}
    ${times(wide, loadB)}
    ${epilogue.rowSums ? times(quads, (q) => `total${q} += a${q};`) : ''}
    ${times(rowsPerThread, products)}`,
    { loops, innermost },
  )}
  ${epilogue.rowSums ? storeTotals : ''}
  var kept = array<${type}, ${rowsPerThread * wide}>(${list(rowsPerThread * wide, stored)});
  let count = ${wide}u * min(params.maxRows, (rowsFrom(p.row) + 15u) / 16u * 16u);
  for (var i = 0u; i < count; i++) {
    let r = i / ${wide}u;
    let q = r / 4u;
    let row = ${rowOf('q', '(lane ^ (r % 4u))')};
    if (row < params.rows) { store(p.batch, row, p.col + (l + i % ${wide}u * ${group}u) * ${unit}u, kept[i]); }
  }
}`;
}
