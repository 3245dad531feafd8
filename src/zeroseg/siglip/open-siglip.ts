import type { Device } from '../../gpu/index.ts';
import {
  type FolderWeights,
  openFolderFile,
  openWeightFolder,
  type WeightFolder,
  weightEndings,
} from '../checkpoints/index.ts';
import { sha256OfRanges } from '../host/index.ts';
import { checkSize, LARGEST_JSON, parseJsonFile } from '../storage/index.ts';
import { isSiglip, loadSiglipText, loadSiglipVision, siglipConfig } from './load.ts';
import type { SiglipConfig, SiglipText, SiglipVision } from './towers.ts';

/** A SigLIP, opened: its weights are read when a tower is asked for. Its texts are token ids: their tokenizer is not read here. */
export interface SiglipSource {
  readonly name: string;
  readonly config: SiglipConfig;
  readonly isRandom: boolean;
  /** SHA-256 over the weights' files: tells this teacher from any other. */
  weightsHash(): Promise<string>;
  vision(device: Device): Promise<SiglipVision>;
  text(device: Device): Promise<SiglipText>;
}

/**
 * Opens a SigLIP in a folder of Hugging Face, or a file of it; undefined where the weights are of something else.
 *
 * ```ts
 * const siglip = await openSiglipFolder(folder);
 * await fillCache(device, { clip: siglip, files, source, grids: [1, 2, 3, 4], viewSource: 'native', studentSize: 224 });
 * ```
 *
 * @throws CheckpointError when there are no weights, or those of a SigLIP that is not computed here.
 */
export async function openSiglipFolder(
  folder: WeightFolder,
  {
    file,
    hash,
  }: { readonly file?: string | undefined; readonly hash?: (files: readonly string[]) => Promise<string> } = {},
): Promise<SiglipSource | undefined> {
  const weights = await (file === undefined ? openWeightFolder(folder) : openFolderFile(folder, file));
  const { tensors } = weights.opened;
  if (!isSiglip(tensors)) return undefined;
  const label = folder.describe(weights.file);
  const names = await folder.list();
  const settings = names.includes('config.json') ? await readJson(folder, 'config.json') : {};
  const preprocessor =
    names.includes('preprocessor_config.json') && (await readJson(folder, 'preprocessor_config.json'));
  const config = await siglipConfig(tensors, label, {
    ...(settings as object),
    ...(preprocessor === false ? {} : { preprocessor }),
  });
  let known: Promise<string> | undefined;
  return {
    name: (file ?? folder.name).replace(/^.*\//s, '').replace(weightEndings, ''),
    config,
    isRandom: false,
    weightsHash: () => (known ??= (hash ?? hashOf(folder))(weights.parts)),
    vision: (device) => loadSiglipVision(device, tensors, label, config),
    text: (device) => loadSiglipText(device, tensors, label, config),
  };
}

async function readJson(folder: WeightFolder, file: string): Promise<unknown> {
  const source = await folder.open(file);
  checkSize('openSiglip', folder.describe(file), source.size, LARGEST_JSON);
  return parseJsonFile(await source.readRange(0, source.size), folder.describe(file));
}

function hashOf(folder: WeightFolder): (parts: FolderWeights['parts']) => Promise<string> {
  return async ([first = '']) => sha256OfRanges(await folder.open(first));
}
