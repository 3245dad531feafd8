import { expect, it } from 'vitest';
import { freeParameters, parameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { readSafetensors } from '../../../src/nn/safetensors/index.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import type { FileSystem } from '../../../src/zeroseg/storage/file-system.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/memory-file-system.ts';
import { openRun, TrainingRun, type TrainingStart } from '../../../src/zeroseg/training/run.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';
import { heldOutCount, holdOut, type Validation } from '../../../src/zeroseg/training/validation.ts';
import { useDevice } from '../../support/device.ts';
import { noiseData, smallModel } from '../../support/training.ts';

const device = useDevice();
const config = resolveConfig(smallModel);
const data = noiseData(config);
const key = {
  ...{ teacher: 't', weights: 'w', grids: [1, 2], viewSource: 'native' as const, teacherSize: 8, mean: [0, 0, 0] },
  ...{ std: [1, 1, 1], views: 5, dim: 8, studentSize: 32 },
};
const settings = { ...defaultSettings, batch: 2, micro: 2, epochs: 2, warmup: 0, base_lr: 2, seed: 3 };

/** Six steps of two images: of six, or of eight with two held out. */
function start(validation?: Validation, given = data, more: Partial<TrainingStart> = {}): TrainingStart {
  return {
    device: device.current,
    data: given,
    description: {
      ...{ version: '1', preset: 'small', init: null, config, settings },
      cache: { folder: 'f', photos: given.length, paths: 'p', key },
      ...(validation && { validation }),
    },
    teacher: 't sha256:w',
    newModel: async () => new ZeroSeg(newWeights(device.current, 1), config),
    ...more,
  };
}

async function train(files: FileSystem, begun: TrainingStart, stopAfter = Number.POSITIVE_INFINITY) {
  const isNew = (await files.status('config.json')) === undefined;
  const run = isNew ? await TrainingRun.begin(files, begun) : await TrainingRun.resume(await openRun(files), begun);
  const abort = new AbortController();
  try {
    await run
      .train({
        saveEvery: 100,
        signal: abort.signal,
        onProgress: ({ step }) => step === stopAfter && abort.abort('stop'),
      })
      .catch((error: unknown) => expect(error).toBe('stop'));
    return { best: run.best, metrics: run.metrics };
  } finally {
    await run.close();
    freeParameters(run.trainer.model);
  }
}

const weights = async (files: FileSystem, name: string) =>
  [...readSafetensors(await files.read(name), name).tensors].map(([of, { bytes }]) => [of, bytes] as const);
const numbers = (metrics: TrainingRun['metrics']) =>
  metrics.map(({ step, loss, terms, gradNorm, probe }) => ({ step, loss, terms, gradNorm, probe }));

it('changes nothing of what is learnt from the photos that are not held out', async () => {
  const [validated, plain] = [memoryFileSystem('validated:/'), memoryFileSystem('plain:/')];
  const with_ = await train(validated, start({ fraction: 0.25, every: 1 }));
  const without = await train(plain, start(undefined, holdOut(data, 0.25, settings.seed).training));
  const losses = ({ metrics }: typeof with_) => numbers(metrics).map(({ probe: _, ...rest }) => rest);
  expect(losses(with_)).toHaveLength(6);
  expect(losses(with_)).toEqual(losses(without));
  expect(await weights(validated, 'model.safetensors')).toEqual(await weights(plain, 'model.safetensors'));
  expect(await plain.status('best.safetensors')).toBeUndefined();
});

it('keeps the weights of the least loss, beside two checkpoints at most, and resumes to the bit', async () => {
  const validation = { fraction: 0.25, every: 2 };
  const [whole, parts] = [memoryFileSystem('whole:/'), memoryFileSystem('parts:/')];
  const { best, metrics } = await train(whole, start(validation));
  expect(metrics.map(({ probe }) => probe !== undefined)).toEqual([false, true, false, true, false, true]);
  const losses = metrics.map(({ probe }) => probe?.['validation loss'] ?? Number.POSITIVE_INFINITY);
  const min = Math.min(...losses);
  expect(best).toEqual({ step: losses.indexOf(min) + 1, measure: 'validation loss', value: min });
  expect(Object.keys(metrics[1]?.probe ?? {})).toEqual([
    'validation loss',
    ...Object.keys(metrics[1]?.terms ?? {}).map((name) => `validation ${name}`),
  ]);
  expect((await whole.list('checkpoints')).length).toBeLessThanOrEqual(2);

  await train(parts, start(validation), 2);
  const after = await train(parts, start(validation));
  expect([after.best, numbers(after.metrics)]).toEqual([best, numbers(metrics)]);
  for (const name of ['best.safetensors', 'model.safetensors']) {
    expect(await weights(parts, name)).toEqual(await weights(whole, name));
  }
  const other = train(parts, start({ fraction: 0.25, every: 3 }));
  await expect(other).rejects.toThrow('validation was {"fraction":0.25,"every":2}, is {"fraction":0.25,"every":3} now');
});

it('keeps the weights of the best score on made scenes, whatever the loss, and resumes to the bit', async () => {
  // With every new weight the score goes another way: it is made of a weight itself.
  let asked = 0;
  const validateScenes = async (model: ZeroSeg) => ({
    measure: async () => {
      asked++;
      const [values] = await readAll([[...parameters(model).values()][0] as Tensor]);
      return { 'validation mean IoU': Math.abs(Math.sin(1e4 * (values as Float32Array)[0]!)) };
    },
    [Symbol.dispose]: () => undefined,
  });
  const begin = () => start({ fraction: 0.25, scenes: 3, every: 1 }, data, { validateScenes });
  const [whole, parts] = [memoryFileSystem('whole:/'), memoryFileSystem('parts:/')];
  const { best, metrics } = await train(whole, begin());
  expect([asked, metrics.length]).toEqual([6, 6]);
  const scores = metrics.map(({ probe }) => probe?.['validation mean IoU'] as number);
  const max = Math.max(...scores);
  expect(best).toEqual({ step: scores.indexOf(max) + 1, measure: 'validation mean IoU', value: max });
  expect(metrics.every(({ probe }) => probe?.['validation loss'] !== undefined)).toBe(true);
  await train(parts, begin(), 2);
  expect((await train(parts, begin())).best).toEqual(best);
  expect(await weights(parts, 'best.safetensors')).toEqual(await weights(whole, 'best.safetensors'));
});

it('writes the best weights again where a process was killed before it could', async () => {
  const validation = { fraction: 0.25, every: 6 };
  const files = memoryFileSystem();
  const { best } = await train(files, start(validation));
  expect(best?.step).toBe(6);
  const before = await weights(files, 'best.safetensors');
  for (const damage of [() => files.remove('best.safetensors'), () => files.write('best.safetensors', 'half')]) {
    await damage();
    expect((await train(files, start(validation))).best).toEqual(best);
    expect(await weights(files, 'best.safetensors')).toEqual(before);
  }
});

it('holds out what the seed says, once, and never all', () => {
  expect([heldOutCount(8, 0.25), heldOutCount(100, 0.001), heldOutCount(2, 0.9)]).toEqual([2, 1, 1]);
  expect(() => heldOutCount(8, 1)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: validation: the fraction must be between 0 and 1, of two photos or more; got 1 of 8]`,
  );
  const { training, heldOut } = holdOut(data, 0.25, 3);
  expect([training.length, heldOut.length]).toEqual([6, 2]);
});
