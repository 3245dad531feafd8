import { describe, expect, it } from 'vitest';
import { slice } from '../../../src/kernels/layout/slice.ts';
import { freeParameters, parameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { tensor } from '../../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../../src/tensor/run/read.ts';
import { resolveConfig, tinyConfig } from '../../../src/zeroseg/model/config.ts';
import type { ZeroSegConfig } from '../../../src/zeroseg/model/config-groups.ts';
import type { Grouping } from '../../../src/zeroseg/model/grouping-block.ts';
import type { Stage } from '../../../src/zeroseg/model/segmentation-head.ts';
import { sphericalKMeans } from '../../../src/zeroseg/model/spherical-k-means.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { close } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const small = { image: 16, patch: 8, dim: 32, depth: 1, dec_depth: 1, group_tokens: [4, 2], output_groups: [4, 2] };

/** What a model makes of one image of four patches: activations by name. */
function look(changes: Partial<ZeroSegConfig>): { model: ZeroSeg; seen: Map<string, Tensor> } {
  const model = new ZeroSeg(newWeights(device.current, 3), resolveConfig({ ...small, ...changes }, tinyConfig));
  const image = tensor(
    device.current,
    Float32Array.from({ length: 768 }, (_, i) => Math.sin(i)),
    [1, 3, 16, 16],
  );
  const seen = new Map<string, Tensor>();
  model.segment(image, (name, activation) => {
    seen.set(name, activation);
  });
  return { model, seen };
}

/** Logits of the first assignment `[4, 4]`. */
async function logits(changes: Partial<ZeroSegConfig>): Promise<Float32Array> {
  const { model, seen } = look(changes);
  const values = await read(seen.get('seg.stage0.assign_logits') as Tensor);
  freeParameters(model);
  return values;
}

it('scales the logits of the assignment', async () => {
  const [plain, scaled] = [await logits({}), await logits({ assign_scale: 8 })];
  close(
    scaled,
    plain.map((value) => 8 * value),
    1e-5,
    'scaled',
  );
});

it('takes what all members share off the logits', async () => {
  const [plain, centred] = [await logits({}), await logits({ assign_centre: true })];
  for (let group = 0; group < 4; group++) {
    const [before, after] = [plain.subarray(4 * group, 4 * group + 4), centred.subarray(4 * group, 4 * group + 4)];
    const mean = before.reduce((a, b) => a + b, 0) / 4;
    close(
      after,
      before.map((value) => value - mean),
      1e-4,
      `group ${group}`,
    );
  }
});

for (const start of ['queries', 'medoids'] as const) {
  it(`moves its queries, from ${start}`, async () => {
    const move = { scale: 8, iterations: 2, init: start };
    const { model, seen } = look({ assign_scale: 8, assign_rounds: 2, assign_start: start, seg_depths: [1, 1, 1] });
    const { norm_x, assign } = (model.seg.stages[0] as Stage).grouping as Grouping;
    const members = slice(seen.get('seg.stage0.block0') as Tensor, 1, 0, 4);
    const queries = assign.q_proj.forward(seen.get('seg.stage0.pre_assigned') as Tensor);
    const moved = sphericalKMeans(queries, assign.k_proj.forward(norm_x.forward(members)), move);
    const other = sphericalKMeans(queries, assign.k_proj.forward(norm_x.forward(members)), { ...move, iterations: 1 });
    const [found, wanted, fewer] = (await readAll([
      seen.get('seg.stage0.assign_logits') as Tensor,
      moved.logits,
      other.logits,
    ])) as [Float32Array, Float32Array, Float32Array];
    close(found, wanted, 1e-4, start);
    expect(Math.max(...found.map((value, i) => Math.abs(value - (fewer[i] as number))))).toBeGreaterThan(1e-3);
    freeParameters(model);
  });
}

it("begins the head by Xavier's rule", () => {
  const model = new ZeroSeg(newWeights(device.current, 3), resolveConfig({ ...small, seg_init: 'xavier' }, tinyConfig));
  const bound = Math.sqrt(6 / (32 + 32));
  const weight = parameters(model).get('seg.stages.0.grouping.assign.q_proj.weight') as Tensor;
  return read(weight).then((values) => {
    const max = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(max).toBeLessThanOrEqual(bound);
    expect(max).toBeGreaterThan(0.95 * bound);
    freeParameters(model);
  });
});

describe('hidden widths of the token mixers', () => {
  const cases = [
    { dim: 32, assign_mlp_ratio: [0.5, 4] },
    { dim: 32, assign_mlp_ratio: [0.25, 2] },
    { dim: 24, assign_mlp_ratio: [0.3, 1.5] },
    { dim: 32, assign_mlp_ratio: [2, 0.5] },
  ] as const;

  it.each(cases)('$dim wide, assign_mlp_ratio $assign_mlp_ratio', ({ dim, assign_mlp_ratio }) => {
    const { model } = look({ dim, assign_mlp_ratio, seg_mlp_ratio: 3 });
    const named = parameters(model);
    const rows = (name: string) => named.get(`seg.stages.${name}.fc1.weight`)?.shape[0];
    const [mixer, channels] = assign_mlp_ratio.map((ratio) => Math.trunc(dim * ratio));
    for (const stage of [0, 1]) {
      expect(rows(`${stage}.grouping.mlp_inter`)).toBe(mixer);
      expect(rows(`${stage}.grouping.mlp_channels`)).toBe(channels);
      expect(rows(`${stage}.grouping.pre_assign.mlp`)).toBe(3 * dim);
    }
    expect(rows('1.group_projector.mlp')).toBe(dim / 2);
    freeParameters(model);
  });

  it('computes both mixers as GroupViT does, in float64', async () => {
    const dim = 32;
    const { model, seen } = look({ dim, assign_mlp_ratio: [0.25, 2], seg_depths: [1, 0, 1] });
    const named = parameters(model);
    const names = [...named.keys()].filter((name) => name.startsWith('seg.stages.'));
    const values = await readAll(names.map((name) => named.get(name) as Tensor));
    const weight = (name: string) => values[names.indexOf(`seg.stages.${name}`)] as Float32Array;
    const [block, projected] = (await readAll([
      seen.get('seg.stage0.block0') as Tensor,
      seen.get('seg.stage1.projected_tokens') as Tensor,
    ])) as [Float32Array, Float32Array];
    // Four members, then the four tokens of the first stage; without blocks the second one's are what its mixer made of them.
    const tokens = Array.from({ length: 4 }, (_, i) => [...block.subarray((4 + i) * dim, (5 + i) * dim)]);
    const norm = (rows: number[][], name: string) =>
      rows.map((row) => {
        const mean = row.reduce((a, b) => a + b) / dim;
        const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / dim;
        const [scale, shift] = [weight(`${name}.weight`), weight(`${name}.bias`)];
        return row.map(
          (v, c) => ((v - mean) / Math.sqrt(variance + 1e-5)) * (scale[c] as number) + (shift[c] as number),
        );
      });
    const mix = (rows: number[][], name: string, outputs: number) => {
      const [w1, b1, w2, b2] = ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'].map((part) =>
        weight(`${name}.${part}`),
      ) as [Float32Array, Float32Array, Float32Array, Float32Array];
      const hidden = Array.from(b1, (bias, h) =>
        Array.from({ length: dim }, (_, c) => {
          const sum = rows.reduce(
            (all, row, t) => all + (row[c] as number) * (w1[h * rows.length + t] as number),
            bias,
          );
          return 0.5 * sum * (1 + erf(sum / Math.SQRT2));
        }),
      );
      return Array.from({ length: outputs }, (_, o) =>
        Array.from({ length: dim }, (_, c) =>
          hidden.reduce((all, row, h) => all + (row[c] as number) * (w2[o * b1.length + h] as number), b2[o] as number),
        ),
      );
    };
    const start = weight('1.group_token');
    const second = mix(norm(tokens, '1.group_projector.norm'), '1.group_projector.mlp', 2).map((row, t) =>
      row.map((v, c) => v + (start[t * dim + c] as number)),
    );
    const mixed = mix(norm(second, '1.grouping.norm_tokens'), '1.grouping.mlp_inter', 2);
    close(projected, norm(mixed, '1.grouping.norm_post_tokens').flat(), 1e-5, 'projected tokens of the second stage');
    freeParameters(model);
  });
});

/** By its series, in float64: enough for the small arguments here. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-18; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
