import { argmax, max, sum } from '../../kernels/axis/index.ts';
import { exp, scale, sub } from '../../kernels/elementwise/index.ts';
import { readAll } from '../../tensor/run/index.ts';
import type { WorkOptions } from '../host/index.ts';
import type { ScoreMaps } from './score-maps.ts';

/** Bytes of score maps that are made at once, so that a thousand names take no more memory than a hundred. */
const BLOCK_BYTES = 2 ** 26;

/** For each pixel the column that scores most: its number, its score, and Σ exp(λ(score − largest)) over all columns. */
export interface BestColumns {
  readonly best: Uint16Array;
  readonly top: Float32Array;
  readonly sum: Float64Array;
}

/** The best of some columns at each pixel; of equal ones the first. Maps are made block by block of columns, and only the best are kept. */
export async function bestColumns(
  maps: ScoreMaps,
  columns: readonly number[],
  pixels: number,
  lambda: number,
  { signal, block = BLOCK_BYTES }: WorkOptions<never> & { readonly block?: number } = {},
): Promise<BestColumns> {
  const best = new Uint16Array(pixels);
  const top = new Float32Array(pixels).fill(Number.NEGATIVE_INFINITY);
  const total = new Float64Array(pixels);
  const atOnce = Math.max(1, Math.floor(block / (4 * pixels)));
  for (let from = 0; from < columns.length; from += atOnce) {
    signal?.throwIfAborted();
    const part = columns.slice(from, from + atOnce);
    const scores = maps(part);
    const largest = max(scores, { axes: [1], keepDims: true });
    const others = sum(exp(scale(sub(scores, largest), lambda)), { axes: [1] });
    const [tops, indices, sums] = await readAll([largest, argmax(scores, 1), others]);
    for (let i = 0; i < pixels; i++) {
      const [value, before] = [tops![i]!, top[i]!];
      if (value > before) {
        total[i] = total[i]! * Math.exp(lambda * (before - value)) + sums![i]!;
        top[i] = value;
        best[i] = part[indices![i]!]!;
      } else total[i]! += sums![i]! * Math.exp(lambda * (value - before));
    }
  }
  return { best, top, sum: total };
}
