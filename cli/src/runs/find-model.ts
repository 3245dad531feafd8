import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newestCheckpointFile } from '@zeroseg/core/internal';
import { FileError, nodeFileSystem, systemReason } from '../files/index.ts';
import { builtIn, builtInStudent, kindOfPath } from '../weights/index.ts';

/**
 * The model file that a path means: itself, or in a run's folder the trained model, or before the end that of the last
 * checkpoint; or `built-in` for the student that the package brings.
 */
export async function findModel(place: string): Promise<string> {
  const kind = await kindOfPath(place);
  if (!kind && place === builtIn) return builtInStudent();
  if (!kind)
    throw new FileError(
      'openModel',
      place,
      `there is no such file or folder; give ${builtIn}, a model file, or a run: zeroseg train --cache out/cache --out ${place}`,
    );
  if (kind === 'file') return place;
  const final = join(place, 'model.safetensors');
  if ((await kindOfPath(final)) === 'file') return final;
  const last = await newestCheckpointFile(nodeFileSystem(place), 'model.safetensors');
  if (last !== undefined) return join(place, last);
  throw new FileError(
    'openModel',
    place,
    `there is no model and no checkpoint in this folder; train one: zeroseg train --cache out/cache --out ${place}`,
  );
}

/** A whole file. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new FileError('read', path, systemReason(error), { cause: error });
  }
}
