/** Words that a CLIP was taught, of one that was taught few: it says them in its file's metadata. */
import { distance } from 'fastest-levenshtein';
import { jsonOrNothing, ZeroSegError } from '../../gpu/index.ts';
import { CheckpointError } from '../../nn/safetensors/index.ts';
import { type Kind, listOf, objectWith, oneOf, tableOf, text } from '../host/index.ts';

/** What a CLIP of a small vocabulary knows. One that read the web says nothing of the kind, and may be asked for anything. */
export interface KnownWords {
  /** What its pictures were: drawings, and not one photograph. */
  readonly seen: 'drawings' | 'photos';
  /** Names of things, each with its synonyms. */
  readonly objects: Readonly<Record<string, readonly string[]>>;
  /** Names of what lies behind and below things, each with its synonyms. */
  readonly grounds: Readonly<Record<string, readonly string[]>>;
  /** Words that may stand before a name: `red`, `large`. */
  readonly adjectives: readonly string[];
}

/** A name that a CLIP was not taught, and the nearest of those that it was. */
export interface UnknownName {
  readonly name: string;
  /** At most three, the nearest first; often none. */
  readonly suggestions: readonly string[];
}

/** Names were asked for that the CLIP was not taught. `unknown` holds them. */
export class VocabularyError extends ZeroSegError {
  override readonly name = 'VocabularyError';
  readonly code = 'vocabulary';
  readonly unknown: readonly UnknownName[];

  constructor(unknown: readonly UnknownName[], message: string) {
    super(message);
    this.unknown = unknown;
  }
}

const KEY = 'known_words';
const MAX = 100_000;
const words: Kind = listOf(text, 0, MAX);
const fields: Kind = objectWith({
  seen: oneOf('drawings', 'photos'),
  objects: tableOf(words),
  grounds: tableOf(words),
  adjectives: words,
});

/** Metadata of a CLIP's file that says what it knows. */
export function knownWordsMetadata(known: KnownWords): Record<string, string> {
  return { [KEY]: JSON.stringify(known) };
}

/** What a CLIP's file says that it knows; undefined where it says nothing. @throws CheckpointError when that makes no sense. */
export function readKnownWords(metadata: Readonly<Record<string, string>>, file: string): KnownWords | undefined {
  const given = metadata[KEY];
  if (given === undefined) return undefined;
  const found = jsonOrNothing(given);
  if (fields.accepts(found)) return found as KnownWords;
  throw new CheckpointError(file, `the ${KEY} in its metadata must be ${fields.words}`);
}

/**
 * Which of the names a CLIP was not taught. Case, an article, a regular plural and known adjectives before a name make no difference.
 *
 * ```ts
 * unknownNames(clip.words, ['cat', 'two-handed sword', 'gras']);
 * // [{ name: 'two-handed sword', suggestions: [] }, { name: 'gras', suggestions: ['grass'] }]
 * ```
 *
 * @returns nothing where `known` is undefined: any name may be asked for.
 */
export function unknownNames(known: KnownWords | undefined, names: readonly string[]): UnknownName[] {
  if (!known) return [];
  const phrases = knownPhrases(known);
  const forms = new Set(phrases.flatMap((phrase) => [phrase, plural(phrase)]));
  const adjectives = new Set(known.adjectives);
  return names.flatMap((name) => {
    const asked = plain(name);
    return isKnown(asked, forms, adjectives) ? [] : [{ name, suggestions: nearest(asked, phrases) }];
  });
}

/** Each name with what may be done about it, for a message: `"gras" (did you mean grass?)`. */
export function describeUnknown(unknown: readonly UnknownName[], max = 5): string {
  const some = unknown.slice(0, max).map(({ name, suggestions }) => {
    const others =
      suggestions.length > 1 ? `${suggestions.slice(0, -1).join(', ')} or ${suggestions.at(-1)}` : suggestions[0];
    return others === undefined ? `"${name}"` : `"${name}" (did you mean ${others}?)`;
  });
  return unknown.length > max ? `${some.join(', ')} and ${unknown.length - max} more` : some.join(', ');
}

function knownPhrases({ objects, grounds }: KnownWords): string[] {
  const tables = [...Object.entries(objects), ...Object.entries(grounds)];
  return [...tables.map(([name]) => name), ...tables.flatMap(([, synonyms]) => synonyms)];
}

/** As CLIP's tokenizer takes a text, without an article. */
function plain(name: string): string {
  return name
    .normalize('NFC')
    .toLowerCase()
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/^(?:an?|the) (?=.)/, '');
}

function isKnown(asked: string, forms: ReadonlySet<string>, adjectives: ReadonlySet<string>): boolean {
  // A name of a million adjectives would be hashed as often.
  if (asked.length > LONGEST_NAME) return false;
  let rest = asked;
  while (!forms.has(rest)) {
    const space = rest.indexOf(' ');
    if (space < 0 || !adjectives.has(rest.slice(0, space))) return false;
    rest = rest.slice(space + 1);
  }
  return true;
}

function plural(word: string): string {
  if (/(?:s|x|z|ch|sh)$/.test(word)) return `${word}es`;
  return /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`;
}

/** Letters of a name; the text tower reads some three hundred. */
const LONGEST_NAME = 10_000;
const MAX_SUGGESTIONS = 3;
/** Longer names are not looked at letter by letter. */
const LONGEST = 60;

/** Phrases that are a part of the name (`house cat`) or begin as it does (`stone`), then those that are spelt much as it is. */
function nearest(asked: string, phrases: readonly string[]): string[] {
  if (asked.length > LONGEST) return [];
  const around = ` ${asked} `;
  const ranked = phrases.flatMap((phrase) => {
    if (around.includes(` ${phrase} `)) return [{ phrase, rank: 0 }];
    if (asked.length >= 4 && phrase.startsWith(asked)) return [{ phrase, rank: 1 }];
    const edits = distance(asked, phrase);
    const allowed = Math.min(3, Math.floor(Math.max(asked.length, phrase.length) / 3));
    return edits <= allowed ? [{ phrase, rank: 1 + edits }] : [];
  });
  ranked.sort((a, b) => a.rank - b.rank);
  return ranked.slice(0, MAX_SUGGESTIONS).map(({ phrase }) => phrase);
}
