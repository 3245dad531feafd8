import { lengthOf } from '../host/index.ts';
/** How segments are scored against class names (section 11.3). */
export interface ScoringOptions {
  /** λ: the factor on cosines; `min(exp(logit_scale), 100)` of the teacher. */
  readonly scale: number;
  /** How many classes the image embedding lets through. */
  readonly top: number;
  /** `groupvit`: narrowed softmax times full softmax; `softmax`: full softmax alone; `cosine`: plain cosines. */
  readonly scoring: 'groupvit' | 'softmax' | 'cosine';
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
    for (let c = 0; c < classes; c++) {
      let dot = 0;
      for (let i = 0; i < width; i++) dot += (x[at + i] as number) * (text[c * width + i] as number);
      out[c] = dot / (length * (lengths[c] as number));
    }
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
    const all = softmax(sim, scale, () => true);
    if (scoring === 'softmax') {
      affinity.set(all, s * classes);
      continue;
    }
    const narrowed = softmax(sim, scale, (c) => kept.has(c));
    for (let c = 0; c < classes; c++) affinity[s * classes + c] = (narrowed[c] as number) * (all[c] as number);
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
    out[at] = (best[s] as number) < limit ? 1 : 0;
    out.set(affinity.subarray(s * classes, (s + 1) * classes), at + 1);
  }
  return out;
}

/** Index of the largest value; the first on ties. */
export function indexOfMaximum(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

function maximum(values: Float32Array): number {
  let best = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > best) best = value;
  return best;
}

/** Indices of the `count` largest values, the first on ties. */
function largest(values: Float64Array, count: number): number[] {
  return Array.from(values.keys())
    .sort((a, b) => (values[b] as number) - (values[a] as number) || a - b)
    .slice(0, count);
}

function softmax(sim: Float64Array, scale: number, keep: (c: number) => boolean): Float64Array {
  let top = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < sim.length; c++) if (keep(c)) top = Math.max(top, sim[c] as number);
  const out = new Float64Array(sim.length);
  let sum = 0;
  for (let c = 0; c < sim.length; c++) {
    if (keep(c)) sum += out[c] = Math.exp(scale * ((sim[c] as number) - top));
  }
  for (let c = 0; c < sim.length; c++) out[c] = (out[c] as number) / sum;
  return out;
}
