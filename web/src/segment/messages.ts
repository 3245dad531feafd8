import type { KnownWords, SegmentCentre, SegmentResult, UnknownName } from '@zeroseg/core/zeroseg';
import type { Rgb } from './colours.ts';

/** Who asks: one of two pictures that are compared, or a download. */
export type Asker = 'first' | 'second' | 'export';

/** What the page asks its worker: a photo that it was given, by a model, by words. */
export interface SegmentRequest {
  /** What it asked for before is stopped. */
  readonly asker: Asker;
  readonly photo: number;
  readonly model: string;
  readonly words: readonly string[];
  /** Size of the label map. Default: that of the photo. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
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
  /** Words that the model was not taught, with the nearest that it was. */
  readonly unknown: readonly UnknownName[];
  /** What it was taught; undefined of a model that may be asked for anything. */
  readonly known: KnownWords | undefined;
  /** Pixels of each label. */
  readonly counts: Uint32Array;
  /** Where names are written: a point well inside of each segment that is large enough. */
  readonly centres: readonly SegmentCentre[];
  /** Milliseconds that looking at the picture took, undefined where that was done before; and naming, without the words' vectors. */
  readonly looked: number | undefined;
  readonly named: number;
}

/** A picture with names and legend, class numbers as grey values, regions as JSON, or one word cut out. */
export type ExportKind = 'overlay' | 'labels' | 'json' | 'cutout';

export interface ExportOptions {
  readonly kind: ExportKind;
  readonly photoName: string;
  readonly model: string;
  /** By label. */
  readonly colours: readonly Rgb[];
  /** Of a cut-out. */
  readonly label?: number;
}

/** What segments pictures in the worker: models on the GPU or, without one, a recorded run. */
export interface Segmenting {
  /** Takes a photo in place of the one before. */
  open(file: Blob, name: string): Promise<PhotoFacts>;
  segment(request: SegmentRequest, onDoing: (doing: Doing) => void): Promise<Segmented>;
  /** Stops what is being made for somebody who does not want it any more. */
  stop(asker: Asker): void;
  /** A file to take along, at the photo's full size. */
  export(request: SegmentRequest, options: ExportOptions): Promise<Blob>;
}
