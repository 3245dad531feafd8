import {
  checkOptions,
  checkTensors,
  type Elements,
  elementParams,
  elementsOf,
  type Tensor,
} from '../../tensor/graph/index.ts';
import { normalizeAxis, type Shape, ShapeError, size } from '../../tensor/values/index.ts';
import type { AxisRows } from './row-threads.ts';

export interface ReduceOptions {
  /** One axis or several; negative ones count from the end. Default: all. */
  readonly axes?: number | readonly number[];
  /** Keep the reduced axes with size 1. Default: false. */
  readonly keepDims?: boolean;
}

/** The runs of neighbouring axes that `options` name, the last one first, with the shape that is left after each. */
export function runsOf(op: string, x: Tensor, options: ReduceOptions): { rows: AxisRows; shape: Shape }[] {
  checkTensors(op, { x });
  checkOptions(op, options, ['axes', 'keepDims']);
  const { axes, keepDims = false } = options;
  const all =
    axes === undefined
      ? x.shape.map((_, i) => i)
      : Array.isArray(axes)
        ? (axes as readonly number[])
        : [axes as number];
  const open = new Set(all.map((axis) => normalizeAxis(op, axis, x.shape)));
  if (open.size < all.length) throw new ShapeError(op, `the axes ${all.join(', ')} name one twice`, { x: x.shape });
  const runs: { rows: AxisRows; shape: Shape }[] = [];
  let now = x.shape;
  for (let last = now.length - 1; last >= 0; last--) {
    if (!open.has(last)) continue;
    let first = last;
    while (open.has(first - 1)) first--;
    const before = now.slice(0, first);
    const after = now.slice(last + 1);
    const reduced = now.slice(first, last + 1);
    now = [...before, ...(keepDims ? reduced.map(() => 1) : []), ...after];
    runs.push({ rows: { outer: size(before), length: size(reduced), inner: size(after) }, shape: now });
    last = first;
  }
  return runs;
}

/**
 * What one load gives: four neighbours of a row (`rows`), one of each of four neighbouring rows (`columns`), or one element
 * (`ones`).
 */
export type Units = 'rows' | 'columns' | 'ones';

export function unitsOf({ inner }: AxisRows): Units {
  if (inner === 1) return 'rows';
  return inner % 4 === 0 ? 'columns' : 'ones';
}

/** How to write all elements `dx` of rows from one value per row. */
export function spreadOver(
  dx: Tensor,
  { outer, length, inner }: AxisRows,
): { units: Units; params: Elements & { readonly length: number; readonly inner: number } } {
  const units: Units =
    inner > 1 ? (inner % 4 === 0 ? 'columns' : 'ones') : length % 4 === 0 || outer === 1 ? 'rows' : 'ones';
  const elements = elementsOf(dx.device, units === 'ones' ? 4 * dx.size : dx.size);
  return { units, params: { ...elements, length, inner: units === 'columns' ? inner / 4 : inner } };
}

/** Which `row` vec4 (or element) i belongs to, and at which `place` of it its first element is. */
export const spreadPlace: Readonly<Record<Units, string>> = {
  rows: `    let row = 4u * i / params.length;
    let place = 4u * i - row * params.length;`,
  // Remainders are computed by multiplying: two divisions instead of four, as divisions are expensive.
  columns: `    let slice = i / params.inner;
    let outer = slice / params.length;
    let row = outer * params.inner + (i - slice * params.inner);
    let place = slice - outer * params.length;`,
  ones: `    let slice = i / params.inner;
    let outer = slice / params.length;
    let row = outer * params.inner + (i - slice * params.inner);
    let place = slice - outer * params.length;`,
};

export const spreadParams: typeof elementParams & { readonly length: 'u32'; readonly inner: 'u32' } = {
  ...elementParams,
  length: 'u32',
  inner: 'u32',
};
