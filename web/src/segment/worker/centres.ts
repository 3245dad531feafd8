import { type LabelMap, type SegmentCentre, segmentCentres } from '@zeroseg/core/zeroseg';

/** Segments with a smaller fraction of the picture are not named on it. */
const SMALLEST = 0.006;
/** Longer side of the map in which centres are looked for: they need not be found to the pixel. */
const COARSE = 256;

/** A point well inside of each segment that is large enough, and the pixels of the segment; the largest first. */
export function centresOf({ width, height, data }: LabelMap): SegmentCentre[] {
  const step = Math.max(1, Math.max(width, height) / COARSE);
  const [columns, rows] = [Math.max(1, Math.round(width / step)), Math.max(1, Math.round(height / step))];
  const column = (x: number): number => Math.floor(((x + 0.5) * width) / columns);
  const row = (y: number): number => Math.floor(((y + 0.5) * height) / rows);
  const coarse = new Uint16Array(columns * rows);
  for (let y = 0, at = 0; y < rows; y++) {
    const from = row(y) * width;
    for (let x = 0; x < columns; x++, at++) coarse[at] = data[from + column(x)]!;
  }
  const scale = (width * height) / coarse.length;
  return segmentCentres(coarse, columns, rows, coarse.length * SMALLEST).map(({ label, x, y, area }) => ({
    ...{ label, x: column(x), y: row(y) },
    area: Math.round(scale * area),
  }));
}

/** Pixels of each label. */
export function countsOf({ data }: LabelMap, labels: number): Uint32Array {
  const counts = new Uint32Array(labels);
  for (let at = 0; at < data.length; at++) counts[data[at]!]!++;
  return counts;
}
