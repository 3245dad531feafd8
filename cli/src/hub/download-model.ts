/** Models of the Hugging Face Hub, by name: into a folder, resumed where it broke off, checked byte for byte. */
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HubApiError, listFiles, modelInfo } from '@huggingface/hub';
import { filesToDownload, isAsPublished, type PublishedFile } from '@zeroseg/core/zeroseg';
import { FileError, isSystemError, makeFolder, syncFolder, systemReason, tryLock } from '../files/index.ts';
import { UsageError } from '../shell/index.ts';
import { fileRanges } from '../weights/index.ts';
import { cachedModel, keepModel, keptModel } from './kept-models.ts';

export interface DownloadOptions {
  /** A branch, a tag or a commit. Default: the newest. */
  readonly revision?: string | undefined;
  /** Default: a folder of the user's cache, by name and commit. */
  readonly out?: string | undefined;
  /** Files to take instead of the weights and what is read beside them. */
  readonly files?: readonly string[] | undefined;
  readonly signal: AbortSignal;
  /** Told of every part that arrives, of all files together. */
  readonly onProgress?: (done: number, bytes: number) => void;
}

export interface Download {
  readonly folder: string;
  /** The commit that was downloaded. */
  readonly commit: string;
  readonly files: readonly PublishedFile[];
  /** Bytes that were fetched now; the rest was there. */
  readonly fetched: number;
  /** Whether the Hub was not asked, or not reached, and this is what it gave before. */
  readonly isOffline: boolean;
}

/** A connection that breaks off is taken up again so many times without a byte in between. */
const MAX_TRIES = 3;
/** Milliseconds before the first try; twice as long before each next one. */
const PAUSE = 200;

/** `https://huggingface.co`, or what `HF_ENDPOINT` names. */
function endpoint(): string {
  return (process.env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '');
}

/**
 * Downloads what is read of a model, and nothing else. Its commit is fixed at the beginning; a file that is there as it is on the Hub is
 * not fetched again; one that did not arrive as it is there is removed.
 *
 * @throws UsageError that says what to do.
 */
export async function downloadModel(repo: string, options: DownloadOptions): Promise<Download> {
  const { revision, signal } = options;
  if (!/^[\w.-]+\/[\w.-]+$/.test(repo)) {
    throw new UsageError(`download: “${repo}” is no name of a model; the Hub's are like openai/clip-vit-base-patch16`);
  }
  const kept = () => (options.out === undefined ? fromCache(repo, options) : undefined);
  if (isSet(process.env['HF_HUB_OFFLINE'])) {
    const found = await kept();
    if (found) return found;
    throw new UsageError(
      `download: HF_HUB_OFFLINE is set, and ${options.out === undefined ? `${named(repo, revision)} is not (or not whole) in ${cachedModel(repo)}` : '--out is for what is fetched'}`,
    );
  }
  return said(repo, revision, kept, async () => {
    const from = { hubUrl: endpoint(), fetch: fetchWith(signal), ...(token() && { accessToken: token() as string }) };
    const { sha: commit } = await modelInfo({
      ...from,
      name: repo,
      ...(revision && { revision }),
      additionalFields: ['sha'],
    });
    if (!commit) throw new UsageError(`download: ${endpoint()} does not say which commit of ${repo} there is`);
    const all: PublishedFile[] = [];
    for await (const { type, path, size, oid, lfs } of listFiles({
      ...from,
      repo,
      revision: commit,
      recursive: true,
    })) {
      if (type === 'file') all.push({ name: path, size, ...(lfs ? { sha256: lfs.oid } : { git: oid }) });
    }
    const files = chosen(repo, all, options.files);
    const folder = options.out ?? join(cachedModel(repo), commit);
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    let [done, fetched] = [0, 0];
    for (const file of files) {
      const before = done;
      fetched += await downloadFile({ repo, commit, folder, file, signal }, (own) =>
        options.onProgress?.(before + own, bytes),
      );
      done += file.size;
      options.onProgress?.(done, bytes);
    }
    if (options.out === undefined) await keepModel(repo, revision, { commit, files: all });
    return { folder, commit, files, fetched, isOffline: false };
  });
}

/** What an earlier download of the same brought, where all that is asked for is there as it was published. */
async function fromCache(repo: string, { revision, files: names }: DownloadOptions): Promise<Download | undefined> {
  const found = await keptModel(repo, revision);
  if (!found) return undefined;
  const { commit } = found;
  const folder = join(cachedModel(repo), commit);
  const files = chosen(repo, found.files, names);
  for (const file of files) {
    const place = join(folder, file.name);
    if (!(await stat(place).catch(() => undefined))?.isFile()) return undefined;
    if (!(await isAsPublished(await fileRanges(place), file))) return undefined;
  }
  return { folder, commit, files, fetched: 0, isOffline: true };
}

function isSet(value: string | undefined): boolean {
  return /^(1|true|yes|on)$/i.test(value ?? '');
}

function named(repo: string, revision: string | undefined): string {
  return revision === undefined ? repo : `${repo} at ${revision}`;
}

function chosen(repo: string, all: readonly PublishedFile[], names: readonly string[] | undefined): PublishedFile[] {
  const weights = all.filter(({ name }) => /\.(safetensors|bin|pth?|ckpt)$/.test(name)).map(({ name }) => name);
  const list = weights.length > 0 ? weights.slice(0, 12).join(', ') : 'none';
  if (names && names.length > 0) {
    return names.map((name) => {
      const found = all.find((file) => file.name === name);
      if (found && !name.split('/').includes('..')) return found;
      throw new UsageError(`--file: ${repo} has no file ${name}; its files of weights are: ${list}`);
    });
  }
  const found = filesToDownload(all);
  if (found.length > 0) return found;
  throw new UsageError(
    `download: ${repo} has no weights of a usual name (model.safetensors, open_clip_model.safetensors, pytorch_model.bin); name what to take by --file; its files of weights are: ${list}`,
  );
}

interface Place {
  readonly repo: string;
  readonly commit: string;
  readonly folder: string;
  readonly file: PublishedFile;
  readonly signal: AbortSignal;
}

/** Fetches what is missing of a file, and puts it in place when it is whole; how many bytes were fetched. */
async function downloadFile(place: Place, onProgress: (done: number) => void): Promise<number> {
  const { folder, file, commit, signal } = place;
  const target = join(folder, file.name);
  const there = await stat(target).catch(() => undefined);
  if (there?.isFile() && (await isAsPublished(await fileRanges(target), file))) return 0;
  // By its content: what was begun of another commit is not gone on with.
  const part = join(
    dirname(target),
    `.${file.name.split('/').at(-1)}.${(file.sha256 ?? file.git ?? commit).slice(0, 16)}.part`,
  );
  let fetched = 0;
  try {
    await makeFolder(dirname(target));
    const handle = await open(part, 'a+');
    try {
      if ((await tryLock(handle.fd)) === false) {
        throw new UsageError(`download: another program is downloading ${target}`);
      }
      let { size: done } = await handle.stat();
      if (done > file.size) await handle.truncate((done = 0));
      onProgress(done);
      for (let tries = 0; done < file.size; ) {
        signal.throwIfAborted();
        const before = done;
        try {
          const { body, start } = await ranged(place, done);
          if (start === 0 && done > 0) await handle.truncate((done = 0));
          for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
            if (done + chunk.length > file.size)
              throw new UsageError(`download: ${endpoint()} sends more of ${file.name} than it said`);
            // All of it: one write may take less than it was given, as on a disk that is nearly full.
            await handle.appendFile(chunk);
            done += chunk.length;
            fetched += chunk.length;
            onProgress(done);
          }
          if (done < file.size) throw new DOMException('the connection ended early', 'NetworkError');
        } catch (error) {
          tries = done > before ? 1 : tries + 1;
          // All else will not be better the next time.
          if (!isBroken(error) || tries > MAX_TRIES) throw error;
          await pause(PAUSE * 2 ** (tries - 1), signal);
        }
      }
      await handle.sync();
      if (!(await isAsPublished(await fileRanges(part), file))) {
        await rm(part, { force: true });
        throw new UsageError(
          `download: ${file.name} did not arrive as it is at ${endpoint()} (its checksum differs); it was removed, run the command again`,
        );
      }
      await rename(part, target);
    } finally {
      await handle.close();
    }
    await syncFolder(dirname(target));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new FileError('download', target, systemReason(error), { cause: error });
  }
  return fetched;
}

/** The rest of a file from byte `start` on; all of it from a server that knows no ranges. */
async function ranged(
  { repo, commit, file, signal }: Place,
  start: number,
): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly start: number }> {
  const path = file.name.split('/').map(encodeURIComponent).join('/');
  const headers: Record<string, string> = { Range: `bytes=${start}-` };
  const secret = token();
  // Where the Hub leads to elsewhere, fetch takes it out.
  if (secret) headers['Authorization'] = `Bearer ${secret}`;
  const response = await fetch(`${endpoint()}/${repo}/resolve/${commit}/${path}`, { signal, headers });
  const { status, body } = response;
  if (body && status === 206 && response.headers.get('Content-Range')?.startsWith(`bytes ${start}-`))
    return { body, start };
  if (body && status === 200) return { body, start: 0 };
  await body?.cancel();
  if (status >= 500) throw new DOMException(`status ${status}`, 'NetworkError');
  if (status === 401 || status === 403) throw new UsageError(gated(repo));
  throw new UsageError(`download: ${endpoint()} answered ${status} for ${file.name}`);
}

/** Whether a connection broke: `fetch` says so by a TypeError. */
function isBroken(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'NetworkError');
}

function token(): string | undefined {
  return process.env['HF_TOKEN'] || undefined;
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

function gated(repo: string): string {
  const place = `${endpoint()}/${repo}`;
  return token()
    ? `download: ${place} is not given to the holder of HF_TOKEN; agree to its licence on that page`
    : `download: there is no model ${repo} that is given to everybody: look at ${place}; where it asks to agree to a licence, do so, and set HF_TOKEN to a token of yours`;
}

/** Failures of the Hub in words; where it is not reached, what was `kept` of it. */
async function said<T>(
  repo: string,
  revision: string | undefined,
  kept: () => Promise<T | undefined> | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const what = named(repo, revision);
  try {
    return await work();
  } catch (error) {
    if (isBroken(error)) {
      const found = await kept();
      if (found) return found;
      throw new UsageError(
        `download: ${endpoint()} cannot be reached: there is no network, or it is blocked (HF_ENDPOINT names another address). What was downloaded is kept; the same command goes on with it`,
        { cause: error },
      );
    }
    if (!(error instanceof HubApiError)) throw error;
    const { statusCode } = error;
    if (statusCode === 401 || statusCode === 403) throw new UsageError(gated(repo), { cause: error });
    if (statusCode === 404)
      throw new UsageError(`download: there is no model ${what} at ${endpoint()}`, { cause: error });
    const wait = statusCode === 429 ? 'asks to wait: too many requests' : `is out of order (status ${statusCode})`;
    throw new UsageError(`download: ${endpoint()} ${wait}; run the command again later`, { cause: error });
  }
}
