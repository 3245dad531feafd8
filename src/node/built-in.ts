/** What the package brings beside its code: a trained teacher. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FileError } from './files.ts';
import { kindOfPath } from './weight-files.ts';

/** What `openClip` calls the package's own teacher. */
export const builtIn = 'built-in';

/** Two folders up both from src and from dist. */
const folder = fileURLToPath(new URL('../../assets/teacher', import.meta.url));

/**
 * The folder of the teacher that the package brings: a small CLIP that `zeroseg train-teacher` made, with the log of its
 * training beside it.
 *
 * @throws FileError when it is not there.
 */
export async function builtInTeacher(place: string = folder): Promise<string> {
  if ((await kindOfPath(join(place, 'teacher.safetensors'))) !== 'file') {
    throw new FileError(
      'openClip',
      builtIn,
      'the trained teacher is not in this copy of the package (assets/teacher); make one with `zeroseg train-teacher`, and give its folder',
    );
  }
  return place;
}
