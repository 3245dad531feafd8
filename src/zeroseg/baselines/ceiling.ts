import { type LabelMap, PixelError } from '../image/index.ts';
import type { Baseline } from './baseline.ts';
import { enlargeLabels } from './patch-labels.ts';

/** Every patch of the student's grid has the label that most of its pixels have. */
export const ceiling: Baseline = {
  name: 'ceiling',
  title: 'ceiling of the patch grid',
  note: 'every patch right by majority: no student can pass this',
  isBound: true,
  labels: ({ labels }, { student }) =>
    student && enlargeLabels(majorityLabels(labels, student.grid.height / student.grid.rows), student.grid),
};

/** The label that most pixels of each whole patch have, row by row; the smallest on ties. */
export function majorityLabels({ width, height, data }: LabelMap, patch: number): Uint16Array {
  const [rows, cols] = [Math.floor(height / patch), Math.floor(width / patch)];
  if (rows < 1 || cols < 1) {
    throw new PixelError(`majorityLabels: the map must hold a patch of ${patch} pixels; got ${width} x ${height}`);
  }
  const out = new Uint16Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const counts = new Map<number, number>();
      for (let y = row * patch; y < (row + 1) * patch; y++) {
        for (let x = col * patch; x < (col + 1) * patch; x++) {
          const label = data[y * width + x]!;
          counts.set(label, (counts.get(label) ?? 0) + 1);
        }
      }
      const [first] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
      out[row * cols + col] = first![0];
    }
  }
  return out;
}
