import type { Interval } from '@zeroseg/core/zeroseg';

/** How one photo fared. */
export interface PhotoScore {
  readonly id: string;
  /** Mean over the classes that are or were found in it; null where nothing counts. */
  readonly mean_iou: number | null;
  readonly pixel_accuracy: number | null;
  readonly classes: readonly {
    readonly label: number;
    readonly iou: number | null;
    readonly pixels: number;
    readonly predicted: number;
  }[];
  /** Its pictures, for the worst ones. */
  readonly file?: string;
}

/** What the page says beside the photos: `zeroseg eval --json`, as far as it is shown. */
export interface EvaluationResult {
  readonly data: string;
  readonly photos: number;
  readonly threshold: number;
  readonly mean_iou: number | null;
  readonly mean_iou_without_background: number | null;
  /** Of scenes. */
  readonly mean_iou_objects?: number | null;
  readonly mean_iou_ground?: number | null;
  /** Left out by what measures no more than IoU. */
  readonly frequency_weighted_iou?: number | null;
  readonly boundary_f?: number | null;
  readonly pixel_accuracy: number | null;
  /** 95 % of the draws. */
  readonly intervals?: {
    readonly mean_iou: Interval | null;
    readonly mean_iou_without_background: Interval | null;
    readonly frequency_weighted_iou: Interval | null;
    readonly pixel_accuracy: Interval | null;
    readonly resamples: number;
  };
  readonly classes: readonly {
    readonly label: number;
    readonly name: string | undefined;
    readonly iou: number | null;
    readonly boundary_f?: number | null;
    readonly pixels: number | undefined;
  }[];
}
