import { describe, expect, it, vi } from 'vitest';
import type { Device } from '../../../src/gpu/device.ts';
import { openDevice, saveTuning } from '../../../src/gpu/open-device.ts';
import { profileOf } from '../../../src/gpu/profile.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { matmul } from '../../../src/kernels/matmul/matmul.ts';
import { tune } from '../../../src/kernels/matmul/tune.ts';
import {
  candidateVariants,
  chooseVariant,
  formatVariant,
  kernelOf,
  type MatmulVariant,
  type Product,
  parseVariant,
  productClass,
  productsOf,
} from '../../../src/kernels/matmul/variants.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

function values(count: number, seed: number): Float32Array {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => normal(random));
}

/** `a · b` in float64, `a [m, k]` and `b [k, n]` by how they are indexed. */
function product(
  m: number,
  n: number,
  k: number,
  a: (i: number, s: number) => number,
  b: (s: number, j: number) => number,
) {
  return Float64Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let s = 0; s < k; s++) sum += a(Math.floor(at / n), s) * b(s, at % n);
    return sum;
  });
}

describe('every variant that the tuner may choose', () => {
  let nth = 0;
  const cases = [false, true].flatMap((transposeA) =>
    [false, true].flatMap((transposeB) =>
      (
        [
          [68, 44, 36],
          [67, 43, 35],
        ] as const
      ).map((sizes) => ({ sizes, transposeA, transposeB, dtype: 'f32' as const })),
    ),
  );
  const narrow = [cases[1], cases[4], cases[6]].map((one) => ({ ...one!, dtype: 'f16' as const }));
  for (const { sizes, transposeA, transposeB, dtype } of [...cases, ...narrow]) {
    const [m, n, k] = sizes;
    const turn = nth++;
    it(`${dtype} [${m}, ${k}]${transposeA ? 'ᵀ' : ''} · [${k}, ${n}]${transposeB ? 'ᵀ' : ''}`, async ({ skip }) => {
      const gpu = device.current;
      skip(dtype === 'f16' && !gpu.features.has('shader-f16'), 'this device has no f16');
      const [av, bv, bias] = [values(m * k, 1), values(k * n, 2), values(n, 3)];
      const a = tensor(gpu, av, transposeA ? [k, m] : [m, k]);
      const b = tensor(gpu, bv, transposeB ? [n, k] : [k, n]);
      const wanted = product(
        m,
        n,
        k,
        (i, s) => av[transposeA ? s * m + i : i * k + s] as number,
        (s, j) => bv[transposeB ? j * k + s : s * n + j] as number,
      ).map((x, at) => x + (bias[at % n] as number));
      const body = () =>
        matmul(cast(a, dtype), cast(b, dtype), { transposeA, transposeB, bias: cast(tensor(gpu, bias), dtype) });
      const [planned] = productsOf(gpu, body);
      const work = productClass(planned!);
      // Those of GPUs too. A third of them in each case: all come up in some, and each pipeline takes its time to compile.
      const tiles: MatmulVariant[] = [
        { kind: 'tile', threadTile: 8, splitK: 1 },
        { kind: 'tile', threadTile: 4, splitK: 2 },
        { kind: 'tile', threadTile: 8, splitK: 3 },
      ];
      const all = new Map([...candidateVariants(gpu, planned!), ...tiles].map((one) => [formatVariant(one), one]));
      const variants = [...all.values()].filter((_, i) => i % 3 === turn % 3);
      expect(variants.length).toBeGreaterThan(0);
      try {
        for (const variant of variants) {
          gpu.tuned.set(work, formatVariant(variant));
          expect(chooseVariant(gpu, planned!)).toEqual(variant);
          const [got] = await readAll([cast(body(), 'f32')]);
          close(got as Float32Array, wanted, dtype === 'f16' ? 2e-3 : 2e-6, formatVariant(variant));
        }
      } finally {
        gpu.tuned.delete(work);
      }
    });
  }
});

// As on a GPU without subgroups: two variants to try for each product, where this adapter has ten.
it('measures each product once, and steps made afterwards use what it found', async ({ onTestFinished }) => {
  const gpu = device.current;
  vi.spyOn(gpu, 'profile', 'get').mockReturnValue(profileOf(gpu.adapter, false, false));
  onTestFinished(() => void vi.restoreAllMocks());
  const a = tensor(gpu, values(48 * 40, 1), [48, 40]);
  const b = tensor(gpu, values(40 * 56, 2), [40, 56]);
  const body = () => gradients(matmul(a, b), [a], tensor(gpu, values(48 * 56, 3), [48, 56]));
  const plain = await readAll(body());
  const seen: string[] = [];
  const found = await tune(gpu, body, { runs: 1, save: false, progress: ({ work }) => seen.push(work) });
  expect(found.map(({ work }) => work)).toEqual(seen);
  // The product itself is recorded too, and not only what the gradient needs.
  expect(found).toHaveLength(3);
  for (const { work, chosen, before, after } of found) {
    expect(gpu.tuned.get(work)).toBe(chosen);
    expect(parseVariant(chosen)).toBeDefined();
    expect(after).toBeLessThanOrEqual(before);
  }
  const tuned = await readAll(body());
  close(tuned[0] as Float32Array, Float64Array.from(plain[0] as Float32Array), 2e-6, 'tuned');
  expect(await tune(gpu, body, { runs: 1, save: false })).toEqual([]);
  gpu.tuned.clear();
});

it('tries all variants that the adapter has', async () => {
  const gpu = device.current;
  const [a, b] = [tensor(gpu, values(48 * 40, 1), [48, 40]), tensor(gpu, values(40 * 56, 2), [40, 56])];
  const body = () => matmul(a, b);
  const [plain] = await readAll([body()]);
  const [found] = await tune(gpu, body, { runs: 1, save: false });
  expect(candidateVariants(gpu, productsOf(gpu, body)[0]!).map(formatVariant)).toContain(found?.chosen);
  const [tuned] = await readAll([body()]);
  close(tuned as Float32Array, Float64Array.from(plain as Float32Array), 2e-6, 'tuned');
  gpu.tuned.clear();
});

it('tries on each kind of device what can win there', ({ onTestFinished }) => {
  const gpu = device.current;
  onTestFinished(() => void vi.restoreAllMocks());
  const of = (cols: number): Product => ({
    ...{ rows: 64, cols, inner: 256, batch: 1, dtype: 'f32' },
    ...{ a: { along: 'inner', four: true }, b: { along: 'outer', four: cols % 4 === 0 } },
  });
  const tried = (cols: number) => candidateVariants(gpu, of(cols)).map(formatVariant);
  const profile = vi.spyOn(gpu, 'profile', 'get');
  profile.mockReturnValue({ ...profileOf(gpu.adapter, true, true), sharedThreads: 8 });
  expect(tried(64)).toEqual(['tile 4 1', ...[8, 16, 32, 40].flatMap((r) => [4, 8].map((c) => `subgroup ${r} ${c}`))]);
  expect(tried(63)).toHaveLength(1 + 4 * 5);
  profile.mockReturnValue({ ...profileOf(gpu.adapter, true, false), sharedThreads: 8 });
  const ofGpu = [1, 2, 4].flatMap((splitK) => [4, 8].map((side) => `tile ${side} ${splitK}`));
  expect(tried(64).toSorted()).toEqual(ofGpu.toSorted());
  expect(tried(64)[0]).toBe('tile 4 1');
});

it('takes what the model of GPUs finds good where nobody has tuned, by the vendor', () => {
  const gpu = device.current;
  const operand = { along: 'inner', four: true } as const;
  const usual = (vendor: string, rows: number, inner: number, cols: number) => {
    const one = Object.create(gpu, {
      profile: { value: profileOf({}, false, false) },
      adapter: { value: { vendor } },
      tuned: { value: new Map() },
    });
    return formatVariant(chooseVariant(one, { rows, cols, inner, batch: 1, a: operand, b: operand, dtype: 'f32' }));
  };
  const all = (rows: number, inner: number, cols: number) =>
    ['nvidia', 'amd', '', 'apple', 'intel', 'arm', 'qualcomm', 'img-tec'].map((vendor) =>
      usual(vendor, rows, inner, cols),
    );
  const [one, small, split] = ['tile 8 1', 'tile 4 1', 'tile 8 4'];
  // Many tiles; of 36 large tiles, the few cores of Apple's and Intel's have enough; of 156 with a long inner axis, nothing is split there.
  expect(all(1024, 1024, 1024)).toEqual([one, one, one, one, one, small, small, small]);
  expect(all(384, 384, 384)).toEqual([small, small, small, one, one, small, small, small]);
  expect(all(788, 3072, 768)).toEqual([split, split, split, one, one, small, small, small]);
  // The gradient of a small weight is split everywhere.
  expect(all(32, 8192, 32).map((text) => Number(text.split(' ')[2]) > 1)).not.toContain(false);
});

it('measures products of f16 too', async ({ skip }) => {
  const gpu = device.current;
  skip(!gpu.features.has('shader-f16'), 'this device has no f16');
  const half = (seed: number) => cast(tensor(gpu, values(32 * 32, seed), [32, 32]), 'f16');
  const [found] = await tune(gpu, () => matmul(half(1), half(2)), { runs: 1, save: false });
  expect(found?.work).toMatch(/^matmul f16 /);
  gpu.tuned.clear();
});

it('leaves variants of other versions alone', () => {
  for (const text of [
    ...[
      '',
      'subgroup',
      // Of an earlier version.
      'threads 8 4',
      'subgroup 7 4',
      'subgroup 8 99',
      'subgroup 8 4.5',
      'subgroup 8 7',
      'subgroup 8 4 ',
      'subgroup 0x8 4',
      'tile 8 0',
      'tile 8 1.5',
    ],
    ...['tile 8 65', 'tile 8 -1', 'tile 16 1', 'cube 1 1', 'constructor', '__proto__ 4 1', 'tile 4 1\n', 'TILE 4 1'],
  ]) {
    expect(parseVariant(text), text).toBeUndefined();
    const gpu = device.current;
    const make = (): Tensor => matmul(tensor(gpu, values(64, 1), [8, 8]), tensor(gpu, values(64, 1), [8, 8]));
    const [planned] = productsOf(gpu, make);
    const usual = chooseVariant(gpu, planned!);
    gpu.tuned.set(productClass(planned!), text);
    expect(chooseVariant(gpu, planned!)).toEqual(usual);
    gpu.tuned.clear();
  }
});

describe('a variant that was kept', () => {
  /** Sizes that a single class held before: their widths allow different variants. */
  const sizes = [
    [40, 30, 36],
    [40, 32, 36],
    [40, 31, 36],
    [33, 32, 36],
    [40, 32, 33],
    [64, 17, 64],
  ] as const;
  const linear = ([m, n, k]: readonly [number, number, number]) => {
    const gpu = device.current;
    return matmul(tensor(gpu, values(m * k, 1), [m, k]), tensor(gpu, values(n * k, 2), [n, k]), { transposeB: true });
  };
  const plan = (size: readonly [number, number, number]) => productsOf(device.current, () => linear(size))[0]!;

  it('is taken for exactly the sizes that it was measured for', () => {
    const gpu = device.current;
    expect(new Set(sizes.map((size) => productClass(plan(size)))).size).toBe(sizes.length);
    for (const size of sizes) {
      const others = sizes.filter((other) => other !== size);
      const usual = others.map((other) => chooseVariant(gpu, plan(other)));
      for (const variant of candidateVariants(gpu, plan(size))) {
        gpu.tuned.set(productClass(plan(size)), formatVariant(variant));
        expect(chooseVariant(gpu, plan(size))).toEqual(variant);
        expect(others.map((other) => chooseVariant(gpu, plan(other)))).toEqual(usual);
      }
      gpu.tuned.clear();
    }
  });

  it('never breaks a product, whatever is kept for it', async () => {
    const gpu = device.current;
    const variants = [3, 4, 5, 6, 7, 8].map((colsPerThread) => `subgroup 8 ${colsPerThread}`);
    for (const size of sizes.slice(0, 2)) {
      const [plain] = await readAll([linear(size)]);
      for (const text of [...variants, 'tile 4 64', 'tile 8 37']) {
        gpu.tuned.set(productClass(plan(size)), text);
        const [got] = await readAll([linear(size)]);
        close(got as Float32Array, Float64Array.from(plain as Float32Array), 2e-6, `${size}: ${text}`);
      }
      gpu.tuned.clear();
    }
  });
});

it('takes what compiles sooner for a small product where that is no slower: with subgroups of four', ({
  onTestFinished,
}) => {
  const gpu = device.current;
  const operand = { along: 'inner', four: true } as const;
  const rowsOf = (sharedThreads: 4 | 8, rows: number) => {
    const profile = { ...profileOf(gpu.adapter, true, true), sharedThreads };
    vi.spyOn(gpu, 'profile', 'get').mockReturnValue(profile);
    const variant = chooseVariant(gpu, {
      ...{ rows, cols: 64, inner: 64, batch: 1, a: operand, b: { ...operand, along: 'outer' }, dtype: 'f32' },
    });
    return variant.kind === 'subgroup' && variant.rowsPerThread;
  };
  onTestFinished(() => void vi.restoreAllMocks());
  expect([rowsOf(4, 1024), rowsOf(4, 1056), rowsOf(8, 1024)]).toEqual([16, 32, 32]);
});

it.each([
  ['subgroups of 8: two steps of the inner axis a turn', 8, { subgroupShuffle: 32 * 2, quadSwap: 0 }],
  // Three turns of each of the 8 registers of a.
  ['subgroups of 4: quads that are turned', 4, { subgroupShuffle: 0, quadSwap: 8 * 3 }],
] as const)(
  '%s, and nothing is broadcast, which is most of what there is to compile',
  async (_, sharedThreads, counts) => {
    const like = { profile: { ...device.current.profile, sharedThreads } } as Device;
    for (const along of ['inner', 'outer'] as const) {
      const lies = { along, four: true };
      const shape: Product = { rows: 64, cols: 64, inner: 64, batch: 1, a: lies, b: lies, dtype: 'f32' };
      const variant = { kind: 'subgroup', rowsPerThread: 32, colsPerThread: 4 } as const;
      const { wgsl } = kernelOf(like, variant, shape, { four: true });
      const code = typeof wgsl === 'string' ? wgsl : await wgsl();
      const count = (word: string) => code.split(word).length - 1;
      for (const [word, times] of Object.entries({ ...counts, subgroupBroadcast: 0 })) expect(count(word)).toBe(times);
    }
  },
);

it('is kept for later runs on the same adapter', async () => {
  const work = `test ${Math.random()}`;
  using first = await openDevice({ notice: null });
  first.tuned.set(work, 'tile 4 1');
  await saveTuning(first);
  using second = await openDevice({ notice: null });
  expect(second.tuned.get(work)).toBe('tile 4 1');
  second.tuned.delete(work);
  await saveTuning(second);
  using third = await openDevice({ notice: null });
  expect(third.tuned.has(work)).toBe(false);
});

it('is left out where it is damaged', async () => {
  const work = `test ${Math.random()}`;
  using first = await openDevice({ notice: null });
  first.tuned.set(work, 7 as unknown as string);
  await saveTuning(first);
  using second = await openDevice({ notice: null });
  expect(second.tuned.has(work)).toBe(false);
  await saveTuning(second);
});
