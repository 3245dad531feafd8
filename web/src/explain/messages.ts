/** What the page asks the worker, and what it gets: plain numbers, drawn by the page. */

/** A picture as a model takes it. */
export interface Subject {
  /** Tells it from the pictures before; requests name it. */
  readonly id: number;
  /** The model's square, RGBA. */
  readonly square: Uint8ClampedArray<ArrayBuffer>;
  readonly side: number;
  readonly patch: number;
  /** Patches along a side. */
  readonly cols: number;
  /** What the model was trained with, and its sizes. */
  readonly trained: Training;
  /** Cells along a side, by grid. */
  readonly grids: readonly number[];
  /** Where the views lie in the square, in the order of the grids: left, top, right, bottom. */
  readonly boxes: readonly (readonly [number, number, number, number])[];
}

export interface Training {
  readonly maskRatio: number;
  readonly tau: number;
  readonly hard: boolean;
  readonly dim: number;
  readonly embedding: number;
  readonly stem: 'patch' | 'conv';
  readonly encoderBlocks: number;
  readonly decoderBlocks: number;
  readonly groups: number;
  readonly segments: number;
  /** Rounds in which group tokens move to what they won, beyond the paper; and whether they begin at patches of the image. */
  readonly rounds: number;
  readonly fromImage: boolean;
  /** Patches that must be kept, so that every group can begin at one. */
  readonly leastKept: number;
  /** Whether distances between features, and the distances of segments, are added up instead of averaged. */
  readonly sumsFeatures: boolean;
  readonly sumsSegments: boolean;
  readonly weights: Readonly<Record<string, number>>;
}

export interface SeeRequest {
  readonly subject: number;
  readonly maskRatio: number;
  readonly maskSeed: number;
}

export interface Seen {
  /** 1 where a patch is hidden. */
  readonly mask: Uint8Array;
  readonly hidden: number;
  /** By patch, RGB: tokens as they enter the encoder, and as they leave it. Hidden ones are black. */
  readonly entering: Uint8Array;
  readonly leaving: Uint8Array;
  /** Tokens that left it as unit vectors, by patch `[N, dim]`; hidden ones are 0. */
  readonly directions: Float32Array;
  /** The square with its hidden patches as the decoder painted them, RGBA. */
  readonly repainted: Uint8ClampedArray<ArrayBuffer>;
}

export interface GroupRequest extends SeeRequest {
  readonly tau: number;
  readonly hard: boolean;
  /** Undefined: no noise. */
  readonly noiseSeed: number | undefined;
  /** How many of the model's grids are compared. */
  readonly grids: number;
}

export interface Grouped {
  /** Groups, members, and the soft assignment `[groups, members]`, of both stages. */
  readonly stages: readonly { readonly groups: number; readonly members: number; readonly soft: Float32Array }[];
  /** By patch, −1 where it was hidden; and the place of a patch among the members of stage one. */
  readonly groupOf: Int16Array;
  readonly segmentOf: Int16Array;
  readonly memberOf: Int32Array;
  readonly segmentOfGroup: Uint32Array;
  /** Patches of each group, and of each segment. */
  readonly groupSizes: Uint32Array;
  readonly segmentSizes: Uint32Array;
  readonly segments: number;
  /** The view that each segment is nearest to, −1 where there is none; and its distance to every view `[S, V]`, NaN where it is not compared. */
  readonly nearest: Int16Array;
  readonly distance: Float32Array;
  /** Terms of the loss by name, not weighted. */
  readonly terms: Readonly<Record<string, number>>;
  readonly total: number;
}

export interface Named {
  readonly words: readonly string[];
  /** Cosines `[S, K]`. */
  readonly cosines: Float32Array;
  /** Words that the model was not taught. */
  readonly unknown: readonly string[];
}
