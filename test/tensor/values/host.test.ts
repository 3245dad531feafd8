import { describe, expect, it } from 'vitest';
import { kernel } from '../../../src/gpu/kernel.ts';
import { openDevice } from '../../../src/gpu/open-device.ts';
import { add } from '../../../src/kernels/elementwise/binary.ts';
import { scale } from '../../../src/kernels/elementwise/unary.ts';
import { parameter } from '../../../src/nn/layers/module.ts';
import { fill } from '../../../src/tensor/graph/fill.ts';
import { free, tensor, variable, write } from '../../../src/tensor/graph/host-tensors.ts';
import { dispatch, empty } from '../../../src/tensor/graph/record.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { type Step, step } from '../../../src/tensor/run/step.ts';
import type { DType } from '../../../src/tensor/values/dtype.ts';
import { fromHalf } from '../../../src/tensor/values/half.ts';
import { fromHost, type HostValues } from '../../../src/tensor/values/host.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const dtypes = ['f32', 'f16', 'i32', 'u32', 'bool'] as const;

const steps = new Map<string, Promise<Step<'x', Tensor>>>();
const identity = (shape: readonly number[], dtype: DType) => {
  const key = `${dtype} ${shape.join()}`;
  let made = steps.get(key);
  if (!made) steps.set(key, (made = step(device.current, { x: { shape, dtype } }, ({ x }) => x)));
  return made;
};

/** Every way in which values of the host get into a tensor. */
const entries: Readonly<
  Record<string, (values: HostValues, shape: readonly number[], dtype: DType) => Tensor | Promise<Tensor>>
> = {
  tensor: (values, shape, dtype) => tensor(device.current, values, shape, dtype),
  variable: (values, shape, dtype) => variable(device.current, shape, values, dtype),
  parameter: (values, shape) => parameter(device.current, shape, values),
  write: (values, shape, dtype) => {
    const target = variable(device.current, shape, undefined, dtype);
    write(target, values);
    return target;
  },
  'step input': async (values, shape, dtype) => (await identity(shape, dtype))({ x: values }),
};

type Outcome = readonly number[] | RegExp;
interface Case {
  readonly name: string;
  readonly values: () => unknown;
  /** Default: [4]. */
  readonly shape?: readonly number[];
  /** Without an own one, i32 takes what u32 does, and bool what holds nothing but 0 and 1. */
  readonly want: Readonly<Record<'f32' | 'f16' | 'u32', Outcome> & Partial<Record<DType, Outcome>>>;
}

function wantedOf({ want }: Case, dtype: DType): Outcome {
  const own = want[dtype];
  if (own) return own;
  const { u32 } = want;
  if (dtype === 'i32') return u32 instanceof RegExp ? new RegExp(u32.source.replaceAll('u32', 'i32')) : u32;
  // What a list holds may be none of it before what the case is about comes.
  if (u32 instanceof RegExp) return new RegExp(`${u32.source}|which is no bool$|which bool does not hold$`);
  return u32.every((value) => value === 0 || value === 1) ? u32 : /which is no bool$|which bool does not hold$/;
}

const all = (outcome: Outcome) => ({ f32: outcome, f16: outcome, u32: outcome });
const refused = (name: string, values: () => unknown, why: RegExp, shape?: readonly number[]): Case => ({
  name,
  values,
  want: all(why),
  ...(shape && { shape }),
});
const exact = (name: string, values: () => unknown, ...want: number[]): Case => ({ name, values, want: all(want) });
const NOT_U32 = /which is no u32$|which u32 does not hold$/;
const bits = new Uint16Array([0x3c00, 0x4000, 0x7c00, 0x0001]);
const halfBits = [1, 2, Number.POSITIVE_INFINITY, 2 ** -24];
/** Browsers share memory with pages of their own origin only. */
const shared = () => (typeof SharedArrayBuffer === 'undefined' ? new ArrayBuffer(16) : new SharedArrayBuffer(16));
const holes = () => {
  const list = [1, 2, 3, 4];
  delete list[2];
  return list;
};
const circle = () => {
  const list: unknown[] = [];
  list.push(list);
  return list;
};
const [inf, nan] = [Number.POSITIVE_INFINITY, Number.NaN];

const cases: readonly Case[] = [
  exact('list', () => [0, 1, 2, 1000], 0, 1, 2, 1000),
  exact('Float32Array', () => new Float32Array([0, 1, 2, 1000]), 0, 1, 2, 1000),
  exact('Float64Array', () => new Float64Array([0, 1, 2, 1000]), 0, 1, 2, 1000),
  exact('Int8Array', () => new Int8Array([0, 1, 2, 100]), 0, 1, 2, 100),
  exact('Uint8Array', () => new Uint8Array([0, 1, 2, 200]), 0, 1, 2, 200),
  exact('Uint8ClampedArray', () => new Uint8ClampedArray([0, 1, 2, 200]), 0, 1, 2, 200),
  exact('Int16Array', () => new Int16Array([0, 1, 2, 1000]), 0, 1, 2, 1000),
  { name: 'Uint16Array', values: () => bits, want: { f32: [...bits], f16: halfBits, u32: [...bits] } },
  exact('Int32Array', () => new Int32Array([0, 1, 2, 1000]), 0, 1, 2, 1000),
  exact('Uint32Array', () => new Uint32Array([0, 1, 2, 1000]), 0, 1, 2, 1000),
  exact('a part of a larger array', () => new Float32Array([9, 0, 1, 2, 3, 9]).subarray(1, 5), 0, 1, 2, 3),
  exact('shared memory', () => new Float32Array(shared()), 0, 0, 0, 0),
  exact('a class derived from an array', () => new (class Mine extends Float32Array {})([1, 2, 3, 4]), 1, 2, 3, 4),
  {
    name: 'a resizable buffer',
    values: () => {
      const Resizable = ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer;
      return new Float32Array(new Resizable(16, { maxByteLength: 32 }));
    },
    want: all([0, 0, 0, 0]),
  },
  {
    name: 'fractions in a list',
    values: () => [0.1, -1.5, 1e-9, 7],
    want: { f32: [0.1, -1.5, 1e-9, 7].map(Math.fround), f16: [0.0999755859375, -1.5, 0, 7], u32: NOT_U32 },
  },
  {
    name: 'fractions in a Float64Array',
    values: () => new Float64Array([0.1, -1.5, 1e-9, 7]),
    want: { f32: [0.1, -1.5, 1e-9, 7].map(Math.fround), f16: [0.0999755859375, -1.5, 0, 7], u32: NOT_U32 },
  },
  {
    name: 'what is beyond the range of f16',
    values: () => [65504, 65519.99, 65520, -1e6],
    want: { f32: [65504, Math.fround(65519.99), 65520, -1e6], f16: [65504, 65504, inf, -inf], u32: NOT_U32 },
  },
  {
    // To f32 first, 1 + 2^-11 would be left, a tie that goes to the even 1.
    name: 'what must be rounded once',
    values: () => [1 + 2 ** -11 + 2 ** -30, 1 + 2 ** -11, 1 + 3 * 2 ** -11 - 2 ** -30, 2 ** -25 + 2 ** -60],
    want: {
      f32: [1 + 2 ** -11, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25],
      f16: [1 + 2 ** -10, 1, 1 + 2 ** -10, 2 ** -24],
      u32: NOT_U32,
    },
  },
  {
    name: 'NaN and infinities',
    values: () => [nan, inf, -inf, -0],
    want: { f32: [nan, inf, -inf, -0], f16: [nan, inf, -inf, -0], u32: NOT_U32 },
  },
  {
    name: 'integers that f32 does not hold',
    values: () => new Int32Array([1, 2, 3, 2 ** 24 + 1]),
    want: {
      f32: /16777217 at \[3\] of an Int32Array, which f32 does not hold/,
      f16: /16777217 at/,
      u32: [1, 2, 3, 16777217],
    },
  },
  {
    name: 'large u32',
    values: () => new Uint32Array([2 ** 32 - 1, 2 ** 31, 2 ** 24 + 2, 0]),
    want: {
      f32: /4294967295 at \[0\]/,
      f16: /4294967295 at \[0\]/,
      u32: [2 ** 32 - 1, 2 ** 31, 2 ** 24 + 2, 0],
      i32: /4294967295 at \[0\] of a Uint32Array, which i32 does not hold/,
    },
  },
  {
    name: 'integers that f16 does not hold',
    values: () => new Int16Array([1, 2, 3, 2049]),
    want: {
      f32: [1, 2, 3, 2049],
      f16: /2049 at \[3\] of an Int16Array, which f16 does not hold/,
      u32: [1, 2, 3, 2049],
    },
  },
  {
    name: 'negative',
    values: () => [0, -1, 2, 3],
    want: { f32: [0, -1, 2, 3], f16: [0, -1, 2, 3], u32: /-1 at \[1\]/, i32: [0, -1, 2, 3] },
  },
  {
    name: 'negative in an Int8Array',
    values: () => new Int8Array([0, -1, 2, 3]),
    want: { f32: [0, -1, 2, 3], f16: [0, -1, 2, 3], u32: /-1 at \[1\]/, i32: [0, -1, 2, 3] },
  },
  {
    name: '2³²',
    values: () => [0, 1, 2, 2 ** 32],
    want: { f32: [0, 1, 2, 2 ** 32], f16: [0, 1, 2, inf], u32: /4294967296 at \[3\]/ },
  },
  {
    name: 'nested lists',
    values: () => [
      [1, 2],
      [3, 4],
    ],
    shape: [2, 2],
    want: all([1, 2, 3, 4]),
  },
  {
    name: 'a list of arrays',
    values: () => [new Float32Array([1, 2]), [3, 4]],
    shape: [2, 2],
    want: all([1, 2, 3, 4]),
  },
  { name: 'a number', values: () => 3, shape: [], want: all([3]) },
  { name: 'a number for one element', values: () => 3, shape: [1, 1], want: all([3]) },
  { name: 'an odd number of elements', values: () => [1, 2, 3], shape: [3], want: all([1, 2, 3]) },
  { name: 'nothing', values: () => [], shape: [0], want: all([]) },
  { name: 'nothing in rows', values: () => [[], []], shape: [2, 0], want: all([]) },
  refused('too few', () => [1, 2, 3], /got 3 values$/),
  refused('too many', () => new Float32Array(5), /got 5 values$/),
  refused('a number for more', () => 1, /got a number$/),
  refused('lists of another shape', () => [[1, 2, 3, 4]], /got a list of lists \[1, 4\]$/),
  refused(
    'lists of a shape with as many',
    () => [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    /got a list of lists \[3, 2\]$/,
    [2, 3],
  ),
  refused('a ragged list', () => [[1, 2], [3]], /a ragged list: 1 value at \[1\], 2 in others$/, [2, 2]),
  refused('a ragged list, first', () => [[1], [2, 3]], /a ragged list: 2 values at \[1\], 1 in others$/, [2, 2]),
  refused('a number among lists', () => [[1, 2], 3], /the number 3 at \[1\], where others are lists$/, [2, 2]),
  refused('a list among numbers', () => [1, [2], 3, 4], /a list at \[1\]$/),
  refused('a list in itself', circle, /nested more than 64 times$/),
  refused('holes', holes, /undefined at \[2\]$/),
  refused('undefined in a list', () => [1, undefined, 3, 4], /undefined at \[1\]$/),
  refused('null in a list', () => [1, null, 3, 4], /null at \[1\]$/),
  refused('strings', () => ['1', '2', '3', '4'], /the string '1' at \[0\]$/),
  {
    name: 'booleans',
    values: () => [true, false, true, true],
    want: { ...all(/true at \[0\]$/), bool: [1, 0, 1, 1] },
  },
  exact('ones and zeros', () => new Float32Array([1, 0, 0, 1]), 1, 0, 0, 1),
  {
    name: 'the ends of i32',
    values: () => [2 ** 31 - 1, -(2 ** 31), 0, -1],
    want: {
      f32: [2 ** 31, -(2 ** 31), 0, -1],
      f16: [inf, -inf, 0, -1],
      u32: /-2147483648 at \[1\]/,
      i32: [2 ** 31 - 1, -(2 ** 31), 0, -1],
    },
  },
  refused('bigints', () => [1n, 2n, 3n, 4n], /the bigint 1 at \[0\]$/),
  refused('objects', () => [{}, 1, 2, 3], /an object at \[0\]$/),
  refused('BigInt64Array', () => new BigInt64Array(4), /a BigInt64Array; convert it/),
  refused('BigUint64Array', () => new BigUint64Array(4), /a BigUint64Array; convert it/),
  refused('BigInt64Arrays in a list', () => [new BigInt64Array(2), new BigInt64Array(2)], /BigInt64Array/, [2, 2]),
  refused('ArrayBuffer', () => new ArrayBuffer(16), /an ArrayBuffer; say what it holds/),
  refused('shared memory without a type', () => shared(), /ArrayBuffer; say what it holds/),
  refused('DataView', () => new DataView(new ArrayBuffer(16)), /a DataView; say what it holds/),
  refused('null', () => null, /got null$/),
  refused('a string', () => '1234', /got the string '1234'$/),
  { name: 'a boolean', values: () => true, shape: [], want: { ...all(/true at \[0\]$/), bool: [1] } },
  refused('a bigint', () => 1n, /got the bigint 1$/, []),
  refused('an object', () => ({ length: 4, 0: 1 }), /got an object$/),
  refused('a set', () => new Set([1, 2, 3, 4]), /got a Set$/),
  refused('a promise', () => Promise.resolve([1]), /got a promise; await it$/),
  refused('a function', () => () => [1, 2, 3, 4], /got a function$/),
  refused(
    'an array whose buffer was transferred',
    () => {
      const values = new Float32Array(4);
      structuredClone(values.buffer, { transfer: [values.buffer] });
      return values;
    },
    /got 0 values \(its buffer is empty, or was transferred\)$/,
  ),
];

describe.each(Object.keys(entries))('%s', (entry) => {
  const into = entries[entry] as (typeof entries)[string];
  const takes = entry === 'parameter' ? (['f32'] as const) : dtypes;
  describe.each(takes)('of %s', (dtype) => {
    it.each(cases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
      const { values, shape = [4] } = one;
      const wanted = wantedOf(one, dtype);
      const given = values() as HostValues;
      if (wanted instanceof RegExp) {
        await expect((async () => into(given, shape, dtype))()).rejects.toThrow(wanted);
        return;
      }
      const t = await into(given, shape, dtype);
      expect([t.dtype, ...t.shape]).toEqual([dtype, ...shape]);
      const [got] = await readAll([t]);
      expect([...(got as Float32Array)]).toEqual(wanted);
    });

    it('keeps what was there at the call', async () => {
      const values = new { f32: Float32Array, f16: Float32Array, i32: Int32Array, u32: Uint32Array, bool: Uint8Array }[
        dtype
      ]([1, 0]);
      const t = await into(values, [2], dtype);
      values.fill(1);
      const [got] = await readAll([t]);
      expect([...(got as Float32Array)]).toEqual([1, 0]);
    });

    // A step's inputs have theirs when it is made.
    if (entry !== 'step input') {
      it('refuses shapes that are none', () => {
        for (const shape of [3, '1', { length: 0 }, [1.5], [-1], [nan], ['2'], new Array(2), null]) {
          expect(() => into([1], shape as unknown as number[], dtype)).toThrow(/a shape is a list|axes must be/);
        }
      });
    }
  });
});

it('a tensor takes its shape and dtype from the values', async () => {
  const of = (values: HostValues) => String(tensor(device.current, values));
  expect(of(1)).toBe('Tensor f32 []');
  expect(of([1, 2])).toBe('Tensor f32 [2]');
  expect(of([[1], [2], [3]])).toBe('Tensor f32 [3, 1]');
  expect(of([[new Uint8Array(5)]])).toBe('Tensor f32 [1, 1, 5]');
  expect(of(new Int32Array(2))).toBe('Tensor i32 [2]');
  expect(of([[new Int32Array(5)]])).toBe('Tensor i32 [1, 1, 5]');
  expect(of([[true], [false]])).toBe('Tensor bool [2, 1]');
  expect(of(true)).toBe('Tensor bool []');
  expect(of(new Uint32Array(2))).toBe('Tensor u32 [2]');
  expect(() => tensor(device.current, [1], [1], 'f64' as 'f32')).toThrow(
    /dtype must be 'f32', 'f16', 'i32', 'u32' or 'bool'; got the string 'f64'/,
  );
  const shape = [2, 1];
  const t = tensor(device.current, [1, 2], shape);
  shape[0] = 9;
  expect(t.shape).toEqual([2, 1]);
});

it('f64 rounds to the nearest f16, ties to even, over the whole range', () => {
  const halves = fromHalf(Uint16Array.from({ length: 0x7c00 }, (_, i) => i));
  const refuse = () => new Error('unexpected');
  const round = (values: Float64Array) => fromHost(values, 'f16', [values.length], refuse) as Uint16Array;
  const between = (fraction: number) =>
    Float64Array.from(
      { length: 0x7bff },
      (_, i) => (halves[i] as number) * (1 - fraction) + (halves[i + 1] as number) * fraction,
    );
  const tiny = 2 ** -30;
  const [below, tie, above] = [between(0.5 - tiny), between(0.5), between(0.5 + tiny)].map(round);
  for (let i = 0; i < 0x7bff; i++) {
    if (below?.[i] !== i || above?.[i] !== i + 1 || tie?.[i] !== i + (i & 1)) {
      throw new Error(`between ${halves[i]} and the next: ${below?.[i]}, ${tie?.[i]}, ${above?.[i]}`);
    }
  }
});

describe('a tensor as an input of a step', () => {
  const given = () => identity([2, 3], 'f32');
  const six = [1, 2, 3, 4, 5, 6];

  it('is taken where it has values: variable, constant, a result, its own result', async () => {
    const made = await given();
    const own = made({ x: six });
    for (const x of [own, tensor(device.current, six, [2, 3]), variable(device.current, [2, 3], six)]) {
      expect([...((await readAll([made({ x })]))[0] as Float32Array)]).toEqual(six);
    }
    const halves = await identity([3], 'f16');
    for (const x of [tensor(device.current, [1, 2, 3], [3], 'f16'), variable(device.current, [3], [1, 2, 3], 'f16')]) {
      expect([...((await readAll([halves({ x })]))[0] as Float32Array)]).toEqual([1, 2, 3]);
    }
    const empty = await identity([0], 'f32');
    expect((await readAll([empty({ x: tensor(device.current, []) })]))[0]).toHaveLength(0);
  });

  it('goes round: results of a call, in other places of the next', async () => {
    const made = await step(device.current, { a: [1], b: [1] }, ({ a, b }) => ({ a, b, sum: add(a, b) }));
    let r = made({ a: [1], b: [2] });
    const values = async () => (await readAll([r.a, r.b, r.sum])).map((one) => one[0]);
    expect(await values()).toEqual([1, 2, 3]);
    r = made({ a: r.b, b: r.a });
    expect(await values()).toEqual([2, 1, 3]);
    r = made({ a: [5], b: r.a });
    expect(await values()).toEqual([5, 2, 7]);
    r = made({ a: r.a, b: r.sum });
    expect(await values()).toEqual([5, 7, 12]);
  });

  it('must have the shape and dtype, and values', async () => {
    const made = await given();
    const freed = variable(device.current, [2, 3]);
    free(freed);
    const gone = await step(device.current, {}, () => scale(tensor(device.current, six, [2, 3]), 2));
    const result = gone({});
    gone.dispose();
    const wrong: [Tensor, RegExp][] = [
      [variable(device.current, [3, 2]), /must be f32 \[2, 3\]; got f32 \[3, 2\]$/],
      [variable(device.current, [6]), /got f32 \[6\]$/],
      [tensor(device.current, six, [1, 2, 3]), /got f32 \[1, 2, 3\]$/],
      [variable(device.current, [2, 3], six, 'u32'), /got u32 \[2, 3\]$/],
      [scale(tensor(device.current, six, [2, 3]), 2), /an op result, which has no values yet/],
      [freed, /whose memory was freed/],
      [result, /whose memory was freed$/],
    ];
    for (const [x, why] of wrong) expect(() => made({ x })).toThrow(why);
    expect([...((await readAll([made({ x: six })]))[0] as Float32Array)]).toEqual(six);
  });

  it('must be of the device', async () => {
    const made = await given();
    const other = await openDevice({ notice: null, tuning: false });
    for (const x of [variable(other, [2, 3]), tensor(other, six, [2, 3])]) {
      expect(() => made({ x })).toThrow(
        /must be f32 \[2, 3\]; got a tensor of another device; read it and pass the values$/,
      );
    }
    other.dispose();
    expect([...((await readAll([made({ x: six })]))[0] as Float32Array)]).toEqual(six);
  });

  it('inputs come by their names', async () => {
    const made = (await given()) as unknown as (inputs?: unknown) => Tensor;
    expect(() => made()).toThrow('step: inputs come by name: { x }; got undefined');
    expect(() => made(tensor(device.current, 1))).toThrow(/got a Tensor$/);
    expect(() => made({})).toThrow("step: input 'x' is missing; expected f32 [2, 3]");
    expect(() => made({ x: six, y: six })).toThrow("step: inputs come by name: { x }; there is no 'y'");
    for (const spec of [3, { shape: 3 }, { shape: [2], dtype: 'f64' }, new Array(2), null]) {
      await expect(step(device.current, { x: spec as unknown as number[] }, ({ x }) => x)).rejects.toThrow(/input 'x'/);
    }
  });
});

it('fill takes a number, a shape and a dtype', async () => {
  const make = (value: unknown, shape: unknown = [2], dtype: unknown = 'f32') =>
    fill(device.current, shape as number[], value as number, dtype as 'f32');
  for (const value of [nan, inf, -0, 0.5])
    expect((await readAll([make(value)]))[0]).toEqual(new Float32Array([value, value]));
  for (const value of [true, false])
    expect((await readAll([make(value)]))[0]).toEqual(new Float32Array([Number(value), Number(value)]));
  for (const value of [undefined, null, '1', 1n, [1], {}])
    expect(() => make(value)).toThrow(/^fill: params.value must be f32; got /);
  for (const shape of [2, '2', [1.5], [-1], new Array(2), null])
    expect(() => make(1, shape)).toThrow(/^fill: (a shape is|axes must be)/);
  for (const dtype of ['f64', 'i64', 1, null])
    expect(() => make(1, [2], dtype)).toThrow(/dtype must be|expected f32 or f16/);
});

it('write says what it cannot write to', async () => {
  const t = variable(device.current, [2]);
  expect(() => write(tensor(device.current, [1, 2]), [1, 2])).toThrow(/only a variable can be written/);
  expect(() => write([1, 2] as unknown as Tensor, [1, 2])).toThrow(/^write: target must be a tensor; it is a list/);
  expect(() => write(t, tensor(device.current, [1, 2]) as unknown as number[])).toThrow(/values come from the host/);
  await expect(step(device.current, {}, () => write(t, [1, 2]) as undefined)).rejects.toThrow(
    /the body of a step only records/,
  );
  free(t);
  expect(() => write(t, [1, 2])).toThrow(/the memory of this tensor \[2\] was freed/);
  expect(() => parameter(device.current, [2], undefined as unknown as number[])).toThrow(/values are missing/);
});

describe('numbers of a launch', () => {
  const mine = kernel({
    name: 'mine',
    bind: { x: 'read T', y: 'write T' },
    params: { u: 'u32', i: 'i32', f: 'f32' },
    override: { O: 1 },
    grid: () => [1],
    wgsl: '@compute @workgroup_size(1) fn main() { y[0] = x[0] + T(params.f) + T(params.u) + T(params.i) + T(O); }',
  });
  const launch = (params: object, constants: object = {}, tensors: object = {}) => {
    const x = tensor(device.current, [1]);
    const y = empty(x);
    dispatch(mine, { x, y, ...tensors }, { u: 0, i: 0, f: 0, ...params }, constants);
    return y;
  };

  it('arrive', async () => {
    const [got] = await readAll([launch({ u: 2 ** 20, i: -(2 ** 20), f: 0.5 }, { O: 3 })]);
    expect(got?.[0]).toBe(4.5);
    expect(Number.isNaN((await readAll([launch({ f: Number.NaN })]))[0]?.[0])).toBe(true);
  });

  const none = [undefined, null, '1', true, 1n, [1], {}];
  it.each([
    ...[-1, 1.5, nan, inf, 2 ** 32, ...none].map((value) => ['u', value] as const),
    ...[-(2 ** 31) - 1, 2 ** 31, 1.5, nan, ...none].map((value) => ['i', value] as const),
    ...none.map((value) => ['f', value] as const),
  ])('refuse params.%s of %s', (name, value) => {
    expect(() => launch({ [name]: value })).toThrow(
      new RegExp(`^mine: params.${name} must be ${{ u: 'u32', i: 'i32', f: 'f32' }[name]}; got `),
    );
  });

  it.each([-1, 1.5, nan, 2 ** 32, undefined, '1'])('refuse a constant of %s', (O) => {
    expect(() => launch({}, { O })).toThrow(/^mine: O must be u32; got /);
  });

  it.each([undefined, null, 1, [1], {}])('refuse %s for a tensor', (x) => {
    expect(() => launch({}, {}, { x })).toThrow(/^mine: x must be a tensor; it is /);
  });
});
