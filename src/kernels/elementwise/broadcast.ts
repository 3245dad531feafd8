import type { Device, Piece } from '../../gpu/index.ts';
import { type Elements, elementsOf } from '../../tensor/graph/index.ts';
import { broadcastShapes, type Shape, ShapeError, size } from '../../tensor/values/index.ts';

/** Axes of the result after merging neighbours that all operands treat alike. */
const RANK = 6;

const places = /*#__PURE__*/ Array.from({ length: RANK }, (_, k) => k);
const operands = ['a', 'b', 'c'] as const;

type AxisParam = `${'size' | 'a' | 'b' | 'c'}${0 | 1 | 2 | 3 | 4 | 5}`;

/** The params of a kernel that reads up to three operands of other shapes than its result. */
export const broadcastParams: Readonly<Record<AxisParam, 'u32'>> = /*#__PURE__*/ Object.fromEntries(
  /*#__PURE__*/ places
    .flatMap((k) => [`size${k}`, ...operands.map((name) => `${name}${k}`)])
    .map((name) => [name, 'u32']),
) as Record<AxisParam, 'u32'>;

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
      (k) => `  if (RANK == ${k + 1}u) { return at + rest * vec3u(params.a${k}, params.b${k}, params.c${k}); }
  if (RANK > ${k + 1}u) {
    let next = rest / params.size${k};
    at += (rest - next * params.size${k}) * vec3u(params.a${k}, params.b${k}, params.c${k});
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

/** How to run over a result: its shape, and the params and the constant RANK for {@link operandOffsets}. */
export interface Broadcast {
  readonly shape: Shape;
  readonly elements: Elements;
  readonly params: Readonly<Record<AxisParam, number>>;
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
 * Plans an op whose operands, some of a, b and c in that order, broadcast as in NumPy. Messages may call them something else.
 *
 * @throws ShapeError when the shapes do not fit, or have more than six axes that cannot be merged.
 */
export function broadcast(
  op: string,
  device: Device,
  operandShapes: Readonly<Partial<Record<(typeof operands)[number], Shape>>>,
  called: Readonly<Record<string, string>> = {},
): Broadcast {
  const shapes = Object.fromEntries(Object.entries(operandShapes).map(([name, one]) => [called[name] ?? name, one]));
  const list = Object.values(shapes);
  const shape = broadcastShapes(op, shapes);
  const axes = mergedAxes(shape, list);
  if (axes.length > RANK) throw new ShapeError(op, `more than ${RANK} axes cannot be broadcast at once`, shapes);
  const params: Record<string, number> = {};
  for (const k of places) {
    params[`size${k}`] = axes[k]?.size ?? 1;
    operands.forEach((name, n) => {
      params[`${name}${k}`] = axes[k]?.strides[n] ?? 0;
    });
  }
  // Four neighbours lie in one row if rows are whole fours, or if there is one row only.
  const together = axes.length <= 1 || (axes[0] as MergedAxis).size % 4 === 0;
  const loads = operands.map((name, n) => {
    if (!together) return [name, 'scalar'];
    return [name, axes[0]?.strides[n] === 1 ? 'vec4' : 'broadcast'];
  });
  return {
    shape,
    // Not in vec4s, each element of the result counts as one.
    elements: elementsOf(device, size(shape) * (together ? 1 : 4)),
    params: params as Record<AxisParam, number>,
    constants: { RANK: axes.length },
    loads: Object.fromEntries(loads),
  };
}

/** WGSL: the vec4f of what a function of numbers gives for each component of vec4fs. */
export function componentwise(name: string, inputs: readonly string[]): string {
  return `vec4f(${[...'xyzw'].map((k) => `${name}(${inputs.map((one) => `${one}.${k}`).join(', ')})`).join(', ')})`;
}
