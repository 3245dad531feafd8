/** Models of every place as entries of the shelf. */
import { clipCompanions, openClipFiles, openWeightSource, type WeightFolder } from '@zeroseg/core/zeroseg';
import { student, teacher } from '@zeroseg/pretrained';
import { sentenceOf } from '../../engine/sentence.ts';
import type { ShelfModel } from '../messages.ts';
import { builtIn } from './choices.ts';
import { clipFolderOf, type GivenFolder, weightNames, whyNoModel } from './given-files.ts';
import { type About, keptFolder } from './kept-files.ts';
import { bytesOf, clipOf, kindOf, type OpenedModel, openFile, openModelOf, zeroSegOf } from './opened-model.ts';

/** A model on the shelf, and how it is opened. */
export interface Entry {
  readonly about: About;
  readonly place: ShelfModel['place'];
  /** Of a model of this visit: what is copied when it is kept. */
  readonly files?: ReadonlyMap<string, File>;
  readonly open: () => Promise<OpenedModel>;
}

/** Of everything that is made once: tried again where it failed. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    made.catch(() => {
      made = undefined;
    });
    return made;
  };
}

/** The page's own student and teacher. */
export function ownModels(): Map<string, Entry> {
  const own = (name: string, open: () => Promise<OpenedModel>): Entry => ({
    about: { name, files: [] },
    place: 'page',
    open: once(open),
  });
  const openTeacher = async (): Promise<OpenedModel> => {
    const weights = await openWeightSource(teacher.weights, 'the built-in teacher');
    const clip = await openClipFiles({ weights, config: teacher.config, name: 'teacher' });
    return { ...clipOf(clip), bytes: bytesOf(weights) };
  };
  const openStudent = async (): Promise<OpenedModel> =>
    zeroSegOf(await openWeightSource(student.weights, 'the built-in student'));
  return new Map([
    [builtIn.student, own('Built-in student', openStudent)],
    [builtIn.teacher, own('Built-in teacher', openTeacher)],
  ]);
}

/** A model that is kept in the browser's own file system. */
export function keptEntry(id: string, about: About): Entry {
  const open = once(async () => openModelOf(await keptFolder(id, about), about.file, about));
  return { about, place: 'kept', open };
}

/** What was found in a folder: a model, or why there is none. */
export type Found = Entry | { readonly problem: string };

/** The models of a folder: each student by itself, and the CLIP that the rest is. */
export async function foundIn(given: GivenFolder): Promise<Found[]> {
  const folder = clipFolderOf(given);
  const names = [...given.files.keys()];
  const weights = weightNames(names);
  if (weights.length === 0) {
    const [only = given.name, other] = names;
    return [{ problem: other === undefined ? whyNoModel(only) : await whyNoClip(folder) }];
  }
  const found: Found[] = [];
  const parts: string[] = [];
  for (const name of weights) {
    found.push(
      ...(await orProblem(async () => {
        const kind = kindOf(await openFile(folder, name));
        if (kind === 'clip') parts.push(name);
        if (kind === 'zeroseg' || kind === 'segclip') return [await entryOf(given, folder, [name], name)];
        if (kind === 'groupvit') return [await entryOf(given, folder, [name, 'config.json'], name)];
        return [];
      })),
    );
  }
  if (parts.length > 0) {
    const companions = [...clipCompanions, ...names.filter((name) => name.endsWith('.index.json'))];
    found.push(...(await orProblem(async () => [await entryOf(given, folder, [...parts, ...companions])])));
  }
  if (found.length > 0) return found;
  return [{ problem: `${given.name} holds only what training goes on with, and no model` }];
}

async function orProblem(find: () => Promise<Found[]>): Promise<Found[]> {
  try {
    return await find();
  } catch (error) {
    return [{ problem: sentenceOf(error) }];
  }
}

async function whyNoClip(folder: WeightFolder): Promise<string> {
  return openModelOf(folder, undefined, folder).then(() => '', sentenceOf);
}

/** A student's file or a CLIP's folder, with those of its files that matter. @throws where it cannot be used. */
async function entryOf(
  { name: given, files }: GivenFolder,
  folder: WeightFolder,
  wanted: readonly string[],
  file?: string,
): Promise<Entry> {
  const name = file !== undefined && files.size > 1 ? `${given}/${file.replace(/\.\w+$/, '')}` : given;
  const open = once(() => openModelOf(folder, file, { name }));
  await open();
  const taken = new Map([...files].filter(([one]) => wanted.includes(one)));
  const about: About = { name, file, files: [...taken.values()].map((one) => ({ name: one.name, size: one.size })) };
  return { about, place: 'visit', files: taken, open };
}
