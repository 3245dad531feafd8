import type { Tensor } from '../../tensor/graph/index.ts';
import { type Shape, ShapeError, size } from '../../tensor/values/index.ts';
import { checkFloats, checkTensors, sum } from '../axis/index.ts';
import { mul } from '../elementwise/index.ts';
import { permute, reshape, slice } from '../layout/index.ts';
import { matmul } from './matmul.ts';

/**
 * Sums of products in Einstein's notation: each axis has a letter, an axis whose letter is not in the result is summed over.
 * `y[output] = Σ operand₀[…] · operand₁[…] · …`, as in NumPy and PyTorch.
 *
 * A letter that one operand has twice takes the diagonal; `...` stands for any further axes, aligned at the end; axes of 1 stretch.
 * Without `->` the result has the letters that come up once, in alphabetical order, after the axes of `...`. Operands are taken
 * from left to right: two at a time become one batched {@link matmul}, or a product of elements where nothing is summed. The gradients
 * are theirs. Floats of one dtype.
 *
 * ```ts
 * einsum('bnd,bmd->bnm', q, k); // scores: [B, N, D] and [B, M, D] → [B, N, M]
 * einsum('ii->', x); // the trace
 * einsum('i,j->ij', a, b); // the outer product
 * einsum('...ij->...ji', x); // the transpose of the last two axes
 * ```
 *
 * @throws ShapeError when the equation is none, or does not fit the operands.
 */
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  const named = Object.fromEntries(operands.map((x, i) => [`x${i}`, x]));
  checkTensors('einsum', named, 'the equation comes first');
  const shapes = Object.fromEntries(operands.map((x, i) => [`x${i}`, x.shape]));
  const { inputs, output } = parsed(equation, shapes);
  checkFloats('einsum', named);
  const lengths = lengthsOf(inputs, shapes);
  const unknown = output.find((label) => !lengths.has(label));
  if (unknown !== undefined) throw new ShapeError('einsum', `'${unknown}' of the result is in no operand`, shapes);
  const terms = operands.map((x, i) => plain({ x, labels: inputs[i] as string[] }, lengths));
  const [first, ...others] = terms as [Term, ...Term[]];
  const whole = others.reduce((a, b, i) => {
    const kept = new Set([...output, ...others.slice(i + 1).flatMap(({ labels }) => labels)]);
    return multiplied(a, b, kept);
  }, first);
  return ordered(summed(whole, new Set(output)), output);
}

/** A tensor with a label for each axis. */
interface Term {
  readonly x: Tensor;
  readonly labels: readonly string[];
}

/** The labels of each operand and of the result: letters, and `...0`, `...1` (from the end) for the axes of an ellipsis. */
function parsed(equation: unknown, shapes: Readonly<Record<string, Shape>>): { inputs: string[][]; output: string[] } {
  const fail = (rule: string): never => {
    throw new ShapeError('einsum', rule, shapes);
  };
  if (typeof equation !== 'string') return fail("the equation is a text, such as 'ij,jk->ik'");
  const text = equation.replaceAll(' ', '');
  const [left = '', right, ...rest] = text.split('->');
  if (rest.length > 0) fail(`'${equation}' has more than one '->'`);
  const sides = left.split(',');
  const list = Object.values(shapes);
  if (sides.length !== list.length) fail(`'${equation}' has ${sides.length} operands; ${list.length} were given`);
  let longest = 0;
  const labelsOf = (side: string, further: (letters: number) => number): string[] => {
    const parts = side.split('...');
    if (parts.length > 2 || !/^[a-zA-Z]*$/.test(parts.join(''))) {
      fail(`'${side}' must be letters, one for each axis, and at most one '...'`);
    }
    const [before = '', after] = parts;
    if (after === undefined) return [...before];
    const count = further(before.length + after.length);
    return [...before, ...Array.from({ length: count }, (_, i) => `...${count - 1 - i}`), ...after];
  };
  const inputs = sides.map((side, i) => {
    const rank = (list[i] as Shape).length;
    const labels = labelsOf(side, (letters) => {
      longest = Math.max(longest, rank - letters);
      return Math.max(rank - letters, 0);
    });
    if (labels.length !== rank) fail(`'${side}' names ${side.replace('...', '').length} axes; x${i} has ${rank}`);
    return labels;
  });
  if (right !== undefined) {
    const output = labelsOf(right, () => longest);
    if (new Set(output).size < output.length) fail(`the result '${right}' names an axis twice`);
    return { inputs, output };
  }
  const letters = inputs.flat().filter((label) => label.length === 1);
  const once = letters.filter((label) => letters.indexOf(label) === letters.lastIndexOf(label)).sort();
  return { inputs, output: [...Array.from({ length: longest }, (_, i) => `...${longest - 1 - i}`), ...once] };
}

/** The length of each label; axes of 1 stretch. */
function lengthsOf(inputs: readonly string[][], shapes: Readonly<Record<string, Shape>>): Map<string, number> {
  const lengths = new Map<string, number>();
  Object.values(shapes).forEach((shape, i) => {
    shape.forEach((length, axis) => {
      const label = inputs[i]?.[axis] as string;
      const known = lengths.get(label) ?? 1;
      if (known !== 1 && length !== 1 && known !== length) {
        throw new ShapeError('einsum', `axes of '${label}' must be equal, or 1 (${known} and ${length})`, shapes);
      }
      if (known === 1) lengths.set(label, length);
    });
  });
  return lengths;
}

/** Without axes of 1 that others stretch, and with every label once: of two axes of one label, the diagonal. */
function plain({ x, labels }: Term, lengths: ReadonlyMap<string, number>): Term {
  const stays = labels.map((label, i) => x.shape[i] === lengths.get(label));
  let term: Term = {
    x: reshape(
      x,
      x.shape.filter((_, i) => stays[i]),
    ),
    labels: labels.filter((_, i) => stays[i]),
  };
  for (;;) {
    const { labels: all } = term;
    const twice = all.find((label, i) => all.indexOf(label) !== i);
    if (twice === undefined) return term;
    const pair = [all.indexOf(twice), all.lastIndexOf(twice)];
    const others = all.flatMap((_, i) => (pair.includes(i) ? [] : [i]));
    const moved = permute(term.x, [...others, ...pair]);
    const shape = moved.shape.slice(0, -2);
    const length = moved.shape.at(-1) as number;
    const flat = reshape(moved, [...shape, length * length]);
    term = {
      x: slice(flat, -1, 0, undefined, length + 1),
      labels: [...others.map((i) => all[i] as string), twice],
    };
  }
}

/** The product of two terms, with all labels that are kept, and perhaps others of one of them. */
function multiplied(one: Term, other: Term, kept: ReadonlySet<string>): Term {
  const a = summed(one, new Set([...kept, ...other.labels]));
  const b = summed(other, new Set([...kept, ...one.labels]));
  const inBoth = a.labels.filter((label) => b.labels.includes(label));
  const batch = inBoth.filter((label) => kept.has(label));
  const inner = inBoth.filter((label) => !kept.has(label));
  const left = a.labels.filter((label) => !inBoth.includes(label));
  const right = b.labels.filter((label) => !inBoth.includes(label));
  const labels = [...batch, ...left, ...right];
  const lengthIn = (term: Term) => (label: string) => term.x.shape[term.labels.indexOf(label)] as number;
  const [ofA, ofB] = [lengthIn(a), lengthIn(b)];
  const shape = [...batch.map(ofA), ...left.map(ofA), ...right.map(ofB)];
  const front = batch.map(ofA);
  // Without a matrix on either side, or with nothing to sum, elements are multiplied as they are.
  if (inner.length === 0 || (left.length === 0 && right.length === 0)) {
    const x = reshape(ordered(a, [...batch, ...left, ...inner]), [
      ...front,
      ...left.map(ofA),
      ...right.map(() => 1),
      ...inner.map(ofA),
    ]);
    const y = reshape(ordered(b, [...batch, ...right, ...inner]), [
      ...front,
      ...left.map(() => 1),
      ...right.map(ofB),
      ...inner.map(ofB),
    ]);
    return summed({ x: mul(x, y), labels: [...labels, ...inner] }, kept);
  }
  const depth = size(inner.map(ofA));
  const rows = size(left.map(ofA));
  const cols = size(right.map(ofB));
  // The order that the axes are in already needs no copy: a product takes either.
  const transposeA = isOrder(a, [...batch, ...inner, ...left]);
  const transposeB = isOrder(b, [...batch, ...right, ...inner]);
  const x = reshape(ordered(a, [...batch, ...(transposeA ? [...inner, ...left] : [...left, ...inner])]), [
    ...front,
    ...(transposeA ? [depth, rows] : [rows, depth]),
  ]);
  const y = reshape(ordered(b, [...batch, ...(transposeB ? [...right, ...inner] : [...inner, ...right])]), [
    ...front,
    ...(transposeB ? [cols, depth] : [depth, cols]),
  ]);
  return { x: reshape(matmul(x, y, { transposeA, transposeB }), shape), labels };
}

function isOrder({ labels }: Term, order: readonly string[]): boolean {
  return labels.every((label, i) => label === order[i]);
}

/** Sums over all axes whose labels are not kept. */
function summed({ x, labels }: Term, kept: ReadonlySet<string>): Term {
  const axes = labels.flatMap((label, i) => (kept.has(label) ? [] : [i]));
  if (axes.length === 0) return { x, labels };
  return { x: sum(x, { axes }), labels: labels.filter((label) => kept.has(label)) };
}

/** The tensor with its axes in the order of these labels, which are all that it has. */
function ordered(term: Term, order: readonly string[]): Tensor {
  if (isOrder(term, order)) return term.x;
  return permute(
    term.x,
    order.map((label) => term.labels.indexOf(label)),
  );
}
