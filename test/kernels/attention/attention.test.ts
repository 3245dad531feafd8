import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { attention, crossAttention, qkvAttention } from '../../../src/kernels/attention/attention.ts';
import { cast } from '../../../src/kernels/elementwise/cast.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { checkOp, type Ref, ref } from '../../support/check-op.ts';
import { asOnGpu, useDevice } from '../../support/device.ts';

const device = useDevice();

/** Softmax of the scores of one query, then the sum of the values with these weights; heads one after the other. */
function reference(
  [q, k, v]: readonly Ref[],
  { scale, causal = false, mask }: { scale?: number; causal?: boolean | 'end'; mask?: Float64Array } = {},
): Ref {
  const [images, heads, queries, width] = q!.shape as [number, number, number, number];
  const keys = k!.shape[2]!;
  const [qs, ks, vs, y] = [q!.data, k!.data, v!.data, new Float64Array(q!.data.length)];
  const weights = new Float64Array(keys);
  for (let head = 0; head < images * heads; head++) {
    const first = head * keys * width;
    for (let i = 0; i < queries; i++) {
      const own = (head * queries + i) * width;
      const seen = causal ? Math.min(keys, i + (causal === 'end' ? keys - queries : 0) + 1) : keys;
      let top = Number.NEGATIVE_INFINITY;
      for (let j = 0; j < seen; j++) {
        let score = 0;
        for (let d = 0; d < width; d++) score += qs[own + d]! * ks[first + j * width + d]!;
        weights[j] = score * (scale ?? width ** -0.5) + (mask ? mask[(head * queries + i) * keys + j]! : 0);
        top = Math.max(top, weights[j]!);
      }
      let total = 0;
      for (let j = 0; j < seen; j++) total += weights[j] = Math.exp(weights[j]! - top);
      for (let j = 0; j < seen; j++) {
        for (let d = 0; d < width; d++) y[own + d]! += (weights[j]! / total) * vs[first + j * width + d]!;
      }
    }
  }
  return { shape: q!.shape, data: y };
}

/** Rows `[B, N, C]`, taken from column `start` of `x [B, N, *]`, as heads `[B, H, N, D]`. */
function toHeads(x: Ref, heads: number, start = 0, channels = x.shape[2]!): Ref {
  const [images, rows, all] = x.shape as [number, number, number];
  const width = channels / heads;
  const data = new Float64Array(images * rows * channels);
  let at = 0;
  for (let b = 0; b < images; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < rows; i++)
        for (let d = 0; d < width; d++) data[at++] = x.data[(b * rows + i) * all + start + h * width + d]!;
  return { shape: [images, heads, rows, width], data };
}

function fromHeads(x: Ref): Ref {
  const [images, heads, rows, width] = x.shape as [number, number, number, number];
  const data = new Float64Array(x.data.length);
  let at = 0;
  for (let b = 0; b < images; b++)
    for (let i = 0; i < rows; i++)
      for (let h = 0; h < heads; h++)
        for (let d = 0; d < width; d++) data[at++] = x.data[((b * heads + h) * rows + i) * width + d]!;
  return { shape: [images, rows, heads * width], data };
}

/** Shapes of q, k and v from B, H, N, M and D. */
const shapes = (b: number, h: number, n: number, m: number, d: number) => [
  [b, h, n, d],
  [b, h, m, d],
  [b, h, m, d],
];

const tolerance = { forward: 2e-6, gradient: 2e-5 };

checkOp('attention', (q, k, v) => attention(q!, k!, v!), {
  reference: (inputs) => reference(inputs),
  cases: [
    shapes(1, 1, 1, 1, 1),
    shapes(2, 2, 5, 4, 4),
    shapes(1, 3, 2, 7, 5),
    shapes(1, 2, 33, 65, 9),
    shapes(1, 1, 70, 1, 3),
    shapes(1, 1, 1, 100, 64),
    shapes(1, 1, 40, 33, 128),
    shapes(1, 1, 97, 130, 17),
    // As 100: a block of keys takes more than one load, and the last is not full.
    shapes(1, 1, 17, 9, 20),
    shapes(2, 1, 26, 26, 32),
    shapes(1, 2, 26, 65, 12),
    // On SwiftShader an invocation has two rows from a million multiply-adds of scores on.
    shapes(8, 2, 90, 91, 8),
    shapes(1, 2, 0, 3, 4),
    shapes(0, 2, 3, 3, 4),
    shapes(1, 2, 0, 0, 4),
  ],
  tolerance,
});

checkOp('causal attention', (q, k, v) => attention(q!, k!, v!, { causal: true, scale: 0.3 }), {
  reference: (inputs) => reference(inputs, { causal: true, scale: 0.3 }),
  cases: [
    shapes(2, 1, 6, 6, 3),
    shapes(1, 2, 77, 77, 8),
    shapes(8, 2, 91, 90, 8),
    shapes(1, 1, 33, 70, 4),
    shapes(1, 1, 70, 33, 4),
    shapes(1, 1, 1, 3, 4),
  ],
  tolerance,
});

// Scores of several thousand, in both directions; the largest weight takes all but a little.
checkOp('attention whose last query sees all keys', (q, k, v) => attention(q!, k!, v!, { causal: 'end' }), {
  reference: (inputs) => reference(inputs, { causal: 'end' }),
  cases: [shapes(1, 1, 1, 9, 4), shapes(2, 2, 5, 8, 4), shapes(1, 2, 33, 70, 8), shapes(1, 1, 20, 20, 6)],
  tolerance,
});

/** Each head of k and v, once for every head of q that it serves. */
const repeated = (x: Ref, each: number): Ref => {
  const [images, heads, length, width] = x.shape as [number, number, number, number];
  const head = length * width;
  const data = Array.from({ length: images * heads * each }, (_, n) =>
    Array.from(x.data.subarray(Math.floor(n / each) * head, (Math.floor(n / each) + 1) * head)),
  );
  return ref([images, heads * each, length, width], data.flat());
};
const grouped = (queries: number, keys: number, width: number) => [
  [2, 6, queries, width],
  [2, 2, keys, width],
  [2, 2, keys, width],
];
const groupedCheck = {
  reference: ([q, k, v]: readonly Ref[]) =>
    reference([q as Ref, repeated(k as Ref, 3), repeated(v as Ref, 3)], { causal: 'end' }),
  cases: [grouped(1, 9, 4), grouped(5, 7, 8), grouped(3, 3, 5)],
  tolerance,
};
checkOp('attention of grouped queries', (q, k, v) => attention(q!, k!, v!, { causal: 'end' }), groupedCheck);

const hidden = (keys: number) =>
  tensor(
    device.current,
    Uint32Array.from({ length: keys }, (_, i) => Number(i % 3 !== 1)),
  );
/** On CPUs few scores are stored; elsewhere those of more than 16 queries are not. */
const checkMasks = (isGpu: boolean) => {
  const ofMany = (cases: number[][][]) => cases.filter(([q]) => !isGpu || q![2]! > 16);
  checkOp('attention with a mask that is added', (q, k, v, mask) => attention(q!, k!, v!, { mask }), {
    reference: ([q, k, v, mask]) => {
      const [images, heads, queries] = q!.shape as [number, number, number];
      const keys = k!.shape[2] as number;
      const full = Float64Array.from({ length: images * heads * queries * keys }, (_, i) => {
        const head = Math.floor(i / (queries * keys)) % heads;
        return mask!.data[head * queries * keys + (i % (queries * keys))] as number;
      });
      return reference([q!, k!, v!], { mask: full });
    },
    // The second takes more than one tile, and rows of the mask that end within a vec4.
    cases: ofMany([
      [...shapes(2, 3, 5, 7, 4), [3, 5, 7]],
      [...shapes(1, 2, 37, 35, 4), [2, 37, 35]],
    ]),
    tolerance,
  });
  checkOp(
    'attention with a mask of keys',
    (q, k, v) => attention(q!, k!, v!, { causal: true, mask: hidden(k!.shape[2]!) }),
    {
      reference: ([q, k, v]) => {
        const keys = k!.shape[2] as number;
        const mask = Float64Array.from({ length: size(q!.shape.slice(0, 3)) * keys }, (_, i) =>
          (i % keys) % 3 === 1 ? -1e30 : 0,
        );
        return reference([q!, k!, v!], { mask, causal: true });
      },
      cases: ofMany([shapes(2, 2, 5, 7, 4), shapes(2, 2, 34, 36, 4)]),
      tolerance,
    },
  );
  // Two images, whose masks differ; three heads of queries share one of keys; the last queries see all keys.
  checkOp(
    'attention of grouped queries with a mask of each image',
    (q, k, v, mask) => attention(q!, k!, v!, { causal: 'end', mask: mask! }),
    {
      reference: ([q, k, v, mask]) => {
        const [, heads, queries] = q!.shape as [number, number, number];
        const keys = k!.shape[2] as number;
        const full = Float64Array.from({ length: 2 * heads * queries * keys }, (_, i) => {
          const image = Math.floor(i / (heads * queries * keys));
          return mask!.data[image * keys + (i % keys)] as number;
        });
        return reference([q!, repeated(k!, 3), repeated(v!, 3)], { causal: 'end', mask: full });
      },
      cases: [[...grouped(20, 27, 4), [2, 1, 1, 27]]],
      tolerance,
    },
  );
};
checkMasks(false);
checkOp('attention of wide heads', (q, k, v) => attention(q!, k!, v!, { causal: 'end' }), {
  reference: (inputs) => reference(inputs, { causal: 'end' }),
  cases: [shapes(1, 2, 3, 5, 130)],
  tolerance,
});
checkOp('qkvAttention with a mask', (qkv) => qkvAttention(qkv!, 2, { mask: hidden(qkv!.shape[1]!) }), {
  reference: ([qkv]) => {
    const channels = qkv!.shape[2]! / 3;
    const parts = [0, 1, 2].map((n) => toHeads(qkv!, 2, n * channels, channels));
    const rows = qkv!.shape[1] as number;
    const mask = Float64Array.from({ length: 2 * 2 * rows * rows }, (_, i) => ((i % rows) % 3 === 1 ? -1e30 : 0));
    return fromHeads(reference(parts, { mask }));
  },
  cases: [[[2, 4, 18]], [[2, 20, 24]]],
  tolerance,
});
checkOp('crossAttention, causal to the end', (q, k, v) => crossAttention(q!, k!, v!, 2, { causal: 'end' }), {
  reference: ([q, k, v]) =>
    fromHeads(
      reference(
        [q!, k!, v!].map((x) => toHeads(x, 2)),
        { causal: 'end' },
      ),
    ),
  cases: [
    [
      [2, 3, 8],
      [2, 5, 8],
      [2, 5, 8],
    ],
  ],
  tolerance,
});

checkOp('attention of large scores', (q, k, v) => attention(q!, k!, v!, { scale: 1 }), {
  reference: (inputs) => reference(inputs, { scale: 1 }),
  values: (input, i, random) => (input === 2 ? random() : input === 1 ? 100 + (i % 7) / 64 : 20 - (i % 3)),
  cases: [shapes(1, 2, 6, 6, 4), shapes(1, 1, 40, 40, 2)],
  constant: [0, 1],
  tolerance,
});

// Adapters without f16 do the same in f32. Values and results are rounded to 11 bits, sums are not.
checkOp(
  'attention of f16',
  (...inputs) => {
    if (!device.current.features.has('shader-f16')) return attention(inputs[0]!, inputs[1]!, inputs[2]!);
    const [q, k, v] = inputs.map((x) => cast(x, 'f16'));
    return cast(attention(q!, k!, v!), 'f32');
  },
  {
    reference: (inputs) => reference(inputs),
    cases: [shapes(1, 2, 33, 40, 16), shapes(1, 1, 20, 20, 5)],
    tolerance: { forward: 1e-3, gradient: 4e-3 },
  },
);

for (const causal of [false, true]) {
  for (const heads of [1, 3]) {
    checkOp(`qkvAttention, ${heads} heads${causal ? ', causal' : ''}`, (qkv) => qkvAttention(qkv!, heads, { causal }), {
      reference: ([qkv]) => {
        const channels = qkv!.shape[2]! / 3;
        const parts = [0, 1, 2].map((n) => toHeads(qkv!, heads, n * channels, channels));
        return fromHeads(reference(parts, { causal }));
      },
      cases: [
        [[1, 1, 9 * heads]],
        [[2, 35, 15 * heads]],
        [[2, 37, 24 * heads]],
        [[0, 3, 3 * heads]],
        [[2, 0, 3 * heads]],
      ],
      tolerance,
    });
  }
}

checkOp('crossAttention', (q, k, v) => crossAttention(q!, k!, v!, 2, { scale: 0.5 }), {
  reference: (inputs) =>
    fromHeads(
      reference(
        inputs.map((x) => toHeads(x, 2)),
        { scale: 0.5 },
      ),
    ),
  cases: [
    [
      [2, 8, 12],
      [2, 37, 12],
      [2, 37, 12],
    ],
    [
      [1, 1, 2],
      [1, 1, 2],
      [1, 1, 2],
    ],
  ],
  tolerance,
});

const ones = (...shape: number[]) => tensor(device.current, new Float32Array(size(shape)).fill(1), shape);

const seesNothing = async (n: number) => {
  // Every other query sees the first key alone.
  const x = ones(1, 1, n, 4);
  const sees = Uint32Array.from({ length: n * n }, (_, i) => Number(i % n === 0 && Math.floor(i / n) % 2 === 1));
  const added = Float32Array.from(sees, (one) => (one === 1 ? 0 : Number.NEGATIVE_INFINITY));
  for (const mask of [tensor(device.current, sees, [n, n]), tensor(device.current, added, [n, n])]) {
    const y = attention(x, x, x, { mask });
    const [values, dx] = await readAll([y, ...gradients(y, [x], x)]);
    expect([...(values as Float32Array)]).toEqual(Array.from({ length: 4 * n }, (_, i) => (i >> 2) % 2));
    expect((dx as Float32Array).every(Number.isFinite)).toBe(true);
  }
};

describe('attention', () => {
  it('gives zeros for a query that sees no key', () => seesNothing(2));

  it('weighs values as its example says', async () => {
    const q = tensor(device.current, [1, 0], [1, 1, 1, 2]);
    const k = tensor(device.current, [1, 0, 0, 1], [1, 1, 2, 2]);
    const v = tensor(device.current, [1, 2, 3, 4], [1, 1, 2, 2]);
    const y = await read(attention(q, k, v, { scale: Math.log(3) }));
    expect([...y].map((value) => value.toFixed(5))).toEqual(['1.50000', '2.50000']);
  });

  it('refuses a mask that does not broadcast', () => {
    const x = ones(1, 2, 20, 4);
    expect(() => attention(x, x, x, { mask: ones(3, 20, 20) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: attention: the mask must broadcast to [B, H, N, M]; got q [1, 2, 20, 4], k [1, 2, 20, 4], v [1, 2, 20, 4], mask [3, 20, 20]]`,
    );
    expect(() => crossAttention(ones(1, 2, 4), ones(1, 2, 4), ones(1, 2, 4), 2, { mask: ones(1, 1, 1, 2, 2) })).toThrow(
      'crossAttention: the mask must broadcast to [B, H, N, M]; got q [1, 2, 4], k [1, 2, 4], v [1, 2, 4], mask [1, 1, 1, 2, 2]',
    );
  });

  it('takes the same tensor three times', async () => {
    const x = ones(1, 1, 3, 4);
    const y = attention(x, x, x);
    const [values, dx] = await readAll([y, gradients(y, [x], ones(1, 1, 3, 4))[0] as Tensor]);
    expect([...values!].every((value) => Math.abs(value - 1) < 1e-6)).toBe(true);
    expect([...dx!].every((value) => Math.abs(value - 1) < 1e-6)).toBe(true);
  });

  it('writes every gradient in the launch that binds it', async () => {
    for (const causal of [false, true]) {
      using made = await step(
        device.current,
        { qkv: [2, 40, 24] },
        ({ qkv }) => gradients(qkvAttention(qkv, 2, { causal }), [qkv], ones(2, 40, 8)),
        { check: true },
      );
      await readAll(made({ qkv: Float32Array.from({ length: 2 * 40 * 24 }, (_, i) => Math.sin(i)) }));
      using apart = await step(
        device.current,
        { q: [1, 2, 40, 8], k: [1, 2, 70, 8] },
        ({ q, k }) => gradients(attention(q, k, k, { causal }), [q, k], ones(1, 2, 40, 8)),
        { check: true },
      );
      await readAll(apart({ q: new Float32Array(640).fill(1), k: new Float32Array(1120).fill(1) }));
    }
  });

  // On SwiftShader an invocation has more rows the more multiply-adds of scores there are: 17 million here, and 2 million an image.
  it.each([false, true])('gives an image what it gives it alone (causal: %s)', async (causal) => {
    const [images, length, all] = [8, 182, 192];
    const values = Float32Array.from({ length: images * length * all }, (_, i) => Math.sin(i * i));
    const of = async (qkv: Float32Array, count: number) => {
      const x = tensor(device.current, qkv, [count, length, all]);
      const y = qkvAttention(x, 4, { causal });
      const dy = tensor(device.current, qkv.subarray(0, count * length * 64).slice(), [count, length, 64]);
      return readAll([y, gradients(y, [x], dy)[0]]);
    };
    const [y, dx] = await of(values, images);
    const [y0, dx0] = await of(values.slice(0, length * all), 1);
    expect(y!.slice(0, y0!.length)).toEqual(y0);
    expect(dx!.slice(0, dx0!.length)).toEqual(dx0);
  });

  it('needs two launches for all gradients', async () => {
    using made = await step(device.current, { qkv: [1, 4, 24] }, ({ qkv }) =>
      gradients(qkvAttention(qkv, 2), [qkv], ones(1, 4, 8)),
    );
    expect(made.launches.map((launch) => launch.label)).toEqual([
      'attention',
      'attention backward rows',
      'attention backward',
    ]);
  });

  it('refuses what does not fit', () => {
    expect(() => attention(ones(2, 3, 4), ones(2, 3, 4), ones(2, 3, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: attention: q must be [B, H, N, D], k and v [B, G, M, D]; got q [2, 3, 4], k [2, 3, 4], v [2, 3, 4]]`,
    );
    expect(() => attention(ones(1, 1, 2, 4), ones(1, 1, 2, 4), ones(1, 1, 3, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: attention: q must be [B, H, N, D], k and v [B, G, M, D]; got q [1, 1, 2, 4], k [1, 1, 2, 4], v [1, 1, 3, 4]]`,
    );
    expect(() => attention(ones(1, 1, 2, 4), ones(1, 1, 0, 4), ones(1, 1, 0, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: attention: queries need at least one key; got q [1, 1, 2, 4], k [1, 1, 0, 4], v [1, 1, 0, 4]]`,
    );
    const x = ones(1, 4, 3, 4);
    expect(() => attention(x, ones(1, 3, 3, 4), ones(1, 3, 3, 4))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: attention: the heads of k must divide those of q (3 and 4); got q [1, 4, 3, 4], k [1, 3, 3, 4], v [1, 3, 3, 4]]`,
    );
    expect(() =>
      attention(x, ones(1, 4, 2, 4), ones(1, 4, 2, 4), { causal: 'end' }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: attention: with causal 'end' there must be as many keys as queries, or more; got q [1, 4, 3, 4], k [1, 4, 2, 4], v [1, 4, 2, 4]]`,
    );
    expect(() => attention(x, x, x, { causal: 1 as never })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: attention: causal must be true, false or 'end'; it is the number 1]`,
    );
    for (const wrong of [ones(2, 3), ones(2, 4, 3, 3), ones(1, 1, 4, 3, 3)]) {
      expect(() => attention(x, x, x, { mask: wrong })).toThrow(
        /attention: (the mask must broadcast|axes must be equal)|add: axes must be equal/,
      );
    }
    expect(() => qkvAttention(ones(1, 2, 12), 3)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: qkvAttention: qkv must be [B, N, 3 C], with C a multiple of 3 heads; got qkv [1, 2, 12]]`,
    );
    expect(() => qkvAttention(ones(1, 2, 0), 3)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: qkvAttention: a head must be at least 1 wide, not 0; got qkv [1, 2, 0]]`,
    );
    expect(() => crossAttention(ones(1, 2, 4), ones(2, 2, 4), ones(2, 2, 4), 2)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossAttention: q must be [B, N, C], k and v [B, M, C]; got q [1, 2, 4], k [2, 2, 4], v [2, 2, 4]]`,
    );
    expect(() => crossAttention(ones(1, 2, 4), ones(1, 2, 4), ones(1, 2, 4), 3)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: crossAttention: C must be a multiple of 3 heads; got q [1, 2, 4], k [1, 2, 4], v [1, 2, 4]]`,
    );
  });
});

// The adapters of this suite compute on the CPU: with subgroups they have a form of their own for rows of whole vec4f.
describe('as on a GPU', () => {
  beforeAll(() => void asOnGpu(device.current));
  afterAll(() => void vi.restoreAllMocks());
  checkMasks(true);
  it('gives zeros for a query that sees no key', () => seesNothing(40));

  it('stores no scores for a mask that is broadcast, whose own gradient alone does', async () => {
    const n = 256;
    const bytes = async (wanted: (x: Tensor, mask: Tensor) => Tensor[]) => {
      using made = await step(device.current, { x: [1, 4, n, 4], mask: [n] }, ({ x, mask }) => {
        return gradients(attention(x, x, x, { mask }), wanted(x, mask), x);
      });
      return made.memory.planned;
    };
    expect(await bytes((x) => [x])).toBeLessThan(4 * n * n);
    expect(await bytes((_, mask) => [mask])).toBeGreaterThan(4 * 4 * n * n);
  });
  for (const causal of [false, true, 'end'] as const) {
    checkOp(`attention, causal: ${causal}`, (q, k, v) => attention(q!, k!, v!, { causal }), {
      reference: (inputs) => reference(inputs, { causal }),
      cases: [
        shapes(2, 2, 4, 5, 4),
        shapes(1, 1, 33, 40, 64),
        // Rows that are no vec4s; and so many heads that a thread takes eight queries.
        shapes(1, 2, 5, 6, 7),
        shapes(64, 4, 3, 5, 4),
        causal === 'end' ? shapes(1, 1, 33, 70, 12) : shapes(1, 1, 70, 33, 12),
      ],
      tolerance,
    });
  }
  checkOp('attention of grouped queries', (q, k, v) => attention(q!, k!, v!, { causal: 'end' }), groupedCheck);
  checkOp('qkvAttention', (qkv) => qkvAttention(qkv!, 2), {
    reference: ([qkv]) => {
      const parts = [0, 1, 2].map((n) => toHeads(qkv!, 2, n * 16, 16));
      return fromHeads(reference(parts));
    },
    cases: [[[2, 37, 48]]],
    tolerance,
  });
});
