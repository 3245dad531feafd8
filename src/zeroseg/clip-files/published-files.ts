/** What of a model on the Hugging Face Hub is downloaded, and whether it arrived as it is there. */
import type { RangeSource } from '../../nn/safetensors/index.ts';
import { sha256OfRanges } from '../host/index.ts';
import { clipCompanions } from './folder.ts';

/** A file of a repository, with what its content is told by. */
export interface PublishedFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of a large file. */
  readonly sha256?: string | undefined;
  /** What Git calls the content of a small one. */
  readonly git?: string | undefined;
}

const INDEX = 'model.safetensors.index.json';
/** Where weights are, the best first: older models have PyTorch's file only. */
const weightFiles = [
  INDEX,
  'model.safetensors',
  'open_clip_model.safetensors',
  'pytorch_model.bin',
  'open_clip_pytorch_model.bin',
];

/** Weights, one file or parts with their index, and what is read beside them; none where no file has a usual name. */
export function filesToDownload<F extends PublishedFile>(all: readonly F[]): F[] {
  const names = new Set(all.map(({ name }) => name));
  const found = weightFiles.find((name) => names.has(name));
  if (found === undefined) return [];
  const weights = (name: string): boolean =>
    name === found || (found === INDEX && /^model-\d+-of-\d+\.safetensors$/.test(name));
  // Of tokenizers the whole one, where it is there.
  const beside = clipCompanions.filter((name) => !(names.has('tokenizer.json') && /^(merges|vocab)\./.test(name)));
  return all.filter(({ name }) => weights(name) || beside.includes(name));
}

/** Whether a file is what its repository says that it is. */
export async function isAsPublished(source: RangeSource, { size, sha256, git }: PublishedFile): Promise<boolean> {
  if (source.size !== size) return false;
  if (sha256 !== undefined) return (await sha256OfRanges(source)) === sha256;
  if (git === undefined) return true;
  const content = await source.readRange(0, source.size);
  const header = new TextEncoder().encode(`blob ${content.length}\0`);
  const digest = await crypto.subtle.digest('SHA-1', Uint8Array.from([...header, ...content]));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('') === git;
}
