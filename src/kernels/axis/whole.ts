// Reductions of i32 and u32, and of bool as 1 and 0. They have no gradient.
import { kernel } from '../../gpu/index.ts';
import { dispatch, empty, over, type Tensor } from '../../tensor/graph/index.ts';
import type { Shape } from '../../tensor/values/index.ts';
import type { AxisRows } from './row-threads.ts';

/** So many elements one thread takes. Longer rows are cut, and what is left of them is reduced again. */
const CHUNK = 64;

/** What a reduction is of nothing, and what the next element makes of it. */
const rules = {
  sum: ['0', 's + v'],
  prod: ['1', 's * v'],
  max: ['-2147483647 - 1', 'max(s, v)'],
  min: ['2147483647', 'min(s, v)'],
} as const;
type Rule = keyof typeof rules;

/** A reduction over runs of axes, in the dtype of `x`, modulo 2³²; but sums and products of bool are i32. */
export function wholeReduced(rule: Rule, x: Tensor, runs: readonly { rows: AxisRows; shape: Shape }[]): Tensor {
  const isExtreme = rule === 'max' || rule === 'min';
  const sign = isExtreme ? signOf(x) : 0;
  const y = runs.reduce((part, { rows, shape }) => {
    let { length } = rows;
    let left = part;
    do {
      const chunks = Math.max(1, Math.ceil(length / CHUNK));
      const next = empty(left, chunks === 1 ? shape : [rows.outer, chunks, rows.inner]);
      dispatch(reducing[rule], { x: left, y: next }, { n: next.size, length, chunks, inner: rows.inner, sign });
      left = next;
      length = chunks;
    } while (length > 1);
    return left;
  }, asWords(x));
  return x.dtype === 'bool' && !isExtreme ? y : over(y, y.shape, x.dtype);
}

/** Where the extreme of each row of whole numbers or bool is, of equal ones the first: u32. */
export function wholePlaces(which: 'max' | 'min', x: Tensor, rows: AxisRows, shape: Shape): Tensor {
  const words = asWords(x);
  const { length, inner } = rows;
  let places: Tensor | undefined;
  let count = length;
  do {
    const chunks = Math.ceil(count / CHUNK);
    const next = empty(words, chunks === 1 ? shape : [rows.outer, chunks, inner], 'u32');
    const params = { n: next.size, length, count, chunks, inner, sign: signOf(x) };
    dispatch(placing, { x: words, places: places ?? words, y: next }, params, {
      FIRST: Number(!places),
      MAX: Number(which === 'max'),
    });
    places = next;
    count = chunks;
  } while (count > 1);
  return places;
}

/** With the highest bit turned over, u32 lie in the order of i32. */
function signOf({ dtype }: Tensor): number {
  return dtype === 'u32' ? -(2 ** 31) : 0;
}

function asWords(x: Tensor): Tensor {
  return over(x, x.shape, 'i32');
}

// A thread takes elements of a row that are as many apart as there are threads for it, so that neighbours read neighbours.
const place = `
  let i = flatGroup(g, size) * WG + l;
  if (i >= params.n) { return; }
  let line = i / params.inner;
  let row = line / params.chunks;
  let first = line - row * params.chunks;
  let column = i - line * params.inner;`;

const reduceKernel = (rule: Rule) =>
  kernel({
    name: `${rule}-i32`,
    bind: { x: 'read i32', y: 'write i32' },
    params: { n: 'u32', length: 'u32', chunks: 'u32', inner: 'u32', sign: 'i32' },
    override: { WG: 64 },
    grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
    wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {${place}
  var s = ${rules[rule][0]};
  for (var j = first; j < params.length; j += params.chunks) {
    let v = x[(row * params.length + j) * params.inner + column] ^ params.sign;
    s = ${rules[rule][1]};
  }
  y[i] = s ^ params.sign;
}`,
  });
const reducing = {
  sum: /*#__PURE__*/ reduceKernel('sum'),
  prod: /*#__PURE__*/ reduceKernel('prod'),
  max: /*#__PURE__*/ reduceKernel('max'),
  min: /*#__PURE__*/ reduceKernel('min'),
};

const placing = /*#__PURE__*/ kernel({
  name: 'arg-extreme-i32',
  bind: { x: 'read i32', places: 'read u32', y: 'write u32' },
  params: { n: 'u32', length: 'u32', count: 'u32', chunks: 'u32', inner: 'u32', sign: 'i32' },
  override: { WG: 64, FIRST: 1, MAX: 1 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {${place}
  var best = 0;
  var found = params.length;
  for (var j = first; j < params.count; j += params.chunks) {
    var at = j;
    if (FIRST == 0u) { at = places[(row * params.count + j) * params.inner + column]; }
    let value = x[(row * params.length + at) * params.inner + column] ^ params.sign;
    let isBetter = (MAX == 1u && value > best) || (MAX == 0u && value < best) || (value == best && at < found);
    if (found == params.length || isBetter) {
      best = value;
      found = at;
    }
  }
  y[i] = found;
}`,
});
