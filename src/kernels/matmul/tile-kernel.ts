import type { EpilogueSpec, WgslTools } from './kernel-interface.ts';
import type { Operand } from './subgroup-kernel.ts';

export interface TileSpec {
  /** Rows and columns of an invocation. */
  readonly threadTile: 4 | 8;
  readonly a: Operand;
  readonly b: Operand;
  /** Over the inner axis: see `inRuns`. */
  readonly loops: number;
  readonly epilogue: EpilogueSpec;
}

/** Steps of the inner axis that are in workgroup memory at a time. */
const STEPS = 16;

/**
 * For GPUs. A workgroup of 8 × 8 threads computes a square of `8 · threadTile`. Each brings a block of 4 × 4 of both operands by vec4s
 * along the axis that is contiguous, turns it where that is the inner one, and stores it as vec4s along rows of a and columns of b. The
 * next blocks are on their way while these are multiplied. A thread's rows follow each other; its columns are fours that lie 32 apart,
 * so that neighbours read and write neighbours. The smaller square is for products that would leave a GPU's cores idle with the larger.
 *
 * Loaded on demand, and so imports no values.
 */
export function tileWgsl({ threadTile, a, b, loops, epilogue }: TileSpec, tools: WgslTools): string {
  const { inRuns, times } = tools;
  const side = 8 * threadTile;
  const fours = side / 4;
  const quads = threadTile / 4;
  // Four steps, and two fours of space: threads that turn their blocks store four steps apart, and no two of eight meet in one bank.
  const quadSteps = 4 * fours + 2;
  const isLarge = threadTile === 8;
  const { rowSums: hasRowSums } = epilogue;
  const blocks = { a: blockOf('a', a, fours, quadSteps, tools), b: blockOf('b', b, fours, quadSteps, tools) };
  // Of the large square each thread brings a block of a and one of b. Of the small one the first half of them brings a, the other b.
  const both = (code: (which: 'a' | 'b') => string) =>
    isLarge ? `${code('a')}\n${code('b')}` : `if (l < 32u) {\n${code('a')}\n} else {\n${code('b')}\n}`;
  const held = isLarge ? ['a', 'b'] : ['held'];
  const nameOf = (which: 'a' | 'b') => (isLarge ? which : 'held');
  const load = (k: string) => both((which) => blocks[which].load(nameOf(which), k));
  const sums = (code: (r: number, c: number) => string) => times(threadTile, (r) => times(quads, (c) => code(r, c)));
  const names = Array.from({ length: threadTile * quads }, (_, i) => `s${Math.floor(i / quads)}${i % quads}`);
  const unit = epilogue.four ? 4 : 1;
  const row = (r: number) => times(quads, (c) => `v${c} = s${r}${c};`);
  return `
var<workgroup> aTile: array<vec4f, ${4 * quadSteps}>;
var<workgroup> bTile: array<vec4f, ${4 * quadSteps}>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let p = placeOf(flatGroup(g, size), ${side}u, ${side}u);
  if (!p.inside) { return; }
  let block = l${isLarge ? '' : ' % 32u'};
  ${blocks.a.place}
  ${blocks.b.place}
  ${held.map((name) => times(4, (i) => `var ${name}${i} = vec4f();`)).join('\n')}
  ${load('p.k')}
  let top = l / 8u;
  let left = l % 8u;
  ${sums((r, c) => `var s${r}${c} = vec4f();`)}
  ${hasRowSums ? 'var rowSum = vec4f();' : ''}
  ${inRuns(
    { ...Object.fromEntries(names.map((name) => [name, 'vec4f'])), ...(hasRowSums ? { rowSum: 'vec4f' } : {}) },
    { counter: 'start', from: 'p.k', to: 'p.end', by: `${STEPS}u` },
    `${both((which) => blocks[which].store(nameOf(which)))}
    ${hasRowSums ? blocks.a.addRows(nameOf('a')) : ''}
    workgroupBarrier();
    ${load(`start + ${STEPS}u`)}
    for (var four = 0u; four < 4u; four++) {
      for (var k = 0u; k < 4u; k++) {
        let at = four * ${quadSteps}u + k * ${fours}u;
        ${times(quads, (r) => `let a${r}x = aTile[at + top * ${quads}u + ${r}u];`)}
        ${times(quads, (c) => `let b${c}x = bTile[at + left + ${8 * c}u];`)}
        ${sums((r, c) => `s${r}${c} += a${Math.floor(r / 4)}x[${r % 4}] * b${c}x;`)}
      }
    }
    workgroupBarrier();`,
    { loops },
  )}
  ${hasRowSums ? storeRowSums(fours, quadSteps, blocks.a) : ''}
  let high = rowsFrom(p.row + top * ${threadTile}u);
  for (var i = 0u; i < high; i++) {
    ${times(quads, (c) => `var v${c} = s0${c};`)}
    // Not an array: one with an index that is known when it runs would lie in memory.
    switch (i) {
      ${times(threadTile - 1, (r) => `case ${r + 1}u: { ${row(r + 1)} }`)}
      default: {}
    }
    for (var j = 0u; j < ${(4 * quads) / unit}u; j++) {
      ${epilogue.four ? fourOf(quads) : oneOf(quads, tools)}
      store(p.batch, p.row + top * ${threadTile}u + i, p.col + left * 4u + ${epilogue.four ? 'j * 32u' : 'j / 4u * 32u + j % 4u'}, value);
    }
  }
}`;
}

const fourOf = (quads: number) => `let value = ${quads === 1 ? 'v0' : 'select(v0, v1, j == 1u)'};`;

const oneOf = (quads: number, { times }: WgslTools) => `var value = v0.x;
      switch (j) {
        ${times(4 * quads - 1, (n) => `case ${n + 1}u: { value = v${Math.floor((n + 1) / 4)}[${(n + 1) % 4}]; }`)}
        default: {}
      }`;

/** The sums of the rows that threads have brought are in pieces: every four steps were others'. */
const storeRowSums = (fours: number, quadSteps: number, { step, line }: Block) => `
  if (p.col == 0u) {
    if (l < ${4 * fours}u) { aTile[${step} * ${quadSteps}u + ${line}] = rowSum; }
    workgroupBarrier();
    if (l < ${4 * fours}u && p.row + l < params.rows) {
      var total = 0.0;
      for (var i = 0u; i < 4u; i++) { total += aTile[i * ${quadSteps}u + l / 4u][l % 4u]; }
      sums[p.batch * params.rows + p.row + l] = S(total);
    }
  }`;

/** How a thread brings a block of 4 × 4 of an operand, whose lines are rows of a or columns of b. */
interface Block {
  /** Which four steps, and which four lines, by the thread's number. */
  readonly step: string;
  readonly line: string;
  /** Declares where its elements begin. */
  readonly place: string;
  /** Loads the block from step `k` of the inner axis on, or zeros beyond its end, as vec4s `name0` to `name3`. */
  readonly load: (name: string, k: string) => string;
  /** Stores them in the tile. */
  readonly store: (name: string) => string;
  /** Adds them to the sums of four rows. */
  readonly addRows: (name: string) => string;
}

function blockOf(
  which: 'a' | 'b',
  { along, four }: Operand,
  fours: number,
  quadSteps: number,
  { list, times }: WgslTools,
): Block {
  const [first, count, stride] =
    which === 'a'
      ? ['p.row', 'params.rows', along === 'inner' ? 'params.aDown' : 'params.aAcross']
      : ['p.col', 'params.cols', along === 'inner' ? 'params.bAcross' : 'params.bDown'];
  const isInner = along === 'inner';
  // Neighbours load what lies next to each other.
  const [step, line] = isInner ? ['block % 4u', 'block / 4u'] : [`block / ${fours}u`, `block % ${fours}u`];
  const at = (i: number) => `${which}Tile[(${step}) * ${quadSteps}u + ${i * fours}u + ${line}]`;
  // Lines beyond the edge repeat the last, and are not stored.
  const lineAt = (n: number) => `min(${first} + (${line}) * 4u + ${n}u, ${count} - 1u)`;
  if (isInner) {
    return {
      step,
      line,
      place: times(4, (n) => `let ${which}At${n} = p.${which} + ${lineAt(n)} * ${stride} + ${step} * 4u;`),
      load: (name, k) => {
        const one = (n: number) =>
          four
            ? `vec4f(${which}[(${which}At${n} + ${k}) / 4u])`
            : `vec4f(${list(4, (i) => `select(0.0, f32(${which}[${which}At${n} + min(${k} + ${i}u, last)]), ${k} + ${i}u <= last)`)})`;
        return `${times(4, (n) => `${name}${n} = vec4f();`)}
        if (${k} + ${step} * 4u < p.end) {
          ${four ? '' : `let last = p.end - 1u - ${step} * 4u;`}
          ${times(4, (n) => `${name}${n} = ${one(n)};`)}
        }`;
      },
      store: (name) => times(4, (i) => `${at(i)} = vec4f(${list(4, (n) => `${name}${n}[${i}]`)});`),
      addRows: (name) => `rowSum += vec4f(${list(4, (n) => `dot(${name}${n}, vec4f(1.0))`)});`,
    };
  }
  const lines = four
    ? `let ${which}At = p.${which} + min(${first} + (${line}) * 4u, ${count} - 4u);`
    : times(4, (n) => `let ${which}At${n} = p.${which} + ${lineAt(n)};`);
  return {
    step,
    line,
    place: lines,
    load: (name, k) =>
      times(4, (i) => {
        const from = `(${k} + ${step} * 4u + ${i}u) * ${stride}`;
        const all = four
          ? `vec4f(${which}[(${which}At + ${from}) / 4u])`
          : `vec4f(${list(4, (n) => `f32(${which}[${which}At${n} + ${from}])`)})`;
        return `${name}${i} = vec4f();
        if (${k} + ${step} * 4u + ${i}u < p.end) { ${name}${i} = ${all}; }`;
      }),
    store: (name) => times(4, (i) => `${at(i)} = ${name}${i};`),
    addRows: (name) => `rowSum += ${list(4, (i) => `${name}${i}`).replaceAll(',', ' +')};`,
  };
}

/**
 * Adds up the parts of a product that was split over its inner axis, `[count, batch, rows, cols]` as f32, and finishes it; and the parts
 * of row sums, `[count, rows]`, where there are any.
 */
export function splitSumWgsl({ four, rowSums }: EpilogueSpec, { inRuns }: WgslTools): string {
  const walk = { counter: 'part', from: '0u', to: 'params.count', by: '1u' };
  const unit = four ? 4 : 1;
  return `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = flatGroup(g, size) * 64u + l;
  ${
    rowSums
      ? `if (i < params.rows) {
    var rowSum = 0.0;
    ${inRuns({ rowSum: 'f32' }, walk, 'rowSum += rowParts[part * params.rows + i];')}
    sums[i] = T(rowSum);
  }`
      : ''
  }
  if (i >= params.n / ${unit}u) { return; }
  var sum = ${four ? 'vec4f' : 'f32'}();
  ${inRuns({ sum: four ? 'vec4f' : 'f32' }, walk, `sum += parts[part * (params.n / ${unit}u) + i];`)}
  finish(i, i % (params.cols / ${unit}u), sum);
}`;
}
