import { expect, it } from 'vitest';
import type { Wire } from '../../../src/nn/distributed/all-reduce.ts';
import { freeParameters, parameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { readAll } from '../../../src/tensor/run/read.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { ChromeTrace } from '../../../src/zeroseg/runs/chrome-trace.ts';
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
  trace?: ChromeTrace,
): Promise<Trained[]> {
  const groups = size === 1 ? [undefined] : processGroup(size);
  return Promise.all(
    groups.map(async (group, rank): Promise<Trained> => {
      const model = new ZeroSeg(newWeights(device.current, 1 + rank), config);
      using trainer = await Trainer.create(device.current, model, data, settings, {
        ...{ group, wire },
        statisticsEvery: 2,
        trace: rank === 0 ? trace : undefined,
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

/** Each bucket of each step that is traced is read, then summed, then written, in a row of their own; the first begins while the device computes. */
function checkBuckets(trace: ChromeTrace): void {
  const { traceEvents } = JSON.parse(trace.json()) as { traceEvents: TraceEvent[] };
  const spans = traceEvents.filter(({ cat, ph }) => cat === 'network' && ph === 'b');
  const ends = new Map(traceEvents.filter(({ ph }) => ph === 'e').map((event) => [event.id, event.ts]));
  const buckets = Math.max(...spans.map(({ args }) => args.bucket + 1));
  expect(spans).toHaveLength(3 * 3 * buckets);
  for (const step of [1, 2, 3]) {
    const of = (name: string, bucket: number) =>
      spans.find((span) => span.name === name && span.args.step === step && span.args.bucket === bucket) as TraceEvent;
    const passes = traceEvents.filter(({ name, args }) => name === 'compute' && args.step === step);
    expect(of('bucket read', 0).ts).toBeLessThan(Math.max(...passes.map(({ ts, dur = 0 }) => ts + dur)));
    for (let bucket = 0; bucket < buckets; bucket++) {
      const [read, sum, write] = ['bucket read', 'bucket sum', 'bucket write'].map((name) => of(name, bucket));
      expect(ends.get(read?.id)).toBeLessThanOrEqual(sum?.ts as number);
      expect(ends.get(sum?.id)).toBeLessThanOrEqual(write?.ts as number);
    }
  }
}

interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  readonly ph: string;
  readonly id?: number;
  readonly ts: number;
  readonly dur?: number;
  readonly args: { readonly step: number; readonly bucket: number };
}

it('processes that share micro-batches train as one, also where one has more of them', async () => {
  const [alone] = (await train(1)) as [Trained];
  const trace = new ChromeTrace(3);
  const both = await train(2, undefined, 'f32', trace);
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
  checkBuckets(trace);
  expect(both[1]?.weights).toEqual(both[0]?.weights);
  expect(both[1]?.reports.map(numbers)).toEqual(both[0]?.reports.map(numbers));
});

it('gradients in f16 between processes: losses near those of f32, and the same weights in all', async () => {
  const [alone] = (await train(1)) as [Trained];
  const trace = new ChromeTrace(3);
  const [first, second] = (await train(2, undefined, 'f16', trace)) as [Trained, Trained];
  checkBuckets(trace);
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
