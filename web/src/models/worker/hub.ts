/** CLIPs of the Hugging Face Hub, by name. Loaded when the visitor asks for one. */
import { fileDownloadInfo, HubApiError, listFiles, modelInfo } from '@huggingface/hub';
import { filesToDownload, isAsPublished, openClipFolder, type WeightFolder } from '@zeroseg/core/zeroseg';
import type { Copying } from '../messages.ts';
import {
  type About,
  type AboutFile,
  askRoom,
  keptBytes,
  keptFolder,
  planModel,
  removeFile,
  writeStream,
} from './kept-files.ts';

interface Following {
  readonly signal: AbortSignal;
  readonly onProgress: (copying: Copying) => void;
}

/** A connection that breaks off is taken up again so many times without a byte in between. */
const MAX_TRIES = 3;
/** Milliseconds before the first try; twice as long before each next one. */
const PAUSE = 400;

/** The name in what a visitor typed: `openai/clip-vit-base-patch16`, or its address. @throws where there is none. */
export function repoName(typed: string): string {
  const name = typed.trim().replace(/^(https?:\/\/)?(www\.)?(huggingface\.co|hf\.co)\//, '');
  const found = /^([\w.-]+\/[\w.-]+)(\/tree\/[^/]+)?\/?$/.exec(name)?.[1];
  if (found !== undefined) return found;
  throw new Error(`“${typed}” is no name of a model; the Hub's names are like openai/clip-vit-base-patch16`);
}

/**
 * Finds a model and what is to be downloaded of it. Its revision is fixed from here on. Header and settings are looked at first: a model
 * that cannot be used costs no download.
 */
export async function planDownload(typed: string, signal: AbortSignal): Promise<About> {
  const repo = repoName(typed);
  const options = { repo, fetch: fetchWith(signal) };
  return said(repo, async () => {
    const { sha: revision } = await modelInfo({ ...options, name: repo, additionalFields: ['sha'] });
    if (!revision) throw new Error(`the Hub does not say which revision of ${repo} there is`);
    const all: AboutFile[] = [];
    for await (const { type, path, size, oid, lfs } of listFiles({ ...options, revision })) {
      if (type === 'file') all.push({ name: path, size, ...(lfs ? { sha256: lfs.oid } : { git: oid }) });
    }
    const about: About = { name: repo, files: filesToDownload(all), hub: { repo, revision } };
    const remote: WeightFolder = {
      name: repo,
      describe: (file) => `${repo}/${file}`,
      list: async () => about.files.map(({ name }) => name),
      open: async (file) => ({
        size: all.find(({ name }) => name === file)?.size ?? 0,
        readRange: async (start, end) => {
          if (start === end) return new Uint8Array(0);
          return new Uint8Array(await (await ranged(about, file, signal, start, end)).arrayBuffer());
        },
      }),
    };
    await openClipFolder(remote);
    await askRoom(
      repo,
      about.files.reduce((sum, { size }) => sum + size, 0),
    );
    return about;
  });
}

/** Downloads what is missing, checks it, and returns the SHA-256 over the weights. */
export async function downloadModel(id: string, about: About, following: Following): Promise<string> {
  const { files, hub } = about;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  await planModel(id, about);
  await said(hub?.repo ?? about.name, async () => {
    let done = 0;
    for (const file of files) {
      await downloadFile(id, about, file, {
        ...following,
        onProgress: ({ what, done: own }) => following.onProgress({ what, done: done + own, bytes }),
      });
      done += file.size;
    }
  });
  following.onProgress({ what: 'checking', done: bytes, bytes });
  const clip = await openClipFolder(await keptFolder(id, about));
  return clip.weightsHash();
}

async function downloadFile(
  id: string,
  about: About,
  file: AboutFile,
  { signal, onProgress }: Following,
): Promise<void> {
  let done = await keptBytes(id, file.name);
  let tries = 0;
  while (done < file.size) {
    signal.throwIfAborted();
    const before = done;
    try {
      const { body } = await ranged(about, file.name, signal, done, file.size);
      if (!body) throw new TypeError('no body');
      await writeStream(id, file.name, done, body, (count) => {
        done += count;
        onProgress({ what: 'downloading', done, bytes: file.size });
      });
    } catch (error) {
      done = await keptBytes(id, file.name);
      tries = done > before ? 1 : tries + 1;
      // Broken connections are `TypeError`s; all else will not be better the next time.
      if (!(error instanceof TypeError) || tries > MAX_TRIES) throw error;
      await pause(PAUSE * 2 ** (tries - 1), signal);
    }
  }
  onProgress({ what: 'checking', done, bytes: file.size });
  if (await isAsPublished(await (await keptFolder(id, about)).open(file.name), file)) return;
  await removeFile(id, file.name);
  throw new Error(
    `${file.name} did not arrive as it is on the Hub (its checksum differs); it was removed, download it again`,
  );
}

/** Bytes of a file of the pinned revision. The Hub leads to where they lie. */
async function ranged(
  { hub }: About,
  path: string,
  signal: AbortSignal,
  start: number,
  end: number,
): Promise<Response> {
  const { repo, revision } = hub as NonNullable<About['hub']>;
  const info = await fileDownloadInfo({ repo, path, revision, fetch: fetchWith(signal) });
  if (!info) throw new Error(`${path} is not in ${repo} any more`);
  const response = await fetch(info.url, { signal, headers: { Range: `bytes=${start}-${end - 1}` } });
  if (response.status === 206) return response;
  await response.body?.cancel();
  if (response.status >= 500) throw new TypeError(`status ${response.status}`);
  throw new Error(`the Hub answered ${response.status} for ${path}`);
}

function fetchWith(signal: AbortSignal): typeof fetch {
  return (address, options) => fetch(address, { ...options, signal });
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Failures of the Hub in words. */
async function said<T>(repo: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TypeError) {
      throw new Error(
        'Hugging Face cannot be reached: there is no network, or it blocks huggingface.co. What was downloaded is kept; go on when it is back.',
        { cause: error },
      );
    }
    if (!(error instanceof HubApiError)) throw error;
    const { statusCode } = error;
    if (statusCode === 429)
      throw new Error('Hugging Face asks to wait: too many requests; go on in some minutes', { cause: error });
    if (statusCode >= 500)
      throw new Error(`Hugging Face is out of order (status ${statusCode}); go on later`, { cause: error });
    if (statusCode === 403) {
      throw new Error(
        `${repo} is given only to who has agreed to its licence; download it there, and drop its folder here`,
        {
          cause: error,
        },
      );
    }
    throw new Error(`there is no public model ${repo} on the Hugging Face Hub`, { cause: error });
  }
}
