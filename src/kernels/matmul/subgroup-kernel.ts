import type { EpilogueSpec, WgslTools } from './kernel-interface.ts';

// For adapters that compute on the CPU with subgroups of 8 or more, which is lavapipe (of 4: `quad-kernel.ts`). There a load is
// expensive if its address differs between lanes: lavapipe branches for each lane and for each of its elements, nine instructions an element, and multiplies and adds in two, without a fused instruction. Subgroup operations
// are cheap, and so are many sums: they spill to the stack, which is in the L1 cache.
//
// So: an invocation holds `rowsPerThread` rows × `colsPerThread` of sums. A few steps of the inner axis are taken at a time: b comes as vec4s
// where it can, a's elements as vectors that the lanes of a subgroup hold between them and hand around. All
// is loaded before the first sum is touched, and then row after row: each sum is fetched and spilled once in these steps, whose
// products are added up before they are added to it.
// 1024³ on lavapipe, processor time: one row of scalars a lane 418 ms, vec4 loads 267, row after row 192 (bench/ladder).

/** How an operand lies: which axis is contiguous, and whether its length is a multiple of 4, so that vec4s are aligned. */
export interface Operand {
  readonly along: 'inner' | 'outer';
  readonly four: boolean;
}

/** The subgroup has at least so many, and so many share the loads of a. */
const sharedThreads = 8;
/** Of the inner axis, taken at a time: 0.9 times as long as four, and half of the code to compile. */
const steps = 2;

/** What a kernel with subgroups computes: this one, or that of `quad-kernel.ts`, which takes four steps of the inner axis at a time. */
export interface SubgroupSpec {
  /** Rows of an invocation, a multiple of 8 (of quads, of 4). */
  readonly rowsPerThread: number;
  /** Columns of an invocation: any number, or, where the result is stored as vec4s, a multiple of 4. */
  readonly colsPerThread: number;
  readonly a: Operand;
  readonly b: Operand;
  /** The inner axis is not a multiple of the steps. */
  readonly ragged: boolean;
  /** Over the inner axis, and turns of the innermost, of as many products each as there are steps: see `inRuns`. */
  readonly loops: number;
  readonly innermost: number;
  readonly epilogue: EpilogueSpec;
}

/** `group`: threads of a workgroup. Loaded on demand, and so imports no values. */
export function subgroupWgsl(spec: SubgroupSpec, group: number, { inRuns, list, times }: WgslTools): string {
  const { rowsPerThread, a, b, ragged, loops, innermost, epilogue } = spec;
  const across = group * spec.colsPerThread;
  // A column, or four that follow each other, is a lane's unit.
  const unit = epilogue.four ? 4 : 1;
  const wide = spec.colsPerThread / unit;
  const type = epilogue.four ? 'vec4f' : 'f32';
  const quads = rowsPerThread / 4;
  // Along the inner axis an operand comes in vectors of so many steps.
  const strip = `vec${steps}f`;
  // Vectors of a that a lane holds: strips of its rows, or four rows of its steps.
  const held = Math.ceil((a.along === 'inner' ? rowsPerThread : quads * steps) / sharedThreads);
  const offsets = Array.from({ length: steps }, (_, i) => i);
  const ofA = a.along === 'inner' ? strip : 'vec4f';
  const holders = (code: (j: number) => string) => times(held, code);
  const units = (code: (c: number) => string) => times(wide, code);

  // Not by a broadcast: Dawn asks of each whether its lane is there, which lavapipe does not know: a tenth of the time.
  // Step i of row r, out of the vectors `name` that the lanes hold.
  const element = (name: string, r: number, i: number) => {
    const at = a.along === 'inner' ? r : i * quads + Math.floor(r / 4);
    const part = a.along === 'inner' ? i : r % 4;
    return `subgroupShuffle(${name}${Math.floor(at / sharedThreads)}[${part}], ${at % sharedThreads}u)`;
  };
  const placeA = (j: number) =>
    a.along === 'inner'
      ? `let aAt${j} = p.a + min(p.row + ${j * sharedThreads}u + lane, params.rows - 1u) * params.aDown;`
      : `let aRow${j} = min(p.row + (${j * sharedThreads}u + lane) % ${quads}u * 4u, params.rows - ${a.four ? 4 : 1}u);
      let aStep${j} = (${j * sharedThreads}u + lane) / ${quads}u;`;
  // Step k + i, inside the matrix; and a strip of steps with zeros beyond it.
  const at = (i: number) => (ragged ? `min(k + ${i}u, p.end - 1u)` : `(k + ${i}u)`);
  const counts = strip.replace('f', 'u');
  const along = ({ four }: Operand, name: 'a' | 'b', from: string) => {
    if (four) return `${strip}(${name}[(${from} + k) / ${steps}u])`;
    const all = `${strip}(${list(steps, (i) => `f32(${name}[${from} + ${at(i)}])`)})`;
    return ragged
      ? `select(${strip}(), ${all}, k + ${counts}(${list(steps, (i) => `${i}u`)}) < ${counts}(p.end))`
      : all;
  };
  const loadA = (j: number) => {
    if (a.along === 'inner') return `let a${j} = ${along(a, 'a', `aAt${j}`)};`;
    const step = ragged ? `min(k + aStep${j}, p.end - 1u)` : `(k + aStep${j})`;
    const from = `p.a + ${step} * params.aAcross`;
    const all = a.four
      ? `vec4f(a[(${from} + aRow${j}) / 4u])`
      : `vec4f(${list(4, (n) => `f32(a[${from} + min(aRow${j} + ${n}u, params.rows - 1u)])`)})`;
    return `let a${j} = ${ragged ? `select(vec4f(), ${all}, k + aStep${j} < p.end)` : all};`;
  };

  const placeB = (c: number) => `
    let col${c} = p.col + (l + ${c * group}u) * ${unit}u;
    ${
      b.along === 'inner'
        ? times(unit, (n) => `let bAt${c}${n} = p.b + min(col${c} + ${n}u, params.cols - 1u) * params.bAcross;`)
        : `let bAt${c} = p.b + min(col${c}, params.cols - ${unit}u);`
    }`;
  const loadB = (c: number) => {
    if (b.along === 'outer') {
      return times(steps, (i) => {
        const from = `bAt${c} + ${at(i)} * params.bDown`;
        const all = epilogue.four ? `vec4f(b[(${from}) / 4u])` : `f32(b[${from}])`;
        return `let b${c}${i} = ${ragged ? `select(${type}(), ${all}, k + ${i}u < p.end)` : all};`;
      });
    }
    // By columns, a strip of steps each: turned.
    return `${times(unit, (n) => `let t${c}${n} = ${along(b, 'b', `bAt${c}${n}`)};`)}
    ${times(steps, (i) => `let b${c}${i} = ${type}(${list(unit, (n) => `t${c}${n}[${i}]`)});`)}`;
  };

  const kept = Array.from({ length: rowsPerThread * wide }, (_, i) => `s${Math.floor(i / wide)}_${i % wide}`);

  // Row sums of a: each lane sums what it holds; at the end a row's elements are brought together.
  const sums = {
    names: Object.fromEntries(Array.from({ length: held }, (_, j) => [`total${j}`, ofA])),
    start: holders((j) => `var total${j} = ${ofA}();`),
    step: holders((j) => `total${j} += a${j};`),
    end: `
  var totals = array<f32, ${rowsPerThread}>(${list(rowsPerThread, (r) => offsets.map((i) => element('total', r, i)).join(' + '))});
  if (p.col == 0u && l == 0u) {
    for (var i = 0u; i < rowsFrom(p.row); i++) { sums[p.batch * params.rows + p.row + i] = T(totals[i]); }
  }`,
  };
  const ifSums = (code: string) => (epilogue.rowSums ? code : '');

  return `
@compute @workgroup_size(${group})
fn main(
  @builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32,
  @builtin(subgroup_invocation_id) inSubgroup: u32
) {
  let p = placeOf(flatGroup(g, size), ${rowsPerThread}u, ${across}u);
  if (!p.inside) { return; }
  let lane = inSubgroup % ${sharedThreads}u;
  // Rows and columns beyond the edge repeat the last ones and are not stored.
  ${holders(placeA)}
  ${units(placeB)}
  ${times(rowsPerThread, (r) => units((c) => `var s${r}_${c} = ${type}();`))}
  ${ifSums(sums.start)}
  ${inRuns(
    { ...Object.fromEntries(kept.map((name) => [name, type])), ...(epilogue.rowSums ? sums.names : {}) },
    { counter: 'k', from: 'p.k', to: 'p.end', by: `${steps}u` },
    `    ${holders(loadA)}
    ${units(loadB)}
    ${ifSums(sums.step)}
    ${times(
      rowsPerThread,
      (r) => `{ ${times(steps, (i) => `let w${i} = ${element('a', r, i)};`)}
      ${units((c) => `s${r}_${c} += ${offsets.slice(1).reduce((sum, i) => `fma(${type}(w${i}), b${c}${i}, ${sum})`, `w0 * b${c}0`)};`)} }`,
    )}`,
    { loops, innermost },
  )}
  ${ifSums(sums.end)}
  var kept = array<${type}, ${rowsPerThread * wide}>(${kept.join(', ')});
  for (var i = 0u; i < ${wide}u * rowsFrom(p.row); i++) {
    store(p.batch, p.row + i / ${wide}u, p.col + (l + i % ${wide}u * ${group}u) * ${unit}u, kept[i]);
  }
}`;
}
