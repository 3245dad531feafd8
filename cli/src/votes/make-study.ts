/** A folder with pairs to choose between, for the page's Study. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { permutation, random } from '@zeroseg/core';
import {
  type PreferenceStudy,
  type Progress,
  type StudyPicture,
  studyFile,
  type WorkOptions,
} from '@zeroseg/core/zeroseg';
import { FileError, isSystemError, systemReason, temporaryName } from '../files/index.ts';
import { drawPair } from './draw-pair.ts';
import type { PairedPicture } from './pair-folders.ts';

export interface MakeStudyOptions extends WorkOptions<Progress> {
  readonly seed: number;
  readonly votes: number;
  readonly question: string;
  readonly titles: PreferenceStudy['titles'];
  /** Photos at most, drawn by the seed. Default: all. */
  readonly count?: number | undefined;
  /** Longer side of the pictures in pixels. */
  readonly side: number;
}

/**
 * Writes a study: nobody sees the folder before it is whole, and none that is there is touched, for votes may belong to it. The names of
 * the files do not tell which of the two a picture is of.
 */
export async function makeStudy(
  folder: string,
  all: readonly PairedPicture[],
  { seed, votes, question, titles, count = all.length, side, signal, onProgress }: MakeStudyOptions,
): Promise<PreferenceStudy> {
  await refuseOthers(folder);
  const chosen = [...permutation(all.length, random(seed, 'photos of the study'))]
    .slice(0, count)
    .sort((a, b) => a - b);
  const place = resolve(folder);
  const temporary = temporaryName(place);
  const hash = createHash('sha256').update(JSON.stringify([seed, votes, question, titles]));
  const pictures: StudyPicture[] = [];
  const hidden = permutation(chosen.length, random(seed, 'names of files'));
  let same = 0;
  const unknown = { a: new Set<string>(), b: new Set<string>() };
  try {
    await mkdir(join(temporary, 'pictures'), { recursive: true });
    for (const [done, at] of chosen.entries()) {
      signal?.throwIfAborted();
      onProgress?.({ done, total: chosen.length });
      const pair = all[at] as PairedPicture;
      const { a, b, photo, unknown: words } = await drawPair(pair, side);
      for (const one of ['a', 'b'] as const) for (const word of words[one]) unknown[one].add(word);
      if (Buffer.from(a).equals(Buffer.from(b))) {
        same++;
        continue;
      }
      const number = String(pictures.length + 1).padStart(4, '0');
      const [nameOfA, nameOfB] = hidden[done]! % 2 === 0 ? ['1', '2'] : ['2', '1'];
      const picture: StudyPicture = {
        name: pair.name,
        a: `pictures/${number}-${nameOfA}.png`,
        b: `pictures/${number}-${nameOfB}.png`,
        photo: photo ? `pictures/${number}-photo.jpg` : null,
      };
      await writeFile(join(temporary, picture.a), a);
      await writeFile(join(temporary, picture.b), b);
      if (picture.photo !== null) await writeFile(join(temporary, picture.photo), photo as Uint8Array);
      hash.update(pair.name).update(a).update(b);
      pictures.push(picture);
    }
    if (pictures.length === 0) {
      throw new FileError(
        'study',
        folder,
        'both made the same of every photo, so there is nothing to choose; nothing was written',
      );
    }
    const study: PreferenceStudy = {
      format: 'zeroseg-study-1',
      id: hash.digest('hex').slice(0, 16),
      seed,
      votes,
      question,
      titles,
      pictures,
      same,
      unknown: { a: [...unknown.a], b: [...unknown.b] },
    };
    await writeFile(join(temporary, studyFile), `${JSON.stringify(study, undefined, 1)}\n`);
    await mkdir(dirname(place), { recursive: true });
    await rm(place, { recursive: true, force: true }); // empty: see above
    await rename(temporary, place);
    return study;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    if (!isSystemError(error)) throw error;
    throw new FileError('study', folder, systemReason(error), { cause: error });
  }
}

async function refuseOthers(folder: string): Promise<void> {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw new FileError('study', folder, systemReason(error), { cause: error });
  });
  if (found.length === 0) return;
  const what = found.includes(studyFile) ? 'a study, and votes may belong to it' : `${found[0]}`;
  throw new FileError('study', folder, `it holds ${what}; give a new folder by --out`);
}
