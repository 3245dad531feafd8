/** Files that PyTorch wrote: `.pt`, `.pth`, `.bin`, and TorchScript archives. */
import {
  CheckpointError,
  checkSource,
  count,
  elementBytes,
  type FileTensor,
  type OpenWeights,
  type RangeSource,
} from '../safetensors/index.ts';
import { type Unpickled, unpickle } from './pickle.ts';
import { cutOff } from './pickle-bytes.ts';
import { contentsOf, inOrder, isContiguous, spanOf, storageOf, type TensorView } from './tensors.ts';
import { readZipDirectory } from './zip-directory.ts';

/** Weights of a file that PyTorch wrote. */
export interface TorchWeights extends OpenWeights {
  /** Keys that lead to the weights, where the file has more beside them, such as `teacher`; else empty. */
  readonly part: string;
}

/** The pickle of a checkpoint with 100,000 tensors has about 20 MB. */
const LARGEST_PICKLE = 2 ** 28;

/**
 * Opens a file that `torch.save` or `torch.jit.save` wrote: names and shapes now, each tensor when it is asked for, in row-major order
 * whatever its strides are. A file of several dictionaries gives the one under `state_dict`, `model`, `teacher` and the like.
 *
 * Such files are programs of Python. Nothing of them is run here: they are read as data, and a file that names anything but what
 * weights need is refused, by that name.
 *
 * ```ts
 * const { tensors } = await openTorch(blobRanges(file), file.name);
 * const embedding = toFloat32(await tensors.get('pos_embed')!.read());
 * ```
 *
 * @param name A name for error messages.
 * @throws CheckpointError when it is no such file, is damaged, or names what weights do not need.
 */
export async function openTorch(source: RangeSource, name = 'torch'): Promise<TorchWeights> {
  checkSource('openTorch', source);
  const first = await source.readRange(0, Math.min(4, source.size));
  return first[0] === 0x50 ? openArchive(source, name) : openLegacy(source, name);
}

/** Bytes of storages, by key. */
interface Storages {
  /** Where the storage lies in the file, or undefined where it has none of this key. */
  find(key: string): { readonly start: number; readonly size: number } | undefined;
  /** Bytes `from` to `to` (exclusive) of a storage. */
  read(key: string, from: number, to: number): Promise<Uint8Array>;
}

async function openArchive(source: RangeSource, name: string): Promise<TorchWeights> {
  const archive = await readZipDirectory(source, name);
  const [path, second] = [...archive.entries.keys()].filter((entry) => /^[^/]+\/data\.pkl$/.test(entry));
  if (path === undefined || second !== undefined) {
    throw new CheckpointError(
      name,
      'this ZIP archive was not written by PyTorch: it has no data.pkl; unpack it, and give the file of weights in it',
    );
  }
  const folder = path.slice(0, -'data.pkl'.length);
  const order = `${folder}byteorder`;
  if (archive.entries.has(order) && new TextDecoder().decode(await archive.read(order)).trim() !== 'little') {
    throw new CheckpointError(name, 'it was saved on a big-endian machine; save it on another one');
  }
  const size = archive.entries.get(path)?.size ?? 0;
  if (size > LARGEST_PICKLE)
    throw new CheckpointError(name, `its data.pkl has ${size} bytes, more than that of any weights`);
  const { value } = unpickle(await archive.read(path), name);
  const placeOf = (key: string): string => `${folder}data/${key}`;
  return weightsOf(value, name, {
    find: (key) => {
      const entry = archive.entries.get(placeOf(key));
      return entry && { start: entry.header, size: entry.size };
    },
    read: (key, from, to) => archive.read(placeOf(key), from, to),
  });
}

/** As `torch.save` wrote before version 1.6: five pickles, then the storages in the order of the last one. */
async function openLegacy(source: RangeSource, name: string): Promise<TorchWeights> {
  const { pickles, end } = await readPickles(source, name);
  const [, protocol, , root, keys] = pickles as [Unpickled, Unpickled, Unpickled, Unpickled, Unpickled];
  if (protocol.value !== 1001 || !Array.isArray(keys.value)) throw notTorch(name);
  const dtypes = new Map(
    root.persistent.flatMap((reference) => {
      const storage = storageOf(reference);
      return storage ? [[storage.key, storage.dtype] as const] : [];
    }),
  );
  const places = new Map<string, { start: number; size: number }>();
  let at = end;
  for (const key of keys.value) {
    const dtype = typeof key === 'string' ? dtypes.get(key) : undefined;
    const head = at + 8 <= source.size ? await source.readRange(at, at + 8) : new Uint8Array(0);
    if (head.length < 8) throw cutStorages(name);
    if (dtype === undefined) throw new CheckpointError(name, `storage ${key} is of a type that is not read here`);
    const length = Number(new DataView(head.buffer, head.byteOffset, 8).getBigInt64(0, true));
    const size = length * (elementBytes(dtype) ?? 0);
    if (!(length >= 0 && at + 8 + size <= source.size)) throw cutStorages(name);
    places.set(key, { start: at + 8, size });
    at += 8 + size;
  }
  return weightsOf(root.value, name, {
    find: (key) => places.get(key),
    read: async (key, from, to) => {
      const start = places.get(key)?.start ?? 0;
      return source.readRange(start + from, start + to);
    },
  });
}

/** Elements of a view that has more than its storage, because some are repeated. */
const MOST_REPEATED = 2 ** 26;

/** The number that files of PyTorch before version 1.6 begin with. */
const MAGIC = 0x1950a86a20f9469cfc6cn;

/** The five pickles at the beginning. They do not say how long they are: more is read until they are complete. */
async function readPickles(source: RangeSource, name: string): Promise<{ pickles: Unpickled[]; end: number }> {
  for (let length = 2 ** 20; ; length *= 4) {
    const bytes = await source.readRange(0, Math.min(length, source.size));
    const pickles: Unpickled[] = [];
    let end = 0;
    try {
      while (pickles.length < 5) {
        const one = unpickle(bytes.subarray(end), name);
        if (pickles.length === 0 && one.value !== MAGIC) throw notTorch(name);
        pickles.push(one);
        end += one.size;
      }
      return { pickles, end };
    } catch (error) {
      if (
        error instanceof CheckpointError &&
        error.cause === cutOff &&
        bytes.length < source.size &&
        length < LARGEST_PICKLE
      )
        continue;
      throw error;
    }
  }
}

function notTorch(name: string): CheckpointError {
  return new CheckpointError(
    name,
    'this pickle was not written by torch.save; save the weights by torch.save or as safetensors',
  );
}

function cutStorages(name: string): CheckpointError {
  return new CheckpointError(name, 'it is cut off: storages are missing at its end; get the file again');
}

function weightsOf(root: unknown, file: string, storages: Storages): TorchWeights {
  const { tensors: views, part, metadata } = contentsOf(root, file);
  if (views.size === 0) throw new CheckpointError(file, 'there are no tensors in it');
  const tensors = new Map<string, FileTensor>();
  for (const [name, view] of views) tensors.set(name, fileTensor(name, view, file, storages));
  return { metadata, tensors, part };
}

function fileTensor(name: string, view: TensorView, file: string, storages: Storages): FileTensor {
  const { dtype, shape } = view;
  const place = storages.find(view.storage);
  if (!place && count(shape) > 0)
    throw new CheckpointError(file, `tensor "${name}": its storage ${view.storage} is not in the file`);
  const width = elementBytes(dtype) ?? 0;
  if (place && view.length * width > place.size) {
    throw new CheckpointError(
      file,
      `tensor "${name}": its storage has ${place.size} bytes, and should have ${view.length * width}`,
    );
  }
  const { from, to } = spanOf(view);
  const isRepeated = count(shape) > MOST_REPEATED && count(shape) > view.length;
  const bytesOf = async (start: number, end: number): Promise<Uint8Array> => {
    const span = await storages.read(view.storage, start * width, end * width);
    if (span.length === (end - start) * width) return span;
    throw new CheckpointError(file, `tensor "${name}": the file has changed since it was opened`);
  };
  return {
    file,
    name,
    dtype,
    shape,
    start: (place?.start ?? 0) + from * width,
    ...(isContiguous(view) && width > 0 && { readPart: (start, end) => bytesOf(from + start, from + end) }),
    read: async () => {
      const stored = { file, name, dtype, shape };
      // Of another type, and so not read: whoever asks for its values is told so.
      if (width === 0 || to === from) return { ...stored, bytes: new Uint8Array(0) };
      if (isRepeated) {
        throw new CheckpointError(
          file,
          `tensor "${name}": shape [${shape.join(', ')}] repeats a storage of ${view.length} elements too often`,
        );
      }
      return { ...stored, bytes: inOrder(view, await bytesOf(from, to)) };
    },
  };
}
