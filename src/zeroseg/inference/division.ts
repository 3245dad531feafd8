import type { PamrOptions } from '../../kernels/zeroseg/index.ts';
import type { LabelMap, WindowBox } from '../image/index.ts';
import type { Assignment } from '../model/index.ts';
import type { PatchScores, PixelClasses, Planes } from '../pixels/index.ts';
import type { ScoringOptions } from './class-scores.ts';
import type { SoftAssignment, WindowResult } from './mixtures.ts';
import type { TeacherLook } from './teacher-prior.ts';

/** One window of a photo, divided into S segments. */
export interface DividedWindow {
  readonly box: WindowBox;
  /** Segment of each pixel of the window. */
  readonly segmentOf: Uint8Array | Uint16Array;
  /** Embeddings of the segments `[S, C]`, and of the window's whole image `[C]`. */
  readonly segments: Float32Array;
  readonly global: Float32Array;
  /** Of models that group: how much of each patch belongs to each segment. */
  readonly assignment?: SoftAssignment | undefined;
  /** Of a CLIP that names patches, where asked for: `DenseFeatures.keys` `[S, D]`. */
  readonly keys?: Float32Array | undefined;
}

/**
 * A photo divided into segments that have no names yet. It holds nothing but numbers of the host: it may be kept, sent to another
 * thread, and named again by other words without the GPU.
 */
export interface Division {
  /** Size of the photo. */
  readonly width: number;
  readonly height: number;
  /** Size that it was looked at; boxes of windows are in its coordinates. */
  readonly resized: { readonly width: number; readonly height: number };
  readonly windows: readonly DividedWindow[];
  /** The photo as the model saw it, for {@link NamingRules.refine}. */
  readonly planes?: Planes | undefined;
  /** For {@link NamingRules.teacherPrior}. */
  readonly look?: TeacherLook | undefined;
  /** Of a CLIP that names patches: where they lie in the windows, whose segments they are. */
  readonly patches?: Pick<PatchScores, 'window' | 'grid' | 'direct'> | undefined;
}

/** How segments get their names. */
export interface NamingRules {
  /**
   * Scores below it are background (spec §11.3); left out, every pixel gets a class. Of a CLIP that names patches, a pixel whose largest
   * probability is below it.
   */
  readonly threshold?: number | undefined;
  /** Of models that group. Default `groupvit`. */
  readonly scoring?: ScoringOptions['scoring'] | undefined;
  /** Of models that group: classes that the image embedding lets through. Default 5. */
  readonly top?: number | undefined;
  /**
   * Of models that group: `hard` gives a pixel the scores of the segment that most of it belongs to, `soft` the mean of all segments'
   * scores by its shares in them, Σ_s share(s) · score(s), and `geometric` their weighted geometric mean Π_s score(s)^share(s): of a softmax,
   * the mean of the logits. A name must then suit all segments that a pixel belongs to; background is where most of a pixel lies in segments
   * that are background. Default `hard`.
   */
  readonly assignment?: Assignment | undefined;
  /**
   * Of `soft` and `geometric` assignment: T of share(s)^(1/T) / Σ share^(1/T), which takes the place of the shares. Above 1 a pixel belongs less to its
   * largest segment alone. Default 1.
   */
  readonly assignmentTemperature?: number | undefined;
  /**
   * Of models that group: the part c of what all words have in common that is taken off each of them, t − c · mean(t) of unit vectors t, before cosines: what is
   * left tells them apart. From 0, the default, to below 1.
   */
  readonly centre?: number | undefined;
  /**
   * Of models that group: the factor (area + 0.01)^prior on the scores of a name, its area being its mean score over the photo: names
   * that score little everywhere lose where they would win by a little. 0, the default, for none.
   */
  readonly prior?: number | undefined;
  /**
   * Of a ZeroSeg with its teacher at hand: factors on the scores of names by what the teacher sees in large crops of the photo ({@link teacherFactors}), of a
   * photo that was divided with {@link DivideOptions.teacherPrior}. The score is then that of both together. Default false.
   */
  readonly teacherPrior?: boolean | undefined;
  /**
   * Draws scores to the edges in the photo: see {@link pamr}. `false`: not even where the model's authors do it. Of {@link OpenVocabulary} steps and distances
   * that are left out are those that the model's file recommends.
   */
  readonly refine?: PamrOptions | false | undefined;
  /** Of a CLIP that names patches: see `QueryRules.area`. */
  readonly area?: number | undefined;
  /** Of a CLIP that names patches: the threshold of {@link denoisePrompts}. */
  readonly denoise?: number | undefined;
  /** Of a CLIP that names patches: the threshold of {@link smoothByKeys}, by the keys that {@link DivideOptions.keys} asks for. */
  readonly smooth?: number | undefined;
  /** Size of the label map. Default: that of the photo. */
  readonly size?: { readonly width: number; readonly height: number } | undefined;
}

export interface SegmentResult {
  /** 0 is background, c + 1 the c-th name. */
  readonly labels: LabelMap;
  /** Windows, in the coordinates of the resized photo. */
  readonly windows: readonly WindowResult[];
  readonly resized: { readonly width: number; readonly height: number };
  /** Where pixels are named one by one, by patches that is: the class of each pixel of the label map, and its probability. */
  readonly pixels?: PixelClasses | undefined;
}
