import { describe, expect, test } from 'vitest';
import {
  CheckpointError,
  fromHalf,
  headerSize,
  parseHeader,
  readSafetensors,
  type StoredTensor,
  toFloat32,
  toHalf,
  toInt32,
  type WritableTensor,
  writeSafetensors,
} from '../../../src/nn/safetensors/index.ts';

/** A file of any header, right or wrong. */
function file(header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

function stored(dtype: StoredTensor['dtype'], data: ArrayBufferView, shape: number[]): StoredTensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { file: 'model.safetensors', name: 'x', dtype, shape, bytes };
}

/** What readFile of Node gives is a Buffer, whose slice() is a view. */
class BufferLike extends Uint8Array<ArrayBuffer> {
  override slice(start?: number, end?: number): BufferLike {
    return this.subarray(start, end) as BufferLike;
  }
}

const read = (bytes: Uint8Array) => readSafetensors(bytes, 'model.safetensors');

/** binary16 by its definition. */
function halfValue(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

const allHalves = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);

describe('half precision', () => {
  test('all 65,536 bit patterns have the value that the definition gives', () => {
    expect(fromHalf(allHalves)).toEqual(Float32Array.from(allHalves, halfValue));
  });

  test('every half comes back from its float', () => {
    const back = toHalf(fromHalf(allHalves));
    const nan = (bits: number) => (bits & 0x7fff) > 0x7c00;
    expect(back).toEqual(allHalves.map((bits) => (nan(bits) ? (bits & 0x8000) | 0x7e00 : bits)));
  });

  test('what lies between two halves goes to the nearer, from the middle to the even one', () => {
    const finite = allHalves.subarray(0, 0x7c00);
    const ulp = (bits: number) => 2 ** (Math.max(bits >> 10, 1) - 25);
    const at = (part: number) => Float32Array.from(finite, (bits) => halfValue(bits) + part * ulp(bits));
    expect(toHalf(at(0.499))).toEqual(finite);
    expect(toHalf(at(0.5))).toEqual(finite.map((bits) => bits + (bits & 1)));
    expect(toHalf(at(0.501))).toEqual(finite.map((bits) => bits + 1));
    expect(toHalf(at(0.5).map((x) => -x))).toEqual(finite.map((bits) => 0x8000 | (bits + (bits & 1))));
  });

  test('the edges: 65504 is the largest, 65520 the first infinite, 2^-25 the last zero', () => {
    const values = Float32Array.of(65504, 65519, 65520, 1e38, 1 / 0, 2 ** -24, 2 ** -25, 2 ** -25 * 1.0001, 1e-40, -0);
    expect([...toHalf(values)].map((bits) => bits.toString(16))).toEqual(
      '7bff 7bff 7c00 7c00 7c00 1 0 1 0 8000'.split(' '),
    );
  });
});

describe('writing and reading', () => {
  const tensors: [string, WritableTensor][] = [
    ['bytes', { dtype: 'U8', shape: [3], data: Uint8Array.of(0, 7, 255) }],
    ['weight', { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, -2.5, 1e-40, 3e38) }],
    ['half', { dtype: 'F16', shape: [3], data: Float32Array.of(0.5, 2049, -65504) }],
    ['ids', { dtype: 'I32', shape: [1, 2], data: Int32Array.of(-5, 2 ** 31 - 1) }],
    ['long', { dtype: 'I64', shape: [], data: BigInt64Array.of(-9n) }],
    ['empty', { dtype: 'F32', shape: [0, 4], data: new Float32Array() }],
    ['__proto__', { dtype: 'BOOL', shape: [2], data: Uint8Array.of(0, 1) }],
  ];

  test('what was written is read: names, shapes, values, metadata', () => {
    const { tensors: back, metadata } = read(writeSafetensors(tensors, { format: 'pt', 'ключ "1"': '{:}' }));
    expect(metadata).toEqual({ format: 'pt', 'ключ "1"': '{:}' });
    expect([...back.values()].map(({ name, dtype, shape }) => `${name} ${dtype} [${shape}]`)).toEqual([
      'long I64 []',
      'weight F32 [2,2]',
      'ids I32 [1,2]',
      'empty F32 [0,4]',
      'half F16 [3]',
      'bytes U8 [3]',
      '__proto__ BOOL [2]',
    ]);
    expect(toFloat32(back.get('weight')!)).toEqual(Float32Array.of(1, -2.5, 1e-40, 3e38));
    expect(toFloat32(back.get('half')!)).toEqual(Float32Array.of(0.5, 2048, -65504));
    expect(toInt32(back.get('ids')!)).toEqual(Int32Array.of(-5, 2 ** 31 - 1));
    expect(toInt32(back.get('long')!)).toEqual(Int32Array.of(-9));
    expect(toFloat32(back.get('bytes')!)).toEqual(Float32Array.of(0, 7, 255));
    expect(toFloat32(back.get('empty')!)).toEqual(new Float32Array());
    expect(toInt32(back.get('__proto__')!)).toEqual(Int32Array.of(0, 1));
  });

  test('the bytes of a small file', () => {
    const bytes = writeSafetensors([['a', { dtype: 'F16', shape: [2], data: Float32Array.of(1, -2) }]]);
    const json = '{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}';
    expect(new DataView(bytes.buffer).getBigUint64(0, true)).toBe(56n);
    expect(new TextDecoder().decode(bytes.subarray(8, 64))).toBe(json.padEnd(56));
    expect([...bytes.subarray(64)]).toEqual([0x00, 0x3c, 0x00, 0xc0]);
  });

  test('reading copies nothing, and every tensor is aligned for its type', () => {
    const bytes = writeSafetensors(tensors);
    for (const { dtype, bytes: data, name } of read(bytes).tensors.values()) {
      expect(data.buffer, name).toBe(bytes.buffer);
      expect(data.byteOffset % (dtype === 'I64' ? 8 : dtype === 'F16' ? 2 : dtype.endsWith('32') ? 4 : 1)).toBe(0);
    }
  });

  test('data that is not aligned is read all the same', () => {
    const bytes = file(
      { u: { dtype: 'U8', shape: [1], data_offsets: [0, 1] }, x: { dtype: 'F32', shape: [1], data_offsets: [1, 5] } },
      Uint8Array.of(9, 0, 0, 0xc0, 0x3f),
    );
    for (const shift of [0, 1, 2, 3]) {
      const moved = new Uint8Array(bytes.length + shift).subarray(shift);
      moved.set(bytes);
      expect(toFloat32(read(moved).tensors.get('x')!)).toEqual(Float32Array.of(1.5));
      expect(toFloat32(read(new BufferLike(moved.buffer, shift)).tensors.get('x')!)).toEqual(Float32Array.of(1.5));
    }
  });

  test('a large file is read by ranges', () => {
    const bytes = writeSafetensors(tensors);
    const range = (start: number, end: number) => bytes.slice(start, end);
    const size = headerSize(range(0, 8), bytes.length);
    const { entries } = parseHeader(range(0, size), bytes.length);
    const entry = entries.get('weight')!;
    expect(toFloat32({ ...entry, bytes: range(entry.start, entry.end) })).toEqual(
      Float32Array.of(1, -2.5, 1e-40, 3e38),
    );
  });

  test('halves and bfloat16 can be written as bits', () => {
    const { tensors: back } = read(
      writeSafetensors([
        ['half', { dtype: 'F16', shape: [1], data: Uint16Array.of(0x3555) }],
        ['brain', { dtype: 'BF16', shape: [3], data: Uint16Array.of(0x3fc0, 0xff80, 0x0001) }],
      ]),
    );
    expect(toFloat32(back.get('half')!)).toEqual(Float32Array.of(0.333251953125));
    expect(toFloat32(back.get('brain')!)).toEqual(Float32Array.of(1.5, Number.NEGATIVE_INFINITY, 2 ** -133));
  });
});

describe('conversion', () => {
  test('doubles are rounded to floats, integers keep their value', () => {
    expect(toFloat32(stored('F64', Float64Array.of(0.1), [1]))).toEqual(Float32Array.of(0.1));
    expect(toFloat32(stored('I64', BigInt64Array.of(-(2n ** 40n)), [1]))).toEqual(Float32Array.of(-(2 ** 40)));
    expect(toFloat32(stored('I16', Int16Array.of(-300), [1]))).toEqual(Float32Array.of(-300));
    expect(toInt32(stored('U32', Uint32Array.of(7), [1]))).toEqual(Int32Array.of(7));
    expect(toInt32(stored('I8', Int8Array.of(-128), [1]))).toEqual(Int32Array.of(-128));
  });

  test('a value that would change is an error', () => {
    expect(() => toFloat32(stored('I32', Int32Array.of(0, 2 ** 24 + 1), [2]))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x": element 1, 16777217, is not a float of 32 bits]`,
    );
    expect(() => toInt32(stored('U32', Uint32Array.of(2 ** 31), [1]))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x": element 0, 2147483648, is not an integer of 32 bits]`,
    );
    expect(() => toInt32(stored('I64', BigInt64Array.of(2n ** 32n), [1]))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x": element 0, 4294967296, is not an integer of 32 bits]`,
    );
    expect(() => toInt32(stored('F16', Uint16Array.of(0), [1]))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x" must hold integers; its type is F16]`,
    );
    expect(() => toFloat32(stored('F32', Float32Array.of(0), [2]))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x": shape [2] of F32 takes 8 bytes; got 4]`,
    );
  });
});

describe('bad files', () => {
  const x = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  const eight = new Uint8Array(8);

  test('the error carries the name of the file', () => {
    let caught: unknown;
    try {
      read(file('nonsense'));
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(CheckpointError);
    expect(caught).toMatchObject({ name: 'CheckpointError', file: 'model.safetensors' });
  });

  test('what is no bytes', () => {
    for (const [given, what] of [
      ['model.safetensors', "the string 'model.safetensors'"],
      [Promise.resolve(eight), 'a promise; await it'],
      [new Float32Array(2), 'a Float32Array'],
      [undefined, 'undefined'],
    ]) {
      expect(() => readSafetensors(given as never)).toThrow(
        `safetensors: the bytes of a file are a Uint8Array; got ${what}`,
      );
    }
  });

  test('the start of the file', () => {
    expect(() => read(new Uint8Array(3))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: this is no safetensors file: it has 3 bytes]`,
    );
    expect(() => read(new TextEncoder().encode('\x89PNG\r\n\x1a\n....'))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: this is no safetensors file: such a file begins with the length of its header]`,
    );
    expect(() => read(file({ x }, eight).subarray(0, 20))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: the file is cut off: its header ends at byte 62; the file has 20 bytes]`,
    );
    expect(() => parseHeader(file({ x }, eight).slice(0, 20), 1000)).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: safetensors: the header ends at byte 62; only 20 bytes were given]`,
    );
  });

  test('the header', () => {
    expect(() => read(file('{"x": '))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: this is no safetensors file: its header is no JSON]`,
    );
    expect(() => read(file('[1]'))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: the header must be a JSON object of tensors by name]`,
    );
    const entry = JSON.stringify(x);
    expect(() =>
      read(file(`{"x":${entry},"y":${entry},"\\u0078":${entry}}`, eight)),
    ).toThrowErrorMatchingInlineSnapshot(`[CheckpointError: model.safetensors: the header has the key "x" twice]`);
    expect(() => read(file('{"x":{"dtype":"U8","dtype":"U8"}}'))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: the header has the key "dtype" twice]`,
    );
    expect(() => read(file({ __metadata__: { epoch: 3 } }))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: __metadata__ must be an object of strings; "epoch" holds 3]`,
    );
    expect(() => read(file({ __metadata__: ['pt'] }))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: __metadata__ must be an object of strings]`,
    );
  });

  test('a tensor of the header', () => {
    const entry = (changes: object) => () => read(file({ x: { ...x, ...changes } }, eight));
    expect(entry({ dtype: 'toString' })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x": the type must be a name such as F32, F16, BF16 or I64; got "toString"]`,
    );
    expect(entry({ shape: [2, -1] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x": the shape must be a list of sizes; got [2,-1]]`,
    );
    expect(entry({ data_offsets: [0] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x": data_offsets must be two byte positions; got [0]]`,
    );
    expect(entry({ shape: [3] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x": shape [3] of F32 takes 12 bytes; data_offsets [0, 8] hold 8]`,
    );
    expect(() => read(file({ x: null }))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensor "x": the type must be a name such as F32, F16, BF16 or I64; got nothing]`,
    );
  });

  test('the data', () => {
    const y = (start: number) => ({ dtype: 'F32', shape: [2], data_offsets: [start, start + 8] });
    expect(() => read(file({ x }, eight.subarray(1)))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: the file is cut off: tensor "x" ends at byte 70; the file has 69 bytes]`,
    );
    expect(() => read(file({ x, y: y(4) }, new Uint8Array(12)))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: tensors "x" and "y" overlap at byte 120]`,
    );
    expect(() => read(file({ x, y: y(12) }, new Uint8Array(20)))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: bytes 125 to 129, before tensor "y", belong to no tensor]`,
    );
    expect(() => read(file({ x }, new Uint8Array(9)))).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: model.safetensors: bytes 70 to 71, at the end, belong to no tensor]`,
    );
  });

  test('what the format leaves open or forbids', () => {
    const y = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
    const none = (at: number) => ({ dtype: 'F32', shape: [0, 3], data_offsets: [at, at] });
    const taken: Record<string, [header: unknown, tensors: number]> = {
      'null metadata': [{ __metadata__: null, x }, 1],
      'empty metadata': [{ __metadata__: {}, x }, 1],
      'no tensors': [{}, 0],
      'nothing at the start, among others and at the end': [
        {
          a: none(0),
          b: { ...x, shape: [1], data_offsets: [0, 4] },
          c: none(4),
          d: { ...x, shape: [1], data_offsets: [4, 8] },
          e: none(8),
        },
        5,
      ],
      'a number': [{ a: { ...x, shape: [], data_offsets: [0, 4] }, b: { ...x, shape: [], data_offsets: [4, 8] } }, 2],
      'spaces after the header': [`${JSON.stringify({ x })}   `, 1],
    };
    for (const [name, [header, tensors]] of Object.entries(taken)) {
      const data = tensors === 0 ? new Uint8Array() : eight;
      expect(read(file(header as object, data)).tensors.size, name).toBe(tensors);
    }
    const refused: Record<string, unknown> = {
      'the same bytes twice': { x, y },
      'nothing inside of another tensor': { x, z: none(4) },
      'metadata of numbers': { __metadata__: { epoch: 3 }, x },
      'metadata of objects': { __metadata__: { a: {} }, x },
      'a negative place': { x: { ...x, data_offsets: [-4, 4] } },
      'an end before the start': { x: { ...x, data_offsets: [8, 0] } },
      'an end before the start, of an unknown type': { x: { ...x, dtype: 'Q9', data_offsets: [8, 0] } },
      'more elements than can be counted': { x: { ...x, shape: [2 ** 32, 2 ** 32, 2 ** 32] } },
      'more than can be counted of nothing': { x, z: { ...none(8), shape: [2 ** 52, 2 ** 52, 0] } },
      'half a size': { x: { ...x, shape: [1.5] } },
      'a byte order mark': `\ufeff${JSON.stringify({ x })}`,
      'zeros after the header': `${JSON.stringify({ x })}\0\0`,
    };
    for (const [name, header] of Object.entries(refused)) {
      expect(() => read(file(header as object, eight)), name).toThrow(CheckpointError);
    }
  });

  test('types that are not read: every one may lie in a file, none may be asked for', () => {
    const sizes = {
      F4: 4,
      F6_E2M3: 6,
      F6_E3M2: 6,
      F8_E4M3: 8,
      F8_E5M2: 8,
      F8_E8M0: 8,
      F8_E4M3FNUZ: 8,
      F8_E5M2FNUZ: 8,
      C64: 64,
      C128: 128,
    };
    for (const [dtype, bits] of Object.entries(sizes)) {
      const other = { dtype, shape: [4], data_offsets: [8, 8 + bits / 2] };
      const { tensors } = read(file({ x, other }, new Uint8Array(8 + bits / 2)));
      expect([...toFloat32(tensors.get('x')!)]).toEqual([0, 0]);
      expect(tensors.get('other')!.bytes.length).toBe(bits / 2);
      for (const values of [toFloat32, toInt32]) {
        expect(() => values(tensors.get('other')!)).toThrowError(
          `model.safetensors: tensor "other" is of type ${dtype}, which cannot be read here; convert it to one of F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL`,
        );
      }
      // Their room is known, so that a damaged header is found.
      expect(() => read(file({ x, other: { ...other, shape: [5] } }, new Uint8Array(8 + bits / 2)))).toThrow(
        /shape \[5\] of .* takes/,
      );
    }
    const loose = { dtype: 'F4', shape: [4], data_offsets: [8, 12] };
    expect(read(file({ x, loose }, new Uint8Array(12))).tensors.size).toBe(2);
    const later = { dtype: 'F2_FUTURE', shape: [3], data_offsets: [8, 9] };
    const { tensors } = read(file({ x, later }, new Uint8Array(9)));
    expect(() => toFloat32(tensors.get('later')!)).toThrow(
      /tensor "later" is of type F2_FUTURE, which cannot be read here/,
    );
    // What lies under another type, or under none, still has to be whole.
    expect(() => read(file({ x, later }, new Uint8Array(10)))).toThrow(/belong to no tensor/);
  });

  test('long headers, whatever is in them', () => {
    const meta = {
      'escaped quotes': '"a'.repeat(1.5e6),
      backslashes: '\\'.repeat(3e6),
      braces: '{:}{":'.repeat(1e6),
      letters: 'é'.repeat(5e6),
    };
    for (const [name, value] of Object.entries(meta)) {
      expect(read(file({ __metadata__: { x: value }, x }, eight)).metadata['x'] === value, name).toBe(true);
    }
    const count = Object.fromEntries(
      Array.from({ length: 1e5 }, (_, i) => [`t${i}`, { dtype: 'F32', shape: [0], data_offsets: [0, 0] }]),
    );
    expect(read(file(count)).tensors.size).toBe(1e5);
  }, 20_000);

  test('a file cut anywhere is refused', () => {
    const whole = file({ x }, eight);
    for (let size = 0; size < whole.length; size++)
      expect(() => read(whole.subarray(0, size))).toThrow(CheckpointError);
  });
});

test('what cannot be written', () => {
  const write =
    (...tensors: [string, WritableTensor][]) =>
    () =>
      writeSafetensors(tensors, {}, 'out.safetensors');
  const one = { dtype: 'F32', shape: [1], data: new Float32Array(1) } as const;
  expect(write(['x', { ...one, shape: [2] }])).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: out.safetensors: tensor "x": shape [2] holds 2 elements; got 1]`,
  );
  expect(write(['x', one], ['x', one])).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: out.safetensors: tensor "x": the name is taken already]`,
  );
  expect(write(['__metadata__', one])).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: out.safetensors: tensor "__metadata__": the name is taken already]`,
  );
  expect(write(['x', { ...one, dtype: 'U8' } as never])).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: out.safetensors: tensor "x": U8 takes 1 bytes an element; got Float32Array]`,
  );
  expect(
    write(['x', { dtype: 'F16', shape: [2], data: Float32Array.of(1 / 0, 65520) }]),
  ).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: out.safetensors: tensor "x": element 1, 65520, is too large for F16, which ends at 65504; write F32 instead]`,
  );
  expect(write(['x\ud800', one])).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: out.safetensors: "x\\ud800" holds half a character, which no other program can read]`,
  );
  expect(() => writeSafetensors([['x', one]], { note: '\udc00' })).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: safetensors: "\\udc00" holds half a character, which no other program can read]`,
  );
  expect(write(['x', { ...one, dtype: 'F8_E4M3' } as never])).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: out.safetensors: tensor "x": the type must be one of F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL; got "F8_E4M3"]`,
  );
});

test('a double that no float can hold is an error', () => {
  expect([...toFloat32(stored('F64', Float64Array.of(1e-300, Number.POSITIVE_INFINITY, Number.NaN), [3]))]).toEqual([
    0,
    Number.POSITIVE_INFINITY,
    Number.NaN,
  ]);
  expect(() => toFloat32(stored('F64', Float64Array.of(1, -1e39), [2]))).toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: model.safetensors: tensor "x": element 1, -1e+39, is too large for a float of 32 bits]`,
  );
});
