import { describe, expect, test } from 'vitest';
import { read, tensor } from '../../../src/index.ts';
import { buildModule, newWeights, random } from '../../../src/nn/index.ts';
import type { Labelled } from '../../../src/zeroseg/evaluation/index.ts';
import {
  backboneConfig,
  defaultFinetuneSettings,
  type FinetuneSettings,
  FinetuneTrainer,
  finetuneRate,
  finetuneTrainingFile,
  labelledCrop,
  loadNetwork,
  networkFile,
  Predictor,
  resumeFinetuning,
  SegmentationNetwork,
  scorePhotos,
} from '../../../src/zeroseg/finetune/index.ts';
import { type EncoderConfig, tinyConfig } from '../../../src/zeroseg/model/index.ts';
import { close, seeded } from '../../support/check-op.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();
const config: EncoderConfig = { ...tinyConfig, image: 16, patch: 4, dim: 16, depth: 1, heads: 2 };
const settings: FinetuneSettings = {
  ...defaultFinetuneSettings,
  steps: 40,
  batch: 4,
  lr: 3e-3,
  crop: 16,
  short: 16,
  scale_min: 0.8,
  scale_max: 1.5,
};
const CLASSES = 3;

/** Photos of 24 × 20 pixels: red, green and blue fields with noise, which are classes 0, 1 and 2; a border does not count. */
function photo(seed: number): Labelled {
  const uniform = seeded(seed);
  const [width, height] = [24, 20];
  const cut = 6 + Math.floor(uniform() * 10);
  const first = Math.floor(uniform() * CLASSES);
  const second = (first + 1 + Math.floor(uniform() * 2)) % CLASSES;
  const data = new Uint8Array(width * height * 3);
  const labels = new Uint8Array(width * height);
  for (let i = 0; i < labels.length; i++) {
    const x = i % width;
    const label = x < cut ? first : second;
    labels[i] = x === cut ? 255 : label;
    for (let c = 0; c < 3; c++) data[3 * i + c] = (c === label ? 200 : 40) + 50 * uniform();
  }
  return {
    id: `photo ${seed}`,
    load: async () => ({ image: { width, height, data }, labels: { width, height, data: labels } }),
  };
}
const photos = (from: number, count: number) => Array.from({ length: count }, (_, i) => photo(from + i));
const network = (seed = 1) =>
  buildModule(newWeights(device.current, seed), (weights) => new SegmentationNetwork(weights, config, CLASSES));

describe('labelledCrop', () => {
  const image = { width: 4, height: 2, data: Uint8Array.from({ length: 24 }, (_, i) => 10 * i) };
  const labels = { width: 4, height: 2, data: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7) };
  const plain = { ...settings, short: 2, scale_min: 1, scale_max: 1, flip: false };

  test('at scale 1 labels stay where their pixels are, and what is beyond the photo does not count', () => {
    const { pixels, labels: cut } = labelledCrop(image, labels, { ...plain, crop: 5 }, random(1));
    const rows = Array.from({ length: 5 }, (_, y) => [...cut.subarray(5 * y, 5 * y + 5)]);
    expect(rows.slice(0, 2)).toEqual([
      [0, 1, 2, 3, 255],
      [4, 5, 6, 7, 255],
    ]);
    expect(
      rows
        .slice(2)
        .flat()
        .every((label) => label === 255),
    ).toBe(true);
    // Red of the pixel of label 5, normalised; and the mean beyond.
    expect(pixels[6]).toBeCloseTo((150 / 255 - 0.485) / 0.229, 5);
    expect([pixels[4], pixels[24]]).toEqual([0, 0]);
  });

  test('mirrored crops mirror both; cuts are everywhere', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const { pixels, labels: cut } = labelledCrop(image, labels, { ...plain, crop: 2, flip: true }, random(seed));
      seen.add(cut.join());
      // Red of a pixel tells its label.
      cut.forEach((label, i) => {
        const red = 255 * (0.229 * (pixels[i] as number) + 0.485);
        expect(red / 30).toBeCloseTo(label, 3);
      });
    }
    expect([...seen].sort()).toEqual(['0,1,4,5', '1,0,5,4', '1,2,5,6', '2,1,6,5', '2,3,6,7', '3,2,7,6']);
  });
});

test('the loss is the cross entropy of the enlarged logits, over the pixels that count', async () => {
  const net = await network();
  const uniform = seeded(3);
  const image = Float32Array.from({ length: 2 * 3 * 256 }, () => uniform() - 0.5);
  const labels = Uint32Array.from({ length: 512 }, () => (uniform() < 0.3 ? 255 : Math.floor(uniform() * CLASSES)));
  const x = tensor(device.current, image, [2, 3, 16, 16]);
  const small = (await read(net.patchLogits(x))) as Float32Array;
  const large = (await read(net.pixelLogits(x))) as Float32Array;
  // Bilinear by hand, half-pixel centres.
  const at = (b: number, y: number, fx: number, c: number) => {
    const [v, u] = [y, fx].map((i) => Math.min(3, Math.max(0, (i + 0.5) / 4 - 0.5))) as [number, number];
    const value = (row: number, col: number) =>
      small[((b * 4 + Math.min(3, row)) * 4 + Math.min(3, col)) * CLASSES + c] as number;
    const [r, q] = [Math.floor(v), Math.floor(u)];
    const mix = (row: number) => value(row, q) * (1 - (u - q)) + value(row, q + 1) * (u - q);
    return mix(r) * (1 - (v - r)) + mix(r + 1) * (v - r);
  };
  const expected = Float32Array.from(large, (_, i) => {
    const [c, x0] = [i % CLASSES, Math.floor(i / CLASSES) % 16];
    return at(Math.floor(i / (256 * CLASSES)), Math.floor(i / (16 * CLASSES)) % 16, x0, c);
  });
  close(large, expected, 1e-5, 'logits');
  let [sum, count] = [0, 0];
  labels.forEach((label, i) => {
    if (label === 255) return;
    const row = [...expected.subarray(i * CLASSES, (i + 1) * CLASSES)];
    sum += Math.log(row.reduce((total, value) => total + Math.exp(value), 0)) - (row[label] as number);
    count++;
  });
  const loss = net.loss(x, tensor(device.current, labels, [2, 256]), tensor(device.current, [1 / count], []));
  expect((await read(loss))[0]).toBeCloseTo(sum / count, 4);
});

test('learns, scores above its start, and is saved and opened again with the same labels', async () => {
  const net = await network();
  const unseen = photos(100, 6);
  using trainer = await FinetuneTrainer.create(device.current, net, photos(0, 12), settings);
  using predictor = await Predictor.create(device.current, net);
  const before = await scorePhotos(predictor, unseen, CLASSES, { short: 16 });
  const losses: number[] = [];
  for await (const { loss } of trainer.run({ needsModel: () => false })) losses.push(loss);
  expect(losses).toHaveLength(40);
  const after = await scorePhotos(predictor, unseen, CLASSES, { short: 16 });
  expect(after.images).toBe(6);
  expect(after.meanIou() as number).toBeGreaterThan(Math.max(0.8, (before.meanIou() as number) + 0.2));

  const bytes = await networkFile(net, { classes: ['red', 'green', 'blue'], step: trainer.done });
  const opened = await loadNetwork(device.current, bytes);
  expect(opened).toMatchObject({
    classes: ['red', 'green', 'blue'],
    step: 40,
    config: { dim: 16, patch: 4, image: 16 },
  });
  using again = await Predictor.create(device.current, opened.network);
  const { image } = await (unseen[0] as Labelled).load();
  expect(await again.labels(image, { short: 16 })).toEqual(await predictor.labels(image, { short: 16 }));
  await expect(loadNetwork(device.current, await finetuneTrainingFile(trainer))).rejects.toThrow(
    /is no network of `zeroseg finetune`/,
  );
});

test('a frozen backbone stays as it is; resumed, a training gives the same losses', async () => {
  const short = { ...settings, steps: 6, frozen: true };
  const run = async (net: SegmentationNetwork, state?: Uint8Array, steps = 6) => {
    using trainer = await FinetuneTrainer.create(device.current, net, photos(0, 5), short);
    if (state) await resumeFinetuning(trainer, state);
    const losses: number[] = [];
    for await (const { loss, step } of trainer.run()) {
      losses.push(loss);
      if (step === steps) break;
    }
    return { losses, state: await finetuneTrainingFile(trainer) };
  };
  const net = await network();
  const encoder = await read(net.encoder.norm.weight);
  const tokens = await read(net.encoder.cls_token);
  const whole = await run(net);
  expect(await read(net.encoder.norm.weight)).toEqual(encoder);
  expect(await read(net.encoder.cls_token)).toEqual(tokens);
  expect(whole.losses[5]).toBeLessThan(whole.losses[0] as number);
  const half = await run(await network(), undefined, 3);
  const rest = await run(await network(2), half.state);
  expect([...half.losses, ...rest.losses]).toEqual(whole.losses);
});

test('rates: warm-up, then constant, poly or cosine', () => {
  const of = (schedule: FinetuneSettings['schedule'], step: number) =>
    finetuneRate(step, { ...settings, steps: 100, lr: 1, warmup: 0.1, schedule });
  expect(of('constant', 5)).toBeCloseTo(0.5);
  expect([10, 55, 100].map((step) => of('constant', step))).toEqual([1, 1, 1]);
  expect(of('poly', 55)).toBeCloseTo(0.5 ** 0.9);
  expect(of('poly', 100)).toBe(0);
  expect(of('cosine', 55)).toBeCloseTo(0.5);
});

describe('refuses', () => {
  test.each([
    [{ crop: 20 }, "'crop' is 20, and the network takes squares of 16"],
    [{ scale_min: 2, scale_max: 1 }, "'scale_min' must be at most 'scale_max'; got 2 and 1"],
    [{ batch: 0 }, "'batch' must be a whole number from 1"],
  ])('settings %o', async (wrong, words) => {
    const made = FinetuneTrainer.create(device.current, await network(), photos(0, 2), { ...settings, ...wrong });
    await expect(made).rejects.toThrow(words);
  });

  test('labels that are no class, by the name of their photo', async () => {
    const strange: Labelled = {
      id: 'odd',
      load: async () => ({
        image: { width: 16, height: 16, data: new Uint8Array(768) },
        labels: { width: 16, height: 16, data: new Uint8Array(256).fill(7) },
      }),
    };
    using trainer = await FinetuneTrainer.create(device.current, await network(), [strange], settings);
    await expect(trainer.run().next()).rejects.toThrow('odd: its label map has label 7; classes are numbered 0 to 2');
  });

  test('files without an encoder, heads that cannot be told, patches that do not fill the crop', async () => {
    const of = (entries: Record<string, readonly number[]>) =>
      new Map(Object.entries(entries).map(([name, shape]) => [name, { name, dtype: 'F32', shape } as never]));
    await expect(backboneConfig(of({ 'text.weight': [2] }), 'a.safetensors')).rejects.toThrow(
      /a\.safetensors.*holds no encoder that can be fine-tuned/,
    );
    const vit = of({
      'norm.weight': [100],
      'blocks.0.mlp.fc1.weight': [400, 100],
      'blocks.0.norm1.weight': [100],
      'patch_embed.proj.weight': [100, 3, 16, 16],
    });
    await expect(backboneConfig(vit, 'vit')).rejects.toThrow(/heads .* width of 100; give --heads/);
    const sizes = { depth: 1, patch: 16, positions: 'fixed', mlp_ratio: 4, image: 224 };
    expect(await backboneConfig(vit, 'vit', { heads: 10 })).toMatchObject(sizes);
    await expect(backboneConfig(vit, 'vit', { image: 100, heads: 10 })).rejects.toThrow(
      /multiple of the backbone's patches of 16 pixels; got 100/,
    );
  });
});
