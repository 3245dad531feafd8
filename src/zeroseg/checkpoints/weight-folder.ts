/** Weights in a folder: one file, or the parts that an index lists. */
import { CheckpointError, type OpenWeights, type RangeSource } from '../../nn/safetensors/index.ts';
import { brokenField, checkSize, isTableOf, isText, LARGEST_JSON, parseJsonFile } from '../storage/index.ts';
import { openWeightRanges, type WeightFile, weightEndings } from './weight-file.ts';

/** A folder that is only read; a `FileSystem` is one. */
export interface WeightFolder {
  /** For messages, and what a checkpoint is called: by what follows the last `/`. */
  readonly name: string;
  /** The place of a file of it, for messages. */
  describe(file: string): string;
  /** Names of its files. */
  list(): Promise<string[]>;
  open(file: string): Promise<RangeSource>;
}

/** Weights of one file or of many. */
export interface FolderWeights {
  /** The file that was opened, and those that hold tensors, sorted. */
  readonly file: string;
  readonly parts: readonly string[];
  readonly opened: OpenWeights & Pick<WeightFile, 'part'>;
}

/** What files of weights are called by those who publish them, in the order in which they are looked for. */
const usual = [
  'model.safetensors.index.json',
  'model.safetensors',
  'open_clip_model.safetensors',
  'pytorch_model.bin.index.json',
  'pytorch_model.bin',
  'open_clip_pytorch_model.bin',
];

/** The file of weights by a usual name, or undefined where there is none. */
export function usualWeights(names: readonly string[]): string | undefined {
  return usual.find((name) => names.includes(name));
}

/** All files of weights by their endings; of what is there in both forms, the one that needs no care. */
export function weightCandidates(names: readonly string[]): string[] {
  const weights = names.filter((name) => weightEndings.test(name) && !name.startsWith('.')).sort();
  const safe = weights.filter((name) => name.endsWith('.safetensors'));
  return safe.length > 0 ? safe : weights;
}

/**
 * Opens the weights of a folder: those of a usual name (`model.safetensors`, parts with an index, `pytorch_model.bin`), else the only
 * file of weights.
 *
 * @throws CheckpointError when there are none, or several of which none has such a name.
 */
export async function openWeightFolder(folder: WeightFolder): Promise<FolderWeights> {
  const names = await folder.list();
  const candidates = weightCandidates(names);
  const found = usualWeights(names) ?? candidates[0];
  if (found === undefined) {
    throw new CheckpointError(folder.name, 'holds no weights (safetensors, or PyTorch’s .bin, .pt or .pth)');
  }
  if (usualWeights(names) === undefined && candidates.length > 1) {
    throw new CheckpointError(
      folder.name,
      `holds several files of weights (${candidates.join(', ')}); give one of them`,
    );
  }
  return openFolderFile(folder, found);
}

/** Opens a file of weights in a folder, or the files that an index of Hugging Face lists, as one checkpoint. */
export async function openFolderFile(folder: WeightFolder, file: string): Promise<FolderWeights> {
  if (file.endsWith('.index.json')) return openParts(folder, file);
  return { file, parts: [file], opened: await openWeightRanges(await folder.open(file), folder.describe(file)) };
}

async function openParts(folder: WeightFolder, index: string): Promise<FolderWeights> {
  const label = folder.describe(index);
  const source = await folder.open(index);
  checkSize('openWeights', label, source.size, LARGEST_JSON);
  const found = parseJsonFile(await source.readRange(0, source.size), label);
  if (brokenField(found, { weight_map: isTableOf(isText) }) !== undefined) {
    throw new CheckpointError(label, 'the index must have a weight_map of files by tensor');
  }
  const { weight_map: places } = found as { weight_map: Record<string, string> };
  const parts = [...new Set(Object.values(places))].sort();
  const strange = parts.find((part) => /[/\\]/.test(part));
  if (strange !== undefined) {
    throw new CheckpointError(label, `it lists ${strange}, which is no file beside it`);
  }
  const opened = await Promise.all(
    parts.map(async (part) => openWeightRanges(await folder.open(part), folder.describe(part))),
  );
  const tensors = new Map(opened.flatMap((one) => [...one.tensors]));
  const lost = Object.keys(places).find((name) => !tensors.has(name));
  if (lost !== undefined)
    throw new CheckpointError(label, `tensor '${lost}' is not in ${places[lost]}; download the files again`);
  const metadata = Object.assign({}, ...opened.map((one) => one.metadata).reverse());
  return { file: index, parts, opened: { metadata, tensors } };
}
