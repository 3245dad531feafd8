import { expect, it } from 'vitest';
import { freeParameters, newWeights, parameters } from '../../src/nn/module.ts';
import { read } from '../../src/tensor/read.ts';
import { type Tensor, tensor } from '../../src/tensor/tensor.ts';
import { resolveConfig, tinyConfig, type ZeroSegConfig } from '../../src/zeroseg/config.ts';
import { ZeroSeg } from '../../src/zeroseg/model.ts';
import { close } from '../support/check-op.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const small = { image: 16, patch: 8, dim: 32, depth: 1, dec_depth: 1, group_tokens: [4, 2], output_groups: [4, 2] };

/** Logits of the first assignment `[4, 4]` of one image. */
async function logits(changes: Partial<ZeroSegConfig>): Promise<Float32Array> {
  const model = new ZeroSeg(newWeights(device.current, 3), resolveConfig({ ...small, ...changes }, tinyConfig));
  const image = tensor(
    device.current,
    Float32Array.from({ length: 768 }, (_, i) => Math.sin(i)),
    [1, 3, 16, 16],
  );
  let seen: Tensor | undefined;
  model.segment(image, (name, activation) => {
    if (name === 'seg.stage0.assign_logits') seen = activation;
  });
  const values = await read(seen as Tensor);
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
