import type { Piece, Scalar } from '../../gpu/index.ts';
import { type Elements, elementsOf, type Tensor } from '../../tensor/graph/index.ts';
import { broadcastShapes, type Shape, ShapeError, size } from '../../tensor/values/index.ts';

/** Axes of the result after merging neighbours that all operands treat alike. */
const places = [0, 1, 2, 3, 4, 5];
const operands = ['a', 'b', 'c'] as const;

/**
 * `operandOffsets(i)`: where element i of the result finds its operands a, b, c. The axes come last first; the outermost one
 * needs no remainder, so operands of equal shapes, or one that is a scalar, cost no division.
 */
export const operandOffsets: Piece = {
  name: 'operandOffsets',
  wgsl: `
fn operandOffsets(i: u32) -> vec3u {
  var rest = i;
  var at = vec3u();
${
  /*#__PURE__*/ places
    .map(
      (k) => `  if (RANK > ${k}u) {
    let strides = vec3u(params.a${k}, params.b${k}, params.c${k});
    if (RANK == ${k + 1}u) { return at + rest * strides; }
    let next = rest / params.size${k};
    at += (rest - next * params.size${k}) * strides;
    rest = next;
  }`,
    )
    .join('\n')
}
  return at;
}`,
};

/**
 * How an operand is loaded for four neighbouring elements of the result: `vec4`, as four neighbours that begin at a multiple of
 * four; `broadcast`, one element four times. `scalar`, for all operands or none: one element of the result at a time.
 */
export type OperandLoad = 'vec4' | 'broadcast' | 'scalar';

/** How to run over a result: its shape, and the params (all u32) and the constant RANK for {@link operandOffsets}. */
export interface Broadcast {
  readonly shape: Shape;
  readonly params: Elements & Readonly<Record<string, number>>;
  readonly constants: { readonly RANK: number };
  readonly loads: Readonly<Record<(typeof operands)[number], OperandLoad>>;
}

interface MergedAxis {
  size: number;
  /** Of each operand: 0 where it is stretched. */
  readonly strides: readonly number[];
}

/**
 * The axes of a shape that operands broadcast to, last first. Neighbours merge when every operand has both, or stretches both.
 * `lengths`, which are used up: how many elements of each operand belong to a place of its last axis.
 */
export function mergedAxes(
  shape: Shape,
  operands: readonly Shape[],
  lengths: number[] = operands.map(() => 1),
): MergedAxis[] {
  const axes: MergedAxis[] = [];
  for (let fromEnd = 1; fromEnd <= shape.length; fromEnd++) {
    const size = shape[shape.length - fromEnd] as number;
    if (size === 1) continue;
    const strides = operands.map((one, n) => {
      if ((one[one.length - fromEnd] ?? 1) === 1) return 0;
      const stride = lengths[n] as number;
      lengths[n] = stride * size;
      return stride;
    });
    const last = axes.at(-1);
    if (last?.strides.every((stride, n) => strides[n] === stride * last.size)) last.size *= size;
    else axes.push({ size, strides });
  }
  return axes;
}

/**
 * Plans an op whose operands broadcast as in NumPy. Kernels call each by the first letter of its name, which is a, b or c.
 *
 * @throws ShapeError when the shapes do not fit, or have more than six axes that cannot be merged.
 */
export function broadcast(op: string, tensors: Readonly<Record<string, Tensor>>): Broadcast {
  const key = Object.entries(tensors)
    .map(([name, { device, shape }]) => `${name[0]}${shape} ${device.profile.kind}`)
    .join();
  const known = plans.get(key);
  if (known) return known;
  const shapes = Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, x.shape]));
  const names = Object.keys(shapes).map((name) => name[0]);
  const shape = Object.freeze(broadcastShapes(op, shapes));
  const axes = mergedAxes(shape, Object.values(shapes));
  if (axes.length > 6) throw new ShapeError(op, 'more than 6 axes cannot be broadcast at once', shapes);
  const strideOf = (name: string, k: number) => axes[k]?.strides[names.indexOf(name)] ?? 0;
  // Four neighbours lie in one row if rows are whole fours, or if there is one row only.
  const together = axes.length <= 1 || (axes[0] as MergedAxis).size % 4 === 0;
  // Not in vec4s, each element of the result counts as one.
  const elements = elementsOf((Object.values(tensors)[0] as Tensor).device, size(shape) * (together ? 1 : 4));
  const params: Record<string, number> = {};
  const loads: Record<string, OperandLoad> = {};
  for (const k of places) params[`size${k}`] = axes[k]?.size ?? 1;
  for (const name of operands) {
    for (const k of places) params[`${name}${k}`] = strideOf(name, k);
    loads[name] = together ? (strideOf(name, 0) === 1 ? 'vec4' : 'broadcast') : 'scalar';
  }
  const made: Broadcast = {
    shape,
    params: { ...elements, ...params },
    constants: { RANK: axes.length },
    loads: loads as Broadcast['loads'],
  };
  if (plans.size > 999) plans.clear();
  plans.set(key, made);
  return made;
}

/** By operands and shapes, which repeat: to plan takes longer than all else of an op. */
const plans = new Map<string, Broadcast>();

/** WGSL: the vec4 of what a function of numbers gives for each component of vectors. */
export function componentwise(name: string, inputs: readonly string[], type: Scalar = 'f32'): string {
  return `vec4<${type}>(${[...'xyzw'].map((k) => `${name}(${inputs.map((one) => `${one}.${k}`).join(', ')})`).join(', ')})`;
}
