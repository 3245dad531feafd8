/** The result of an evaluation as lines for a terminal. */
import type { Interval } from '@zeroseg/core/zeroseg';
import { formatPercent } from '../shell/index.ts';

/** As much of a result as the table says. */
export interface Table {
  /** Whether label 0 counts. */
  readonly has_background: boolean;
  readonly classes: readonly { readonly name: string | undefined; readonly iou: number | null }[];
  readonly threshold: number;
  readonly mean_iou: number | null;
  readonly mean_iou_without_background: number | null;
  readonly mean_iou_objects?: number | null;
  readonly mean_iou_ground?: number | null;
  readonly frequency_weighted_iou: number | null;
  readonly boundary_f: number | null;
  readonly pixel_accuracy: number | null;
  readonly intervals: { readonly mean_iou: Interval | null; readonly resamples: number };
  readonly sweep:
    | readonly {
        readonly threshold: number;
        readonly mean_iou: number | null;
        readonly mean_iou_without_background: number | null;
      }[]
    | undefined;
}

export function resultTable(result: Table): string[] {
  const counted = result.has_background ? result.classes : result.classes.slice(1);
  const widest = Math.max(...counted.map(({ name = '' }) => name.length));
  const cells = counted.map(({ name = '', iou }) => `${name.padEnd(widest)} ${formatPercent(iou, 2).padStart(7)}`);
  const columns = Math.max(1, Math.floor(100 / (widest + 11)));
  const rows = Math.ceil(cells.length / columns);
  const lines = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => cells[c * rows + r] ?? '')
      .join('   ')
      .trimEnd(),
  );
  if (result.sweep) {
    lines.push('', 'threshold   mean IoU   without background');
    for (const { threshold, mean_iou, mean_iou_without_background } of result.sweep) {
      lines.push(
        `${String(threshold).padStart(9)}${formatPercent(mean_iou, 2).padStart(11)}${formatPercent(mean_iou_without_background, 2).padStart(21)}`,
      );
    }
  }
  // Scenes have a name for all that counts.
  const means = result.has_background
    ? `mean IoU ${formatPercent(result.mean_iou, 2)} with background, ${formatPercent(result.mean_iou_without_background, 2)} without (threshold ${result.threshold})`
    : `mean IoU ${formatPercent(result.mean_iou, 2)}`;
  lines.push('', `${means}; ${formatPercent(result.pixel_accuracy, 2)} of pixels right`);
  const { mean_iou: interval, resamples } = result.intervals;
  if (interval) {
    const range = `${formatPercent(interval.low, 2)} to ${formatPercent(interval.high, 2)}`;
    lines.push(`95 % interval of the mean IoU over the choice of photos: ${range} (${resamples} draws)`);
  }
  lines.push(
    `frequency-weighted IoU ${formatPercent(result.frequency_weighted_iou, 2)}; boundary F-score ${formatPercent(result.boundary_f, 2)}`,
  );
  const { mean_iou_objects: objects, mean_iou_ground: ground } = result;
  if (objects !== undefined && ground !== undefined) {
    lines.push(`mean IoU ${formatPercent(objects, 2)} over objects, ${formatPercent(ground, 2)} over ground`);
  }
  return lines;
}
