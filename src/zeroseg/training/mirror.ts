/** Photos as a mirror shows them. */
import { cellsAlong } from '../image/index.ts';

/**
 * For each view of a photo, row by row of each grid, the view that the mirrored photo has in its place: the same row, from the other end.
 *
 * ```ts
 * mirroredViews([1, 2]); // [0, 2, 1, 4, 3]
 * ```
 */
export function mirroredViews(grids: readonly number[]): number[] {
  const order: number[] = [];
  for (const k of grids) {
    const first = order.length;
    const cells = cellsAlong(k);
    for (let i = 0; i < cells * cells; i++) order.push(first + (i - (i % cells)) + (cells - 1 - (i % cells)));
  }
  return order;
}

/**
 * Mirrors the planes of a square photo `[3, S, S]` and the features `[V, C]` of its views, in place. The features are those of the photo as it
 * is in the order of `views` (see {@link mirroredViews}): what the teacher would see in mirrored views is taken to be what it sees in these.
 */
export function mirror(image: Float32Array, features: Float32Array, views: readonly number[]): void {
  const side = Math.round(Math.sqrt(image.length / 3));
  for (let row = 0; row < image.length; row += side) image.subarray(row, row + side).reverse();
  const channels = features.length / views.length;
  const before = features.slice();
  for (const [to, from] of views.entries()) {
    features.set(before.subarray(from * channels, (from + 1) * channels), to * channels);
  }
}
