import { bytesOf, isFloat, scalar, scalarOf, type Type, unknown, vec, widthOf } from '../wgsl/index.ts';

/** What one invocation does in one go through a stretch of code, by the units that do it; a vec4 counts four. */
export interface Operations {
  /** Of f32, fused: `a * b + c`. */
  multiplyAdds: number;
  /** Sums, products, minima of f32 that are not fused. */
  floats: number;
  /** The same of f16, two of which are one instruction on some GPUs. */
  halfMultiplyAdds: number;
  halfFloats: number;
  /** Of integers; addresses too, and `a * b + c` as one. */
  integers: number;
  /** Integers divided by what is no constant: some {@link DIVISION} instructions each. */
  divisions: number;
  /** exp, log, sqrt, and quotients of floats. */
  specials: number;
  /** Comparisons, selections, conversions, subgroup operations. */
  others: number;
  /** Elements of private arrays whose place is known only when it runs: memory, not registers. */
  scratch: number;
  barriers: number;
}

export const noOperations = (): Operations => ({
  multiplyAdds: 0,
  floats: 0,
  halfMultiplyAdds: 0,
  halfFloats: 0,
  integers: 0,
  divisions: 0,
  specials: 0,
  others: 0,
  scratch: 0,
  barriers: 0,
});

/** Instructions of an integer division without hardware for it: a reciprocal, two products, two corrections. */
export const DIVISION = 16;

/** Instructions that operations take, where one of f16 takes one. */
export function instructionsOf(ops: Operations): number {
  const { multiplyAdds, floats, integers, divisions, specials, others, scratch, barriers } = ops;
  return (
    multiplyAdds +
    floats +
    ops.halfMultiplyAdds +
    ops.halfFloats +
    integers +
    divisions * DIVISION +
    specials +
    others +
    scratch +
    barriers
  );
}

const special =
  /^(exp2?|log2?|sqrt|inverseSqrt|a?(sin|cos|tan)h?|atan2|pow|length|distance|normalize|degrees|radians)$/;
const plain =
  /^(min|max|abs|clamp|floor|ceil|round|trunc|fract|sign|saturate|step|mix|smoothstep|countOneBits|firstLeadingBit|firstTrailingBit|reverseBits|extractBits|insertBits|ldexp|cross)$/;

const isHalf = (type: Type) => scalarOf(type) === 'f16';
const multiplyAddsOf = (type: Type) => (isHalf(type) ? 'halfMultiplyAdds' : 'multiplyAdds');
export const floatsOf = (type: Type): 'halfFloats' | 'floats' => (isHalf(type) ? 'halfFloats' : 'floats');

/** Adds what a built-in function or a constructor of `made` costs, and gives the type of its result. */
export function builtIn(name: string, made: Type, args: readonly Type[], ops: Operations): Type {
  const first = args[0] ?? unknown;
  const width = widthOf(first);
  if (made !== unknown) {
    // A constructor only places what it is made of, unless it converts.
    const converted = args.filter((arg) => scalarOf(arg) !== undefined && scalarOf(arg) !== scalarOf(made));
    if (name !== 'bitcast' && scalarOf(made) !== undefined) for (const arg of converted) ops.others += widthOf(arg);
    return made;
  }
  if (/Barrier$/.test(name)) {
    ops.barriers++;
    return unknown;
  }
  if (name === 'workgroupUniformLoad') {
    ops.barriers++;
    return first;
  }
  if (name === 'arrayLength') return scalar('u32');
  if (name === 'dot') {
    ops[multiplyAddsOf(first)] += width;
    return scalar(scalarOf(first) ?? 'f32');
  }
  if (name === 'fma') {
    ops[multiplyAddsOf(first)] += width;
    return first;
  }
  if (name === 'all' || name === 'any') {
    ops.others += width;
    return scalar('bool');
  }
  if (special.test(name)) {
    ops.specials += width;
    return name === 'length' || name === 'distance' ? scalar(scalarOf(first) ?? 'f32') : first;
  }
  if (plain.test(name)) {
    ops[isFloat(first) ? floatsOf(first) : 'integers'] += width * (name === 'clamp' || name === 'mix' ? 2 : 1);
    return first;
  }
  const [, count] = /^unpack([24])x/.exec(name) ?? [];
  ops.others += count ? Number(count) : width;
  if (count) return vec(Number(count), /float|norm/.test(name) ? 'f32' : name.includes('U') ? 'u32' : 'i32');
  if (/^pack|^atomic|^dot4U/.test(name)) return name.startsWith('atomic') ? first : scalar('u32');
  return first;
}

/** The type of `left op right`; what it costs is added, unless it is `fused` into the sum around it. */
export function binary(op: string, left: Type, right: Type, ops: Operations, known: BinaryFacts): Type {
  const wide =
    widthOf(right) > widthOf(left) ? right : known.leftIsNumber ? vec(widthOf(left), scalarOf(right) ?? 'f32') : left;
  if (op === '*' && (left.kind === 'mat' || right.kind === 'mat')) {
    const matrix = left.kind === 'mat' ? left : (right as Type & { kind: 'mat' });
    ops[multiplyAddsOf(matrix)] += matrix.columns * matrix.rows;
    const rows = left.kind === 'mat' ? matrix.rows : matrix.columns;
    return left.kind === 'mat' && right.kind === 'mat' ? left : vec(rows, matrix.of);
  }
  const width = widthOf(wide);
  if (/^([<>]=?|[=!]=|&&|\|\|)$/.test(op)) {
    ops.others += width;
    return vec(width, 'bool');
  }
  if (known.fused) return wide;
  if (isFloat(wide)) {
    if (op === '/' || op === '%') ops.specials += width;
    else ops[known.fuses ? multiplyAddsOf(wide) : floatsOf(wide)] += width;
  } else if ((op === '/' || op === '%') && known.rightValue === undefined) ops.divisions += width;
  // By a constant: a shift, or a product and a shift.
  else if ((op === '/' || op === '%') && !Number.isInteger(Math.log2(known.rightValue ?? 0))) ops.integers += 3 * width;
  else ops.integers += width;
  return wide;
}

export interface BinaryFacts {
  /** This product is part of a multiply-add. */
  readonly fused: boolean;
  /** This sum has a product that is fused into it. */
  readonly fuses: boolean;
  readonly leftIsNumber: boolean;
  readonly rightValue: number | undefined;
}

/** Registers of 4 bytes that a value takes. */
export const registersOf = (type: Type): number =>
  Math.ceil((widthOf(type) * bytesOf(scalar(scalarOf(type) ?? 'f32'))) / 4);
