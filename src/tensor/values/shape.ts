import { ZeroSegError } from '../../gpu/index.ts';
import { describe } from './describe.ts';
/** Sizes of the axes, slowest first. `[]` is a scalar; an axis may be 0. */
export type Shape = readonly number[];

/** An op was called with shapes, axes or dtypes that it cannot take. `shapes` holds each by name. */
export class ShapeError extends ZeroSegError {
  override readonly name = 'ShapeError';
  readonly code = 'shape';
  readonly op: string;
  readonly shapes: Readonly<Record<string, Shape>>;

  /** The message reads `op: rule; got a [2, 3], b [4]`. */
  constructor(op: string, rule: string, shapes: Readonly<Record<string, Shape>> = {}) {
    const got = Object.entries(shapes).map(([name, shape]) => `${name} ${formatShape(shape)}`);
    super(`${op}: ${rule}${got.length > 0 ? `; got ${got.join(', ')}` : ''}`);
    this.op = op;
    this.shapes = shapes;
  }
}

/** What is no tensor, as a list in its place, has no shape: `[undefined]`. */
export function formatShape(shape: Shape | undefined): string {
  return `[${shape?.join(', ')}]`;
}

/** Number of elements. */
export function size(shape: Shape): number {
  let n = 1;
  for (const axis of shape) n *= axis;
  return n;
}

export function sameShape(a: Shape, b: Shape | undefined): boolean {
  return a.length === b?.length && a.every((axis, i) => axis === b[i]);
}

/** The shape of several together, NumPy's rule: axes are aligned at the end, an axis of 1 stretches. */
export function broadcastShapes(op: string, shapes: Readonly<Record<string, Shape>>): number[] {
  const list = Object.values(shapes);
  const rank = Math.max(0, ...list.map((one) => one.length));
  return Array.from({ length: rank }, (_, i) => {
    const lengths = list.map((one) => one[one.length - rank + i] ?? 1).filter((length) => length !== 1);
    if (new Set(lengths).size > 1) throw new ShapeError(op, 'axes must be equal, or 1, counted from the last', shapes);
    return lengths[0] ?? 1;
  });
}

/** `axis` as 0..rank−1; negative ones count from the end. */
export function normalizeAxis(op: string, axis: number, shape: Shape): number {
  const normal = Number.isInteger(axis) ? (axis < 0 ? axis + shape.length : axis) : -1;
  if (shape[normal] === undefined) {
    const rule = typeof axis === 'number' ? `axis ${axis} does not exist` : `axes are numbers; got ${describe(axis)}`;
    throw new ShapeError(op, rule, { x: shape });
  }
  return normal;
}

/** A shape seen from one axis: elements before it, along it, and after it. */
export function aroundAxis(shape: Shape, axis: number): { outer: number; length: number; inner: number } {
  return { outer: size(shape.slice(0, axis)), length: shape[axis] ?? 1, inner: size(shape.slice(axis + 1)) };
}

/** Checks what a user wrote as a shape. */
export function checkShape(op: string, shape: Shape): void {
  if (!Array.isArray(shape))
    throw new ShapeError(op, `a shape is a list of whole numbers, such as [2, 3]; got ${describe(shape)}`);
  // With a loop: every() passes over holes.
  for (const axis of shape as readonly unknown[]) {
    if (!Number.isInteger(axis) || (axis as number) < 0) {
      throw new ShapeError(op, 'axes must be whole numbers, 0 or more', { shape: Array.from(shape, String) as never });
    }
  }
}
