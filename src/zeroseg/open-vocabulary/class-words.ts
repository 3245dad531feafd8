import { lengthOf } from '../host/index.ts';

/** A class by its name, or by words that mean the same, of which the first names it. */
export type ClassWords = string | readonly string[];

/** All words of a class, its name first. */
export function wordsOf(one: ClassWords): readonly string[] {
  return typeof one === 'string' ? [one] : one;
}

/** What a class is called. */
export function nameOf(one: ClassWords): string {
  return wordsOf(one)[0] ?? '';
}

/**
 * One vector `[C]` for a class: its only word's, or the mean of its words' unit vectors, normalised. So CLIP's authors put the sentences of a
 * name together (section 3.1.4 of Radford et al., 2021), and detectors of many words the synonyms of a class.
 */
export function classVector(vectors: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array()] = vectors;
  if (vectors.length === 1) return first;
  const mean = new Float64Array(first.length);
  for (const vector of vectors) {
    const length = lengthOf(vector);
    for (let i = 0; i < mean.length; i++) mean[i]! += vector[i]! / length;
  }
  const length = lengthOf(mean);
  return Float32Array.from(mean, (value) => value / length);
}
