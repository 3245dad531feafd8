import { ArgumentError } from '../../gpu/index.ts';
import { describe } from '../../tensor/values/index.ts';
import { headerSize, parseHeader } from './safetensors.ts';
import { type AnyDtype, CheckpointError, elementBytes, type StoredTensor } from './types.ts';

/** Bytes that are read by ranges: a file on a disk, a page's `Blob`, a file of a server. */
export interface RangeSource {
  /** Bytes of the whole. */
  readonly size: number;
  /** Bytes `start` to `end` (exclusive). */
  readRange(start: number, end: number): Promise<Uint8Array>;
}

/** A tensor of a file that is not in memory. */
export interface FileTensor {
  readonly file: string;
  readonly name: string;
  readonly dtype: AnyDtype;
  readonly shape: readonly number[];
  /** Where its bytes begin in the file. */
  readonly start: number;
  /** Reads it; nothing is kept. @throws CheckpointError when the source gives less than was asked for. */
  read(): Promise<StoredTensor>;
  /** Reads elements `start` to `end` (exclusive) in row-major order; absent where a tensor can be read as a whole only. */
  readPart?(start: number, end: number): Promise<Uint8Array>;
}

/** @throws ArgumentError for what is no source, such as the promise of one. */
export function checkSource(op: string, source: unknown): void {
  if (typeof (source as Partial<RangeSource> | undefined)?.readRange === 'function') return;
  const remedy = 'a source has { size, readRange }, as blobRanges(blob) and await fetchRanges(url) give it';
  throw new ArgumentError(`${op}: ${remedy}; got ${describe(source)}`);
}

/** A tensor of a checkpoint, in memory or in its file. */
export type WeightTensor = StoredTensor | FileTensor;

/** A checkpoint that is read tensor by tensor. */
export interface OpenWeights {
  readonly metadata: Record<string, string>;
  readonly tensors: Map<string, FileTensor>;
}

/**
 * Opens a safetensors file of any size: only its header is read now, and each tensor when it is asked for. So a checkpoint of
 * gigabytes takes the memory of its largest tensor.
 *
 * ```ts
 * const { tensors } = await openWeights(await fetchRanges('https://example.org/model.safetensors'), 'model.safetensors');
 * const scale = toFloat32(await tensors.get('logit_scale')!.read());
 * ```
 *
 * @param name A name for error messages.
 * @throws CheckpointError when it is no safetensors file; what the source throws when it cannot be read.
 */
export async function openWeights(source: RangeSource, name = 'safetensors'): Promise<OpenWeights> {
  checkSource('openWeights', source);
  const { size } = source;
  const read = async (start: number, end: number, what: string): Promise<Uint8Array> => {
    const bytes = await source.readRange(start, end);
    if (bytes.length === end - start) return bytes;
    throw new CheckpointError(
      name,
      `${what}: bytes ${start} to ${end} were asked for, and ${bytes.length} came; the file has changed since it was opened`,
    );
  };
  const first = await read(0, Math.min(8, size), 'the length of the header');
  const header = await read(0, headerSize(first, size, name), 'the header');
  const { metadata, entries } = parseHeader(header, size, name);
  const tensors = new Map<string, FileTensor>();
  for (const { end, ...entry } of entries.values()) {
    const { file, dtype, shape, start } = entry;
    const width = elementBytes(dtype);
    tensors.set(entry.name, {
      ...entry,
      ...(width !== undefined && {
        readPart: (from, to) => read(start + from * width, start + to * width, `tensor "${entry.name}"`),
      }),
      read: async () => ({
        file,
        name: entry.name,
        dtype,
        shape,
        bytes: await read(start, end, `tensor "${entry.name}"`),
      }),
    });
  }
  return { metadata, tensors };
}

/** The tensor in memory. */
export async function readTensor(tensor: WeightTensor): Promise<StoredTensor> {
  return 'bytes' in tensor ? tensor : tensor.read();
}

/** A checkpoint with those of its tensors in memory that `wanted` names; the others as they are. */
export async function readNamed<T extends WeightTensor>(
  tensors: ReadonlyMap<string, T>,
  wanted: (name: string) => boolean,
): Promise<Map<string, T | StoredTensor>> {
  const read = async ([name, tensor]: [string, T]) => [name, wanted(name) ? await readTensor(tensor) : tensor] as const;
  return new Map(await Promise.all([...tensors].map(read)));
}

/** The ranges of a page's file. */
export function blobRanges(blob: Blob): RangeSource {
  return {
    size: blob.size,
    readRange: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

/**
 * The ranges of a file on a server, by HTTP requests with `Range`. Another origin must allow the header by CORS, and expose
 * `Content-Range`.
 *
 * @throws CheckpointError when the server does not answer, or sends whole files only.
 */
export async function fetchRanges(url: string | URL, init: RequestInit = {}): Promise<RangeSource> {
  const name = String(url);
  const fail = (reason: string, cause?: unknown): never => {
    throw new CheckpointError(name, reason, { cause });
  };
  const request = async (start: number, end: number): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set('Range', `bytes=${start}-${end - 1}`);
    const response = await fetch(url, { ...init, headers }).catch((cause) => fail('it cannot be fetched', cause));
    if (response.status === 206) return response;
    await response.body?.cancel();
    if (!response.ok) return fail(`it cannot be fetched: ${response.status} ${response.statusText}`);
    return fail(
      `the server ignores Range and would send the whole file (status ${response.status}, expected 206); fetch it whole and give its bytes, or use a server that answers ranges`,
    );
  };
  const first = await request(0, 8);
  await first.body?.cancel();
  const size = Number(/^bytes \d+-\d+\/(\d+)$/.exec(first.headers.get('Content-Range') ?? '')?.[1]);
  if (!Number.isSafeInteger(size)) {
    return fail(
      'the server does not say how long the file is; it must send (and to other origins expose) Content-Range',
    );
  }
  return {
    size,
    readRange: async (start, end) => {
      if (start === end) return new Uint8Array(0);
      return new Uint8Array(await (await request(start, end)).arrayBuffer());
    },
  };
}
