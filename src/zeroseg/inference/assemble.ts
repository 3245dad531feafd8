/** From windows to a label map: which segment each pixel belongs to, what it scores, and which class is the largest. */
import { argmax, argmaxColumns } from '../host/index.ts';
import { between, type LabelMap, resizeBilinear } from '../image/index.ts';
import { Mixtures, type WindowResult } from './mixtures.ts';

interface Size {
  readonly width: number;
  readonly height: number;
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
  resized: Size,
  output: Size,
  names: number,
  background: boolean,
): LabelMap {
  const columns = usedColumns(windows, names, background);
  const mixtures = new Mixtures(windows, resized.width, names, columns);
  const wide = names + 1 > 256;
  const data = wide ? new Uint16Array(output.width * output.height) : new Uint8Array(output.width * output.height);
  const corner = new Float64Array(columns.length);
  let at = 0;
  for (const { upper, lower, down, across } of rowsBetween(mixtures, resized, output)) {
    const { low, high, part } = across;
    let x = 0;
    while (x < output.width) {
      const left = low[x]!;
      const right = high[x]!;
      let end = x + 1;
      while (end < output.width && low[end] === left && high[end] === right) end++;
      const a = upper[left]!;
      const b = upper[right]!;
      const c = lower[left]!;
      const d = lower[right]!;
      const best = mixtures.best(a);
      // What is largest at all four corners is largest between them: sums with the same weights keep the order.
      if (best === mixtures.best(b) && best === mixtures.best(c) && best === mixtures.best(d)) {
        data.fill(columns[best]!, at + x, at + end);
        x = end;
      }
      for (; x < end; x++) {
        data[at + x] = columns[argmax(interpolated(mixtures, a, b, c, d, part[x]!, down, corner))]!;
      }
    }
    at += output.width;
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
  resized: Size,
  output: Size,
  names: number,
  columns: readonly number[],
): Generator<Float64Array, void, undefined> {
  const mixtures = new Mixtures(windows, resized.width, names, columns);
  const scores = new Float64Array(output.width * columns.length);
  for (const { upper, lower, down, across } of rowsBetween(mixtures, resized, output)) {
    const { low, high, part } = across;
    for (let x = 0; x < output.width; x++) {
      const out = scores.subarray(x * columns.length, (x + 1) * columns.length);
      const [left, right] = [low[x]!, high[x]!];
      interpolated(mixtures, upper[left]!, upper[right]!, lower[left]!, lower[right]!, part[x]!, down, out);
    }
    yield scores;
  }
}

/** For each row of the output the two rows of the resized image that it lies between. */
function* rowsBetween(mixtures: Mixtures, resized: Size, output: Size) {
  const across = between(resized.width, output.width);
  const rows = between(resized.height, output.height);
  const kept = new Map<number, Uint32Array>();
  const row = (y: number): Uint32Array => {
    const found = kept.get(y) ?? mixtures.row(y);
    kept.set(y, found);
    return found;
  };
  for (let y = 0; y < output.height; y++) {
    const low = rows.low[y]!;
    for (const before of kept.keys()) if (before < low) kept.delete(before);
    yield { upper: row(low), lower: row(rows.high[y]!), down: rows.part[y]!, across };
  }
}

/** Scores between those of four mixtures: left and right above, left and right below. */
function interpolated(
  mixtures: Mixtures,
  a: number,
  b: number,
  c: number,
  d: number,
  along: number,
  down: number,
  out: Float64Array,
): Float64Array {
  const upperLeft = mixtures.averages(a);
  const upperRight = mixtures.averages(b);
  const lowerLeft = mixtures.averages(c);
  const lowerRight = mixtures.averages(d);
  for (let k = 0; k < out.length; k++) {
    const above = upperLeft[k]! * (1 - along) + upperRight[k]! * along;
    const below = lowerLeft[k]! * (1 - along) + lowerRight[k]! * along;
    out[k] = above * (1 - down) + below * down;
  }
  return out;
}

/**
 * Columns of the scores that may be the largest somewhere when scores of pixels become means of others', whatever the weights. All scores
 * are from 0 on. No column comes to more than its largest score U, and the best of K columns to no less than the least sum of a pixel
 * over K: what is below that everywhere is left out, and the others are held against each other again. So is what never scores more than
 * one and the same other.
 */
export function columnsThatMayWin(
  windows: readonly Pick<WindowResult, 'scores'>[],
  names: number,
  columns: readonly number[],
): number[] {
  let left = [...columns];
  for (;;) {
    const largest = new Map(left.map((column) => [column, 0]));
    let least = Number.POSITIVE_INFINITY;
    for (const { scores } of windows) {
      for (let at = 0; at < scores.length; at += names + 1) {
        let sum = 0;
        for (const column of left) {
          const score = scores[at + column]!;
          sum += score;
          if (score > largest.get(column)!) largest.set(column, score);
        }
        least = Math.min(least, sum);
      }
    }
    const winning = left.filter((column) => largest.get(column)! >= least / left.length);
    if (winning.length === left.length) break;
    left = winning;
  }
  return undominated(windows, names, left);
}

/** Columns that no other scores at least as much as in every segment: means keep that order. Of equal ones the first. */
function undominated(
  windows: readonly Pick<WindowResult, 'scores'>[],
  names: number,
  columns: readonly number[],
): number[] {
  const rows = windows.flatMap(({ scores }) =>
    Array.from({ length: scores.length / (names + 1) }, (_, s) =>
      scores.subarray(s * (names + 1), (s + 1) * (names + 1)),
    ),
  );
  const winners = new Set(
    rows.map((row) => columns.reduce((best, column) => (row[column]! > row[best]! ? column : best))),
  );
  const isBelow = (column: number, winner: number) =>
    rows.every((row) => row[winner]! >= row[column]!) &&
    (winner < column || rows.some((row) => row[winner]! > row[column]!));
  return columns.filter((column) => ![...winners].some((winner) => winner !== column && isBelow(column, winner)));
}

/** Columns of the scores that are not zero everywhere, ascending; at least one. The others can never win. */
export function usedColumns(windows: readonly WindowResult[], names: number, background: boolean): number[] {
  const used = new Set<number>();
  for (const { scores } of windows) {
    for (let i = 0; i < scores.length; i++) if (scores[i] !== 0) used.add(i % (names + 1));
  }
  const first = background ? 0 : 1;
  const columns = [...used].filter((c) => c >= first).sort((a, b) => a - b);
  return columns.length > 0 ? columns : [first];
}
