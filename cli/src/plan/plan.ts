import { featureBytes, plannedSteps, squareBytes } from '@zeroseg/core/internal';
import {
  cacheBytes,
  type NamingRule,
  type ResolvedTraining,
  runBytes,
  type TeacherSource,
  viewCount,
} from '@zeroseg/core/zeroseg';
import { flopsOfWork } from '../bench/index.ts';
import {
  type Cost,
  largestMicro,
  type PlannedTraining,
  segmentWork,
  type TrainingCost,
  teacherCost,
  trainingCost,
} from './costs.ts';
import type { PlanDevice } from './devices.ts';
import type { DeviceFacts } from './dry-device.ts';
import {
  cacheDuration,
  type Duration,
  EVALUATED,
  EVALUATED_SIZE,
  evaluationDuration,
  trainingDuration,
} from './durations.ts';
import { hostMemory } from './host-memory.ts';
import {
  efficiency,
  type Link,
  networkBytes,
  type ProposedRanks,
  proposedRanks,
  type StepParts,
  sharedEvenly,
  stepSeconds,
} from './ranks.ts';
import { secondsOf } from './rates.ts';

/** What squares of a cache are kept as. */
export const squareKinds = ['raw', 'jpeg', 'lossless', 'none'] as const;
type SquareKind = (typeof squareKinds)[number];

export interface PlanOptions {
  readonly training: ResolvedTraining;
  /** What the model's file says of how its segments are named. */
  readonly naming?: NamingRule | undefined;
  /** Whether the micro-batch was chosen; the largest that fits is taken otherwise. */
  readonly isMicroChosen: boolean;
  readonly clip: TeacherSource;
  readonly images: number;
  readonly ranks: number;
  readonly link: Link;
  readonly device: PlanDevice;
  /** Threads of the host that cut and read photos, of each rank. */
  readonly threads: number;
}

export interface Plan {
  readonly parameters: number;
  readonly teacherParameters: number;
  readonly micro: number;
  readonly steps: number;
  /** FLOP of a photo's views, of an image each time that it is trained on, of a photo that is segmented, of an evaluation on VOC 2012. */
  readonly flops: {
    readonly photo: number;
    readonly image: number;
    readonly segment: number;
    readonly evaluation: number;
  };
  /** Bytes of GPU memory of each rank. */
  readonly memory: { readonly teacher: Cost; readonly training: TrainingCost };
  /** Bytes of host memory that each process of a training takes at most, about. */
  readonly hostMemory: number;
  /** Bytes on disk. */
  readonly disk: {
    readonly features: number;
    /** Of the squares alone, by what they are kept as. Pixels are in `features` too. */
    readonly squares: Readonly<Record<SquareKind, number>>;
    readonly index: number;
    /** A checkpoint's weights, and all else that training goes on from; the run at most, with two checkpoints. */
    readonly model: number;
    readonly optimizer: number;
    readonly run: number;
  };
  /** Seconds. */
  readonly cache: Duration;
  readonly training: Duration;
  readonly evaluation: Duration;
  readonly step: StepParts;
  readonly stepSeconds: number;
  readonly efficiency: number;
  /** The most ranks that share the batch evenly and are nine tenths efficient over the link. */
  readonly proposal: ProposedRanks;
  /** Bytes that each rank sends in a step, and in the whole run. */
  readonly network: { readonly step: number; readonly run: number };
}

/** Of gradients that are summed in one piece. */
const BUCKET = 16 * 2 ** 20;

/**
 * What a run takes before it is begun: bytes from the recorded steps, exactly; times from their work, by the rates of the device.
 *
 * Ranks must share a batch evenly.
 *
 * @throws OutOfMemoryError when the device does not hold it.
 */
export async function planRun(options: PlanOptions): Promise<Plan> {
  const { training, naming, clip, images, ranks, link, device, threads } = options;
  const { config, settings } = training;
  const { facts, rates, pace } = device;
  const steps = plannedSteps(settings, images);
  const planned = { config, settings, ranks, about: { teacher: clip.name, naming, steps } };
  const { micro, cost } =
    options.isMicroChosen || device.memory === undefined
      ? await sharedMicro(facts, planned)
      : await largestMicro(facts, planned, device.memory);
  const views = viewCount(config.grids);
  const teacher = await teacherCost(facts, clip, views);
  const segment = await segmentWork(facts, config, EVALUATED_SIZE);
  const parts: StepParts = {
    passes: settings.batch / micro,
    pass: pace * secondsOf(cost.work, rates),
    update: pace * secondsOf(cost.update, rates),
    gradients: 4 * cost.parameters,
    bucket: Math.min(BUCKET, 4 * cost.parameters),
  };
  const shape = { views, dim: clip.config.projection, studentSize: config.image };
  const features = featureBytes(shape, images);
  const index = cacheBytes(shape, images) - features;
  const network = networkBytes(ranks, parts.gradients);
  const host = { device, threads, ranks };
  return {
    ...{ parameters: cost.parameters, teacherParameters: teacher.parameters, micro, steps },
    flops: {
      photo: flopsOfWork(teacher.work),
      image: flopsOfWork(cost.work) / micro,
      segment: flopsOfWork(segment),
      evaluation: EVALUATED * flopsOfWork(segment),
    },
    memory: { teacher, training: cost },
    hostMemory: hostMemory({
      ...{ images, micro, ranks, parameters: cost.parameters, index },
      pixels: 3 * config.image ** 2,
      features: views * clip.config.projection,
      device: device.isSoftware ? cost.device + cost.copy : 0,
    }),
    disk: {
      features,
      squares: Object.fromEntries(
        squareKinds.map((kind) => [kind, squareBytes(kind, shape, images)]),
      ) as unknown as Plan['disk']['squares'],
      index,
      ...cost.files,
      run: runBytes(cost.parameters, steps, settings.ema),
    },
    cache: cacheDuration(teacher.work, images, host),
    training: trainingDuration({ parts, cost, link, steps, batch: settings.batch, image: config.image }, host),
    evaluation: evaluationDuration(segment, host),
    step: parts,
    stepSeconds: stepSeconds(parts, ranks, link),
    efficiency: efficiency(parts, ranks, link),
    proposal: proposedRanks(parts, { batch: settings.batch, micro, isMicroChosen: options.isMicroChosen }, link),
    network: { step: network, run: steps * network },
  };
}

/** The micro-batch of the settings, or the largest part of it that a rank's share of the batch holds evenly. */
async function sharedMicro(
  facts: DeviceFacts,
  planned: PlannedTraining,
): Promise<{ readonly micro: number; readonly cost: TrainingCost }> {
  const { settings, ranks } = planned;
  const micro = sharedEvenly(settings.batch / ranks, settings.micro);
  return { micro, cost: await trainingCost(facts, { ...planned, settings: { ...settings, micro } }) };
}
