import { type Shape, size } from '../../src/tensor/values/shape.ts';
import { type Ref, ref } from './check-op.ts';

/** The index along each axis of element `i`. */
export function indices(shape: Shape, i: number): number[] {
  const result: number[] = [];
  for (const axis of [...shape].reverse()) {
    result.unshift(i % axis);
    i = Math.floor(i / axis);
  }
  return result;
}

/** A tensor whose element at `at` is that of `x` at `source(at)`, or `otherwise` where that is nowhere in x. */
export function rearranged(
  x: Ref,
  shape: Shape,
  source: (at: number[]) => number[],
  otherwise: number = Number.NaN,
): Ref {
  const data = Array.from({ length: size(shape) }, (_, i) => {
    const from = source(indices(shape, i));
    if (!from.every((one, axis) => one >= 0 && one < (x.shape[axis] as number))) return otherwise;
    return x.data[from.reduce((sum, one, axis) => sum * (x.shape[axis] as number) + one, 0)] as number;
  });
  return ref(shape, data);
}
