/** Models in the browser's own file system (OPFS): a folder each, in which `about.json` is written last. */
import type { WeightFolder } from '@zeroseg/core/zeroseg';
import { type FileSystem, opfsFileSystem } from '@zeroseg/core/zeroseg';
import { sizeText } from '../file-sizes.ts';
import type { Space } from '../messages.ts';

/** What is known of a model's files. */
export interface About {
  readonly name: string;
  /** The file of weights, where the folder holds others. */
  readonly file?: string | undefined;
  readonly files: readonly AboutFile[];
  /** SHA-256 over the weights, as students name their teachers. */
  readonly hash?: string | undefined;
  readonly hub?: { readonly repo: string; readonly revision: string } | undefined;
}

export interface AboutFile {
  readonly name: string;
  readonly size: number;
  /** What the Hub says of its content: SHA-256 of large files, git's SHA-1 of others. */
  readonly sha256?: string | undefined;
  readonly git?: string | undefined;
}

const FOLDER = 'models';
const ABOUT = 'about.json';
/** What an unfinished folder has instead. */
const PLAN = 'plan.json';

let opened: Promise<FileSystem> | undefined;

function root(): Promise<FileSystem> {
  opened ??= opfsFileSystem(FOLDER);
  opened.catch(() => {
    opened = undefined;
  });
  return opened;
}

/** Models that are there as a whole, and those of which a part is. */
export async function keptModels(): Promise<{ whole: Map<string, About>; parts: Map<string, About> }> {
  const found = { whole: new Map<string, About>(), parts: new Map<string, About>() };
  // Where there is no such file system, nothing is kept.
  const files = await root().catch(() => undefined);
  for (const id of (await files?.list()) ?? []) {
    for (const [name, to] of [
      [ABOUT, found.whole],
      [PLAN, found.parts],
    ] as const) {
      const about = files && (await readAbout(files, `${id}/${name}`));
      if (!about) continue;
      to.set(id, about);
      break;
    }
  }
  return found;
}

async function readAbout(files: FileSystem, path: string): Promise<About | undefined> {
  if (!(await files.status(path))) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(await files.read(path))) as About;
  } catch {
    return undefined;
  }
}

/** A kept model's folder; messages call it by the model's name. */
export async function keptFolder(id: string, { name, files }: About): Promise<WeightFolder> {
  const folder = (await root()).folder(id);
  return {
    name,
    describe: (file) => `${name}/${file}`,
    list: async () => files.map((file) => file.name),
    open: (file) => folder.open(file),
  };
}

/** Begins a model: says what is to come. */
export async function planModel(id: string, about: About): Promise<void> {
  await (await root()).write(`${id}/${PLAN}`, JSON.stringify(about));
}

/** Ends a model: it is whole now. */
export async function finishModel(id: string, about: About): Promise<void> {
  const files = await root();
  await files.write(`${id}/${ABOUT}`, JSON.stringify(about));
  await files.remove(`${id}/${PLAN}`);
}

export async function removeModel(id: string): Promise<void> {
  await (await root()).remove(id);
}

export async function removeFile(id: string, file: string): Promise<void> {
  await (await root()).remove(`${id}/${file}`);
}

/** How much of a file is there. */
export async function keptBytes(id: string, file: string): Promise<number> {
  return (await (await root()).status(`${id}/${file}`))?.size ?? 0;
}

/** Two tabs must not write the same model. */
export async function whileHeld<T>(id: string, work: () => Promise<T>): Promise<T> {
  const lock = await (await root()).folder(id).lock('copying a model', 'copying');
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** A file of OPFS that a worker writes in place; not in the types of a page. */
interface SyncFile {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** Writes a stream into a file of a model, from some byte on, as it comes: what has come stays when it breaks off. */
export async function writeStream(
  id: string,
  file: string,
  from: number,
  stream: ReadableStream<Uint8Array>,
  onBytes: (count: number) => void,
): Promise<void> {
  let folder = await navigator.storage.getDirectory();
  for (const name of [FOLDER, id]) folder = await folder.getDirectoryHandle(name, { create: true });
  const handle = (await folder.getFileHandle(file, { create: true })) as FileSystemFileHandle & {
    createSyncAccessHandle(): Promise<SyncFile>;
  };
  const out = await handle.createSyncAccessHandle();
  let at = from;
  try {
    out.truncate(from);
    const reader = stream.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const { value } = next;
      if (out.write(value, { at }) !== value.length) throw new DOMException('', 'QuotaExceededError');
      at += value.length;
      onBytes(value.length);
    }
  } catch (error) {
    await stream.cancel().catch(() => undefined);
    throw (error as Error).name === 'QuotaExceededError' ? await noRoom(file, 0) : error;
  } finally {
    out.flush();
    out.close();
  }
}

export async function space(): Promise<Space> {
  const { usage = 0, quota = 0 } = await navigator.storage.estimate();
  return { taken: usage, quota };
}

/** Asks before anything is written. @throws where the browser gives this site less than is needed. */
export async function askRoom(name: string, bytes: number): Promise<void> {
  const { taken, quota } = await space();
  if (bytes > quota - taken) throw await noRoom(name, bytes);
}

async function noRoom(name: string, bytes: number): Promise<Error> {
  const { taken, quota } = await space();
  const needs = bytes > 0 ? `${name} needs ${sizeText(bytes)}` : `There is no more room for ${name}`;
  const left = sizeText(Math.max(0, quota - taken));
  return new Error(
    `${needs}, and the browser gives this site only ${left} more; delete a model that is kept here, or free space on the disk.`,
  );
}
