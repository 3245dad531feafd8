import { ArgumentError } from '../../gpu/index.ts';
/** Top, left, bottom, right; bottom and right are exclusive. */
export type WindowBox = [y1: number, x1: number, y2: number, x2: number];

/** Windows of one photo: at a thousand a second they would take a quarter of an hour. */
const MAX_WINDOWS = 2 ** 20;

/**
 * The sliding windows of inference, row by row: along each axis `max(size - side + stride - 1, 0) // stride + 1`
 * of them; one that would stick out is moved back inside. An axis shorter than the window gives a smaller window, with
 * no padding (MMSegmentation's `slide` mode).
 *
 * ```ts
 * slidingWindows(448, 597); // [[0, 0, 448, 448], [0, 149, 448, 597]]
 * ```
 */
export function slidingWindows(height: number, width: number, side = 448, stride = 224): WindowBox[] {
  for (const [name, value] of Object.entries({ height, width, side, stride })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ArgumentError(`slidingWindows: ${name} must be a whole number from 1; got ${value}`);
    }
  }
  if (stride > side) {
    throw new ArgumentError(`slidingWindows: a stride of ${stride} would leave gaps between windows of ${side}`);
  }
  const count = (size: number): number => Math.floor(Math.max(size - side + stride - 1, 0) / stride) + 1;
  if (count(height) * count(width) > MAX_WINDOWS) {
    throw new ArgumentError(
      `slidingWindows: ${count(height)} x ${count(width)} windows are more than the ${MAX_WINDOWS} that are possible; choose a longer stride`,
    );
  }
  const boxes: WindowBox[] = [];
  for (const [y1, y2] of spans(height, side, stride)) {
    for (const [x1, x2] of spans(width, side, stride)) boxes.push([y1, x1, y2, x2]);
  }
  return boxes;
}

function spans(size: number, side: number, stride: number): [start: number, end: number][] {
  const count = Math.floor(Math.max(size - side + stride - 1, 0) / stride) + 1;
  return Array.from({ length: count }, (_, i) => {
    const end = Math.min(i * stride + side, size);
    return [Math.max(end - side, 0), end];
  });
}
