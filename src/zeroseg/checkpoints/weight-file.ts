import { ArgumentError, shownValue } from '../../gpu/index.ts';
import { CheckpointError, readSafetensors, type WeightTensor } from '../../nn/safetensors/index.ts';

/** A file of weights, opened: its tensors by name. Their bytes may be read only when they are asked for. */
export interface WeightFile {
  /** Where it comes from, for messages. */
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, WeightTensor>;
}

/** Where bytes come from: the bytes themselves, a file that a page was given, or an address to fetch. */
export type ByteSource = Uint8Array | Blob | URL | string;

/** Where weights come from: an opened file, or the bytes of a safetensors file. */
export type WeightSource = WeightFile | ByteSource;

/** Opens weights. What is fetched is held in memory as a whole. */
export async function openWeightSource(source: WeightSource, purpose: string): Promise<WeightFile> {
  if (isWeightFile(source)) return source;
  const name = sourceName(source, purpose);
  return { name, ...readSafetensors(await readSource(source, name), name) };
}

/** The bytes of a source. @throws CheckpointError when an address does not give any. */
export async function readSource(source: ByteSource, name: string): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (!(source instanceof URL) && typeof source !== 'string') {
    throw new ArgumentError(
      `${name}: give bytes, a Blob, a URL, or an opened file of weights; got ${shownValue(source)}`,
    );
  }
  let response: Response;
  try {
    response = await fetch(source);
  } catch (cause) {
    throw new CheckpointError(name, 'it cannot be fetched; of files on a disk, give their bytes', { cause });
  }
  if (!response.ok) throw new CheckpointError(name, `it cannot be fetched: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** A source for people: its address without what leads there, or what it is for. */
export function sourceName(source: WeightSource, purpose: string): string {
  if (isWeightFile(source)) return source.name;
  if (source instanceof URL || typeof source === 'string') return String(source);
  return source instanceof File ? source.name : purpose;
}

function isWeightFile(source: WeightSource): source is WeightFile {
  return typeof source === 'object' && source !== null && 'tensors' in source;
}
