import { ArgumentError, shownValue } from '../../gpu/index.ts';
import {
  blobRanges,
  CheckpointError,
  fetchRanges,
  type OpenWeights,
  openWeights,
  type RangeSource,
  readSafetensors,
  type WeightTensor,
} from '../../nn/safetensors/index.ts';
import { sha256, sha256OfRanges } from '../host/index.ts';

/** A file of weights, opened: its tensors by name. Their bytes may be read only when they are asked for. */
export interface WeightFile {
  /** Where it comes from, for messages. */
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, WeightTensor>;
  /** Keys that lead to the weights in a file of PyTorch with more beside them, such as `teacher`; else empty or absent. */
  readonly part?: string | undefined;
  /** SHA-256 of the file, where it can be known. Reads all of it, range by range. */
  hash?(): Promise<string>;
}

/** Where bytes come from: the bytes themselves, a file that a page was given, an address to fetch, or ranges of anything else. */
export type ByteSource = Uint8Array | Blob | URL | string | RangeSource;

/** Where weights come from: an opened file, a safetensors file, or one that PyTorch wrote. */
export type WeightSource = WeightFile | ByteSource;

/**
 * Opens weights. Files, ranges, and what is fetched from a server that sends ranges are read tensor by tensor, when these are asked
 * for. Small files, and what other servers send, are held in memory as a whole.
 *
 * @param purpose What the file is, where it has no name.
 */
export async function openWeightSource(source: WeightSource, purpose: string): Promise<WeightFile> {
  if (isWeightFile(source)) return source;
  const name = sourceName(source, purpose);
  const opened = isAddress(source) ? await fetched(source, name) : source;
  if (opened instanceof Uint8Array && !isTorchFile(opened)) {
    return { name, ...readSafetensors(opened, name), hash: () => hashOf(opened) };
  }
  const ranges =
    opened instanceof Blob ? blobRanges(opened) : opened instanceof Uint8Array ? memoryRanges(opened) : opened;
  if (!isRanges(ranges)) throw noSource(name, source);
  return { name, ...(await openWeightRanges(ranges, name)), hash: () => sha256OfRanges(ranges) };
}

/** What files of weights are called, and lists of such files. */
export const weightEndings: RegExp = /\.(safetensors|bin|pth?|ckpt)$/;

/**
 * Opens a safetensors file, or one that PyTorch wrote (`.pt`, `.pth`, `.bin`, TorchScript); which of them it is, its first bytes say.
 *
 * @param name A name for error messages.
 * @throws CheckpointError when it is neither, or is damaged, or holds what weights do not need.
 */
export async function openWeightRanges(
  ranges: RangeSource,
  name: string,
): Promise<OpenWeights & Pick<WeightFile, 'part'>> {
  const first = await ranges.readRange(0, Math.min(8, ranges.size));
  if (!isTorchFile(first)) {
    // The first that it asks for is what is here already.
    const readRange: RangeSource['readRange'] = async (start, end) =>
      start === 0 && end === first.length ? first : ranges.readRange(start, end);
    return openWeights({ size: ranges.size, readRange }, name).catch(async (error: unknown) => {
      if (!(error instanceof CheckpointError)) throw error;
      const other = otherKind(await ranges.readRange(0, Math.min(HEAD, ranges.size)));
      throw other === undefined ? error : new CheckpointError(name, other, { cause: error });
    });
  }
  // Most who open weights never meet such a file.
  const { openTorch } = await import('../../nn/torch/index.ts');
  return openTorch(ranges, name);
}

/** Whether a file begins as `torch.save` begins it: a ZIP archive or, before PyTorch 1.6, a pickle with a number of ten bytes. */
function isTorchFile(first: Uint8Array): boolean {
  const [a, b, c, d] = first;
  return (a === 0x50 && b === 0x4b && c === 3 && d === 4) || (a === 0x80 && b === 2 && c === 0x8a && d === 10);
}

/** Bytes that tell what a file is. */
const HEAD = 512;

/** What somebody took for a file of weights, and what to do; undefined where that is not known. */
function otherKind(head: Uint8Array): string | undefined {
  const text = new TextDecoder('latin1').decode(head);
  const begins = (...codes: number[]): boolean => codes.every((code, i) => head[i] === code);
  const save = 'save its weights by torch.save(model.state_dict(), FILE) or as safetensors';
  if (/^\s*<(!doctype|html|\?xml)/i.test(text))
    return 'this is a page of a website, not a file of weights: download it again, from the address of the file itself';
  if (text.startsWith('version https://git-lfs'))
    return 'this is a pointer of Git LFS, not the file itself: get it by git lfs pull';
  if (text.slice(257, 262) === 'ustar')
    return `this is a tar archive, as PyTorch wrote it before 2017 and NeMo does today: unpack it, and give the file of weights in it; or ${save}`;
  if (begins(0x1f, 0x8b)) return 'this is a gzip archive: unpack it, and give the file in it';
  if (begins(0x89, 0x48, 0x44, 0x46))
    return 'this is an HDF5 file, of Keras as a rule, which is not read here: save it as safetensors';
  if (text.startsWith('GGUF'))
    return 'this is a GGUF file, of llama.cpp, which is not read here: take the safetensors of the same model';
  if (text.startsWith('\x93NUMPY'))
    return 'this is an array of NumPy, which has no names of tensors: save it as safetensors';
  if (
    begins(0xff, 0xd8, 0xff) ||
    begins(0x89, 0x50, 0x4e, 0x47) ||
    /^(GIF8|RIFF....WEBP|.{4}ftyp(avif|heic))/s.test(text)
  )
    return 'this is a picture, not a file of weights';
  if (text.startsWith('%PDF')) return 'this is a PDF, not a file of weights';
  // The length of a header, with which safetensors begin, has zeros here.
  if (begins(0x80) && (head[1] as number) <= 5 && head.slice(4, 8).some((byte) => byte !== 0))
    return `this is a pickle of Python that torch.save did not write, and is not read: ${save}`;
  return undefined;
}

function memoryRanges(bytes: Uint8Array): RangeSource {
  return { size: bytes.length, readRange: async (start, end) => bytes.subarray(start, end) };
}

/** Empty where the platform has no digests: a page that was loaded without TLS. */
async function hashOf(bytes: Uint8Array): Promise<string> {
  return globalThis.crypto?.subtle ? sha256(bytes as Uint8Array<ArrayBuffer>) : '';
}

/** Bytes that are fetched at once: of a file that is not larger, one request brings all. */
const AT_ONCE = 2 ** 24;

/** What is at an address: its bytes, or, of a larger file on a server that sends them, its ranges. */
async function fetched(address: URL | string, name: string): Promise<Uint8Array | RangeSource> {
  // Of these, the platform has all; and Node gives one byte too few of a range that ends behind them.
  if (/^(blob|data):/.test(String(address))) return readSource(address, name);
  const first = await request(address, name, { headers: { Range: `bytes=0-${AT_ONCE - 1}` } });
  if (first.status === 206) {
    const size = Number(/^bytes 0-\d+\/(\d+)$/.exec(first.headers.get('Content-Range') ?? '')?.[1]);
    if (size <= AT_ONCE) return bytesOf(first);
    await first.body?.cancel();
    // To other origins a server may hide how long the file is.
    return size > AT_ONCE ? fetchRanges(address) : readSource(address, name);
  }
  if (first.ok) return bytesOf(first);
  await first.body?.cancel();
  // With a status that says that there is no such range, of an empty file for instance.
  if (first.status === 416) return readSource(address, name);
  throw notFetched(name, first);
}

/** All bytes of a source. @throws CheckpointError when an address does not give any. */
export async function readSource(source: ByteSource, name: string): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (isRanges(source)) return source.readRange(0, source.size);
  if (!isAddress(source)) throw noSource(name, source);
  const response = await request(source, name);
  if (!response.ok) throw notFetched(name, response);
  return bytesOf(response);
}

async function request(address: URL | string, name: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (cause) {
    throw new CheckpointError(name, 'it cannot be fetched; of files on a disk, give their bytes', { cause });
  }
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

function notFetched(name: string, { status, statusText }: Response): CheckpointError {
  return new CheckpointError(name, `it cannot be fetched: ${status} ${statusText}`);
}

function noSource(name: string, source: unknown): ArgumentError {
  return new ArgumentError(
    `${name}: give bytes, a Blob, a URL, ranges, or an opened file of weights; got ${shownValue(source)}`,
  );
}

function isAddress(source: unknown): source is URL | string {
  return typeof source === 'string' || source instanceof URL;
}

function isRanges(source: unknown): source is RangeSource {
  return typeof source === 'object' && source !== null && 'readRange' in source;
}

/** A source for people: its address without what leads there, or what it is for. */
export function sourceName(source: WeightSource, purpose: string): string {
  if (isWeightFile(source)) return source.name;
  if (isAddress(source)) return String(source);
  return source instanceof File ? source.name : purpose;
}

function isWeightFile(source: WeightSource): source is WeightFile {
  return typeof source === 'object' && source !== null && 'tensors' in source;
}
