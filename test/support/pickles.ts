/** Files of PyTorch that are made by hand, and those that are made to do harm. */
import { zip } from './zip.ts';

/** A pickle out of instructions: letters are instructions, numbers bytes, `text` a text with its length. */
export function pickle(...parts: (string | number | { text: string })[]): Uint8Array {
  const bytes: number[] = [0x80, 2];
  for (const part of parts) {
    if (typeof part === 'number') bytes.push(part);
    else if (typeof part === 'string') for (const letter of part) bytes.push(letter.charCodeAt(0));
    else {
      const text = new TextEncoder().encode(part.text);
      bytes.push('X'.charCodeAt(0), ...[0, 8, 16, 24].map((shift) => (text.length >> shift) & 255));
      for (const byte of text) bytes.push(byte);
    }
  }
  return Uint8Array.from(bytes);
}

/** An archive as `torch.save` writes it. */
export function torchArchive(data: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  const files = Object.entries(storages).map(([key, bytes]) => [`a/data/${key}`, bytes] as const);
  return zip({ 'a/data.pkl': data, ...Object.fromEntries(files) });
}

const times = (n: number, ...parts: (string | number)[]): string =>
  parts
    .map((part) => (typeof part === 'number' ? String.fromCharCode(part) : part))
    .join('')
    .repeat(n);
const typed = 'ctorch._tensor\n_rebuild_from_type_v2\n';
const parameter = 'ctorch._utils\n_rebuild_parameter\n';
const ordered = 'ccollections\nOrderedDict\n';

/** Numbers 0 to `n` as two bytes each, with None behind. */
const numbered = (n: number): number[] => Array.from({ length: n }, (_, i) => [77, i & 255, i >> 8, 78]).flat();

/** What a file says, and what must be said of it. */
export const traps: Readonly<Record<string, { readonly bytes: () => Uint8Array; readonly says: RegExp }>> = {
  'a command of the system': {
    bytes: () => torchArchive(pickle('cposix\nsystem\n', { text: 'touch /tmp/zeroseg-owned' }, '\x85R.')),
    says: /it names posix\.system, which weights do not need\. Nothing of it was run/,
  },
  'a call of what a call gives': {
    bytes: () => torchArchive(pickle('cbuiltins\ngetattr\n', 'cposix\nsystem\n', { text: '__call__' }, '\x86R)R.')),
    says: /it names builtins\.getattr, which weights do not need/,
  },
  'another name of a module that is known': {
    bytes: () => torchArchive(pickle('ctorch._utils\n_import_dotted_name\n', { text: 'os.system' }, '\x85R.')),
    says: /it names torch\._utils\._import_dotted_name, which weights do not need/,
  },
  'an attribute of a name that is known': {
    bytes: () => torchArchive(pickle({ text: 'collections' }, { text: 'OrderedDict.__init__.__globals__' }, '\x93.')),
    says: /it names collections\.OrderedDict\.__init__\.__globals__, which weights do not need/,
  },
  'a name of a million letters': {
    bytes: () => torchArchive(pickle({ text: '__torch__' }, { text: 'a'.repeat(2 ** 20) }, '\x93.')),
    says: /it names __torch__, which weights do not need/,
  },
  'parameters of parameters, twenty thousand': {
    bytes: () => torchArchive(pickle('}', { text: 'w' }, times(2e4, parameter), 'N', times(2e4, '\x85R'), 's.')),
    says: /there are no tensors in it/,
  },
  'a type that makes itself': {
    bytes: () => torchArchive(pickle('}', { text: 'w' }, typed, 'q', 0, ']q', 1, '(h', 0, 'Nh', 1, 'eRs.')),
    says: /there are no tensors in it/,
  },
  'lists of lists of lists, a billion': {
    bytes: () => {
      const level = (i: number) => [']q', i, '(', times(10, 'h', i - 1), 'e'];
      return torchArchive(pickle('(', ']q', 0, ...Array.from({ length: 60 }, (_, i) => level(i + 1)).flat(), 't.'));
    },
    says: /there are no tensors in it/,
  },
  'a list that holds itself': {
    bytes: () => torchArchive(pickle(']q', 0, 'h', 0, 'a.')),
    says: /there are no tensors in it/,
  },
  'a list of 50,000 in a list, 50,000 times': {
    bytes: () => torchArchive(pickle(']q', 0, '(', times(5e4, 'N'), 'e', ']', '(', times(5e4, 'h', 0), 'e\x86.')),
    says: /there are no tensors in it/,
  },
  'a dictionary that is copied, and copied': {
    bytes: () =>
      torchArchive(
        pickle('(}q', 0, '(', ...numbered(20_000), 'u', ordered, 'q', 1, times(20_000, 'h', 1, 'h', 0, '\x85R'), 't.'),
      ),
    says: /it makes more than 16777216 values, which weights do not need/,
  },
  'attributes that are given again and again': {
    bytes: () =>
      torchArchive(
        pickle('(cargparse\nNamespace\n)R', '}q', 0, '(', ...numbered(20_000), 'u0', times(20_000, 'h', 0, 'b'), 't.'),
      ),
    says: /it makes more than 16777216 values, which weights do not need/,
  },
  'a length of 2⁶² bytes': {
    bytes: () => torchArchive(pickle('\x8e', 0, 0, 0, 0, 0, 0, 0, 0x40, 'a.')),
    says: /its pickle is cut off/,
  },
  'a number of a thousand bytes': {
    bytes: () => torchArchive(pickle('\x8b', 0xe8, 3, 0, 0, times(1000, 'a'), '.')),
    says: /it has a number of more than 64 bytes/,
  },
  'a name of a tensor that grows with every level': {
    bytes: () =>
      torchArchive(pickle({ text: 'a'.repeat(1e5) }, 'q', 0, '0', times(40, '}h', 0), 'N', times(40, 's'), '.')),
    says: /a name in it is longer than 4096 letters/,
  },
  'an archive whose pickle is said to have 4 GB': {
    bytes: () => {
      const bytes = torchArchive(pickle('}.'));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      // The sizes of the first record of its directory.
      const at = view.getUint32(bytes.length - 6, true);
      for (const field of [20, 24]) view.setUint32(at + field, 0xffff_fff0, true);
      return bytes;
    },
    says: /the archive is damaged/,
  },
};
