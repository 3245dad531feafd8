import type { Row } from './bench.ts';
import type { Limits } from './limits.ts';

/** A workload in a roofline chart. */
export interface RooflinePoint {
  readonly row: Row;
  /**
   * FLOP that its products need for each byte that must be moved. Work without products, and whole steps whose bytes are not counted, have
   * no such number: they stand at the ends of the chart, where their distance to the roof is their share all the same.
   */
  readonly intensity: number;
  readonly gflops: number;
  /** What is known of it. */
  readonly known: 'both' | 'bytes' | 'products';
}

/** What a device allows, and how near work comes: both axes are to be logarithmic. */
export interface Roofline {
  readonly points: readonly RooflinePoint[];
  /** GFLOP/s of the flat part of the roof; GB/s: slope of the other. */
  readonly gflops: number;
  readonly gigabytesPerSecond: number;
  /** FLOP a byte where they meet. */
  readonly ridge: number;
  /** Where work stands whose intensity is not known, and with it the ends of the chart. */
  readonly min: number;
  readonly max: number;
}

/** What the roof allows at an intensity, in GFLOP/s. */
export function roofAt(
  { gflops, gigabytesPerSecond }: Pick<Roofline, 'gflops' | 'gigabytesPerSecond'>,
  x: number,
): number {
  return Math.min(gflops, gigabytesPerSecond * x);
}

/** Work whose rates are known against the limits; what has neither FLOP nor bytes (whole training steps) is left out. */
export function roofline(limits: Limits, rows: readonly Row[]): Roofline {
  const [gflops, gigabytesPerSecond] = [limits.flopsPerSecond / 1e9, limits.bytesPerSecond / 1e9];
  const ridge = gflops / gigabytesPerSecond;
  const known = rows.flatMap(({ flops, moved }) => (flops && moved ? [flops / moved] : []));
  const min = Math.min(ridge, ...known) / 4;
  const max = Math.max(ridge, ...known) * 4;
  const points = rows.flatMap((row): RooflinePoint[] => {
    if (row.flops && row.moved && row.gflops) {
      return [{ row, intensity: row.flops / row.moved, gflops: row.gflops, known: 'both' }];
    }
    if (row.gflops) return [{ row, intensity: max, gflops: row.gflops, known: 'products' }];
    if (row.gigabytesPerSecond) {
      return [{ row, intensity: min, gflops: row.gigabytesPerSecond * min, known: 'bytes' }];
    }
    return [];
  });
  return { points, gflops, gigabytesPerSecond, ridge, min, max };
}
