import { describe, expect, test } from 'vitest';
import {
  CheckpointError,
  type RangeSource,
  readTensor,
  toFloat32,
  toInt32,
} from '../../../src/nn/safetensors/index.ts';
import { openTorch } from '../../../src/nn/torch/index.ts';
import { loadTorchFile } from '../../support/fixture.ts';
import { pickle, torchArchive, traps } from '../../support/pickles.ts';
import { zip } from '../../support/zip.ts';

/** A source that notes how much was read. */
function memory(bytes: Uint8Array): RangeSource & { bytes: number } {
  const source = {
    size: bytes.length,
    bytes: 0,
    readRange: async (start: number, end: number) => {
      source.bytes += end - start;
      return bytes.slice(start, end);
    },
  };
  return source;
}

const open = (bytes: Uint8Array, name = 'file.pt') => openTorch(memory(bytes), name);
const ramp = (count: number, base = 0): number[] => Array.from({ length: count }, (_, i) => base + (i + 1) / 8);

describe.each(['kinds', 'kinds-legacy', 'kinds-protocol-4'])('%s, as PyTorch wrote it', (file) => {
  test('tensors of every type, in row-major order whatever their strides are', async () => {
    const { tensors, part } = await open(await loadTorchFile(file));
    expect(part).toBe('');
    const floats = async (name: string) => {
      const tensor = tensors.get(name);
      if (!tensor) throw new Error(name);
      return { dtype: tensor.dtype, shape: tensor.shape, values: [...toFloat32(await tensor.read())] };
    };
    expect(await floats('f32')).toEqual({ dtype: 'F32', shape: [2, 3], values: ramp(6) });
    expect(await floats('f64')).toEqual({ dtype: 'F64', shape: [2, 3], values: ramp(6) });
    expect(await floats('f16')).toEqual({ dtype: 'F16', shape: [2, 3], values: ramp(6) });
    expect(await floats('bf16')).toEqual({ dtype: 'BF16', shape: [2, 3], values: ramp(6) });
    expect(await floats('i64')).toEqual({ dtype: 'I64', shape: [2], values: [-2, 2 ** 40] });
    expect(await floats('i16')).toEqual({ dtype: 'I16', shape: [1], values: [-300] });
    expect(await floats('i8')).toEqual({ dtype: 'I8', shape: [1], values: [-5] });
    expect(await floats('u8')).toEqual({ dtype: 'U8', shape: [1], values: [250] });
    expect(await floats('bool')).toEqual({ dtype: 'BOOL', shape: [2], values: [1, 0] });
    expect([...toInt32(await readTensor(tensors.get('i32')!))]).toEqual([-2, 7]);
    expect(await floats('scalar')).toEqual({ dtype: 'F32', shape: [], values: [2.5] });
    expect(await floats('empty')).toEqual({ dtype: 'F32', shape: [0, 3], values: [] });
    expect(await floats('parameter')).toEqual({ dtype: 'F32', shape: [3], values: ramp(3, 10) });
    const base = ramp(24);
    expect((await floats('tied')).values).toEqual(base);
    expect((await floats('also_tied')).values).toEqual(base);
    expect(await floats('expanded')).toEqual({ dtype: 'F32', shape: [2, 3], values: [3, 3, 3, 3, 3, 3] });
    expect(await floats('transposed')).toEqual({
      dtype: 'F32',
      shape: [6, 4],
      values: Array.from({ length: 24 }, (_, i) => base[(i % 4) * 6 + Math.floor(i / 4)]),
    });
    expect(await floats('strided')).toEqual({
      dtype: 'F32',
      shape: [3, 3],
      values: Array.from({ length: 9 }, (_, i) => base[(1 + Math.floor(i / 3)) * 6 + 2 * (i % 3)]),
    });
  });
});

test('the weights of a training, beside settings, numbers of NumPy and an optimizer', async () => {
  const { tensors, part, metadata } = await open(await loadTorchFile('training'));
  expect([part, [...tensors.keys()]]).toEqual(['model', ['weight', 'bias']]);
  expect(metadata).toEqual({ epoch: '7', name: 'tiny' });
  expect([...toFloat32(await tensors.get('weight')!.read())]).toEqual(ramp(6));
});

test('of a teacher and a student, the teacher', async () => {
  const { tensors, part } = await open(await loadTorchFile('teacher'));
  expect([part, [...tensors.keys()]]).toEqual(['teacher', ['module.backbone.weight', 'module.backbone.bias']]);
  expect([...toFloat32(await tensors.get('module.backbone.bias')!.read())]).toEqual(ramp(2, 1));
});

test('a TorchScript archive is the attributes of its modules', async () => {
  const { tensors } = await open(await loadTorchFile('script'));
  const shapes = Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, [dtype, ...shape]]));
  expect(shapes).toEqual({ scale: ['F16', 1], 'inner.weight': ['F32', 2, 3], 'inner.bias': ['F32', 2] });
  expect([...toFloat32(await tensors.get('inner.weight')!.read())]).toEqual(ramp(6));
});

test('only what is asked for is read', async () => {
  const bytes = await loadTorchFile('kinds');
  const padded = new Uint8Array(bytes);
  const source = memory(padded);
  const { tensors } = await openTorch(source);
  const before = source.bytes;
  await tensors.get('f32')!.read();
  expect(source.bytes - before).toBe(30 + 24);
});

/** `{name: tensor of these sizes and strides}`, of a storage of `length` floats. */
function tensorPickle(sizes: readonly number[], strides: readonly number[], length: number, offset = 0): Uint8Array {
  const int = (value: number): (string | number)[] => [
    'J',
    value & 255,
    (value >> 8) & 255,
    (value >> 16) & 255,
    (value >> 24) & 255,
  ];
  return pickle(
    '}',
    { text: 'w' },
    'ctorch._utils\n_rebuild_tensor_v2\n',
    '((',
    { text: 'storage' },
    'ctorch\nFloatStorage\n',
    { text: '0' },
    { text: 'cpu' },
    ...int(length),
    'tQ',
    ...int(offset),
    '(',
    ...sizes.flatMap(int),
    't(',
    ...strides.flatMap(int),
    't',
    '\x89',
    'Nt',
    'Rs.',
  );
}

test('a pickle that is made by hand is read as the others: the negative tests below differ from it in one thing', async () => {
  const storage = new Uint8Array(Float32Array.from([1, 2, 3, 4]).buffer);
  const { tensors } = await open(torchArchive(tensorPickle([2, 2], [1, 2], 4), { 0: storage }));
  expect([...toFloat32(await tensors.get('w')!.read())]).toEqual([1, 3, 2, 4]);
});

describe('what is no weights is refused by its name, and nothing is run', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    [
      'os.system',
      pickle('cposix\nsystem\n', { text: 'touch /tmp/owned' }, '\x85R.'),
      /it names posix\.system, which weights do not need\. Nothing of it was run/,
    ],
    ['a builtin that runs text', pickle('cbuiltins\neval\n', { text: '1' }, '\x85R.'), /builtins\.eval/],
    ['a builtin that looks up', pickle('cbuiltins\ngetattr\n', '.'), /builtins\.getattr/],
    ['by the stack', pickle({ text: 'subprocess' }, { text: 'Popen' }, '\x93.'), /subprocess\.Popen/],
    [
      'inside of a container',
      pickle('ccollections\nOrderedDict\n', ')R', { text: 'a' }, 'cnt\nsystem\n', 's.'),
      /nt\.system/,
    ],
    [
      'with a name that looks like one of ours',
      pickle('ctorch._utils\n_rebuild_tensor_v3\n', '.'),
      /torch\._utils\._rebuild_tensor_v3/,
    ],
    ['a module of torch that loads more', pickle('ctorch.hub\nload\n', '.'), /torch\.hub\.load/],
    [
      'a storage that is a pickle itself',
      pickle('ctorch.storage\n_load_from_bytes\n', '.'),
      /torch\.storage\._load_from_bytes/,
    ],
    ['INST', pickle('(ios\nsystem\n.'), /the instruction INST/],
    ['EXT1', pickle('\x82', 1, '.'), /the instruction EXT1/],
    ['an instruction that there is not', pickle('\xff.'), /the instruction 0xff/],
    ['text where a number is read', pickle('I1\n.'), /the instruction INT/],
    ['more pops than pushes', pickle('aa.'), /it takes more than it has put down/],
    ['a memory that is empty', pickle('h', 9, '.'), /memory 9, where nothing is/],
    ['a call of a call', pickle('ccollections\nOrderedDict\n', ')R)R.'), /calls what is no name/],
    ['two values at its end', pickle('NN.'), /more than one value/],
    ['a length beyond the file', pickle('X', 255, 255, 255, 127, 'a.'), /its pickle is cut off/],
    ['no tensors', pickle('}.'), /there are no tensors in it/],
  ];
  test.each(cases)('%s', async (_, data, message) => {
    await expect(open(torchArchive(data))).rejects.toThrow(CheckpointError);
    await expect(open(torchArchive(data))).rejects.toThrow(message);
  });

  test('a model that was saved with its program', async () => {
    await expect(open(await loadTorchFile('module'), 'module.pt')).rejects.toThrow(
      'module.pt: it is refused: it names __main__.Two, which weights do not need. Nothing of it was run. Weights alone are had in Python by torch.save(model.state_dict(), FILE), or as safetensors',
    );
  });

  test.each(Object.entries(traps))('%s', async (_, { bytes, says }) => {
    const file = bytes();
    const began = performance.now();
    await expect(open(file)).rejects.toThrow(CheckpointError);
    await expect(open(file)).rejects.toThrow(says);
    // Much less; on a machine that has more to do.
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  test('a list that holds itself, and 100,000 lists inside of each other', async () => {
    await expect(open(torchArchive(pickle(']q', 0, 'h', 0, 'a.')))).rejects.toThrow('there are no tensors');
    const deep = [
      ...Array.from({ length: 100_000 }, () => ']'),
      ...Array.from({ length: 99_999 }, () => 'a'),
      '.',
    ].join('');
    await expect(open(torchArchive(pickle(deep)))).rejects.toThrow('nested deeper than 64 levels');
  });
});

describe('shapes that do not fit are errors, by the name of the tensor', () => {
  const four = { 0: new Uint8Array(16) };
  const cases: [string, Uint8Array, RegExp][] = [
    [
      'a stride past the storage',
      torchArchive(tensorPickle([2, 2], [4, 1], 4), four),
      /tensor "w": shape \[2, 2\] with strides \[4, 1\] from element 0 on needs element 5 of a storage of 4/,
    ],
    [
      'an offset past the storage',
      torchArchive(tensorPickle([2], [1], 4, 3), four),
      /needs element 4 of a storage of 4/,
    ],
    ['a negative stride', torchArchive(tensorPickle([2], [-1], 4), four), /no lists of whole numbers/],
    ['a negative size', torchArchive(tensorPickle([-2], [1], 4), four), /no lists of whole numbers/],
    ['another number of strides', torchArchive(tensorPickle([2, 2], [1], 4), four), /of one length/],
    [
      'a storage that is shorter',
      torchArchive(tensorPickle([2], [1], 5), four),
      /its storage has 16 bytes, and should have 20/,
    ],
    ['a storage that is missing', torchArchive(tensorPickle([2], [1], 4)), /its storage 0 is not in the file/],
  ];
  test.each(cases)('%s', async (_, bytes, message) => {
    await expect(open(bytes)).rejects.toThrow(message);
  });

  test('a view that repeats one number until memory is full', async () => {
    const { tensors } = await open(torchArchive(tensorPickle([2 ** 30, 4], [0, 0], 4), four));
    await expect(tensors.get('w')!.read()).rejects.toThrow(/tensor "w": .*repeats/);
  });
});

describe('damaged files', () => {
  test.each(['kinds', 'kinds-legacy', 'script'])('%s: cut off anywhere, it is an error for people', async (file) => {
    const whole = await loadTorchFile(file);
    for (let length = 4; length < whole.length; length += 97) {
      const failure = await openAll(whole.subarray(0, length)).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(CheckpointError);
    }
  });

  test.each(['kinds', 'kinds-legacy', 'script'])(
    '%s: with any byte changed, it is read or an error for people',
    async (file) => {
      const whole = await loadTorchFile(file);
      for (let at = 0; at < whole.length; at += 23) {
        const changed = new Uint8Array(whole);
        changed[at] = (changed[at] as number) ^ (1 << (at % 8));
        const failure = await openAll(changed).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure !== undefined) expect(failure).toBeInstanceOf(CheckpointError);
      }
    },
  );

  test('archives of others', async () => {
    await expect(open(zip({ 'photo.jpg': new Uint8Array(3) }))).rejects.toThrow(
      'this ZIP archive was not written by PyTorch',
    );
    await expect(
      open(zip({ 'a/data.pkl': pickle('}.'), 'a/byteorder': new TextEncoder().encode('big') })),
    ).rejects.toThrow('big-endian');
    await expect(open(zip({ 'a/data.pkl': new Uint8Array(999) }, { compress: true }))).rejects.toThrow(
      'a/data.pkl is compressed or encrypted',
    );
    await expect(open(pickle({ text: 'a pickle of something' }, '.'))).rejects.toThrow('was not written by torch.save');
  });
});

async function openAll(bytes: Uint8Array): Promise<void> {
  const { tensors } = await open(bytes);
  for (const tensor of tensors.values()) await tensor.read();
}
