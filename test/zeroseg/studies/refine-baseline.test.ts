import { expect, it } from 'vitest';
import { cellLabels } from '../../../src/zeroseg/baselines/patch-labels.ts';
import { refinedBaseline } from '../../../src/zeroseg/studies/refine-baseline.ts';
import { seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const side = 32;

it('without a step gives the labels there are, and draws them to an edge with some', async () => {
  const random = seeded(7);
  // Dark on the left, light on the right of column 20.
  const image = {
    width: side,
    height: side,
    data: Uint8Array.from({ length: 3 * side * side }, (_, at) => (Math.floor(at / 3) % side < 20 ? 20 : 220)),
  };
  const cells = {
    scores: Float32Array.from({ length: 5 * 16 }, () => random()),
    grid: { rows: 4, cols: 4, height: side, width: side },
  };
  const labels = Uint8Array.from({ length: side * side }, (_, at) => (at % side < 16 ? 3 : 7));
  // At a small factor the softmax keeps the order of cosines between cells, too.
  expect(await refinedBaseline(device.current, image, cells, 1e-3, { steps: 0 })).toEqual(cellLabels(cells));
  expect(await refinedBaseline(device.current, image, labels, 1, { steps: 0 })).toEqual(Uint16Array.from(labels));
  const refined = await refinedBaseline(device.current, image, labels, 1, { steps: 40, dilations: [1, 2, 4] });
  const right = refined.filter((label, at) => label === (at % side < 20 ? 3 : 7)).length;
  expect(right).toBeGreaterThan(labels.filter((label, at) => label === (at % side < 20 ? 3 : 7)).length);
});
