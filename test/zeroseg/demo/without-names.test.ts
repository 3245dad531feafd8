import { expect, it } from 'vitest';
import { freeParameters, parameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import type { StoredTensor } from '../../../src/nn/safetensors/index.ts';
import { read } from '../../../src/tensor/run/read.ts';
import { withoutNames } from '../../../src/zeroseg/demo/without-names.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

const config = resolveConfig({
  ...{ image: 8, patch: 4, dim: 8, depth: 1, heads: 1, seg_heads: 1, dec_dim: 8, dec_depth: 1, dec_heads: 1 },
  ...{ seg_depths: [1, 0, 0], group_tokens: [4, 2], output_groups: [4, 2], proj_hidden: 8, clip_dim: 4 },
});

async function valuesOf(model: ZeroSeg): Promise<Map<string, Float32Array>> {
  const values = [...parameters(model)].map(async ([name, t]) => [name, (await read(t)) as Float32Array] as const);
  return new Map(await Promise.all(values));
}

it('a student that has lost its names is the one that is stored, but for new last layers, for a teacher of any width', async () => {
  const trained = new ZeroSeg(newWeights(device.current, 1), config);
  const before = await valuesOf(trained);
  const stored = new Map(
    [...parameters(trained)].map(([name, { shape }]): [string, StoredTensor] => {
      const bytes = new Uint8Array((before.get(name) as Float32Array).slice().buffer);
      return [name, { file: 'F', name, dtype: 'F32', shape: [...shape], bytes }];
    }),
  );
  // The seed that it began from: its last layers must not come out as they were.
  const lost = new ZeroSeg(withoutNames(device.current, 1, stored, 'F'), config);
  const after = await valuesOf(lost);
  const differing = [...after].filter(([name, values]) => before.get(name)?.some((value, i) => value !== values[i]));
  expect(differing.map(([name]) => name)).toEqual(['seg.projector.fc1.weight', 'seg.projector.fc2.weight']);
  const wider = new ZeroSeg(withoutNames(device.current, 1, stored, 'F'), { ...config, clip_dim: 6 });
  expect(parameters(wider).get('seg.projector.fc2.weight')?.shape).toEqual([6, 8]);
  for (const model of [trained, lost, wider]) freeParameters(model);
});
