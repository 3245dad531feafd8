import { expect, it } from 'vitest';
import { freeParameters } from '../../../../src/nn/layers/module.ts';
import { newWeights } from '../../../../src/nn/layers/weights.ts';
import { tensor } from '../../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../../src/tensor/run/read.ts';
import { gridBoxes } from '../../../../src/zeroseg/image/grid-views.ts';
import { resolveConfig, tinyConfig } from '../../../../src/zeroseg/model/config.ts';
import type { ZeroSegConfig } from '../../../../src/zeroseg/model/config-groups.ts';
import { composition, viewCover } from '../../../../src/zeroseg/model/losses/composition.ts';
import { ZeroSeg } from '../../../../src/zeroseg/model/zeroseg.ts';
import { checkOp, type OpCase, type Ref, ref } from '../../../support/check-op.ts';
import { useDevice } from '../../../support/device.ts';

/** Place p of image b holds the kept row `(5 p + b) mod N`, if that is below n: 5 and the N of the cases have no common divisor. */
const places = (batch: number, patches: number) =>
  Uint32Array.from({ length: batch * patches }, (_, i) => (5 * (i % patches) + Math.floor(i / patches)) % patches);

interface Members {
  readonly by?: 'area' | 'root';
  /** Kept rows in the order of `places`, all in their own; and how many rows come before them. */
  readonly isShuffled?: boolean;
  readonly before?: number;
}

function reference(grids: readonly number[], patches: number, { by = 'area', isShuffled = true, before = 0 }: Members) {
  const side = Math.sqrt(patches);
  return ([first, second, segments, views]: readonly Ref[]): Ref => {
    const [batch = 0, middle = 0, kept = 0] = (first as Ref).shape;
    const [, groups = 0, width = 0] = (segments as Ref).shape;
    const boxes = grids.flatMap((k) => gridBoxes(k, [k]).map((box) => box.map((at) => (at * side) / k)));
    const ids = isShuffled
      ? places(batch, patches)
      : Uint32Array.from({ length: batch * patches }, (_, i) => i % patches);
    let [loss, weights] = [0, 0];
    for (let b = 0; b < batch; b++) {
      boxes.forEach(([x0 = 0, y0 = 0, x1 = 0, y1 = 0], j) => {
        const mass = new Float64Array(groups);
        for (let p = 0; p < patches; p++) {
          const row = before + (ids[b * patches + p] as number);
          if (row >= kept) continue;
          const [x, y] = [p % side, Math.floor(p / side)];
          const inside =
            Math.max(0, Math.min(x + 1, x1) - Math.max(x, x0)) * Math.max(0, Math.min(y + 1, y1) - Math.max(y, y0));
          for (let i = 0; i < groups; i++) {
            for (let m = 0; m < middle; m++) {
              const to = (second as Ref).data[(b * groups + i) * middle + m] as number;
              mass[i]! += inside * to * ((first as Ref).data[(b * middle + m) * kept + row] as number);
            }
          }
        }
        const all = mass.reduce((sum, value) => sum + value, 0);
        const counted = by === 'area' ? mass : mass.map((area) => Math.sqrt(area + 0.25) - 0.5);
        const whole = counted.reduce((sum, value) => sum + value, 1e-6);
        let distance = 0;
        for (let c = 0; c < width; c++) {
          let mixed = 0;
          for (let i = 0; i < groups; i++) {
            mixed +=
              ((counted[i] as number) / whole) * ((segments as Ref).data[(b * groups + i) * width + c] as number);
          }
          distance += (mixed - ((views as Ref).data[(b * boxes.length + j) * width + c] as number)) ** 2 / width;
        }
        const weight = Math.min(1, all);
        loss += weight * distance;
        weights += weight;
      });
    }
    return ref([], [loss / (weights + 1e-6)]);
  };
}

const values: OpCase['values'] = (input, _, random) => (input < 2 ? 0.05 + random() : 2 * random() - 1);

for (const [grids, patches, shapes] of [
  [
    [1],
    4,
    [
      [1, 2, 4],
      [1, 2, 2],
      [1, 2, 3],
      [1, 1, 3],
    ],
  ],
  [
    [1, 2, 3],
    16,
    [
      [2, 4, 6],
      [2, 3, 4],
      [2, 3, 5],
      [2, 14, 5],
    ],
  ],
  [
    [2, 4],
    64,
    [
      [2, 5, 25],
      [2, 4, 5],
      [2, 4, 8],
      [2, 20, 8],
    ],
  ],
] as const) {
  for (const by of ['area', 'root'] as const) {
    checkOp(
      `composition by ${by}, grids ${grids.join()}`,
      (first, second, segments, views) =>
        composition({
          assigns: [first, second],
          segments,
          views,
          grids,
          by,
          idsRestore: tensor(first.device, places(first.shape[0] as number, patches), [
            first.shape[0] as number,
            patches,
          ]),
        }),
      {
        reference: reference(grids, patches, { by }),
        cases: [shapes],
        values,
        constant: [3],
        tolerance: { forward: 2e-6, gradient: 5e-5 },
      },
    );
  }
}

for (const before of [0, 1]) {
  checkOp(
    `composition of all patches in their places, ${before} rows before them`,
    (first, second, segments, views) =>
      composition({ assigns: [first, second], segments, views, grids: [1, 2], hasClassToken: before === 1 }),
    {
      reference: reference([1, 2], 16, { isShuffled: false, before }),
      cases: [
        [
          [2, 4, 16 + before],
          [2, 3, 4],
          [2, 3, 5],
          [2, 5, 5],
        ],
      ],
      values,
      constant: [3],
      tolerance: { forward: 2e-6, gradient: 5e-5 },
    },
  );
}

it('shares every patch among the views of a grid', () => {
  const cover = viewCover([3], 8);
  for (let p = 0; p < 64; p++) {
    let sum = 0;
    for (let j = 0; j < 9; j++) sum += cover[j * 64 + p] as number;
    expect(sum).toBeCloseTo(1, 6);
  }
  // The middle third of eight patches: two whole ones and a third of those beside them.
  expect([...cover.subarray(4 * 64 + 3 * 8, 4 * 64 + 4 * 8)].map((v) => +v.toFixed(3))).toEqual([
    0, 0, 0.333, 1, 1, 0.333, 0, 0,
  ]);
});

it('an overlapping view covers its part of the patches', () => {
  const cover = viewCover([8 / 3], 16);
  // Of 16 patches 6, from 0, 2.5, 5, 7.5 and 10 on.
  for (let j = 0; j < 25; j++) {
    expect(cover.subarray(j * 256, (j + 1) * 256).reduce((sum, part) => sum + part, 0)).toBeCloseTo(36, 4);
  }
  expect([...cover.subarray(256, 256 + 16)]).toEqual([0, 0, 0.5, 1, 1, 1, 1, 1, 0.5, 0, 0, 0, 0, 0, 0, 0]);
});

const device = useDevice();

// Of 16 patches, 5 i mod 16 is the rank of place i among the masking noise: what `places` says.
for (const [words, changes, members] of [
  ['the kept patches', {}, {}],
  ['the kept patches, by the root', { compose_by: 'root' }, { by: 'root' }],
  ['all places', { seg_input: 'full' }, { isShuffled: false }],
  ['a class token and all places', { seg_input: 'full', seg_use_cls: true }, { isShuffled: false, before: 1 }],
  ['no masking', { mask_ratio: 0 }, {}],
] as const satisfies readonly (readonly [string, Partial<ZeroSegConfig>, Members])[]) {
  it(`in the model: ${words}`, async () => {
    const [image, patches, views] = [32, 16, 5];
    const sizes = { image, grids: [1, 2], dim: 32, depth: 1, dec_depth: 1, mask_ratio: 0.3, w_compose: 1 };
    const config = resolveConfig({ ...sizes, ...changes }, tinyConfig);
    const model = new ZeroSeg(newWeights(device.current, 3), config);
    const wave = (count: number, step: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(step * i));
    const targets = wave(views * config.clip_dim, 0.7);
    const { assigns, segments, terms } = model.forward({
      image: tensor(device.current, wave(3 * image * image, 0.3), [1, 3, image, image]),
      views: tensor(device.current, targets, [1, views, config.clip_dim]),
      maskNoise: tensor(
        device.current,
        Float32Array.from(places(1, patches), (rank) => rank / patches),
        [1, patches],
      ),
      noises: [undefined, undefined],
    });
    const given = [...assigns, segments];
    const [found, ...values] = await readAll([terms['compose'] as Tensor, ...given]);
    freeParameters(model);
    const inputs = values.map((data, i) => ref(given[i]!.shape, Array.from(data as Float32Array)));
    const wanted = reference(
      config.grids,
      patches,
      members,
    )([...inputs, ref([1, views, config.clip_dim], [...targets])]);
    expect(wanted.data[0]).toBeGreaterThan(0.1);
    expect((found as Float32Array)[0]).toBeCloseTo(wanted.data[0] as number, 5);
  });
}
