/** What the package brings beside its code: a trained teacher, and a student that learnt from it. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SceneScore, StudentScore } from '@zeroseg/core/zeroseg';
import { student, teacher } from '@zeroseg/pretrained';
import { FileError, readJson } from '../files/index.ts';
import { kindOfPath } from './weight-files.ts';

/** What `openClip` calls the package's own teacher, and `findModel` its own student. */
export const builtIn = 'built-in';

/** Its weights, in its folder. */
export const teacherFile = 'teacher.safetensors';

const folder = dirname(fileURLToPath(teacher.weights));

/**
 * The folder of the teacher that the package brings: a small CLIP that `zeroseg train-teacher` made, with the log of its
 * training beside it.
 *
 * @throws FileError when it is not there.
 */
export async function builtInTeacher(place: string = folder): Promise<string> {
  if ((await kindOfPath(join(place, teacherFile))) !== 'file') {
    throw new FileError(
      'openClip',
      builtIn,
      'the trained teacher is not in this copy of @zeroseg/pretrained (teacher); make one with `zeroseg train-teacher`, and give its folder',
    );
  }
  return place;
}

/** The file of initial weights: what was given, or that of the built-in teacher by its name. */
export async function teacherWeights(place: string): Promise<string> {
  return place === builtIn ? join(await builtInTeacher(), teacherFile) : place;
}

/** The student's weights, in their folder. */
const studentFile = 'student.safetensors';

const studentFolder = dirname(fileURLToPath(student.weights));

/**
 * The file of the student that the package brings: a model that `zeroseg train` made with the built-in teacher.
 *
 * @throws FileError when it is not there.
 */
export async function builtInStudent(place: string = studentFolder): Promise<string> {
  const file = join(place, studentFile);
  if ((await kindOfPath(file)) !== 'file') {
    throw new FileError(
      'openModel',
      builtIn,
      'the trained student is not in this copy of @zeroseg/pretrained (student); make one with `zeroseg train`, and give its folder',
    );
  }
  return file;
}

/** What the built-in student and its baselines scored on scenes that no run had seen: `zeroseg score` after its training. */
export interface BuiltInScores {
  readonly scenes: number;
  readonly shipped: StudentScore;
  readonly baselines: Readonly<Record<string, SceneScore>>;
}

export async function builtInScores(place: string = studentFolder): Promise<BuiltInScores> {
  return (await readJson(join(place, 'scores.json'))) as BuiltInScores;
}
