import { ArgumentError } from '../../gpu/index.ts';
import { dot, largest, lengthOf, softmax } from '../host/index.ts';

/** How segments are scored against class names (spec §11.3). */
export interface ScoringOptions {
  /** λ: the factor on cosines; `min(exp(logit_scale), 100)` of the teacher. */
  readonly scale: number;
  /** How many classes the image embedding lets through. */
  readonly top: number;
  /** `groupvit`: narrowed softmax times full softmax; `softmax`: full softmax alone; `cosine`: plain cosines. */
  readonly scoring: 'groupvit' | 'softmax' | 'cosine';
}

/**
 * Embeddings of words `[K, C]` as unit vectors with a part of their mean taken off: t − centre · mean(t). Texts of one kind lie in a narrow cone, and their mean
 * says nothing of any of them.
 *
 * @throws ArgumentError when `centre` is not from 0 to below 1.
 */
export function centredWords(text: Float32Array, width: number, centre: number): Float32Array {
  if (!(centre >= 0 && centre < 1)) {
    throw new ArgumentError(`Segmenter.name: centre must be a number from 0 to below 1; got ${centre}`);
  }
  if (centre === 0) return text;
  const words = text.length / width;
  const mean = new Float64Array(width);
  const lengths = Array.from({ length: words }, (_, k) => lengthOf(text.subarray(k * width, (k + 1) * width)));
  const unit = (at: number) => text[at]! / lengths[Math.floor(at / width)]!;
  for (let at = 0; at < text.length; at++) mean[at % width]! += unit(at) / words;
  return text.map((_, at) => unit(at) - centre * mean[at % width]!);
}

/**
 * Class scores of segments: `affinity` `[S, K]`. With unit vectors, `sim = λ·g·Tᵀ`, `all = softmax(sim)`, `top` = softmax
 * over the classes that the image embedding ranks highest, `affinity = top · all` (GroupViT).
 *
 * `segments` `[S, C]`, `global` `[C]`, `text` `[K, C]`; none needs to be normalised.
 */
export function classAffinity(
  segments: Float32Array,
  global: Float32Array,
  text: Float32Array,
  { scale, top, scoring }: ScoringOptions,
): Float32Array {
  const width = global.length;
  const count = segments.length / width;
  const classes = text.length / width;
  const lengths = Array.from({ length: classes }, (_, c) => lengthOf(text.subarray(c * width, (c + 1) * width)));
  const cosines = (x: Float32Array, at: number): Float64Array => {
    const length = lengthOf(x.subarray(at, at + width));
    const out = new Float64Array(classes);
    for (let c = 0; c < classes; c++) out[c] = dot(x, text, width, at, c * width) / (length * lengths[c]!);
    return out;
  };
  const kept = new Set(largest(cosines(global, 0), top));
  const affinity = new Float32Array(count * classes);
  for (let s = 0; s < count; s++) {
    const sim = cosines(segments, s * width);
    if (scoring === 'cosine') {
      affinity.set(sim, s * classes);
      continue;
    }
    const all = softmax(sim, scale);
    if (scoring === 'softmax') {
      affinity.set(all, s * classes);
      continue;
    }
    const narrowed = softmax(sim, scale, (c) => kept.has(c));
    for (let c = 0; c < classes; c++) affinity[s * classes + c] = narrowed[c]! * all[c]!;
  }
  return affinity;
}

/**
 * What each pixel of a segment scores: `[S, 1 + K]`, background first, then the affinity. With a `threshold`, the background
 * of a segment whose largest score is below `min(threshold, largest of all)` is 1; no class scores more. Else it is 0.
 */
export function pixelScores(affinity: Float32Array, segments: number, threshold: number | undefined): Float32Array {
  const classes = affinity.length / segments;
  const out = new Float32Array(segments * (classes + 1));
  const best = Array.from({ length: segments }, (_, s) => maximum(affinity.subarray(s * classes, (s + 1) * classes)));
  const limit = threshold === undefined ? Number.NEGATIVE_INFINITY : Math.min(threshold, Math.max(...best));
  for (let s = 0; s < segments; s++) {
    const at = s * (classes + 1);
    out[at] = best[s]! < limit ? 1 : 0;
    out.set(affinity.subarray(s * classes, (s + 1) * classes), at + 1);
  }
  return out;
}

function maximum(values: Float32Array): number {
  let best = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > best) best = value;
  return best;
}
