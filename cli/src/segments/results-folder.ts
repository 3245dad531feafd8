/** A folder with what was found in photos: who owns which names in it, and what of it is done. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { FileError, FolderLock, readJson, refuseLinks, sweepLeftovers, systemReason } from '../files/index.ts';
import { type PlacedPhoto, stemOf } from './photo-places.ts';
import { isRecord, type SegmentsRecord } from './record.ts';

/** Where the files of a photo go: `FOLDER/NAME.overlay.png` and so on. */
export interface Claim {
  readonly photo: PlacedPhoto;
  /** Way in the folder without an ending, with `/`. */
  readonly name: string;
  /** What an earlier run wrote about this photo. */
  readonly before: SegmentsRecord | undefined;
}

/** Bytes of a photo's name that the names of its files have: those end at 255, with what follows. */
const LONGEST_NAME = 160;

/** What follows the name of a photo in the names of its files; cut-outs have the word in front: `.dog.cutout.png`. */
const endings = ['.overlay.png', '.labels.png', '.thumbnail.jpg', '.json'];
const ownFile = /^(.*?)(?:\.overlay\.png|\.labels\.png|\.thumbnail\.jpg|\.json|\.[^/]*\.cutout\.png)$/s;

/**
 * Gives each photo a name of its own in a folder: `dog` for dog.jpg; `dog.jpg` and `dog.png` where both come; `dog-2` where neither is
 * free. Files that no record of an earlier run tells to be this photo's are left alone, whatever their name.
 */
export class ResultsFolder {
  readonly folder: string;
  /** Names in lower case, for file systems that do not tell them apart. */
  readonly #taken = new Set<string>();
  readonly #stems = new Map<string, number>();
  /** By folder: the names of files there, in lower case, without what follows them. */
  readonly #there = new Map<string, Set<string>>();

  readonly #lock: FolderLock;

  private constructor(folder: string, lock: FolderLock) {
    this.folder = folder;
    this.#lock = lock;
  }

  /** Takes the folder's lock: to be closed. */
  static async open(folder: string, photos: readonly PlacedPhoto[]): Promise<ResultsFolder> {
    const found = await stat(folder).catch(() => undefined);
    if (found && !found.isDirectory()) throw new FileError('segment', folder, 'this is a file; give a folder');
    const results = new ResultsFolder(folder, await FolderLock.take('segment', folder));
    await sweepLeftovers(folder);
    for (const { name } of photos) {
      const stem = shortName(stemOf(name)).toLowerCase();
      results.#stems.set(stem, (results.#stems.get(stem) ?? 0) + 1);
    }
    return results;
  }

  /** Lets others write. */
  async close(): Promise<void> {
    await this.#lock.release();
  }

  /** What earlier runs wrote about photos that are none of this run's, in the order of their names. */
  async *others(): AsyncGenerator<{ readonly name: string; readonly record: SegmentsRecord }> {
    const entries = await readdir(this.folder, { recursive: true });
    const names = entries.filter((path) => path.endsWith('.json')).map((path) => stemOf(path.split(sep).join('/')));
    for (const name of names.sort()) {
      if (this.#taken.has(name.toLowerCase())) continue;
      const record = await this.#recordOf(name);
      if (record && filesOf(name).overlay === record.files.overlay && (await this.#isWhole(name, record))) {
        yield { name, record };
      }
    }
  }

  /** The name for a photo; the same again for the same photo, also in later runs. */
  async claim(photo: PlacedPhoto): Promise<Claim> {
    for (const name of this.#candidates(photo.name)) {
      const key = name.toLowerCase();
      if (this.#taken.has(key)) continue;
      const before = await this.#recordOf(name);
      const isOurs = before !== undefined && samePlace(this.folder, name, before, photo.path);
      if (!isOurs && (await this.#isThere(name))) continue;
      this.#taken.add(key);
      return { photo, name, before: isOurs ? before : undefined };
    }
    throw new Error('internal: names do not end');
  }

  /** Whether all files that a record tells of are there. */
  async isWhole({ name }: Claim, record: SegmentsRecord): Promise<boolean> {
    return this.#isWhole(name, record);
  }

  async #isWhole(name: string, { files }: SegmentsRecord): Promise<boolean> {
    const paths = [files.overlay, files.labels, files.thumbnail, ...Object.values(files.cutouts)];
    const found = await Promise.all(
      paths.map((path) => stat(join(this.folder, dirname(name), path)).catch(() => undefined)),
    );
    return found.every((one) => one?.isFile() && one.size > 0);
  }

  *#candidates(name: string): Generator<string> {
    const stem = shortName(stemOf(name));
    // A name that two photos of this run want is nobody's.
    if (this.#stems.get(stem.toLowerCase()) === 1) yield stem;
    yield shortName(name);
    for (let n = 2; ; n++) yield `${stem}-${n}`;
  }

  async #recordOf(name: string): Promise<SegmentsRecord | undefined> {
    const path = join(this.folder, `${name}.json`);
    if (!(await stat(path).catch(() => undefined))?.isFile()) return undefined;
    const found = await readJson(path).catch(() => undefined);
    return isRecord(found) ? found : undefined;
  }

  async #isThere(name: string): Promise<boolean> {
    const folder = dirname(name);
    let names = this.#there.get(folder);
    if (!names) {
      await refuseLinks(this.folder, ...(folder === '.' ? [] : [folder]));
      const entries = await readdir(join(this.folder, folder)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw new FileError('segment', join(this.folder, folder), systemReason(error), { cause: error });
      });
      names = new Set(entries.flatMap((entry) => ownFile.exec(entry.toLowerCase())?.[1] ?? []));
      this.#there.set(folder, names);
    }
    return names.has(basename(name).toLowerCase());
  }
}

/** A way in the folder whose last part is no longer than names of files may be. */
function shortName(name: string): string {
  const folder = dirname(name);
  const short = firstBytes(basename(name), LONGEST_NAME);
  return folder === '.' ? short : `${folder}/${short}`;
}

/** The first letters that so many bytes hold. */
export function firstBytes(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  let [end, size] = [0, 0];
  for (const letter of text) {
    size += Buffer.byteLength(letter);
    if (size > bytes) break;
    end += letter.length;
  }
  return text.slice(0, end);
}

/** The way from the folder of a record to its photo, with `/`. */
export function wayToPhoto(folder: string, name: string, photo: string): string {
  return relative(resolve(folder, dirname(name)), resolve(photo))
    .split(sep)
    .join('/');
}

function samePlace(folder: string, name: string, { source }: SegmentsRecord, photo: string): boolean {
  return resolve(folder, dirname(name), source.file) === resolve(photo);
}

/** Where the files of a photo are, as they are named in its record: beside it. */
export function filesOf(name: string): { overlay: string; labels: string; thumbnail: string; json: string } {
  const [overlay, labels, thumbnail, json] = endings.map((ending) => `${basename(name)}${ending}`) as [
    string,
    string,
    string,
    string,
  ];
  return { overlay, labels, thumbnail, json };
}
