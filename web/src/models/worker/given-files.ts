/** Files that the visitor gave, sorted into what may be a model each. */
import type { WeightFolder } from '@zeroseg/core/zeroseg';
import type { GivenFile } from '../../app/visitor-files.ts';

/** A folder of the visitor's, or files that were given together. */
export interface GivenFolder {
  readonly name: string;
  /** Whether it is files by themselves, without a folder. */
  readonly isLoose: boolean;
  readonly files: ReadonlyMap<string, File>;
}

/** Files that lie in one folder belong together; folders without anything like weights are passed over. */
export function givenFolders(given: readonly GivenFile[]): GivenFolder[] {
  const folders = new Map<string, Map<string, File>>();
  for (const { path, file } of given) {
    const [, above = '', name = path] = /^(?:(.*)\/)?([^/]+)$/s.exec(path) ?? [];
    if (name.startsWith('.')) continue;
    const folder = folders.get(above) ?? new Map<string, File>();
    folders.set(above, folder.set(name, file));
  }
  const all = [...folders].map(([path, files]) => ({ name: nameOf(path, files), isLoose: path === '', files }));
  const withWeights = all.filter(({ files }) => [...files.keys()].some((name) => isWeights(name)));
  return withWeights.length > 0 ? withWeights : all.slice(0, 1);
}

/** Whether a file is no photo but may be a model, or part of one. */
export function isModelFile(name: string): boolean {
  return isWeights(name) || name.endsWith('.json') || name === 'merges.txt';
}

function isWeights(name: string): boolean {
  return /\.(safetensors|bin|pth?|ckpt|pkl|gguf|onnx|h5|msgpack|npz)$/i.test(name);
}

/** Single files go by the name of the weights among them. */
function nameOf(path: string, files: ReadonlyMap<string, File>): string {
  // The Hub's own cache names folders by revisions: `models--openai--clip-vit-base-patch16/snapshots/57c21647…`.
  const cached = /models--([^/]+)\/snapshots\/[0-9a-f]{40}$/.exec(path)?.[1];
  if (cached !== undefined) return cached.replace('--', '/');
  if (path !== '') return path.replace(/^.*\//, '');
  const [first = 'model'] = files.keys();
  const weights = [...files.keys()].find(isWeights) ?? first;
  return weights.replace(/\.\w+$/, '');
}

export function clipFolderOf({ name, isLoose, files }: GivenFolder): WeightFolder {
  const describe = (file: string): string => (isLoose ? file : `${name}/${file}`);
  return {
    name,
    describe,
    list: async () => [...files.keys()],
    open: async (file) => {
      const blob = files.get(file);
      if (!blob) throw new Error(`${describe(file)} was not given with the others`);
      return {
        size: blob.size,
        readRange: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
      };
    },
  };
}

/** Files that the library reads weights from: the safe ones and, where there are none, PyTorch's. */
export function weightNames(names: readonly string[]): string[] {
  const safe = names.filter((name) => name.endsWith('.safetensors'));
  return (safe.length > 0 ? safe : names.filter((name) => /\.(bin|pth?|ckpt)$/.test(name))).sort();
}

/** Why a file that holds no weights as they are read here is no model, by its name. */
export function whyNoModel(name: string): string {
  if (/\.(gguf|onnx|h5|msgpack|npz|pkl)$/i.test(name)) {
    return `${name} holds a model in a form that is not read here; take it as safetensors`;
  }
  return `${name} is no model; give a ZeroSeg's .safetensors, or a CLIP's folder with its config.json`;
}
