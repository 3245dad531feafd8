import type { Scene } from '../scenes/index.ts';
import type { DenseFeatures } from './dense-teacher.ts';
import type { PatchGrid } from './patch-grid.ts';

/** Features of each cell of a grid, `[rows · cols, C]`. */
export interface GridFeatures {
  readonly features: Float32Array;
  readonly grid: PatchGrid;
}

/** Scores `[K, rows, cols]` of K names in the cells of a grid. */
export interface CellScores {
  readonly scores: Float32Array;
  readonly grid: PatchGrid;
}

/** What labels of a scene may be made of, beside the scene itself. */
export interface BaselineContext {
  /** Names as unit vectors of the teacher, `[K, C]`. */
  readonly text: Float32Array;
  /** C */
  readonly width: number;
  /** The teacher's features of the scene's crops, of the finest grid. */
  readonly crops: GridFeatures;
  /** The teacher's features of the scene's patches. */
  readonly dense: DenseFeatures;
  /** A student's features of the scene's patches, out of its encoder, where a student is scored. */
  readonly student: GridFeatures | undefined;
  /** Of what is drawn: the number of the scene. */
  readonly seed: number;
}

/** What students are compared with on scenes: a way to label pixels without a student's segments. */
export interface Baseline {
  /** In results: a word. */
  readonly name: string;
  /** In tables. */
  readonly title: string;
  /** In reports: what it does, in a sentence. */
  readonly note: string;
  /** Whether no student can pass it. */
  readonly isBound?: boolean;
  /** What each cell of a grid scores for each name, cosines: the largest, enlarged bilinearly, is the label. */
  cells?(context: BaselineContext): CellScores;
  /** In their stead, the label of each pixel: 0 is none, k + 1 the k-th name. Undefined without what it is made of. */
  labels?(scene: Scene, context: BaselineContext): ArrayLike<number> | undefined;
  /** In the stead of labels, what is to be expected where so many pixels have each label. */
  expected?(counts: ArrayLike<number>): { iou: (number | null)[]; accuracy: number | null };
}
