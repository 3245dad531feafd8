import { describe, expect, it } from 'vitest';
import { rotaryTable } from '../../../src/kernels/attention/rotary.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { KeyValueCache } from '../../../src/nn/layers/key-value-cache.ts';
import { freeParameters, parameters } from '../../../src/nn/layers/module.ts';
import { MultiHeadAttention, type MultiHeadAttentionOptions } from '../../../src/nn/layers/multi-head-attention.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { run, step } from '../../../src/tensor/run/step.ts';
import { size } from '../../../src/tensor/values/shape.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const weights = () => newWeights(device.current, 1);
const values = (count: number, seed = count) => {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, () => normal(random));
};
const floats = (...shape: number[]) => tensor(device.current, values(size(shape)), shape);
const u32 = (values: number[], shape?: number[]) => tensor(device.current, values, shape ?? [values.length], 'u32');

const [C, heads, kvHeads, D] = [12, 3, 1, 4];
const made = (options: MultiHeadAttentionOptions = {}) => {
  const layer = new MultiHeadAttention(weights(), C, heads, options);
  Object.assign(layer, { in_proj_bias: floats(C + 2 * layer.kvHeads * D) });
  return layer;
};

interface How {
  /** Of queries and of keys; without it nothing is turned. */
  readonly base?: number;
  /** How many positions a row sees, its own with them. Default: all up to its own. */
  readonly window?: number;
  readonly seesAll?: boolean;
}

/** One sequence `x [N, C]` attends to `context [M, C]`, in float64. */
async function reference(
  layer: MultiHeadAttention,
  x: Float32Array,
  context: Float32Array,
  { base, window = Number.POSITIVE_INFINITY, seesAll = false }: How = {},
): Promise<Float64Array> {
  const [w, b, w2, b2] = (await readAll([
    layer.in_proj_weight,
    layer.in_proj_bias as Tensor,
    layer.out_proj.weight,
    layer.out_proj.bias as Tensor,
  ])) as Float32Array[];
  const project = (x: ArrayLike<number>, row: number, o: number, weight: Float32Array, bias: Float32Array) => {
    let y = bias[o]!;
    for (let c = 0; c < C; c++) y += x[row * C + c]! * weight[o * C + c]!;
    return y;
  };
  // Rows of one head; turned by the position, halves against each other.
  const head = (x: Float32Array, first: number, turn?: number) =>
    Array.from({ length: x.length / C }, (_, row) => {
      const y = Array.from({ length: D }, (_, d) => project(x, row, first + d, w!, b!));
      if (turn === undefined) return y;
      return y.map((one, d) => {
        const angle = row * turn ** (-(d % (D / 2)) / (D / 2));
        const other = y[(d + D / 2) % D]! * (d < D / 2 ? -1 : 1);
        return one * Math.cos(angle) + other * Math.sin(angle);
      });
    });
  const count = x.length / C;
  const joined = new Float64Array(count * C);
  for (let h = 0; h < heads; h++) {
    const shared = Math.floor(h / (heads / layer.kvHeads)) * D;
    const q = head(x, h * D, base);
    const k = head(context, C + shared, base);
    const v = head(context, C + layer.kvHeads * D + shared);
    for (let n = 0; n < count; n++) {
      const isSeen = (_: unknown, m: number) => seesAll || (m <= n && n - m < window);
      const e = k.map((row) => Math.exp(row.reduce((a, one, d) => a + one * q[n]![d]!, 0) / Math.sqrt(D)));
      const total = e.filter(isSeen).reduce((a, one) => a + one, 0);
      for (let d = 0; d < D; d++) {
        joined[n * C + h * D + d] =
          v.filter(isSeen).reduce((a, row, i) => a + e.filter(isSeen)[i]! * row[d]!, 0) / total;
      }
    }
  }
  return Float64Array.from({ length: count * C }, (_, i) => project(joined, Math.floor(i / C), i % C, w2!, b2!));
}

describe('MultiHeadAttention', () => {
  it('shares keys among heads and turns them by their positions', async () => {
    const layer = made({ kvHeads, rotary: rotaryTable(device.current, 9, D, 50) });
    expect(parameters(layer).get('in_proj_weight')?.shape).toEqual([20, 12]);
    const x = floats(1, 6, C);
    const y = layer.forward(x, { causal: true });
    const own = (await read(x)) as Float32Array;
    close(await read(y), await reference(layer, own, own, { base: 50 }), 3e-6, 'y');
    // Scores know differences of positions only.
    const later = layer.forward(x, { causal: true, positions: u32([3, 4, 5, 6, 7, 8]) });
    close(await read(later), await read(y), 3e-6, 'later');
  });

  it('shares keys of a context, and has its gradients', async () => {
    const layer = made({ kvHeads });
    const [x, context] = [floats(1, 3, C), floats(1, 5, C)];
    const y = layer.forward(x, { context });
    const [xs, cs] = (await readAll([x, context])) as Float32Array[];
    close(await read(y), await reference(layer, xs!, cs!, { seesAll: true }), 3e-6, 'y');
    const dy = floats(1, 3, C);
    const grads = await readAll(gradients(y, [x, context], dy));
    // By differences of the reference, at some places.
    const loss = async (xs: Float32Array, cs: Float32Array) => {
      const y = await reference(layer, xs, cs, { seesAll: true });
      const weight = (await read(dy)) as Float32Array;
      return y.reduce((a, one, i) => a + one * weight[i]!, 0);
    };
    for (const [which, at] of [
      [0, 4],
      [0, 35],
      [1, 0],
      [1, 33],
    ] as const) {
      const moved = (by: number) => {
        const inputs = [xs!.slice(), cs!.slice()] as const;
        inputs[which][at]! += by;
        return inputs;
      };
      const difference = ((await loss(...moved(1 / 64))) - (await loss(...moved(-1 / 64)))) * 32;
      expect(Math.abs(difference - grads[which]![at]!)).toBeLessThan(1e-3);
    }
    const [lastRow] = [layer.forward(context, { causal: true })];
    close(await read(layer.forward(context, { context, causal: 'end' })), await read(lastRow), 3e-6, 'to the end');
  });

  it('goes on from a cache by one step for all positions, to the values of the whole pass, of the last L positions', async () => {
    const layer = made({ kvHeads, rotary: rotaryTable(device.current, 16, D, 50) });
    const [B, L, T] = [2, 5, 12];
    const cache = layer.cache(B, L);
    const inputs = { x: [B, 1, C], position: { shape: [], dtype: 'u32' } } as const;
    using next = await step(device.current, inputs, ({ x, position }) => layer.forward(x, { cache, position }));
    // Twice: what is left of the first time is not seen in the second.
    for (const seed of [1, 2]) {
      const x = values(B * T * C, seed);
      const sequence = (b: number) => x.slice(b * T * C, (b + 1) * T * C);
      const got: number[][] = [[], []];
      for (let t = 0; t < T; t++) {
        const token = Float32Array.from({ length: B * C }, (_, i) => x[(Math.floor(i / C) * T + t) * C + (i % C)]!);
        const y = await read(next({ x: token, position: t }));
        got.forEach((rows, b) => void rows.push(...y.subarray(b * C, (b + 1) * C)));
      }
      for (const [b, rows] of got.entries()) {
        const want = await reference(layer, sequence(b), sequence(b), { base: 50, window: L });
        close(rows, want, 3e-6, `sequence ${b}`);
      }
    }
    freeParameters(cache);
  });

  it('fills a cache with several rows at once, at a position of each sequence', async () => {
    const layer = made();
    const cache = layer.cache(2, 8);
    const x = values(2 * 7 * C);
    const rows = (b: number, from: number, to: number) => x.slice((b * 7 + from) * C, (b * 7 + to) * C);
    const two = (first: Float32Array, second: Float32Array) => Float32Array.of(...first, ...second);
    const begin = (values: Float32Array, position: Tensor | number) =>
      run(device.current, () =>
        layer.forward(tensor(device.current, values, [2, values.length / 2 / C, C]), { cache, position }),
      );
    // The first sequence has four rows, the second two: it takes two again, at their place.
    const first = (await begin(two(rows(0, 0, 4), rows(1, 0, 4)), 0)) as unknown as Float32Array;
    const second = (await begin(two(rows(0, 4, 7), rows(1, 2, 5)), u32([4, 2]))) as unknown as Float32Array;
    const want = await Promise.all(
      [0, 1].map((b) => reference(layer, x.slice(b * 7 * C, (b + 1) * 7 * C), x.slice(b * 7 * C, (b + 1) * 7 * C))),
    );
    close(first, [...want[0]!.subarray(0, 4 * C), ...want[1]!.subarray(0, 4 * C)], 3e-6, 'first');
    close(second, [...want[0]!.subarray(4 * C), ...want[1]!.subarray(2 * C, 5 * C)], 3e-6, 'second');
    freeParameters(cache);
  });

  it('says what does not go together', () => {
    const layer = made({ rotary: rotaryTable(device.current, 4, D) });
    const cache = layer.cache(1, 4);
    const x = floats(1, 2, C);
    const message = (call: () => unknown) => {
      try {
        call();
      } catch (error) {
        return String(error);
      }
      return 'nothing';
    };
    expect([
      message(() => made({ kvHeads: 2 })),
      message(() => layer.forward(x, { context: x })),
      message(() => made().forward(x, { context: x, cache, position: 0 })),
      message(() => layer.forward(x, { cache })),
      message(() => layer.forward(x, { position: 0 })),
      message(() => layer.forward(x, { cache, position: 0, causal: true })),
      message(() => made().forward(x, { positions: u32([0, 1]) })),
      message(() => layer.forward(floats(2, 2, C), { cache, position: 0 })),
      message(() => layer.forward(floats(1, 5, C), { cache, position: 0 })),
      message(() => layer.forward(x, { cache, position: tensor(device.current, [0]) })),
      message(() => layer.forward(x, { cache, position: u32([0, 0]) })),
      message(() => layer.forward(x, { cache, position: 0 })),
      message(() => layer.forward(x, { caches: cache } as object)),
      message(() => new KeyValueCache(device.current, { batch: 1, heads: 0, length: 4, width: 4 })),
      message(() => new KeyValueCache(device.current, { batch: 1, heads: 3, length: 4, width: 4 }, 'f16').put(x, x, x)),
    ]).toMatchInlineSnapshot(`
      [
        "ShapeError: MultiHeadAttention: kvHeads must divide the heads (2 and 3)",
        "ArgumentError: MultiHeadAttention: rotary positions and a context exclude each other",
        "ArgumentError: MultiHeadAttention: a cache and a context exclude each other",
        "ArgumentError: MultiHeadAttention: with a cache, the position of the first row must be given",
        "ArgumentError: MultiHeadAttention: the position is that of a cache, which is missing",
        "ArgumentError: MultiHeadAttention: a cache says what rows see and where they are: no causal, mask or positions beside it",
        "ArgumentError: MultiHeadAttention: positions are those of a rotary table, which the layer does not have",
        "ShapeError: MultiHeadAttention: KeyValueCache: k and v must be [B, G, N, D], the cache [B, G, L, D]; got cache [1, 3, 4, 4], k [2, 3, 2, 4], v [2, 3, 2, 4], position [1]",
        "ShapeError: MultiHeadAttention: KeyValueCache: 5 rows do not fit into a cache of 4; got cache [1, 3, 4, 4], k [1, 3, 5, 4], v [1, 3, 5, 4], position [1]",
        "ShapeError: MultiHeadAttention: KeyValueCache: the position must be u32; it is f32; got position [1]",
        "ShapeError: MultiHeadAttention: rotaryEmbedding: positions must be [N], or [B, N] with the first axis of x; got x [1, 3, 2, 4], table [4, 4], positions [2, 2]",
        "StepError: MultiHeadAttention: cache-rows: writes a variable; call it inside step() or run()",
        "ShapeError: MultiHeadAttention: options come by name: { context, causal, mask, positions, cache, position }; there is no 'caches'",
        "ShapeError: KeyValueCache: heads must be a whole number above 0; it is 0",
        "ShapeError: KeyValueCache: k and v must be [B, G, N, D], the cache [B, G, L, D]; got cache [1, 3, 4, 4], k [1, 2, 12], v [1, 2, 12], position [1, 2, 12]",
      ]
    `);
    freeParameters(cache);
  });

  it('has no gradient through a cache, and says so', async () => {
    const layer = made();
    const cache = layer.cache(1, 4);
    await expect(
      step(device.current, { x: [1, 1, C] }, ({ x }) => gradients(layer.forward(x, { cache, position: 0 }), [x], x)),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: KeyValueCache: gradients do not flow through a cache; train with all tokens at once]`,
    );
    freeParameters(cache);
  });
});
