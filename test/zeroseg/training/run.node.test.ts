import { expect, it } from 'vitest';
import { countParameters, freeParameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { readSafetensors } from '../../../src/nn/safetensors/index.ts';
import { GpuTensors } from '../../../src/zeroseg/checkpoints/gpu-tensors.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { modelInfo, openModel } from '../../../src/zeroseg/model/model-file.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import type { FileSystem } from '../../../src/zeroseg/storage/file-system.ts';
import { folderBytes } from '../../../src/zeroseg/storage/folder-bytes.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/memory-file-system.ts';
import { readRun, runBytes } from '../../../src/zeroseg/training/read-run.ts';
import { openRun, TrainingRun, type TrainingStart } from '../../../src/zeroseg/training/run.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';
import { HeldOutLoss, holdOut } from '../../../src/zeroseg/training/validation.ts';
import { useDevice } from '../../support/device.ts';
import { noiseData, smallModel } from '../../support/training.ts';

const device = useDevice();
const config = resolveConfig(smallModel);
const key = {
  ...{ teacher: 't', weights: 'w', grids: [1, 2], viewSource: 'native' as const, teacherSize: 8, mean: [0, 0, 0] },
  ...{ std: [1, 1, 1], views: 5, dim: 8, studentSize: 32 },
};

/** Four steps: two epochs of eight images. */
function start(changes: Partial<TrainingStart['description']['settings']> = {}): TrainingStart {
  const settings = { ...defaultSettings, batch: 4, micro: 2, epochs: 2, warmup: 0, base_lr: 0.1, seed: 3, ...changes };
  const cache = { folder: 'f', photos: 8, paths: 'p', key };
  return {
    device: device.current,
    data: noiseData(config),
    description: { version: '1', preset: 'small', init: null, cache, config, settings },
    teacher: 't sha256:w',
    newModel: async () => new ZeroSeg(newWeights(device.current, 1), config),
  };
}

async function close(run: TrainingRun): Promise<void> {
  await run.close();
  freeParameters(run.trainer.model);
}

/** Trains what is left in a run's folder. */
async function trainOn(files: FileSystem, begun = start(), signal?: AbortSignal): Promise<number[]> {
  const isNew = (await files.status('config.json')) === undefined;
  const run = isNew ? await TrainingRun.begin(files, begun) : await TrainingRun.resume(await openRun(files), begun);
  const steps: number[] = [];
  try {
    await run.train({ saveEvery: 2, onProgress: ({ step }) => steps.push(step), signal });
    return steps;
  } finally {
    await close(run);
  }
}

/** What a run has come to: model and optimizer, and metrics but for times. */
async function outcome(files: FileSystem) {
  const lines = new TextDecoder()
    .decode(await files.read('metrics.jsonl'))
    .trim()
    .split('\n');
  const steps = lines.map((line) => ({ ...JSON.parse(line), seconds: 0, imagesPerSecond: 0 }));
  const [, last] = await files.list('checkpoints');
  const of = async (path: string) => {
    const { tensors } = readSafetensors(await files.read(path), path);
    return [...tensors].map(([name, tensor]) => [name, tensor.shape, tensor.bytes] as const);
  };
  return {
    steps,
    model: await of('model.safetensors'),
    optimizer: await of(`checkpoints/${last}/optimizer.safetensors`),
  };
}

it('keeps averaged weights as the model and resumes to the bit, with mirrored photos in windows of files too', async () => {
  const [whole, parts] = [memoryFileSystem('whole:/'), memoryFileSystem('parts:/')];
  const averaged = () => {
    const begun = start({ batch: 2, micro: 1, ema: 0.7, mirror: true, order: 'windowed', window: 2 });
    const data = { ...begun.data, fileOf: (number: number) => number >> 1 };
    return { ...begun, data, description: { ...begun.description, validation: { fraction: 0.5, every: 2 } } };
  };
  // Of the four photos that are left of eight, in two epochs.
  expect(await trainOn(whole, averaged())).toEqual([1, 2, 3, 4]);
  const abort = new AbortController();
  const first = await TrainingRun.begin(parts, averaged());
  await expect(first.train({ signal: abort.signal, onProgress: () => abort.abort('enough') })).rejects.toBe('enough');
  await close(first);
  expect(await trainOn(parts, averaged())).toEqual([3, 4]);
  expect(await outcome(parts)).toEqual(await outcome(whole));

  const run = await TrainingRun.resume(await openRun(whole), averaged());
  const stored = readSafetensors(await whole.read('model.safetensors'), 'model');
  expect(modelInfo(stored, 'model').ema).toBe(0.7);
  const names = [
    ...readSafetensors(await whole.read('checkpoints/step-000004/optimizer.safetensors'), 'o').tensors.keys(),
  ];
  expect(names.filter((name) => name.startsWith('weights.'))).toHaveLength(stored.tensors.size);
  // What was validated are the averaged weights, which are those of the file.
  const { model } = await openModel(device.current, await whole.read('model.safetensors'));
  const { heldOut } = holdOut(noiseData(config), 0.5, 3);
  using again = await HeldOutLoss.create(device.current, model, heldOut, run.trainer.settings);
  expect(await again.measure()).toEqual(run.metrics.at(-1)?.probe);
  using raw = await HeldOutLoss.create(device.current, run.trainer.model, heldOut, run.trainer.settings);
  expect((await raw.measure())['validation loss']).not.toBe((await again.measure())['validation loss']);
  await close(run);
  freeParameters(model);
});

it('gives the same to the bit when it is stopped and resumed', async () => {
  const [whole, parts] = [memoryFileSystem('whole:/'), memoryFileSystem('parts:/')];
  expect(await trainOn(whole)).toEqual([1, 2, 3, 4]);

  const abort = new AbortController();
  const run = await TrainingRun.begin(parts, start());
  const reason = new RangeError('enough');
  const stopped = run.train({
    saveEvery: 100,
    signal: abort.signal,
    onProgress: ({ step }) => step === 1 && abort.abort(reason),
  });
  await expect(stopped).rejects.toBe(reason);
  // The step that the GPU already had was made, reported and saved.
  expect(run.trainer.done).toBe(2);
  expect(run.metrics.map(({ step }) => step)).toEqual([1, 2]);
  await close(run);
  expect(await parts.list('checkpoints')).toEqual(['step-000002']);
  expect(await parts.status('model.safetensors')).toBeUndefined();

  expect(await trainOn(parts)).toEqual([3, 4]);
  expect(await outcome(parts)).toEqual(await outcome(whole));
  // A run that is at its end stays as it is, and may become longer.
  expect(await trainOn(parts)).toEqual([]);
  expect(await trainOn(parts, start({ epochs: 3 }))).toEqual([5, 6]);
  expect((await openAndClose(parts)).settings.epochs).toBe(3);
});

async function openAndClose(files: FileSystem) {
  const { store, description } = await openRun(files);
  await store.close();
  return description;
}

it('goes on from the checkpoint before, and says so, where the newest is damaged', async () => {
  const files = memoryFileSystem();
  await trainOn(files);
  const damaged = 'checkpoints/step-000004/model.safetensors';
  const bytes = await files.read(damaged);
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  await files.write(damaged, bytes);
  const before = await outcome(files);
  const run = await TrainingRun.resume(await openRun(files), start());
  expect(run.resumed?.damaged).toEqual([
    'memory:/checkpoints/step-000004/model.safetensors: the file is damaged: wrong checksum',
  ]);
  expect(run.resumed?.step).toBe(2);
  expect(run.metrics.map(({ step }) => step)).toEqual([1, 2]);
  await run.train();
  await close(run);
  expect(await outcome(files)).toEqual(before);
});

it('writes a checkpoint while the steps go on, of the step that it is of', async () => {
  const begun = start({ epochs: 3, ema: 0.5 });
  const slow = memoryFileSystem('slow:/');
  const { append } = slow;
  let go = (): void => undefined;
  const later = new Promise<void>((resolve) => (go = resolve));
  const log: string[] = [];
  slow.append = async (path, content) => {
    if (path.startsWith('checkpoints/.step-000003')) await later;
    if (path.startsWith('checkpoints/')) log.push(`write ${path.slice(18, 24)}`);
    return append.call(slow, path, content);
  };
  const run = await TrainingRun.begin(slow, begun);
  const onProgress = ({ step }: { step: number }) => {
    log.push(`step ${step}`);
    // Only when the GPU has made another step is anything of the checkpoint written: it was copied before.
    if (step === 4) go();
  };
  await run.train({ saveEvery: 3, onProgress });
  await close(run);
  expect(log.indexOf('step 4')).toBeLessThan(log.indexOf('write 000003'));
  // The next one waits until it is there.
  expect(log.lastIndexOf('write 000003')).toBeLessThan(log.indexOf('step 5'));
  expect(await slow.list('checkpoints')).toEqual(['step-000003', 'step-000006']);

  // Without a copy, the steps wait.
  const stopping = memoryFileSystem('stopping:/');
  const { copyOf } = GpuTensors;
  GpuTensors.copyOf = async () => undefined;
  try {
    const again = await TrainingRun.begin(stopping, begun);
    await again.train({ saveEvery: 3 });
    await close(again);
  } finally {
    GpuTensors.copyOf = copyOf;
  }
  for (const step of ['step-000003', 'step-000006']) {
    for (const file of ['model.safetensors', 'optimizer.safetensors', 'state.json']) {
      const path = `checkpoints/${step}/${file}`;
      expect(await slow.read(path), path).toEqual(await stopping.read(path));
    }
  }
});

it('tells where a checkpoint could not be written, with that of before in its place', async () => {
  const files = memoryFileSystem();
  const { append } = files;
  const run = await TrainingRun.begin(files, start({ epochs: 3 }));
  files.append = async (path, content) => {
    if (path.startsWith('checkpoints/.step-000004')) throw new RangeError('the disk is full');
    return append.call(files, path, content);
  };
  await expect(run.train({ saveEvery: 2 })).rejects.toThrow('the disk is full');
  await close(run);
  expect(await files.list('checkpoints')).toEqual(['step-000002']);
  files.append = append;
  expect(await trainOn(files, start({ epochs: 3 }))).toEqual([3, 4, 5, 6]);
});

it('draws samples in their steps, each of the model after that step', async () => {
  const files = memoryFileSystem();
  const run = await TrainingRun.begin(files, start());
  let drawn = 0;
  await run.train({ sampleEvery: 3, sample: async () => Uint8Array.of(run.trainer.done, ++drawn) });
  await close(run);
  expect(await files.list('samples')).toEqual(['step-000000.png', 'step-000003.png', 'step-000004.png']);
  expect([...(await files.read('samples/step-000003.png'))]).toEqual([3, 2]);
});

it('one writer at a time, who goes on as it was begun', async () => {
  const files = memoryFileSystem();
  const run = await TrainingRun.begin(files, start());
  await expect(openRun(files)).rejects.toThrow('it is being written to already');
  await close(run);
  await expect(TrainingRun.begin(files, start())).rejects.toThrow('there is a run in this folder');
  const opened = await openRun(files);
  await expect(TrainingRun.resume(opened, start({ seed: 4 }))).rejects.toThrow(
    'train: memory:/: this run was begun differently (seed was 3, is 4 now)',
  );
  await opened.store.close();
  await expect(openRun(memoryFileSystem('other:/'))).rejects.toThrow(
    'train: other:/: there is no run in this folder (no config.json); begin one instead of resuming',
  );
});

it('goes on with another learning rate, which it keeps', async () => {
  const stopAt = async (files: FileSystem, last: number): Promise<TrainingRun> => {
    const abort = new AbortController();
    const run = await TrainingRun.begin(files, start());
    const onProgress = ({ step }: { step: number }) => step === last && abort.abort('stop');
    // After a step that a picture is drawn of, the GPU has no further one.
    const sample = async () => Uint8Array.of(1);
    const options = { saveEvery: 2, sampleEvery: 2, sample, signal: abort.signal, onProgress };
    await expect(run.train(options)).rejects.toBe('stop');
    expect(run.trainer.done).toBe(last);
    return run;
  };
  const ratesOf = (run: TrainingRun) => run.metrics.map(({ lr }) => lr);
  const unchanged = memoryFileSystem();
  await trainOn(unchanged);
  const rates = (await readRun(unchanged)).metrics.map(({ lr }) => lr);

  // In the run that was stopped, and in the same run opened anew.
  const [kept, again] = [memoryFileSystem('kept:/'), memoryFileSystem('again:/')];
  const first = await stopAt(kept, 2);
  await first.changeRate(0.05);
  await expect(first.changeRate(-1)).rejects.toThrow("'base_lr' must be");
  await first.train();
  expect(ratesOf(first)).toEqual([rates[0], rates[1], (rates[2] as number) / 2, (rates[3] as number) / 2]);
  await close(first);

  const second = await stopAt(again, 2);
  await second.changeRate(0.05);
  await close(second);
  const stopped = await readRun(again);
  expect(stopped.description.rates).toEqual([{ after: 2, base_lr: 0.05 }]);
  expect([stopped.isEnded, stopped.model]).toEqual([false, 'checkpoints/step-000002/model.safetensors']);
  expect(await trainOn(again)).toEqual([3, 4]);
  expect(await outcome(again)).toEqual(await outcome(kept));
  expect((await outcome(again)).model).not.toEqual((await outcome(unchanged)).model);

  // Not under the steps that the GPU has already.
  const busy = memoryFileSystem();
  const run = await TrainingRun.begin(busy, start());
  let refused: Promise<unknown> | undefined;
  await run.train({ onProgress: () => (refused ??= run.changeRate(0.05).catch((error: Error) => error.message)) });
  expect(await refused).toBe('changeRate: the run is training; stop it by its signal first');
  await close(run);
});

it('is read without being opened, and takes no more space than was said', async () => {
  const files = memoryFileSystem();
  const run = await TrainingRun.begin(files, start());
  let max = 0;
  const sample = async () => {
    max = Math.max(max, await folderBytes(files));
    return Uint8Array.of(1);
  };
  await run.train({ saveEvery: 1, sampleEvery: 1, sample });
  const said = runBytes(countParameters(run.trainer.model), 4);
  const kept = await readRun(files);
  expect([kept.steps, kept.saved, kept.isEnded, kept.metrics.length]).toEqual([4, 4, true, 4]);
  expect(kept.model).toBe('model.safetensors');
  expect(kept.samples.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4]);
  await close(run);
  const bytes = await folderBytes(files);
  expect(Math.max(max, bytes)).toBeLessThan(said);
  // Two checkpoints and two models were counted; two and one are there.
  expect(bytes).toBeGreaterThan(said / 2);
  await expect(readRun(memoryFileSystem())).rejects.toThrow('config.json');
});
