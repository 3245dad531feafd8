import { describe, expect, it } from 'vitest';
import { kernel } from '../../../../src/gpu/kernel.ts';
import { argmax } from '../../../../src/kernels/axis/extreme.ts';
import { div, mul, sub, where } from '../../../../src/kernels/elementwise/binary.ts';
import { cast } from '../../../../src/kernels/elementwise/cast.ts';
import { exp, scale } from '../../../../src/kernels/elementwise/unary.ts';
import { softmax } from '../../../../src/kernels/row-ops/softmax.ts';
import { add, fill } from '../../../../src/tensor/graph/fill.ts';
import { tensor, variable } from '../../../../src/tensor/graph/host-tensors.ts';
import { range } from '../../../../src/tensor/graph/placement.ts';
import { dispatch, empty } from '../../../../src/tensor/graph/record.ts';
import type { Tensor } from '../../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../../src/tensor/run/read.ts';
import { run, step } from '../../../../src/tensor/run/step.ts';
import { useDevice } from '../../../support/device.ts';

const device = useDevice();
const infinity = Number.POSITIVE_INFINITY;

/** What a body says in check mode, up to where it was recorded; its results, where it says nothing. */
async function checked(body: () => Tensor | readonly Tensor[]): Promise<string | number[]> {
  try {
    const values = await run(device.current, () => [body()].flat(), { name: 'body', check: true });
    return values.flatMap((value) => [...value]);
  } catch (error) {
    return `${(error as Error).constructor.name}: ${(error as Error).message.replace(/ \(other tensors.*/s, '')}`;
  }
}

const values = (...numbers: number[]) => tensor(device.current, numbers);
const full = (size: number, value: number) => tensor(device.current, new Float32Array(size).fill(value));

/** Writes what is in x, but not to one element. */
function forgets(x: Tensor, at: number, y: Tensor = empty(x)): Tensor {
  const params = { n: x.size, at };
  if (x.dtype === 'u32') dispatch(forgetfulWords, { x, y }, params);
  else dispatch(forgetful, { x, y }, params);
  return y;
}

const rest = {
  name: 'forgets',
  params: { n: 'u32', at: 'u32' },
  override: { WG: 64 },
  grid: ({ n }: { n: number }, { WG }: { WG: number }) => [Math.ceil(n / WG)],
  wgsl: `
    @compute @workgroup_size(WG)
    fn main(@builtin(workgroup_id) g: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) l: u32) {
      let i = flatGroup(g, size) * WG + l;
      if (i < params.n && i != params.at) { y[i] = x[i]; }
    }`,
} as const;
const forgetful = kernel({ ...rest, bind: { x: 'read T', y: 'write T' } });
const forgetfulWords = kernel({ ...rest, bind: { x: 'read u32', y: 'write u32' } });

/**
 * What is negative becomes a number of these bits: adapters differ in what `log(-1)` is, or whether a shader may know NaN.
 */
function instead(bits: number, x: Tensor): Tensor {
  const y = empty(x);
  dispatch(replacing, { x, y }, { n: x.size, bits });
  return y;
}

const NAN = 0x7fc00000;
const MIN = 0xff800000;
const root = (x: Tensor) => instead(NAN, x);

const replacing = kernel({
  name: 'root',
  bind: { x: 'read f32', y: 'write f32' },
  params: { n: 'u32', bits: 'u32' },
  override: { WG: 64 },
  grid: ({ n }, { WG }) => [Math.ceil(n / WG)],
  wgsl: `
    @compute @workgroup_size(WG)
    fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < params.n) { y[id.x] = select(bitcast<f32>(params.bits), x[id.x], x[id.x] >= 0.0); }
    }`,
});

/** Several elements at once, none of them forgotten. */
const first = kernel({
  name: 'first',
  bind: { x: 'read f32', y: 'write f32' },
  grid: () => [1],
  wgsl: '@compute @workgroup_size(1)\nfn main() { for (var i = 0u; i < 3u; i++) { y[i] = x[i]; } }',
});

describe('check mode stops at', () => {
  const hasF16 = () => device.current.features.has('shader-f16');
  const cases: Record<string, readonly [() => Tensor | readonly Tensor[], string]> = {
    'an intermediate that is NaN': [
      () => add(sub(values(infinity, 1), values(infinity, 1)), values(1, 2)),
      "NotFiniteError: body: sub wrote NaN to 'to' [2] at 0",
    ],
    'a result that is NaN': [() => root(values(1, -1, 2)), "NotFiniteError: body: root wrote NaN to 'y' [3] at 1"],
    'NaN that was given, in what is made of it': [
      () => scale(values(1, 2, Number.NaN), 2),
      "NotFiniteError: body: a constant [3] has NaN at 2, so that scale wrote NaN to 'y' [3] at 2",
    ],
    'NaN beside infinities that are let through': [
      () => mul(values(-infinity, 1, -infinity), values(1, 2, 0)),
      "NotFiniteError: body: mul wrote NaN to 'to' [3] at 2",
    ],
    'an overflow': [() => exp(values(1, 200)), "NotFiniteError: body: exp wrote Infinity to 'y' [2] at 1"],
    'minus infinity': [() => instead(MIN, values(1, -1)), "NotFiniteError: body: root wrote -Infinity to 'y' [2] at 1"],
    'a division by zero': [
      () => div(values(1, -1), values(1, 0)),
      "NotFiniteError: body: div wrote -Infinity to 'to' [2] at 1",
    ],
    'an overflow, though another launch met an infinity': [
      () => [softmax(values(-infinity, 0)), exp(values(500))],
      "NotFiniteError: body: exp wrote Infinity to 'y' [1] at 0",
    ],
    'a forgotten element of an intermediate': [
      () => scale(forgets(full(5, 1), 2), 2),
      "NotFiniteError: body: forgets wrote NaN to 'y' [5] at 2",
    ],
    'a forgotten element of a result': [
      () => forgets(full(5, 1), 4),
      "NotFiniteError: body: forgets wrote NaN to 'y' [5] at 4",
    ],
    'a forgotten element in memory that was used before': [
      () => {
        let y = full(1000, 1);
        for (let i = 0; i < 6; i++) y = scale(y, 2);
        return forgets(scale(y, 2), 999);
      },
      "NotFiniteError: body: forgets wrote NaN to 'y' [1000] at 999",
    ],
    'a forgotten element of words': [
      () => forgets(tensor(device.current, new Uint32Array([0, 1, 2])), 1),
      "NotFiniteError: body: forgets wrote nothing to 'y' [3] at 1",
    ],
    'the last of many elements': [
      () => forgets(full(1_100_002, 1), 1_100_001),
      "NotFiniteError: body: forgets wrote NaN to 'y' [1100002] at 1100001",
    ],
    'the first of many elements': [
      () => root(full(300_000, -1)),
      "NotFiniteError: body: root wrote NaN to 'y' [300000] at 0",
    ],
  };
  for (const [what, [body, wanted]] of Object.entries(cases)) {
    it(what, async () => {
      expect(await checked(body)).toBe(wanted);
      // The next call on the device is not concerned.
      expect([...(await read(scale(values(1), 2)))]).toEqual([2]);
    });
  }

  it.for([1, 2, 3, 7, 64, 65])('f16: each of %i elements', async (n) => {
    if (!hasF16()) return;
    for (let at = 0; at < n; at++) {
      const text = `NotFiniteError: body: forgets wrote NaN to 'y' [${n}] at ${at}`;
      expect(await checked(() => cast(forgets(cast(full(n, 1), 'f16'), at), 'f32'))).toBe(text);
    }
    expect(await checked(() => cast(cast(full(n, 1e5), 'f16'), 'f32'))).toBe(
      `NotFiniteError: body: narrow wrote Infinity to 'y' [${n}] at 0`,
    );
  });
});

it('check mode finds what a variable lacks', async () => {
  const w = variable(device.current, [4], new Float32Array([1, 2, 3, 4]));
  expect(await checked(() => [forgets(values(5, 6, 7, 8), 3, w)])).toBe(
    "NotFiniteError: body: forgets wrote NaN to 'y' [4] at 3",
  );
});

it('check mode names the input that held NaN, if what it stopped at read it', async () => {
  const w = variable(device.current, [2], new Float32Array([1, Number.NaN]));
  using made = await step(
    device.current,
    { x: [3], y: [2] },
    ({ x, y }) => [scale(x, 2), root(scale(y, 2)), mul(y, w)],
    { check: true },
  );
  const message = async (x: number[], y: number[]) =>
    read(made({ x, y })[0] as Tensor).then(
      String,
      (error) => `${error.name} ${error.message.replace(/ \(other.*/s, '')}`,
    );
  expect(await message([1, 2, Number.NaN], [1, 1])).toBe(
    "NotFiniteError step: input 'x' [3] has NaN at 2, so that scale wrote NaN to 'y' [3] at 2",
  );
  // Of several, that which the launch read; what a launch made of good numbers is its own.
  expect(await message([1, 2, 3], [1, -1])).toBe("NotFiniteError step: root wrote NaN to 'y' [2] at 1");
  expect(await message([1, 2, 3], [1, 1])).toBe(
    "NotFiniteError step: a variable [2] has NaN at 1, so that mul wrote NaN to 'to' [2] at 1",
  );
});

describe('check mode lets through', () => {
  const mask = () => where(values(1, 0, 1), values(1, 2, 3), values(-infinity));
  const cases: Record<string, readonly [() => Tensor | readonly Tensor[], number[]]> = {
    'a mask of -∞': [() => scale(mask(), 2), [2, -infinity, 6]],
    'the softmax of a mask': [() => softmax(mask()), [0.11920292, 0, 0.88079708]],
    'a fill with ∞': [() => scale(fill(device.current, [2], infinity), -1), [-infinity, -infinity]],
    'a sum with a fill of -∞': [() => add(values(1, 2), fill(device.current, [2], -infinity)), [-infinity, -infinity]],
    'a scale by ∞': [() => scale(values(1, -1), infinity), [infinity, -infinity]],
    words: [() => argmax(values(1, 5, 2)), [1]],
    'sizes that fill no vec4': [
      () => [1, 2, 3, 5, 7].map((n) => add(full(n, 1), full(n, 1))).map((x) => scale(x, 1)),
      new Array(18).fill(2),
    ],
    'a tensor that two launches write in parts': [
      () => {
        const page = empty(full(67, 0));
        dispatch(first, { x: values(1, 2, 3), y: range(page, 0, [3]) }, {});
        dispatch(first, { x: values(4, 5, 6), y: range(page, 256, [3]) }, {});
        return [scale(range(page, 0, [3]), 1), scale(range(page, 256, [3]), 1)];
      },
      [1, 2, 3, 4, 5, 6],
    ],
  };
  for (const [what, [body, wanted]] of Object.entries(cases)) {
    it(what, async () => {
      const got = await checked(body);
      expect(typeof got === 'string' ? got : got.map((value) => Number(value.toPrecision(6)))).toEqual(
        wanted.map((value) => Number(Math.fround(value).toPrecision(6))),
      );
    });
  }

  it('inputs that are infinite', async () => {
    using masked = await step(device.current, { x: [2], bias: [2] }, ({ x, bias }) => softmax(add(x, bias)), {
      check: true,
    });
    expect([...(await read(masked({ x: [1, 2], bias: [0, -infinity] })))]).toEqual([1, 0]);
    const overflow = masked({ x: [3e38, 0], bias: [3e38, 0] });
    await expect(read(overflow)).rejects.toThrow("accumulate wrote Infinity to 'y' [2] at 0");
    expect([...(await read(masked({ x: [1, 2], bias: [-infinity, 0] })))]).toEqual([0, 1]);
  });
});

describe('a call in check mode', () => {
  const increase = kernel({
    name: 'increase',
    bind: { w: 'update f32', x: 'read f32' },
    grid: () => [1],
    wgsl: '@compute @workgroup_size(1)\nfn main() { w[0] += x[0]; }',
  });

  it('stops before what comes later is written', async () => {
    const w = variable(device.current, [1], new Float32Array([1]));
    using made = await step(
      device.current,
      { x: [1] },
      ({ x }) => {
        const y = root(x);
        dispatch(increase, { w, x: y }, {});
        return y;
      },
      { check: true },
    );
    await expect(read(made({ x: [-1] }))).rejects.toThrow('root wrote NaN');
    expect([...(await read(w))]).toEqual([1]);
    await read(made({ x: [1] }));
    await read(made({ x: [3] }));
    expect((await read(w))[0]).toBe(5);
  });

  it('is told by the next call if nobody reads what it made, once', async () => {
    const made = await step(device.current, { x: [1] }, ({ x }) => root(x), { check: true });
    made({ x: [-1] });
    await device.current.finished().then(
      () => expect.unreachable(),
      (error) => expect(String(error)).toMatch(/^NotFiniteError: step: root wrote NaN/),
    );
    expect([...(await read(made({ x: [1] })))]).toEqual([1]);
    made({ x: [-1] });
    const gone = run(device.current, () => void made.launches, { check: true });
    await expect(gone.then(() => device.current.settle())).rejects.toThrow('root wrote NaN');
    await device.current.settle();
    made.dispose();
  });

  it('whose result goes into another op or step is told by the read of that', async () => {
    using made = await step(device.current, { x: [1] }, ({ x }) => root(x), { check: true });
    await expect(read(scale(made({ x: [-1] }), 2))).rejects.toThrow('root wrote NaN');
    await expect(readAll([values(1), made({ x: [-1] })])).rejects.toThrow('root wrote NaN');
    expect([...(await read(scale(made({ x: [1] }), 2)))]).toEqual([2]);
  });

  it('can be given its own result', async () => {
    using made = await step(device.current, { x: [2] }, ({ x }) => add(x, x), { check: true });
    const one = made({ x: [1, 2] });
    expect([...(await read(made({ x: made({ x: one }) })))]).toEqual([8, 16]);
  });

  it('runs between other calls and reads as if it did not pause', async () => {
    const chain = (x: Tensor) => {
      for (let i = 0; i < 12; i++) x = add(scale(x, 2), values(-1));
      return x;
    };
    const inputs = { x: [1] };
    using slow = await step(device.current, inputs, ({ x }) => chain(x), { check: true });
    using quick = await step(device.current, inputs, ({ x }) => chain(x));
    const wanted = (x: number) => (x - 1) * 4096 + 1;
    const got = await Promise.all([
      read(slow({ x: [1] })),
      read(quick({ x: [5] })),
      read(slow({ x: [3] })),
      read(chain(values(7))),
      read(slow({ x: [2] })),
    ]);
    expect(got.map(([value]) => value)).toEqual([1, 5, 3, 7, 2].map(wanted));
  });
});
