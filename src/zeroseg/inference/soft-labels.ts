/** Labels by segments' scores that are mixed by the shares of each patch, on the host: naming anew takes milliseconds. */
import { ArgumentError } from '../../gpu/index.ts';
import { argmax } from '../host/index.ts';
import { between, interpolateRow } from '../image/index.ts';
import type { Size } from '../pixels/index.ts';
import type { SoftAssignment, WindowResult } from './mixtures.ts';

/** A window whose patches belong to segments by shares. */
export interface SharedWindow extends Pick<WindowResult, 'box' | 'scores'> {
  readonly assignment: SoftAssignment;
}

/** Shares at a temperature: share^(1/T) over their sum in each patch. @throws ArgumentError when T is not from 0.01 to 100. */
export function temperedShares(assignment: SoftAssignment, temperature = 1): SoftAssignment {
  if (!(temperature >= 0.01 && temperature <= 100)) {
    throw new ArgumentError(
      `Segmenter.name: assignmentTemperature must be a number from 0.01 to 100; got ${temperature}`,
    );
  }
  if (temperature === 1) return assignment;
  const { rows, cols, shares } = assignment;
  const patches = rows * cols;
  const out = new Float32Array(shares.length);
  for (let n = 0; n < patches; n++) {
    // Over the largest, whose power is 1, so that no sum is 0.
    let largest = 0;
    for (let at = n; at < shares.length; at += patches) largest = Math.max(largest, shares[at]!);
    let sum = 0;
    for (let at = n; at < shares.length; at += patches) {
      out[at] = (shares[at]! / largest) ** (1 / temperature);
      sum += out[at]!;
    }
    for (let at = n; at < shares.length; at += patches) out[at]! /= sum;
  }
  return { rows, cols, shares: out };
}

/**
 * The class of each pixel of the output, of some `columns` of the scores (0 is background): of a window, scores of a patch are
 * `Σ_s shares[s, patch] · scores[s, column]`, between patches they are bilinear; windows are averaged where they overlap, and the
 * mean is resized bilinearly to the output's size.
 */
export function softLabels(
  windows: readonly SharedWindow[],
  resized: Size,
  output: Size,
  names: number,
  columns: readonly number[],
): Uint16Array {
  const maps = averagedMaps(windows, resized, names, columns);
  const count = columns.length;
  const best = Uint16Array.from({ length: resized.width * resized.height }, (_, at) =>
    argmax(maps.subarray(at * count, (at + 1) * count)),
  );
  const [across, rows] = [between(resized.width, output.width), between(resized.height, output.height)];
  const labels = new Uint16Array(output.width * output.height);
  const scores = new Float64Array(count);
  for (let y = 0, at = 0; y < output.height; y++) {
    const [upper, lower, down] = [rows.low[y]! * resized.width, rows.high[y]! * resized.width, rows.part[y]!];
    for (let x = 0; x < output.width; x++, at++) {
      const [left, right, along] = [across.low[x]!, across.high[x]!, across.part[x]!];
      const [a, b, c, d] = [upper + left, upper + right, lower + left, lower + right];
      const first = best[a]!;
      // What is largest at all four corners is largest between them: sums with the same weights keep the order.
      if (first === best[b] && first === best[c] && first === best[d]) labels[at] = columns[first]!;
      else {
        for (let k = 0; k < count; k++) {
          const above = maps[a * count + k]! * (1 - along) + maps[b * count + k]! * along;
          const below = maps[c * count + k]! * (1 - along) + maps[d * count + k]! * along;
          scores[k] = above * (1 - down) + below * down;
        }
        labels[at] = columns[argmax(scores)]!;
      }
    }
  }
  return labels;
}

/** Scores `[height, width, columns]` of the pixels of the resized photo. */
function averagedMaps(
  windows: readonly SharedWindow[],
  { width, height }: Size,
  names: number,
  columns: readonly number[],
): Float32Array {
  const count = columns.length;
  const sums = new Float32Array(height * width * count);
  const seen = new Uint16Array(height * width);
  for (const { box, scores, assignment } of windows) {
    const [top, left, bottom, right] = box;
    const [rows, cols] = [assignment.rows, assignment.cols];
    const patches = mixedPatches(scores, assignment, names, columns);
    const row = (y: number) => patches.subarray(y * cols * count, (y + 1) * cols * count);
    const [down, across] = [between(rows, bottom - top), between(cols, right - left)];
    const line = new Float32Array((right - left) * count);
    for (let y = top; y < bottom; y++) {
      const at = y - top;
      interpolateRow(row(down.low[at]!), row(down.high[at]!), down.part[at]!, across, { channels: count, out: line });
      const to = (y * width + left) * count;
      for (let i = 0; i < line.length; i++) sums[to + i]! += line[i]!;
      for (let x = left; x < right; x++) seen[y * width + x]!++;
    }
  }
  for (let at = 0; at < seen.length; at++) {
    const windowsHere = seen[at]!;
    if (windowsHere > 1) for (let i = at * count; i < (at + 1) * count; i++) sums[i]! /= windowsHere;
  }
  return sums;
}

/** Scores `[patches, columns]` of the patches of a window. */
function mixedPatches(
  scores: Float32Array,
  { rows, cols, shares }: SoftAssignment,
  names: number,
  columns: readonly number[],
): Float32Array {
  const patches = rows * cols;
  const mixed = new Float32Array(patches * columns.length);
  for (let s = 0; s < shares.length / patches; s++) {
    const own = columns.map((column) => scores[s * (names + 1) + column]!);
    for (let n = 0; n < patches; n++) {
      const share = shares[s * patches + n]!;
      for (let k = 0; k < own.length; k++) mixed[n * own.length + k]! += share * own[k]!;
    }
  }
  return mixed;
}
