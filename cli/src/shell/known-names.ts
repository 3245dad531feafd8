/** Names that the user asks for, against what a CLIP was taught. */
import { dirname, join } from 'node:path';
import {
  type ClassWords,
  describeUnknown,
  type KnownWords,
  type TextSource,
  type UnknownName,
  unknownNames,
} from '@zeroseg/core/zeroseg';
import { readSceneIndex } from '../photos/index.ts';
import { builtIn } from '../weights/index.ts';
import { commandText } from './arguments.ts';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import { count, countIn } from './terminal.ts';

/** What a command segments by, what it leaves out, and what is told of that. */
export interface KnownNames {
  readonly names: readonly string[];
  readonly unknown: readonly UnknownName[];
  readonly notes: readonly string[];
}

/**
 * The words of classes without those that the CLIP was not taught, which are told: a class without any other is left out. Of a CLIP
 * that does not say what it was taught, all.
 *
 * @throws UsageError when none is left.
 */
export function knownNames(
  { terminal }: Context,
  text: TextSource,
  classes: readonly ClassWords[],
  { option, clip }: { readonly option: string; readonly clip: string },
): KnownNames {
  const words = classes.flat();
  const unknown = unknownNames(text.words, words);
  if (unknown.length === 0) return { names: words, unknown, notes: [] };
  const left = new Set(unknown.map(({ name }) => name));
  const known = words.filter((word) => !left.has(word));
  const list = wordsCommand(clip);
  if (known.length === 0) {
    throw new UsageError(
      `${option}: the CLIP ${text.name} knows ${count(countOf(text.words as KnownWords), 'words')}, and not ${describeUnknown(unknown)}; ${list} lists those that it knows`,
    );
  }
  const said = leftOut(text, classes, unknown);
  terminal.note(`${said}; ${list} lists what it knows`);
  return { names: known, unknown, notes: [said] };
}

/** Tells which words the CLIP was not taught, where all classes are needed: those that have no other word stay. */
export function tellUnknown(
  { terminal }: Context,
  text: TextSource,
  classes: readonly ClassWords[],
  clip: string,
): Pick<KnownNames, 'unknown' | 'notes'> {
  const unknown = unknownNames(text.words, classes.flat());
  const others = otherWords(classes, unknown);
  const spare = unknown.filter(({ name }) => others.has(name));
  const alone = unknown.filter(({ name }) => !others.has(name));
  const left = new Set(alone.map(({ name }) => name));
  const lost = classes.filter((one) => [one].flat().every((word) => left.has(word)));
  const notes = [
    ...(alone.length > 0
      ? [
          `the CLIP ${text.name} does not know ${countIn(lost.length, classes.length, 'classes')}, which it can only get wrong: ${describeUnknown(alone, MAX_TOLD)}`,
        ]
      : []),
    ...(spare.length > 0 ? [leftOut(text, classes, spare)] : []),
  ];
  for (const said of notes) terminal.note(`${said}; ${wordsCommand(clip)} lists what it knows`);
  return { unknown, notes };
}

/** Names that are told one by one. */
const MAX_TOLD = 12;

/** Says which words are left out; of one whose class has others, by which it goes. */
function leftOut(text: TextSource, classes: readonly ClassWords[], unknown: readonly UnknownName[]): string {
  const others = otherWords(classes, unknown);
  const told = unknown.slice(0, MAX_TOLD).map((one) => {
    const known = others.get(one.name)?.map((word) => `"${word}"`);
    return known ? `"${one.name}" (its class goes by ${known.join(', ')})` : describeUnknown([one]);
  });
  const more = unknown.length > MAX_TOLD ? ` and ${unknown.length - MAX_TOLD} more` : '';
  const them = unknown.length === 1 ? 'it' : 'them';
  return `left out, since the CLIP ${text.name} does not know ${them}: ${told.join(', ')}${more}`;
}

/** The known words of each unknown word's class, where there are any. */
function otherWords(
  classes: readonly ClassWords[],
  unknown: readonly UnknownName[],
): ReadonlyMap<string, readonly string[]> {
  const left = new Set(unknown.map(({ name }) => name));
  return new Map(
    classes.flatMap((one) => {
      const words = [one].flat();
      const known = words.filter((word) => !left.has(word));
      return known.length === 0 ? [] : words.filter((word) => left.has(word)).map((word) => [word, known] as const);
    }),
  );
}

/**
 * Says of a CLIP that has seen drawings only what that means for photos, unless all of the files are pictures of scenes. Returns
 * what was said.
 */
export async function tellImagery(
  { terminal }: Context,
  { name, words }: TextSource,
  files: readonly string[],
): Promise<readonly string[]> {
  if (words?.seen !== 'drawings') return [];
  const folders = [...new Set(files.map((file) => dirname(file)))];
  const areScenes = await Promise.all(folders.map(isOfScenes));
  if (areScenes.every(Boolean)) return [];
  const said = `the CLIP ${name} has seen drawings only, never a photo: what it names in photos is mostly wrong`;
  terminal.note(said);
  return [said];
}

/** Whether `zeroseg scenes` wrote the pictures of a folder. */
async function isOfScenes(folder: string): Promise<boolean> {
  return readSceneIndex(join(folder, '..')).then(
    () => true,
    () => false,
  );
}

/** How many names and synonyms there are. */
export function countOf({ objects, grounds }: KnownWords): number {
  return [...Object.values(objects), ...Object.values(grounds)].reduce((sum, synonyms) => sum + 1 + synonyms.length, 0);
}

function wordsCommand(clip: string): string {
  return `\`${commandText('words', { clip: clip === builtIn ? undefined : clip })}\``;
}
