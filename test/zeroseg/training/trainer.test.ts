import { describe, expect, it } from 'vitest';
import { freeParameters, parameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { write } from '../../../src/tensor/graph/host-tensors.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import type { TrainingData } from '../../../src/zeroseg/features/training-data.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { checkSettings, defaultSettings, type TrainSettings } from '../../../src/zeroseg/training/settings.ts';
import { Trainer } from '../../../src/zeroseg/training/trainer.ts';
import type { StepReport } from '../../../src/zeroseg/training/trainer-options.ts';
import { useDevice } from '../../support/device.ts';
import { noiseData, smallModel } from '../../support/training.ts';

const device = useDevice();
const hasF16 = () => device.current.features.has('shader-f16');

const config = resolveConfig(smallModel);
const settings: TrainSettings = { ...defaultSettings, batch: 4, micro: 4, epochs: 3, warmup: 1, base_lr: 0.1, seed: 3 };

const data = noiseData(config);

const plain = ({ seconds: _, ...report }: StepReport) => report;

async function trainer(changes: Partial<TrainSettings> = {}): Promise<Trainer> {
  const model = new ZeroSeg(newWeights(device.current, 1), config);
  return Trainer.create(device.current, model, data, { ...settings, ...changes });
}

/** Runs to the end, or to a step. */
async function steps(made: Trainer, until = Number.POSITIVE_INFINITY): Promise<ReturnType<typeof plain>[]> {
  const reports: ReturnType<typeof plain>[] = [];
  for await (const report of made.run()) {
    reports.push(plain(report));
    if (made.done >= until) made.stop();
  }
  return reports;
}

function close(made: Trainer): void {
  made.dispose();
  freeParameters(made.model);
}

describe('Trainer', () => {
  it('computes blocks again to the bit where that is asked for, in less memory', async () => {
    const kept = await trainer();
    const again = await trainer({ checkpoint: true });
    expect(await steps(again)).toEqual(await steps(kept));
    expect(again.memory.step).toBeLessThan(kept.memory.step);
    close(kept);
    close(again);
  });

  for (const changes of [
    {},
    { micro: 2 },
    { precision: 'f16' },
    { precision: 'f16', micro: 2, ema: 0.5 },
    { ema: 0.5, mirror: true },
  ] as const) {
    it(`goes on from a saved state to the bit: ${JSON.stringify(changes)}`, async ({ skip }) => {
      skip('precision' in changes && !hasF16(), 'this device has no f16');
      const whole = await trainer(changes);
      // So large that the first updates are skipped.
      if ('precision' in changes) whole.scale.value = 2 ** 30;
      const first = await trainer(changes);
      first.scale.restore(whole.scale.state());
      const reports = await steps(first, 3);
      const weights = await readAll([...parameters(first.evaluated).values()]);
      const state = await readAll([...first.state().values()]);
      const scale = first.scale.state();
      close(first);

      const second = await trainer(changes);
      [...parameters(second.evaluated).values()].forEach((t, i) => {
        write(t, weights[i] as Float32Array);
      });
      [...second.state().values()].forEach((t, i) => {
        write(t, state[i] as Float32Array);
      });
      second.resume(3, scale);
      reports.push(...(await steps(second)));
      expect(reports).toEqual(await steps(whole));
      expect(second.scale.state()).toEqual(whole.scale.state());
      if ('precision' in changes) {
        expect(scale.value).toBeLessThan(2 ** 30);
        expect(reports.some(({ gradNorm }) => !Number.isFinite(gradNorm))).toBe(true);
      }
      for (const key of ['model', 'evaluated'] as const) {
        expect(await readAll([...parameters(second[key]).values()])).toEqual(
          await readAll([...parameters(whole[key]).values()]),
        );
      }
      close(second);
      close(whole);
    });
  }

  it('averages the weights after every step, by names, and learns the same', async () => {
    const averaged = await trainer({ ema: 0.6, micro: 2 });
    const values = async (model: ZeroSeg) => (await readAll([...parameters(model).values()])).map((all) => [...all]);
    expect([...parameters(averaged.evaluated).keys()]).toEqual([...parameters(averaged.model).keys()]);
    expect(await values(averaged.evaluated)).toEqual(await values(averaged.model));
    let expected: number[][] = [];
    const reports: ReturnType<typeof plain>[] = [];
    for await (const report of averaged.run()) {
      reports.push(plain(report));
      const rest = averaged.done === 1 ? 1 : 1 - Math.min(0.6, (1 + averaged.done) / (10 + averaged.done));
      const weights = await values(averaged.model);
      expected = weights.map((all, i) => all.map((w, j) => w * rest + (1 - rest) * (expected[i]?.[j] ?? 0)));
      const found = await values(averaged.evaluated);
      const error = Math.max(
        ...found.flatMap((all, i) => all.map((w, j) => Math.abs(w - (expected[i]?.[j] as number)))),
      );
      expect(error).toBeLessThan(1e-6);
    }
    expect(await values(averaged.evaluated)).not.toEqual(await values(averaged.model));
    const alone = await trainer({ micro: 2 });
    expect(alone.evaluated).toBe(alone.model);
    expect(await steps(alone)).toEqual(reports);
    expect(averaged.memory.weights).toBeGreaterThan(alone.memory.weights);
    close(averaged);
    close(alone);
  });

  it('looks at the head and asks the probe in their steps, and learns the same', async () => {
    const model = new ZeroSeg(newWeights(device.current, 1), config);
    const measured: number[] = [];
    const watched = await Trainer.create(
      device.current,
      model,
      data,
      { ...settings, micro: 2 },
      {
        statisticsEvery: 4,
        probe: {
          every: 3,
          measure: async ({ config: { image } }, step) => {
            measured.push(step);
            return { tripled: 3 * step, image };
          },
        },
      },
    );
    const reports = await steps(watched);
    expect(reports.filter(({ grouping }) => grouping).map(({ step }) => step)).toEqual([1, 4, 6]);
    expect(measured).toEqual([3, 6]);
    expect(reports[2]?.probe).toEqual({ tripled: 9, image: 32 });
    for (const { grouping } of reports) {
      if (!grouping) continue;
      expect(grouping.groups).toBeGreaterThanOrEqual(1);
      expect(grouping.groups).toBeLessThanOrEqual(Math.min(2, grouping.groupsFirst));
      expect(grouping.groupsFirst).toBeLessThanOrEqual(4);
      expect(grouping.entropyFirst).toBeLessThanOrEqual(Math.log(4) + 1e-6);
      expect(grouping.entropySecond).toBeLessThanOrEqual(Math.log(2) + 1e-6);
      expect(grouping.nearest).toEqual({ '2x2': 1 });
    }
    const other = new ZeroSeg(newWeights(device.current, 1), config);
    const never = await Trainer.create(device.current, other, data, { ...settings, micro: 2 }, { statisticsEvery: 0 });
    const losses = (all: ReturnType<typeof plain>[]) => all.map(({ grouping: _, probe: __, ...rest }) => rest);
    expect(losses(reports)).toEqual(await steps(never));
    close(watched);
    close(never);
  });

  it('fails with what went wrong in a step, and goes on from there if it can', async () => {
    const model = new ZeroSeg(newWeights(device.current, 1), config);
    let breaks = (): void => {};
    let part = 0;
    const fails: TrainingData = {
      length: 8,
      batch: async (numbers) => {
        if (part++ === 3) breaks();
        return data.batch(numbers);
      },
    };
    const made = await Trainer.create(device.current, model, fails, { ...settings, micro: 2 }, { statisticsEvery: 1 });
    // In the second part of a step, while the values of the first are on their way.
    breaks = () => {
      throw new RangeError('no such image');
    };
    await expect(steps(made)).rejects.toThrow('no such image');
    expect(made.done).toBe(1);
    part = 0;
    breaks = () => freeParameters(model);
    await expect(steps(made)).rejects.toThrow(/^train: .* the memory of a tensor \[.*\] was freed$/);
    made.dispose();
    await device.current.settle();
  });

  it('trains in f16 as in f32', async ({ skip }) => {
    skip(!hasF16(), 'this device has no f16');
    const [a, b] = [await trainer({ epochs: 10 }), await trainer({ epochs: 10, precision: 'f16' })];
    const [wide, narrow] = [(await steps(a)).at(-1)?.loss as number, (await steps(b)).at(-1)?.loss as number];
    expect(Math.abs(narrow / wide - 1)).toBeLessThan(0.02);
    expect(b.memory.step).toBeLessThan(a.memory.step);
    close(a);
    close(b);
  });

  it('refuses f16 where the device has none, and a precision that there is not', async () => {
    if (!hasF16()) {
      await expect(trainer({ precision: 'f16' })).rejects.toThrow(
        /has no f16 arithmetic \(shader-f16\); train in f32$/,
      );
    }
    expect(() => checkSettings({ ...settings, precision: 'f8' as never }, 8)).toThrowErrorMatchingInlineSnapshot(
      `[ConfigError: training: 'precision' must be one of f32, f16; got "f8"]`,
    );
    expect(() => checkSettings({ ...settings, ema: 1 }, 8)).toThrowErrorMatchingInlineSnapshot(
      `[ConfigError: training: 'ema' must be a number from 0 to below 1; got 1]`,
    );
  });
});
