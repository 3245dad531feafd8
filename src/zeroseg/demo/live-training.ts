/// <reference lib="esnext.disposable" preserve="true" />
/** A short training that is watched: as many steps as there is time for, measured on scenes that it does not learn from. */

import type { Device } from '../../gpu/index.ts';
import { buildModule, type Weights } from '../../nn/layers/index.ts';
import { median } from '../../tensor/values/index.ts';
import type { Vocabulary } from '../clip/index.ts';
import type { TrainingData } from '../features/index.ts';
import type { WorkOptions } from '../host/index.ts';
import type { ScoringOptions } from '../inference/index.ts';
import { ZeroSeg } from '../model/index.ts';
import type { Scene } from '../scenes/index.ts';
import {
  type FeatureFacts,
  type ResolvedTraining,
  resolveTraining,
  type StepReport,
  Trainer,
  type TrainSettings,
} from '../training/index.ts';
import { type Measurement, WatchedScenes } from './watched-scenes.ts';

/** What the student is: the preset that learns from scenes, with what helped the student that the package brings. */
export const liveChoices = { preset: 'scenes', set: { assign_start: 'medoids', compose_by: 'root' } } as const;
/** Steps to measure the time of one, of which the first ones are not counted. */
const REHEARSED = 5;
const UNCOUNTED = 2;
/** Fraction of the time that is planned for: the machine may get busier than it was while a step was measured. */
const SAFETY = 0.92;
/** Fewer steps teach nothing that can be seen, whatever the student begins with; more are no short training. */
export const liveStepLimits = { min: 40, max: 3000 } as const;

/** What fits into the time, once a step has been measured. */
export interface LivePlan {
  /** As many as fit, up to {@link liveStepLimits}; 0 where fewer than its least do. */
  readonly steps: number;
  readonly stepSeconds: number;
}

/** What is trained, and on what it is measured. */
export interface LiveSetup {
  /** What the teacher saw in the scenes to learn from, and those as training data for images of a size. */
  readonly features: FeatureFacts;
  readonly data: (imageSize: number) => TrainingData;
  readonly seed: number;
  readonly batch: number;
  /** Learning rate for 256 scenes a step. */
  readonly baseLr: number;
  /** What it begins with: called for the measuring, and again for the training. */
  readonly weights: () => Weights;
  /** Scenes to measure on, all of one size, and how many times. */
  readonly watched: readonly Scene[];
  readonly measurements: number;
  readonly vocabulary: Vocabulary;
  readonly scoring: Omit<ScoringOptions, 'scale'>;
}

export interface LiveTrainingOptions
  extends LiveSetup,
    WorkOptions<{ readonly report: StepReport; readonly measurement: Measurement }> {
  readonly steps: number;
}

export interface LiveTraining {
  readonly model: ZeroSeg;
  readonly settings: TrainSettings;
  readonly steps: readonly StepReport[];
  readonly measurements: readonly Measurement[];
  readonly seconds: number;
}

function resolve({ features, batch, baseLr, seed }: LiveSetup, steps: number): ResolvedTraining {
  return resolveTraining({ ...liveChoices, steps, settings: { batch, base_lr: baseLr, seed } }, features);
}

/** Measures how long a step and a measurement take, and says how many steps fit into `seconds`, those of the measuring included. */
export async function planLiveTraining(device: Device, setup: LiveSetup, seconds: number): Promise<LivePlan> {
  const began = performance.now();
  const { config, settings } = resolve(setup, REHEARSED);
  const data = setup.data(config.image);
  const model = await buildModule(setup.weights(), (weights) => new ZeroSeg(weights, config));
  const times = await rehearse(device, model, data, settings, setup);
  const left = seconds - (performance.now() - began) / 1000;
  return { steps: fittingSteps(left, times, setup.measurements), stepSeconds: times.step };
}

/** How many steps fit, beside the measurements; 0 where so few teach nothing. */
export function fittingSteps(
  seconds: number,
  times: { readonly step: number; readonly measurement: number },
  measurements: number,
): number {
  const fitting = Math.floor((SAFETY * seconds - (measurements + 1) * times.measurement) / times.step);
  const { min, max } = liveStepLimits;
  return fitting < min ? 0 : Math.min(max, fitting);
}

/** Trains; before, between and after the steps it measures what the student makes of the watched scenes. */
export async function trainLive(device: Device, options: LiveTrainingOptions): Promise<LiveTraining> {
  const { signal } = options;
  const began = performance.now();
  const { config, settings } = resolve(options, options.steps);
  const model = await buildModule(options.weights(), (weights) => new ZeroSeg(weights, config));
  using trainer = await Trainer.create(device, model, options.data(config.image), settings, { statisticsEvery: 0 });
  using watched = await WatchedScenes.create(device, model, { ...options, scenes: options.watched });
  let measurement = await watched.measure(0);
  const measurements = [measurement];
  const steps: StepReport[] = [];
  const every = Math.max(1, Math.round(trainer.steps / options.measurements));
  const isMeasured = (step: number) => step % every === 0 || step === trainer.steps;
  for await (const report of trainer.run({ needsModel: isMeasured })) {
    steps.push(report);
    if (isMeasured(report.step)) {
      measurement = await watched.measure(trainer.done);
      measurements.push(measurement);
    }
    options.onProgress?.({ report, measurement });
    if (signal?.aborted) trainer.stop();
  }
  signal?.throwIfAborted();
  return { model, settings, steps, measurements, seconds: (performance.now() - began) / 1000 };
}

/** Seconds of a step, the median, and of a measurement. */
async function rehearse(
  device: Device,
  model: ZeroSeg,
  data: TrainingData,
  settings: TrainSettings,
  setup: LiveSetup,
): Promise<{ step: number; measurement: number }> {
  using trainer = await Trainer.create(device, model, data, settings, { statisticsEvery: 0 });
  const seconds: number[] = [];
  for await (const report of trainer.run()) if (report.step > UNCOUNTED) seconds.push(report.seconds);
  using watched = await WatchedScenes.create(device, model, { ...setup, scenes: setup.watched });
  await watched.measure(0); // compiles
  const began = performance.now();
  await watched.measure(0);
  return { step: median(seconds), measurement: (performance.now() - began) / 1000 };
}
