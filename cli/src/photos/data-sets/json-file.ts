import { DataSetError } from './labelled-photos.ts';

/** The longest text that JavaScript has; `instances_train2017.json` has 470 MB. */
const LONGEST = 2 ** 29 - 25;

/** JSON of a data set's file. @throws DataSetError when it is none. */
export function parseJson(bytes: Uint8Array, place: string): unknown {
  if (bytes.length > LONGEST) {
    throw new DataSetError(place, `it has ${bytes.length} bytes, more than can be read at once; take a smaller split`);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new DataSetError(place, `this is no JSON (${(error as Error).message}); copy it again`, { cause: error });
  }
}
