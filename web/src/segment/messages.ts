import type { SegmentResult } from '@zeroseg/core/zeroseg';

/** What the page asks its worker: a photo that it was given, by a model, by words. */
export interface SegmentRequest {
  readonly photo: number;
  readonly model: string;
  readonly words: readonly string[];
  /** Size of the label map. Default: that of the photo. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
  /** Scores below it are left to the background. */
  readonly threshold?: number | undefined;
}

export interface PhotoFacts {
  readonly id: number;
  readonly width: number;
  readonly height: number;
}

/** What is being waited for; without numbers where they are not known. */
export interface Doing {
  readonly what: 'gpu' | 'model' | 'words' | 'picture';
  readonly done?: number;
  readonly total?: number;
}

export interface Segmented extends SegmentResult {
  /** What labels mean: background, then the words. */
  readonly names: readonly string[];
  /** Milliseconds that looking at the picture took, undefined where that was done before; and naming, without the words' vectors. */
  readonly looked: number | undefined;
  readonly named: number;
}
