import { describe, expect, it } from 'vitest';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { interpolatePositions } from '../../../src/kernels/layout/resize.ts';
import { freeParameters, parameters } from '../../../src/nn/layers/module.ts';
import { resamplePositions, sinCosPositions } from '../../../src/nn/layers/position.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import type { StoredTensor } from '../../../src/nn/safetensors/index.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { resolveConfig, tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { Encoder } from '../../../src/zeroseg/model/encoder.ts';
import { initialNotes, initialWeights, positionTable } from '../../../src/zeroseg/model/pretrained-weights.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { close, normal, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const DIM = 8;

const numbers = (seed: number, n: number) => {
  const random = seeded(seed);
  return Float32Array.from({ length: n }, () => normal(random));
};
const stored = (name: string, shape: number[], data: Float32Array): [string, StoredTensor] => [
  name,
  { file: 'F', name, dtype: 'F32', shape, bytes: new Uint8Array(data.slice().buffer) },
];

/** A model of 4 × 4 patches, and the tensors of a whole encoder under our own names. */
const configOf = (positions: 'fixed' | 'learnt', image = 16) =>
  resolveConfig(
    {
      image,
      patch: 4,
      dim: DIM,
      depth: 0,
      heads: 1,
      seg_heads: 1,
      dec_dim: DIM,
      dec_heads: 1,
      dec_depth: 0,
      positions,
    },
    tinyConfig,
  );
const encoderTensors: [string, StoredTensor][] = [
  stored('encoder.cls_token', [1, 1, DIM], numbers(1, DIM)),
  stored('encoder.patch_embed.proj.weight', [DIM, 3, 4, 4], numbers(2, DIM * 48)),
  stored('encoder.patch_embed.proj.bias', [DIM], numbers(3, DIM)),
  stored('encoder.norm.weight', [DIM], numbers(4, DIM)),
  stored('encoder.norm.bias', [DIM], numbers(5, DIM)),
];

/** An encoder that begins with these, what it took, and what is said of the rest. */
function begin(file: ReadonlyMap<string, StoredTensor>, config = configOf('learnt')) {
  const [used, taken] = [new Set<string>(), new Set<string>()];
  const encoder = new Encoder(initialWeights(device.current, 0, file, 'F', used, taken).in('encoder'), config);
  const names = [...parameters(encoder).keys()].map((name) => `encoder.${name}`);
  return { encoder, notes: initialNotes(file, 'F', config, [...names, 'seg.norm.weight'], { used, taken }) };
}

describe('resampling on the host', () => {
  it.each([
    [2, 4],
    [4, 3],
    [7, 7],
    [3, 1],
    [1, 3],
    [14, 8],
  ])('from %i to %i as the op does', async (from, to) => {
    const table = numbers(from * 100 + to, from * from * DIM);
    const want = await read(interpolatePositions(tensor(device.current, table, [1, from * from, DIM]), to, to));
    close(resamplePositions(table, DIM, from, to), want, 1e-5, 'positions');
  });
});

describe('learnt position tables', () => {
  const names = [
    ['encoder.pos_embed', 3],
    ['pos_embed', 3],
    ['vit.embeddings.position_embeddings', 3],
    ['embeddings.position_embeddings', 3],
    ['vision_model.embeddings.position_embedding.weight', 2],
  ] as const;
  for (const [name, axes] of names) {
    for (const side of [4, 2, 7]) {
      for (const leading of [0, 1, 2]) {
        it(`${name} of ${side} × ${side} with ${leading} in front`, async () => {
          const rows = leading + side * side;
          // 1 + 2² and so on are no squares, so what lies in front can be told.
          const data = numbers(10 * side + leading, rows * DIM);
          const shape = axes === 3 ? [1, rows, DIM] : [rows, DIM];
          const { encoder, notes } = begin(new Map([...encoderTensors, stored(name, shape, data)]));
          const found = await read(encoder.pos_embed as Tensor);
          const patches = data.slice(leading * DIM);
          close(found.slice(0, DIM), leading > 0 ? data.slice(0, DIM) : new Float32Array(DIM), 0, 'class');
          const want = side === 4 ? patches : resamplePositions(patches, DIM, side, 4);
          close(found.slice(DIM), want, 0, 'patches');
          const resampled = side === 4 ? '' : ', resampled to 4 × 4';
          expect(await notes).toEqual([
            `positions: the encoder begins with the table '${name}' of F (${side} × ${side})${resampled}`,
            'new, not in F: seg.norm',
          ]);
          freeParameters(encoder);
        });
      }
    }
  }

  it('are said where they are not taken over', async () => {
    const file = new Map([...encoderTensors, stored('pos_embed', [1, 5, DIM], numbers(9, 5 * DIM))]);
    const { encoder, notes } = begin(file, configOf('fixed'));
    expect(encoder.pos_embed).toBeUndefined();
    expect(await notes).toMatchInlineSnapshot(`
      [
        "positions: the learnt table 'pos_embed' of F (2 × 2) is not taken over: the encoder's are fixed; --set positions=learnt takes it",
        "new, not in F: seg.norm",
      ]
    `);
    freeParameters(encoder);
  });

  it("are told from MAE's fixed ones, also in halves", async () => {
    const fixed = sinCosPositions(DIM, 3, 3, true);
    const table = (data: Float32Array) => positionTable(new Map([stored('pos_embed', [1, 10, DIM], data)]), 'F');
    expect(await table(fixed)).toMatchObject({ side: 3, isLearnt: false });
    expect((await table(fixed.map((v) => Math.round(v * 2048) / 2048)))?.isLearnt).toBe(false);
    expect((await table(fixed.map((v, i) => v + (i === 70 ? 0.01 : 0))))?.isLearnt).toBe(true);
    expect((await table(fixed.map((v, i) => v + (i === 3 ? 0.01 : 0))))?.isLearnt).toBe(true);
    const file = new Map([
      ...encoderTensors,
      stored('pos_embed', [1, 10, DIM], fixed),
      stored('head.weight', [3, 8], numbers(1, 24)),
    ]);
    const { encoder, notes } = begin(file, configOf('fixed'));
    expect(await notes).toMatchInlineSnapshot(`
      [
        "positions: the table 'pos_embed' of F (3 × 3) is that of fixed positions, which are computed here for 4 × 4",
        "not used of F: head.weight",
        "new, not in F: seg.norm",
      ]
    `);
    freeParameters(encoder);
  });

  it('of no square are refused', async () => {
    const bad = (shape: number[]) => () =>
      positionTable(new Map([stored('pos_embed', shape, new Float32Array(shape.reduce((a, b) => a * b)))]), 'F');
    for (const shape of [
      [1, 8, DIM],
      [2, 5, DIM],
      [1, 1, 5, DIM],
    ])
      await expect(bad(shape)(), String(shape)).rejects.toThrow(/positions are \[1, 1 \+ N, width\]/);
    const wide = new Map([...encoderTensors, stored('pos_embed', [1, 5, 12], numbers(9, 60))]);
    expect(() => begin(wide)).toThrow(/tensor 'pos_embed' is 12 wide/);
  });

  it('do what the fixed ones do, while they are those; every row of them matters, and learns', async () => {
    const [fixed, learnt] = (['fixed', 'learnt'] as const).map(
      (positions) =>
        new Encoder(newWeights(device.current, 3).in('encoder'), resolveConfig({ ...configOf(positions), depth: 1 })),
    ) as [Encoder, Encoder];
    const image = tensor(device.current, numbers(8, 3 * 256), [1, 3, 16, 16]);
    const [a, b] = [fixed, learnt].map((encoder) => encoder.forward(image, () => {})) as [Tensor, Tensor];
    close(await read(b), await read(a), 1e-6, 'latent');
    const [gradient] = gradients(
      b,
      [learnt.pos_embed as Tensor],
      tensor(device.current, numbers(6, 17 * DIM), [1, 17, DIM]),
    );
    const values = await read(gradient as Tensor);
    for (let row = 0; row < 17; row++) {
      expect(Math.max(...values.subarray(row * DIM, (row + 1) * DIM).map(Math.abs)), `row ${row}`).toBeGreaterThan(
        1e-4,
      );
    }
    freeParameters(fixed);
    freeParameters(learnt);
  });

  it('begins anew what other numbers of groups decide the shape of, and nothing else', async () => {
    const config = { ...configOf('fixed'), seg_depths: [0, 0, 0] };
    const groups = (output_groups: number[]) => resolveConfig({ group_tokens: [4, 2], output_groups }, config);
    const before = new ZeroSeg(newWeights(device.current, 1), groups([4, 2]));
    const file = new Map(
      await Promise.all(
        [...parameters(before)].map(async ([name, weight]) =>
          stored(name, [...weight.shape], (await read(weight)) as Float32Array),
        ),
      ),
    );
    const [used, taken] = [new Set<string>(), new Set<string>()];
    const after = new ZeroSeg(initialWeights(device.current, 2, file, 'F', used, taken), groups([4, 3]));
    const anew = [...file.keys()].filter((name) => !taken.has(name));
    expect(anew).toEqual(['weight', 'bias'].map((part) => `seg.stages.1.grouping.mlp_inter.fc2.${part}`));
    const of = async (model: ZeroSeg, name: string) => read(parameters(model).get(name) as Tensor);
    const kept = 'seg.stages.1.grouping.mlp_inter.fc1.weight';
    expect(await of(after, kept)).toEqual(await of(before, kept));
    freeParameters(before);
    freeParameters(after);
  });
});
