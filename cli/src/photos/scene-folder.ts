/** Scenes and their atlas on disk. */
import { readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { firstRepeated } from '@zeroseg/core/internal';
import {
  type DataSetDefinition,
  type LabelMap,
  type Progress,
  pascalPalette,
  SceneAtlas,
  type SceneMaker,
  type SceneOptions,
  type WorkOptions,
} from '@zeroseg/core/zeroseg';
import { scenes } from '@zeroseg/pretrained';
import { encode } from 'fast-png';
import {
  brokenField,
  type Check,
  FileError,
  FolderLock,
  hashFiles,
  isLeftoverOf,
  isListOf,
  isSystemError,
  isText,
  isWhole,
  makeFolder,
  readJson,
  syncFolder,
  systemReason,
  temporaryName,
} from '../files/index.ts';

const packaged = dirname(fileURLToPath(scenes.atlas));

/**
 * Reads `atlas.png` and `atlas.json` of a folder; by default the atlas that the package brings.
 *
 * ```ts
 * const scenes = new SceneMaker(await loadAtlas(), scenePresets.crowded);
 * ```
 */
export async function loadAtlas(folder: string = packaged): Promise<SceneAtlas> {
  const png = join(folder, 'atlas.png');
  const index = await readJson(join(folder, 'atlas.json'));
  try {
    return SceneAtlas.parse(await readFile(png), index);
  } catch (error) {
    throw new FileError('loadAtlas', png, systemReason(error), { cause: error });
  }
}

/** SHA-256 of both files of an atlas. */
export function atlasHash(folder: string): Promise<string> {
  return hashFiles(['atlas.json', 'atlas.png'].map((name) => join(folder, name)));
}

/** `classes.json` of a folder of scenes: what its labels mean, and how it was made. */
export interface SceneFolderIndex {
  readonly format: 'zeroseg-scenes';
  readonly version: 1;
  /** Label l from 1 on is `names[l - 1]`: objects, then grounds. 0 is ground without a name. */
  readonly names: readonly string[];
  /** How many of the names are objects. */
  readonly objects: number;
  /** What else each name may be called. */
  readonly synonyms: Readonly<Record<string, readonly string[]>>;
  readonly seed: number;
  readonly count: number;
  readonly options: SceneOptions;
}

export interface WriteScenesOptions extends WorkOptions<Progress> {
  readonly seed: number;
  /** How many scenes: those of index 0 to `count - 1`. */
  readonly count: number;
}

/**
 * Writes scenes as PASCAL VOC lays out photos, so that all that reads VOC reads them:
 *
 *     JPEGImages/000000.png             the pictures (PNG, since JPEG would blur so few pixels)
 *     SegmentationClass/000000.png      label maps: palette indices
 *     ImageSets/Segmentation/val.txt    all ids; train.txt is the same (another half is another seed)
 *     captions.txt                      an id, a tab, its caption, line by line
 *     names.txt                         the names, one a line
 *     classes.json                      see {@link SceneFolderIndex}
 *
 * The folder appears when it is whole. One that holds scenes already is replaced, one that holds anything else is
 * refused with a {@link FileError}. Stopped by its signal it leaves nothing, and throws the signal's reason.
 *
 * ```ts
 * const scenes = new SceneMaker(await loadAtlas(), scenePresets.crowded);
 * await writeScenes('out/scenes', scenes, { seed: 1, count: 500 });
 * ```
 */
export async function writeScenes(
  folder: string,
  scenes: SceneMaker,
  { seed, count, signal, onProgress }: WriteScenesOptions,
): Promise<void> {
  await refuseOthers(folder);
  const place = await realpath(folder).catch(() => resolve(folder));
  // Beside the folder, which is replaced as a whole.
  const lock = await FolderLock.take('writeScenes', place, {
    file: join(dirname(place), `.${basename(place)}.lock`),
  });
  const temporary = temporaryName(place);
  try {
    await refuseOthers(folder);
    await sweepFolders(place);
    for (const part of ['JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation']) {
      await makeFolder(join(temporary, part));
    }
    // Nobody sees the folder before it is whole: its files need no names of their own until then. They are not flushed one by
    // one, which would take longer than painting them (4 ms each on an ordinary disk): after a power cut, the seed makes them again.
    const write = (name: string, data: string | Uint8Array): Promise<void> =>
      writeFile(join(temporary, name), data, { flag: 'wx' });
    const ids: string[] = [];
    const captions: string[] = [];
    for (let i = 0; i < count; i++) {
      const { image, labels, caption } = scenes.scene(seed, i);
      const id = String(i).padStart(6, '0');
      await Promise.all([
        write(`JPEGImages/${id}.png`, encode({ ...image, channels: 3 })),
        write(`SegmentationClass/${id}.png`, encodeLabels(labels)),
      ]);
      ids.push(id);
      captions.push(`${id}\t${caption}`);
      onProgress?.({ done: i + 1, total: count });
      signal?.throwIfAborted();
    }
    const index: SceneFolderIndex = {
      format: 'zeroseg-scenes',
      version: 1,
      names: scenes.names,
      objects: scenes.objectCount,
      synonyms: Object.fromEntries(scenes.names.map((name) => [name, scenes.classPhrases(name).slice(1)])),
      seed,
      count,
      options: scenes.options,
    };
    const lines = (list: readonly string[]): string => list.map((line) => `${line}\n`).join('');
    for (const split of ['train', 'val']) await write(`ImageSets/Segmentation/${split}.txt`, lines(ids));
    await write('captions.txt', lines(captions));
    await write('names.txt', lines(scenes.names));
    await write('classes.json', `${JSON.stringify(index, undefined, 1)}\n`);
    await lock.check();
    await replaceFolder(place, temporary);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    if (!isSystemError(error)) throw error;
    throw new FileError('writeScenes', folder, systemReason(error), { cause: error });
  } finally {
    await lock.release();
  }
}

/** Puts a folder in the place of another. The old one is moved away whole: half of it would be a folder of nobody. */
async function replaceFolder(place: string, fresh: string): Promise<void> {
  const old = temporaryName(place);
  await rename(place, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(fresh, place);
  await syncFolder(dirname(place));
  await rm(old, { recursive: true, force: true });
}

/** Removes folders that killed processes were writing, or replacing, beside `place`, to which only who holds its lock writes. */
async function sweepFolders(place: string): Promise<void> {
  const beside = dirname(place);
  for (const name of await readdir(beside)) {
    if (isLeftoverOf(place, name)) await rm(join(beside, name), { recursive: true, force: true });
  }
}

/** What `writeScenes` writes; a folder with anything else in it is not emptied. */
const own = ['JPEGImages', 'SegmentationClass', 'ImageSets', 'captions.txt', 'names.txt', 'classes.json'];

async function refuseOthers(folder: string): Promise<void> {
  let found: string[];
  try {
    found = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    const isFile = (await stat(folder).catch(() => undefined))?.isFile();
    const reason = isFile ? 'this is a file; give a folder' : systemReason(error);
    throw new FileError('writeScenes', folder, reason, { cause: error });
  }
  if (found.length === 0) return;
  const strange = found.find((name) => !own.includes(name));
  if (strange === undefined && (await readSceneIndex(folder).catch(() => undefined))) return;
  const what = strange === undefined ? 'what is no folder of scenes' : `${strange}, which is not of scenes`;
  throw new FileError('writeScenes', folder, `it holds ${what}; give a new folder, or one of scenes to replace`);
}

function encodeLabels({ width, height, data }: LabelMap): Uint8Array {
  if (data instanceof Uint16Array) return encode({ width, height, data, channels: 1, depth: 16 });
  return encode({ width, height, data, channels: 1, palette });
}

const palette = pascalPalette().map((colour) => [...colour]);

/** Reads `classes.json` of a folder of scenes. Throws {@link FileError} where it is none. */
export async function readSceneIndex(folder: string): Promise<SceneFolderIndex> {
  const path = join(folder, 'classes.json');
  if (!(await stat(path).catch(() => undefined))) {
    throw new FileError(
      'readSceneIndex',
      folder,
      'there are no scenes here (no classes.json); `zeroseg scenes` makes some',
    );
  }
  const index = await readJson(path);
  const isNames: Check = (value) => isListOf(isText)(value) && (value as string[]).length <= 65_535;
  const fields = {
    format: (value: unknown) => value === 'zeroseg-scenes',
    version: (value: unknown) => value === 1,
    names: isNames,
    objects: isWhole(0, 65_535),
  };
  if (brokenField(index, fields) === undefined) {
    const found = index as SceneFolderIndex;
    if (found.objects <= found.names.length && firstRepeated(found.names) === undefined) return found;
  }
  throw new FileError('readSceneIndex', path, 'this is not the classes.json of a folder that `zeroseg scenes` wrote');
}

/**
 * The classes of a folder of scenes, as those of a data set. Ground without a name (label 0) does not count, and nothing
 * is taken for it: the threshold is 0.
 */
export async function sceneDefinition(folder: string): Promise<DataSetDefinition & { readonly objects: number }> {
  const { names, objects } = await readSceneIndex(folder);
  return { title: 'scenes', classes: ['background', ...names], prompts: names, ignore: 0, threshold: 0, objects };
}
