/** From windows to a label map: which segment each pixel belongs to, what it scores, and which class is the largest. */
import { argmax, argmaxColumns } from '../host/index.ts';
import { between, interpolateRow, type LabelMap, resizeBilinear, type WindowBox } from '../image/index.ts';

/** What was found in one window. */
export interface WindowResult {
  readonly box: WindowBox;
  /** Segment of each pixel of the window. */
  readonly segmentOf: Uint8Array;
  /** `[S, 1 + K]`, background first. */
  readonly scores: Float32Array;
  /** `[S, K]` */
  readonly affinity: Float32Array;
}

/** The segment of each pixel: the largest of the bilinearly enlarged roll-out maps `[S, rows, cols]`. */
export function pixelSegments(
  rollout: Float32Array,
  rows: number,
  cols: number,
  height: number,
  width: number,
): Uint8Array {
  const segments = rollout.length / (rows * cols);
  const maps = resizeBilinear(rollout, segments, rows, cols, height, width);
  return new Uint8Array(argmaxColumns(maps, segments, height * width));
}

/** The class of each pixel of the output: the largest of the averaged and resized scores ({@link scoreRows}). */
export function assemble(
  windows: readonly WindowResult[],
  resized: { readonly width: number; readonly height: number },
  output: { readonly width: number; readonly height: number },
  names: number,
  background: boolean,
): LabelMap {
  const columns = usedColumns(windows, names, background);
  const wide = names + 1 > 256;
  const data = wide ? new Uint16Array(output.width * output.height) : new Uint8Array(output.width * output.height);
  let at = 0;
  for (const row of scoreRows(windows, resized, output, names, columns)) {
    for (let from = 0; from < row.length; from += columns.length) {
      data[at++] = columns[argmax(row.subarray(from, from + columns.length))]!;
    }
  }
  return { width: output.width, height: output.height, data };
}

/**
 * The windows' class scores, averaged where they overlap and resized bilinearly to the output's size: for each row of it
 * the scores `[width, columns]` of the wanted columns (0 is background). Row by row, because the scores of all classes at
 * all pixels would take gigabytes for a thousand names. The array is reused for the next row.
 */
export function* scoreRows(
  windows: readonly WindowResult[],
  resized: { readonly width: number; readonly height: number },
  output: { readonly width: number; readonly height: number },
  names: number,
  columns: readonly number[],
): Generator<Float64Array, void, undefined> {
  const across = between(resized.width, output.width);
  const down = between(resized.height, output.height);
  const cached = new Map<number, Float32Array>();
  const scores = new Float64Array(output.width * columns.length);
  for (let y = 0; y < output.height; y++) {
    const low = down.low[y]!;
    const high = down.high[y]!;
    for (const known of cached.keys()) if (known < low) cached.delete(known);
    const upper = averagedRow(windows, low, resized.width, columns, names, cached);
    const lower = averagedRow(windows, high, resized.width, columns, names, cached);
    interpolateRow(upper, lower, down.part[y]!, across, { channels: columns.length, out: scores });
    yield scores;
  }
}

/** Columns of the scores that are not zero everywhere, ascending; at least one. The others can never win. */
function usedColumns(windows: readonly WindowResult[], names: number, background: boolean): number[] {
  const used = new Set<number>();
  for (const { scores } of windows) {
    for (let i = 0; i < scores.length; i++) if (scores[i] !== 0) used.add(i % (names + 1));
  }
  const first = background ? 0 : 1;
  const columns = [...used].filter((c) => c >= first).sort((a, b) => a - b);
  return columns.length > 0 ? columns : [first];
}

/** Averaged scores of one row of the resized image, `[width, columns]`. */
function averagedRow(
  windows: readonly WindowResult[],
  y: number,
  width: number,
  columns: readonly number[],
  names: number,
  cached: Map<number, Float32Array>,
): Float32Array {
  const known = cached.get(y);
  if (known) return known;
  const row = new Float32Array(width * columns.length);
  const covered = new Uint16Array(width);
  for (const { box, segmentOf, scores } of windows) {
    const [y1, x1, y2, x2] = box;
    if (y < y1 || y >= y2) continue;
    for (let x = x1; x < x2; x++) {
      const from = segmentOf[(y - y1) * (x2 - x1) + (x - x1)]! * (names + 1);
      for (let k = 0; k < columns.length; k++) row[x * columns.length + k]! += scores[from + columns[k]!]!;
      covered[x]!++;
    }
  }
  for (let x = 0; x < width; x++) {
    for (let k = 0; k < columns.length; k++) row[x * columns.length + k]! /= covered[x]!;
  }
  cached.set(y, row);
  return row;
}
