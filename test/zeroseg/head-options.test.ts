import { expect, it } from 'vitest';
import { slice } from '../../src/kernels/layout.ts';
import { freeParameters, newWeights, parameters } from '../../src/nn/module.ts';
import { read, readAll } from '../../src/tensor/read.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { resolveConfig, tinyConfig, type ZeroSegConfig } from '../../src/zeroseg/config.ts';
import type { Grouping } from '../../src/zeroseg/grouping.ts';
import { ZeroSeg } from '../../src/zeroseg/model.ts';
import { moveQueries } from '../../src/zeroseg/move-queries.ts';
import type { Stage } from '../../src/zeroseg/segmentation-head.ts';
import { close } from '../support/check-op.ts';
import { useDevice } from '../support/device.ts';

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
    const move = { scale: 8, rounds: 2, start };
    const { model, seen } = look({ assign_scale: 8, assign_rounds: 2, assign_start: start, seg_depths: [1, 1, 1] });
    const { norm_x, assign } = (model.seg.stages[0] as Stage).grouping as Grouping;
    const members = slice(seen.get('seg.stage0.block0') as Tensor, 1, 0, 4);
    const queries = assign.q_proj.forward(seen.get('seg.stage0.pre_assigned') as Tensor);
    const moved = moveQueries(queries, assign.k_proj.forward(norm_x.forward(members)), move);
    const other = moveQueries(queries, assign.k_proj.forward(norm_x.forward(members)), { ...move, rounds: 1 });
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
    const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(most).toBeLessThanOrEqual(bound);
    expect(most).toBeGreaterThan(0.95 * bound);
    freeParameters(model);
  });
});
