import { expect, it } from 'vitest';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { TrainingSheet, trainingColumns } from '../../../src/zeroseg/drawing/training-sheet.ts';
import type { Image } from '../../../src/zeroseg/image/image.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { useDevice } from '../../support/device.ts';
import { smallModel } from '../../support/training.ts';

const device = useDevice();

const square = (side: number, value: (at: number) => number): Image => ({
  width: side,
  height: side,
  data: Uint8Array.from({ length: 3 * side * side }, (_, at) => value(at)),
});

/** The tile of a row and a column. */
function tileOf({ width, data }: Image, row: number, column: number, side: number): number[] {
  const pixels: number[] = [];
  for (let y = 0; y < side; y++) {
    const from = 3 * ((row * side + y) * width + column * side);
    pixels.push(...data.subarray(from, from + 3 * side));
  }
  return pixels;
}

it.each([false, true])('shows what is hidden and what is rebuilt of it, norm_pix %s', async (norm_pix) => {
  const config = resolveConfig({ ...smallModel, mask_ratio: 0.5, norm_pix });
  const model = new ZeroSeg(newWeights(device.current, 1), config);
  const squares = [square(32, (at) => at % 200), square(32, (at) => (7 * at) % 256)];
  using sheet = await TrainingSheet.create(device.current, model, squares, { tile: 64, seed: 5 });
  const image = await sheet.draw();
  expect([image.width, image.height]).toEqual([trainingColumns.length * 64, 128]);
  for (const row of [0, 1]) {
    const [, masked = [], rebuilt = [], segments = []] = [0, 1, 2, 3].map((column) => tileOf(image, row, column, 64));
    // Every pixel of a patch is hidden, or none: eight of the sixteen are.
    const isHidden = (at: number) => masked[3 * at] === 128 && masked[3 * at + 1] === 128 && masked[3 * at + 2] === 128;
    const hidden = Array.from({ length: 64 * 64 }, (_, at) => isHidden(at));
    expect(hidden.filter(Boolean).length / hidden.length).toBeCloseTo(0.5, 1);
    const shown = hidden.map((is, at) => is || [0, 1, 2].every((c) => rebuilt[3 * at + c] === masked[3 * at + c]));
    expect(shown.every(Boolean)).toBe(true);
    expect(hidden.some((is, at) => is && rebuilt[3 * at] !== 128)).toBe(true);
    expect(new Set(segments).size).toBeGreaterThan(2);
  }
  // The same masks, and the same model: the same picture.
  expect((await sheet.draw()).data).toEqual(image.data);
});

it('rebuilds a flat picture in its own colour where patches are predicted as standardised ones', async () => {
  const config = resolveConfig({ ...smallModel, mask_ratio: 0.5, norm_pix: true });
  const model = new ZeroSeg(newWeights(device.current, 1), config);
  using sheet = await TrainingSheet.create(
    device.current,
    model,
    [square(32, (at) => [90, 140, 60][at % 3] as number)],
    {
      tile: 32,
    },
  );
  const rebuilt = tileOf(await sheet.draw(), 0, 2, 32);
  const means = [0, 1, 2].map((c) => rebuilt.filter((_, at) => at % 3 === c).reduce((a, b) => a + b, 0) / 1024);
  // The mean is over the channels of a patch, and so is the spread: what is predicted stays within it.
  for (const [c, mean] of means.entries()) expect(Math.abs(mean - ([90, 140, 60][c] as number))).toBeLessThan(60);
});

it('refuses pictures that the model cannot take', async () => {
  const config = resolveConfig(smallModel);
  const model = new ZeroSeg(newWeights(device.current, 1), config);
  const refused = (squares: Image[]) => expect(TrainingSheet.create(device.current, model, squares)).rejects;
  await refused([]).toThrow('got none');
  await refused([square(16, () => 0)]).toThrow('squares of one size of at least 32 pixels');
  await refused([square(32, () => 0), square(40, () => 0)]).toThrow('got 32 x 32, 40 x 40');
});
