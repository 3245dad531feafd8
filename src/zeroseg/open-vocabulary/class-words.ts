import { ArgumentError, shownValue } from '../../gpu/index.ts';
import { describeUnknown, type UnknownName, VocabularyError } from '../clip/index.ts';
import { firstRepeated, lengthOf } from '../host/index.ts';

/** What a label map of 16 bits can tell apart, less the background. */
const MAX_NAMES = 65_535;

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

/**
 * The classes without the unknown words; a class whose name is unknown is called by the first word that is left. @throws VocabularyError when
 * there are unknown words and they are refused, or no other.
 */
export function knownOf(
  names: readonly ClassWords[],
  unknown: readonly UnknownName[],
  rule: 'omit' | 'refuse',
): readonly ClassWords[] {
  if (unknown.length === 0) return names;
  const left = new Set(unknown.map(({ name }) => name));
  const known = names.map((one) => wordsOf(one).filter((word) => !left.has(word))).filter((words) => words.length > 0);
  if (rule === 'refuse' || known.length === 0) {
    throw new VocabularyError(unknown, `openVocabulary: the CLIP was not taught ${describeUnknown(unknown)}`);
  }
  return known;
}

/** @throws ArgumentError for names that are none, are there twice, or more than fit a label map. */
export function checkNames(names: readonly ClassWords[]): void {
  const words = names.flatMap((one) => (Array.isArray(one) && one.length === 0 ? [''] : wordsOf(one)));
  const strange = words.find((word) => typeof word !== 'string' || word.trim() === '');
  if (names.length === 0 || strange !== undefined) {
    const got = names.length === 0 ? 'none' : shownValue(strange);
    throw new ArgumentError(`openVocabulary: names must be words, such as 'dog', 'wet grass'; got ${got}`);
  }
  const repeated = firstRepeated(words);
  if (repeated !== undefined)
    throw new ArgumentError(`openVocabulary: names must differ; "${repeated}" is there twice`);
  if (names.length > MAX_NAMES) {
    throw new ArgumentError(`openVocabulary: at most ${MAX_NAMES} names fit a label map; got ${names.length}`);
  }
}
