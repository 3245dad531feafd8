import type { LabelMap, Region } from '../image/index.ts';

/** The connected parts (four neighbours) of all classes. */
export interface Parts {
  /** Parts in the order of their first pixels, row by row. */
  readonly list: readonly Part[];
  /** The number of the part that a pixel belongs to. */
  partAt(x: number, y: number): number;
}

export interface Part {
  readonly label: number;
  readonly pixels: number;
  readonly box: Region;
  /** Sum of the scores of its pixels; 0 where none were given. */
  readonly scoreSum: number;
}

/** Finds the connected parts by the runs of their rows: work grows with the borders, not with the pixels of each part. */
export function connectedParts({ width, height, data }: LabelMap, scores?: Iterable<ArrayLike<number>>): Parts {
  const rows = scores?.[Symbol.iterator]();
  const rowStart = new Int32Array(height + 1);
  const starts: number[] = [];
  const above: number[] = [];
  const sums: number[] = [];
  for (let y = 0, at = 0; y < height; y++) {
    rowStart[y] = starts.length;
    const row = rows?.next().value as ArrayLike<number> | undefined;
    const [previous, end] = [y > 0 ? rowStart[y - 1]! : 0, rowStart[y]!];
    let candidate = previous;
    for (let x = 0; x < width; ) {
      const from = x;
      const label = data[at + x]!;
      let sum = 0;
      while (x < width && data[at + x] === label) {
        if (row) sum += row[x]!;
        x++;
      }
      const run = starts.push(from) - 1;
      above.push(run);
      sums.push(sum);
      // Runs of the row above that lie over this one and have its label.
      while (candidate < end && (candidate + 1 < end ? starts[candidate + 1]! : width) <= from) candidate++;
      for (let other = candidate; other < end && starts[other]! < x; other++) {
        if (data[at - width + Math.max(from, starts[other]!)] === label) join(above, run, other);
      }
    }
    at += width;
  }
  rowStart[height] = starts.length;

  const numbers = new Int32Array(starts.length).fill(-1);
  const parts: {
    label: number;
    pixels: number;
    left: number;
    top: number;
    right: number;
    bottom: number;
    sum: number;
  }[] = [];
  for (let y = 0; y < height; y++) {
    for (let run = rowStart[y]!; run < rowStart[y + 1]!; run++) {
      const left = starts[run]!;
      const right = run + 1 < rowStart[y + 1]! ? starts[run + 1]! : width;
      const root = rootOf(above, run);
      // A root is the first run of its part.
      if (root === run) {
        const label = data[y * width + left]!;
        numbers[run] = parts.push({ label, pixels: 0, left, top: y, right, bottom: y, sum: 0 }) - 1;
      }
      const part = parts[(numbers[run] = numbers[root]!)]!;
      part.pixels += right - left;
      part.sum += sums[run]!;
      part.left = Math.min(part.left, left);
      part.right = Math.max(part.right, right);
      part.bottom = y + 1;
    }
  }
  return {
    list: parts.map(({ label, pixels, left, top, right, bottom, sum }) => ({
      label,
      pixels,
      box: { x: left, y: top, width: right - left, height: bottom - top },
      scoreSum: sum,
    })),
    partAt(x, y) {
      let [low, high] = [rowStart[y]!, rowStart[y + 1]! - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (starts[middle]! <= x) low = middle;
        else high = middle - 1;
      }
      return numbers[low]!;
    },
  };
}

/** The first run of a run's part; the way to it is made shorter. */
function rootOf(above: number[], run: number): number {
  while (above[run] !== run) {
    above[run] = above[above[run]!]!;
    run = above[run]!;
  }
  return run;
}

function join(above: number[], a: number, b: number): void {
  const [first, second] = [rootOf(above, a), rootOf(above, b)];
  above[Math.max(first, second)] = Math.min(first, second);
}
