import { expect, it } from 'vitest';
import type { Wire } from '../../../src/nn/distributed/all-reduce.ts';
import { freeParameters, parameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { defaultSettings, type TrainSettings } from '../../../src/zeroseg/training/settings.ts';
import { partsOf } from '../../../src/zeroseg/training/share.ts';
import { Trainer } from '../../../src/zeroseg/training/trainer.ts';
import type { StepReport } from '../../../src/zeroseg/training/trainer-options.ts';
import { useDevice } from '../../support/device.ts';
import { processGroup } from '../../support/process-group.ts';
import { noiseData, smallModel } from '../../support/training.ts';

const device = useDevice();
const config = resolveConfig(smallModel);
// The epsilon is large: Adam divides gradients that are 0 but for rounding by their own size.
const settings: TrainSettings = {
  ...defaultSettings,
  ...{ batch: 6, micro: 2, epochs: 4, warmup: 1, base_lr: 0.1, adam_eps: 1e-3, seed: 3 },
  ...{ ema: 0.6, mirror: true },
};
const data = noiseData(config);

interface Trained {
  readonly reports: readonly StepReport[];
  readonly weights: readonly ArrayLike<number>[];
}

/** Trains in so many processes. Those beside the first begin with other weights, and are asked for nothing. */
async function train(
  size: number,
  work: (trainer: Trainer, rank: number) => void = () => undefined,
  wire?: Wire,
): Promise<Trained[]> {
  const groups = size === 1 ? [undefined] : processGroup(size);
  return Promise.all(
    groups.map(async (group, rank): Promise<Trained> => {
      const model = new ZeroSeg(newWeights(device.current, 1 + rank), config);
      using trainer = await Trainer.create(device.current, model, data, settings, {
        ...{ group, wire },
        statisticsEvery: 2,
      });
      await trainer.synchronise();
      const reports: StepReport[] = [];
      for await (const report of trainer.run()) {
        reports.push(report);
        work(trainer, rank);
      }
      const weights = await readAll([model, trainer.evaluated].flatMap((one) => [...parameters(one).values()]));
      freeParameters(model);
      return { reports, weights };
    }),
  );
}

/** The numbers of a report but the clock's. */
const numbers = ({ seconds: _, ...report }: StepReport): Record<string, unknown> => ({ ...report });

function expectClose(found: unknown, wanted: unknown, path = ''): void {
  if (typeof wanted === 'number') {
    expect(Math.abs((found as number) - wanted), path).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(wanted)));
    return;
  }
  if (typeof wanted !== 'object' || wanted === null) {
    expect(found, path).toEqual(wanted);
    return;
  }
  expect(Object.keys(found as object), path).toEqual(Object.keys(wanted));
  for (const [key, value] of Object.entries(wanted)) {
    expectClose((found as Record<string, unknown>)[key], value, `${path}.${key}`);
  }
}

it('processes that share micro-batches train as one, also where one has more of them', async () => {
  const [alone] = (await train(1)) as [Trained];
  const both = await train(2);
  expect(alone.reports).toHaveLength(4);
  for (const one of both) {
    expectClose(one.reports.map(numbers), alone.reports.map(numbers));
    one.weights.forEach((values, i) => {
      const wanted = alone.weights[i] as ArrayLike<number>;
      Array.from(values).forEach((value, at) => {
        expect(Math.abs(value - (wanted[at] as number)), `weight ${at} of tensor ${i}`).toBeLessThan(1e-4);
      });
    });
  }
  expect(both[1]?.weights).toEqual(both[0]?.weights);
  expect(both[1]?.reports.map(numbers)).toEqual(both[0]?.reports.map(numbers));
});

it('gradients in f16 between processes: losses near those of f32, and the same weights in all', async () => {
  const [alone] = (await train(1)) as [Trained];
  const [first, second] = (await train(2, undefined, 'f16')) as [Trained, Trained];
  const off = first.reports.map(({ loss }, i) => Math.abs(loss / (alone.reports[i] as StepReport).loss - 1));
  expect(Math.max(...off)).toBeLessThan(1e-3);
  expect(first.weights).not.toEqual(alone.weights);
  expect(second.weights).toEqual(first.weights);
});

it('one that is asked to stop stops all of them after the same step', async () => {
  const all = await train(3, (trainer, rank) => rank === 2 && trainer.done === 1 && trainer.stop());
  expect(all.map(({ reports }) => reports.length)).toEqual([2, 2, 2]);
});

it('shares micro-batches evenly, and refuses more processes than there are', () => {
  const shares = (size: number) => Array.from({ length: size }, (_, rank) => partsOf(settings, { rank, size }));
  expect([shares(1), shares(2), shares(3)]).toEqual([[[0, 1, 2]], [[0, 2], [1]], [[0], [1], [2]]]);
  expect(() => shares(4)).toThrowErrorMatchingInlineSnapshot(
    `[ConfigError: training: a batch of 6 in micro-batches of 2 is no work for 4 processes; choose a 'micro' that divides the batch, of at most 1, or a larger batch]`,
  );
});
