/** Which pictures of two folders show the same photo. */
import { join } from 'node:path';
import { listPhotos } from '../photos/index.ts';
import { UsageError } from '../shell/index.ts';

export interface PairedPicture {
  /** Way in both folders without what the files' names end with, such as `cats/1`. */
  readonly name: string;
  /** Paths of the pictures. */
  readonly a: string;
  readonly b: string;
}

export interface PairedFolders {
  readonly pairs: readonly PairedPicture[];
  /** Names that only one of them has. */
  readonly alone: readonly string[];
}

const OVERLAY = '.overlay.png';

/** Overlays that `zeroseg segment` wrote, by name; of a folder of others' pictures, all of them. */
async function picturesOf(folder: string): Promise<Map<string, string>> {
  const all = await listPhotos(folder);
  const overlays = all.filter((path) => path.endsWith(OVERLAY));
  const pictures = overlays.length > 0 ? overlays : all;
  const ending = overlays.length > 0 ? /\.overlay\.png$/ : /\.[^./]+$/;
  const found = new Map<string, string>();
  for (const path of pictures) {
    const name = path.replace(ending, '');
    const other = found.get(name);
    if (other !== undefined)
      throw new UsageError(`study: ${folder} has two pictures called ${name}: ${other} and ${path}`);
    found.set(name, path);
  }
  return found;
}

/** Pictures of the same name, in ascending order. */
export async function pairFolders(a: string, b: string): Promise<PairedFolders> {
  const [ofA, ofB] = [await picturesOf(a), await picturesOf(b)];
  const pairs: PairedPicture[] = [];
  const alone: string[] = [];
  for (const name of [...new Set([...ofA.keys(), ...ofB.keys()])].sort()) {
    const [inA, inB] = [ofA.get(name), ofB.get(name)];
    if (inA === undefined || inB === undefined) alone.push(name);
    else pairs.push({ name, a: join(a, inA), b: join(b, inB) });
  }
  if (pairs.length === 0) {
    const [first = ''] = ofA.keys();
    throw new UsageError(
      `study: no picture of ${a} has a partner of the same name in ${b} (${a} has ${first}, …); segment the same photos into both`,
    );
  }
  return { pairs, alone };
}
