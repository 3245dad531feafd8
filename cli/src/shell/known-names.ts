/** Names that the user asks for, against what a CLIP was taught. */
import { dirname, join } from 'node:path';
import {
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
import { count } from './terminal.ts';

/** What a command segments by, and what it leaves out. */
export interface KnownNames {
  readonly names: readonly string[];
  readonly unknown: readonly UnknownName[];
}

/**
 * The names without those that the CLIP was not taught, which are told. Of a CLIP that does not say what it was taught, all.
 *
 * @throws UsageError when none is left.
 */
export function knownNames(
  { terminal }: Context,
  text: TextSource,
  names: readonly string[],
  { option, clip }: { readonly option: string; readonly clip: string },
): KnownNames {
  const unknown = unknownNames(text.words, names);
  if (unknown.length === 0) return { names, unknown };
  const left = new Set(unknown.map(({ name }) => name));
  const known = names.filter((name) => !left.has(name));
  const list = wordsCommand(clip);
  if (known.length === 0) {
    throw new UsageError(
      `${option}: the CLIP ${text.name} knows ${count(countOf(text.words as KnownWords), 'words')}, and not ${describeUnknown(unknown)}; ${list} lists those that it knows`,
    );
  }
  terminal.note(
    `left out, since the CLIP ${text.name} does not know ${unknown.length === 1 ? 'it' : 'them'}: ${describeUnknown(unknown, 12)}; ${list} lists what it knows`,
  );
  return { names: known, unknown };
}

/** Tells which names the CLIP was not taught, where all are needed; they stay. */
export function tellUnknown(
  { terminal }: Context,
  text: TextSource,
  names: readonly string[],
  clip: string,
): readonly UnknownName[] {
  const unknown = unknownNames(text.words, names);
  if (unknown.length > 0) {
    terminal.note(
      `the CLIP ${text.name} does not know ${unknown.length} of ${count(names.length, 'classes')}, which it can only get wrong: ${describeUnknown(unknown, 12)}; ${wordsCommand(clip)} lists what it knows`,
    );
  }
  return unknown;
}

/** Says of a CLIP that has seen drawings only what that means for photos, unless all of the files are pictures of scenes. */
export async function tellImagery(
  { terminal }: Context,
  { name, words }: TextSource,
  files: readonly string[],
): Promise<void> {
  if (words?.seen !== 'drawings') return;
  const folders = [...new Set(files.map((file) => dirname(file)))];
  const areScenes = await Promise.all(folders.map(isOfScenes));
  if (areScenes.every(Boolean)) return;
  terminal.note(`the CLIP ${name} has seen drawings only, never a photo: what it names in photos is mostly wrong`);
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
