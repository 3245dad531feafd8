import { afterEach, beforeEach, expect, it } from 'vitest';
import { mean } from '../../../src/kernels/axis/reduce.ts';
import { square } from '../../../src/kernels/elementwise/unary.ts';
import { freeParameters } from '../../../src/nn/layers/module.ts';
import { newWeights } from '../../../src/nn/layers/weights.ts';
import { resolveConfig, tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { configSchema } from '../../../src/zeroseg/model/config-schema.ts';
import { lossLine, lossTerms, weightedTerms } from '../../../src/zeroseg/model/losses/losses.ts';
import type { LossTerm } from '../../../src/zeroseg/model/losses/term.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { metricsLine, metricsOf, parseMetrics } from '../../../src/zeroseg/training/metrics.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';
import { Trainer } from '../../../src/zeroseg/training/trainer.ts';
import type { StepReport } from '../../../src/zeroseg/training/trainer-options.ts';
import { useDevice } from '../../support/device.ts';
import { noiseData, smallModel } from '../../support/training.ts';

const device = useDevice();

/** Keeps the image embedding short. */
const shortTerm: LossTerm = {
  name: 'short',
  title: 'Length of the image embedding',
  about: 'Embeddings that stay short',
  weight: 'w_short',
  defaultWeight: 0.5,
  compute: ({ global, compared }) => ({ loss: mean(square(compared(global))) }),
};

const registry = lossTerms as LossTerm[];
beforeEach(() => {
  registry.push(shortTerm);
});
afterEach(() => {
  registry.pop();
});

it('a term that is added to the list is configured, trained, kept and shown without another edit', async () => {
  expect(configSchema()).toHaveProperty('w_short.default', 0.5);
  expect(resolveConfig({})['w_short']).toBe(0.5);
  expect(() => resolveConfig({ w_short: -1 })).toThrow("'w_short' must be a number from 0 to 1000000; got -1");
  // A configuration of before there was the term.
  expect(resolveConfig({}, tinyConfig)['w_short']).toBe(0.5);

  const config = resolveConfig({ ...smallModel, w_short: 4 });
  const model = new ZeroSeg(newWeights(device.current, 1), config);
  const settings = { ...defaultSettings, batch: 4, micro: 2, epochs: 1, seed: 3 };
  const reports: StepReport[] = [];
  using trainer = await Trainer.create(device.current, model, noiseData(config), settings);
  for await (const report of trainer.run()) reports.push(report);
  const [first] = reports as [StepReport, StepReport];
  expect(reports.length).toBe(2);
  expect(Object.keys(first.terms)).toEqual(['rec', 'distill', 'match', 'compose', 'short']);
  expect(first.terms['short']).toBeGreaterThan(0);
  const weighted = weightedTerms(config, first.terms);
  expect(weighted.at(-1)).toEqual({ name: 'short', value: 4 * (first.terms['short'] as number) });
  const sum = weighted.reduce((all, { value }) => all + value, 0);
  expect(Math.abs(sum - first.loss)).toBeLessThanOrEqual(1e-6 * sum);

  const metrics = metricsOf(first, settings.batch);
  const line = metricsLine(metrics);
  expect(JSON.parse(line)).toMatchObject({ step: 1, short: first.terms['short'], rec: first.terms['rec'] });
  expect(parseMetrics(line)).toEqual(metrics);
  expect(lossLine(config, [metrics])).toMatch(/^loss \S+ \(rec \S+ \+ distill \S+ \+ match \S+ \+ short \S+\)$/);
  freeParameters(model);
});

it('a term without a weight is not computed, and is 0', async () => {
  const config = resolveConfig({ ...smallModel, w_short: 0 });
  const model = new ZeroSeg(newWeights(device.current, 1), config);
  using trainer = await Trainer.create(device.current, model, noiseData(config), {
    ...defaultSettings,
    ...{ batch: 4, micro: 4, epochs: 0.5, seed: 3 },
  });
  for await (const { terms } of trainer.run()) expect(terms['short']).toBe(0);
  freeParameters(model);
});
