/** The demo's own training: as many steps as there is time for, watched on scenes that it does not learn from. */
import type { Device } from '@zeroseg/core';
import { StatisticsCollector } from '@zeroseg/core/internal';
import type { Weights } from '@zeroseg/core/nn';
import {
  type CacheReader,
  cachedData,
  resolveTraining,
  type Scene,
  SceneStudent,
  type ScoringOptions,
  SegmentationScore,
  type StepReport,
  type StudentOutput,
  studentLabels,
  Trainer,
  type TrainSettings,
  type Vocabulary,
  ZeroSeg,
} from '@zeroseg/core/zeroseg';

/** What the student is: the preset that learns from scenes, with what helped the student that the package brings. */
const CHOICES = { preset: 'scenes', set: { assign_start: 'medoids', compose_by: 'root' } } as const;
/** Steps to measure the time of one, of which the first ones are not counted. */
const REHEARSED = 5;
const UNCOUNTED = 2;
/** Measured times are those of a machine with nothing else to do; it may get busier. */
const SAFETY = 0.92;
/** Fewer teach nothing, more are another command. */
export const stepLimits = { least: 20, most: 3000 } as const;

/** What the student does after some step, on scenes that it never learns from. */
export interface Probe {
  readonly step: number;
  /** Means over the scenes: segments in use, and things there are; share of pixels named right. */
  readonly used: number;
  readonly things: number;
  readonly accuracy: number;
  /** What it sees in the first of them. */
  readonly view: StudentOutput;
}

export interface DemoTrainingOptions {
  readonly cache: CacheReader;
  readonly seed: number;
  readonly batch: number;
  /** For 256 scenes a step. */
  readonly baseLr: number;
  /** What it begins with: called for the measuring, and again for the training. */
  readonly weights: () => Weights;
  /** How many steps, or how many seconds there are for them. */
  readonly steps?: number | undefined;
  readonly seconds: number;
  /** Scenes to watch, all of one size, how many times, and how they are named. */
  readonly watched: readonly Scene[];
  readonly probes: number;
  readonly vocabulary: Vocabulary;
  readonly scoring: Omit<ScoringOptions, 'scale'>;
  /** Told the plan before the first step, then every step. Ends the training by returning false. */
  readonly planned: (plan: {
    readonly steps: number;
    readonly stepSeconds: number;
    readonly settings: TrainSettings;
  }) => void;
  readonly progress: (report: StepReport, probe: Probe) => boolean;
}

export interface DemoTraining {
  readonly model: ZeroSeg;
  readonly settings: TrainSettings;
  readonly steps: readonly StepReport[];
  readonly probes: readonly Probe[];
  readonly seconds: number;
}

/** Measures a step, decides how many there will be, and trains. */
export async function trainDemo(device: Device, options: DemoTrainingOptions): Promise<DemoTraining> {
  const { cache, seed, probes: many } = options;
  const { batch, baseLr } = options;
  const chosen = (steps: number) =>
    resolveTraining({ ...CHOICES, steps, settings: { batch, base_lr: baseLr, seed } }, cache);
  const began = performance.now();
  const { config, settings: first } = chosen(stepLimits.least);
  const data = cachedData(cache, config.image);
  const watched = (student: SceneStudent, step: number) => probe(student, step, options);
  const size = options.watched[0]?.image.width;
  const times = await rehearse(device, new ZeroSeg(options.weights(), config), data, first, size, (student) =>
    watched(student, 0),
  );

  const model = new ZeroSeg(options.weights(), config);
  const left = options.seconds - (performance.now() - began) / 1000;
  const fitting = Math.floor((SAFETY * left - (many + 1) * times.probe) / times.step);
  const { settings } = chosen(options.steps ?? Math.max(stepLimits.least, Math.min(stepLimits.most, fitting)));
  using trainer = await Trainer.create(device, model, data, settings, { statisticsEvery: 0 });
  using student = await SceneStudent.create(device, model, size);
  options.planned({ steps: trainer.steps, stepSeconds: times.step, settings });
  const probes = [await watched(student, 0)];
  const steps: StepReport[] = [];
  const every = Math.max(1, Math.round(trainer.steps / many));
  for await (const report of trainer.run()) {
    steps.push(report);
    if (report.step % every === 0 || report.step === trainer.steps) probes.push(await watched(student, trainer.done));
    if (!options.progress(report, probes.at(-1) as Probe)) trainer.stop();
  }
  return { model, settings, steps, probes, seconds: (performance.now() - began) / 1000 };
}

/** Seconds of a step, the median, and of a look at the watched scenes. */
async function rehearse(
  device: Device,
  model: ZeroSeg,
  data: ReturnType<typeof cachedData>,
  settings: TrainSettings,
  size: number | undefined,
  look: (student: SceneStudent) => Promise<Probe>,
): Promise<{ step: number; probe: number }> {
  using trainer = await Trainer.create(device, model, data, settings, { statisticsEvery: 0 });
  const seconds: number[] = [];
  for await (const report of trainer.run()) {
    if (report.step > UNCOUNTED) seconds.push(report.seconds);
    if (report.step === REHEARSED) trainer.stop();
  }
  using student = await SceneStudent.create(device, model, size);
  const began = performance.now();
  await look(student);
  const middle = seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)] as number;
  return { step: middle, probe: (performance.now() - began) / 1000 };
}

async function probe(
  student: SceneStudent,
  step: number,
  { watched: scenes, vocabulary, scoring }: DemoTrainingOptions,
): Promise<Probe> {
  const score = new SegmentationScore(vocabulary.names.length + 1, 0);
  const statistics = new StatisticsCollector(vocabulary, 0);
  let view: StudentOutput | undefined;
  for (const scene of scenes) {
    const seen = await student.predict(scene.image);
    statistics.add(scene, seen);
    score.add(studentLabels(seen, vocabulary, scoring), scene.labels.data);
    view ??= seen;
  }
  const { groupsUsed: used, things } = statistics.means();
  return { step, used, things, accuracy: score.pixelAccuracy() ?? 0, view: view as StudentOutput };
}
