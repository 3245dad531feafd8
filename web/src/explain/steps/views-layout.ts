/** Where segments and views lie in the figure of step seven, in its own units. */
import type { Subject } from '../messages.ts';

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

export interface ViewsLayout {
  readonly width: number;
  readonly height: number;
  /** By segment, in the order in which they are drawn. */
  readonly segments: readonly Place[];
  /** By grid. */
  readonly grids: readonly Place[];
  /** Whether segments stand beside the grids, or above them. */
  readonly isWide: boolean;
}

export function layOut({ grids }: Pick<Subject, 'grids'>, segments: number, isWide: boolean): ViewsLayout {
  const columns = Math.min(2, grids.length);
  const rows = Math.ceil(grids.length / columns);
  const gap = isWide ? 28 : 16;
  const size = isWide ? 250 : 172;
  const [left, top] = isWide ? [210, 0] : [0, 104];
  const places = grids.map((_, i) => ({
    x: left + (i % columns) * (size + gap),
    y: top + Math.floor(i / columns) * (size + gap),
    size,
  }));
  const width = left + columns * size + (columns - 1) * gap;
  const height = top + rows * size + (rows - 1) * gap;
  const along = isWide ? height : width;
  const one = Math.min(isWide ? 56 : 40, along / segments - 6);
  const between = segments > 1 ? (along - segments * one) / (segments - 1) : 0;
  const step = Math.min(one + between, one + (isWide ? 20 : 12));
  const start = (along - (segments - 1) * step - one) / 2;
  const thumbs = Array.from({ length: segments }, (_, i) => {
    const at = start + i * step;
    return isWide ? { x: 0, y: at, size: one } : { x: at, y: 0, size: one };
  });
  return { width, height, segments: thumbs, grids: places, isWide };
}

/** Grid, row and column of a view, from 0. */
export function cellOf(grids: readonly number[], view: number): { grid: number; row: number; col: number } {
  let left = view;
  for (const [grid, k] of grids.entries()) {
    if (left < k * k) return { grid, row: Math.floor(left / k), col: left % k };
    left -= k * k;
  }
  throw new Error(`there is no view ${view}`);
}

/** A view for people. */
export function viewName(grids: readonly number[], view: number): string {
  const { grid, row, col } = cellOf(grids, view);
  const k = grids[grid] as number;
  return k === 1 ? 'the whole picture' : `row ${row + 1}, column ${col + 1} of ${k} × ${k}`;
}
