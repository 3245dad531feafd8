/** Classes as commands take them: names, synonyms, colours. */
import { firstRepeated, shownValue } from '@zeroseg/core/internal';
import {
  type ClassChoice,
  type ClassWords,
  imagenetClasses,
  parseClassText,
  type UnknownName,
} from '@zeroseg/core/zeroseg';
import { FileError, readBounded, systemReason } from '../files/index.ts';
import { fixedDataSets, kindBesideText } from '../photos/index.ts';
import { UsageError } from './errors.ts';
import { count } from './terminal.ts';

/** 65,535 names of a thousand letters. */
const LARGEST_LIST = 2 ** 28;
/** Characters of a word: the text tower reads some three hundred, and a caption is drawn on one line. */
const LONGEST_WORD = 1000;

/** For the help of options that take classes. */
export const classesHelp =
  '"sofa|couch, cat=#ff8800, grass": | between synonyms, =#rrggbb for a colour, quotes around what has commas';

/**
 * Classes from the command line: `voc`, `context`, `coco`, `imagenet`, `@file.txt` with one a line, or a list with commas, as
 * {@link parseClassText} reads it.
 */
export async function parseClasses(text: string): Promise<ClassChoice[]> {
  const set = fixedDataSets.find(([name]) => name === text);
  const known = set ? set[2].prompts : text === 'imagenet' ? imagenetClasses : undefined;
  if (known) return known.map((name) => ({ name, words: [name] }));
  return checked(
    '--classes',
    text,
    parsed('--classes', text.startsWith('@') ? await readList('--classes', text.slice(1)) : text),
  );
}

/** Synonyms of classes that are known already, or `@file.txt` with those of a class a line. */
export async function parseSynonyms(text: string): Promise<ClassChoice[]> {
  const list = text.startsWith('@') ? await readList('--synonyms', text.slice(1)) : text;
  return checked('--synonyms', text, parsed('--synonyms', list));
}

/** Colours of a file, by class: `cat=#ff8800`, one a line. */
export async function readColours(file: string): Promise<ReadonlyMap<string, readonly [number, number, number]>> {
  const choices = parsed(`--colors: ${file}`, await readList('--colors', file));
  const without = choices.find(({ colour }) => !colour);
  if (without)
    throw new UsageError(`--colors: ${file}: "${without.name}" has no colour; write a line such as cat=#ff8800`);
  return new Map(choices.flatMap(({ words, colour }) => words.map((word) => [word, colour!] as const)));
}

/**
 * The names with their synonyms. `others[i]` is another name that the i-th class may be meant by, such as that of the data set.
 *
 * @throws UsageError for a synonym of none of them.
 */
export function withSynonyms(
  names: readonly string[],
  synonyms: readonly ClassChoice[],
  others: readonly (string | undefined)[] = [],
): ClassWords[] {
  const classes: ClassWords[] = [...names];
  for (const { name, words } of synonyms) {
    const own = names.indexOf(name);
    const at = own >= 0 ? own : others.indexOf(name);
    if (at < 0) {
      throw new UsageError(
        `--synonyms: "${name}" is none of ${count(names.length, 'classes')}; the first word must be the name of one`,
      );
    }
    classes[at] = [...new Set([names[at]!, ...words.filter((word) => word !== name)])];
  }
  const twice = firstRepeated(classes.flat());
  if (twice !== undefined) throw new UsageError(`--synonyms: "${twice}" would be a word of two classes`);
  return classes;
}

/** The classes without words that a CLIP does not know; a class that has no other keeps them. */
export function withoutUnknown(classes: readonly ClassWords[], unknown: readonly UnknownName[]): ClassWords[] {
  const left = new Set(unknown.map(({ name }) => name));
  return classes.map((one) => {
    const known = typeof one === 'string' ? [] : one.filter((word) => !left.has(word));
    return known.length > 0 ? known : one;
  });
}

function parsed(option: string, text: string): ClassChoice[] {
  try {
    return parseClassText(text);
  } catch (error) {
    throw new UsageError(`${option}: ${(error as Error).message}`, { cause: error });
  }
}

async function readList(option: string, path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readBounded(option, path, LARGEST_LIST);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(option, path, systemReason(error), { cause: error });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const kind = kindBesideText(bytes);
    const reason =
      kind === undefined
        ? 'this is no text in UTF-8; save it as UTF-8'
        : `this is ${kind}; give a text with a class a line`;
    throw new FileError(option, path, reason, { cause: error });
  }
}

/** A text as a message quotes it. */
function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

function checked(option: string, text: string, classes: ClassChoice[]): ClassChoice[] {
  if (classes.length === 0) {
    throw new UsageError(
      `${option}: there is no name in ${text === '' ? 'it' : `'${shortened(text)}'`}; give names such as "dog, sofa, window"`,
    );
  }
  const words = classes.flatMap((one) => one.words);
  const longest = words.find((word) => word.length > LONGEST_WORD);
  if (longest !== undefined) {
    throw new UsageError(
      `${option}: a name may have ${LONGEST_WORD} characters; ${shownValue(longest, 40)} has ${longest.length}`,
    );
  }
  // CLIPs read small letters only.
  const twice = firstRepeated(words.map((word) => word.toLowerCase()));
  if (twice) throw new UsageError(`${option}: "${twice}" is there twice; ${count(words.length, 'names')} must differ`);
  return classes;
}
