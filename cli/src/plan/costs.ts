/** Exact bytes, and FLOP of the products, of what a run does: from its recorded launches, on a device that holds nothing. */
import { type Device, type Launch, OutOfMemoryError, variable } from '@zeroseg/core';
import { formatShape, launchesOf } from '@zeroseg/core/internal';
import { countParameters, freeParameters } from '@zeroseg/core/nn';
import {
  ClipVision,
  ConfigError,
  Teacher,
  type TeacherSource,
  type TeacherTower,
  Trainer,
  type TrainSettings,
  ZeroSeg,
  type ZeroSegConfig,
} from '@zeroseg/core/zeroseg';
import { dryDevice, emptyWeights } from './dry-device.ts';

/** What something takes on the GPU. */
export interface Cost {
  readonly parameters: number;
  /** Bytes of weights, of an optimizer's state and of sums of gradients. */
  readonly weights: number;
  /** Bytes of everything else: inputs, activations, gradients, results. */
  readonly step: number;
  /** Of the products and of attention, for everything that is in a batch. */
  readonly flops: number;
}

/** FLOP of matrix products and attention: what is more than one in a hundred of a transformer's. */
export function flopsOf(launches: readonly Launch[]): number {
  return launches.reduce((sum, launch) => sum + flopsOfLaunch(launch), 0);
}

function flopsOfLaunch({ kernel, params }: Launch): number {
  const product = (...names: string[]): number =>
    names.reduce((all, name) => all * (params[kernel.paramNames.indexOf(name)] ?? 0), 1);
  if (kernel.name.startsWith('matmul')) return 2 * product('rows', 'cols', 'inner', 'batch');
  if (!kernel.name.startsWith('attention') || kernel.name.endsWith('rows')) return 0;
  // Forward scores and their values; backward the scores again, and four gradients.
  return (kernel.name.includes('backward') ? 10 : 4) * product('images', 'heads', 'queries', 'keys', 'width');
}

/** A step of training: `settings.micro` images at once, and an update after `settings.batch`. FLOP are those of a pass of `micro` images. */
export async function trainingCost(device: Device, config: ZeroSegConfig, settings: TrainSettings): Promise<Cost> {
  const model = new ZeroSeg(emptyWeights(device), config);
  try {
    const data = { length: settings.batch, batch: () => Promise.reject(new Error('internal: nothing is read')) };
    // There are no files whose order could be asked for.
    const planned = { ...settings, order: 'shuffled' } as const;
    using trainer = await Trainer.create(device, model, data, planned, { statisticsEvery: 0 });
    const { step, weights } = trainer.memory;
    return { parameters: countParameters(model), weights, step, flops: flopsOf(trainer.launches) };
  } finally {
    freeParameters(model);
  }
}

/** The teacher's passes over so many views. */
export async function teacherCost(device: Device, clip: TeacherSource, views: number): Promise<Cost> {
  const vision = await towerOf(device, clip);
  try {
    using teacher = await Teacher.create(device, vision, { batch: views });
    const pixels = variable(device, [views, 3, teacher.size, teacher.size]);
    const flops = flopsOf(launchesOf(device, () => vision.forward(pixels)));
    const parameters = countParameters(vision);
    // The views are cut into a batch of their own before they are copied to where the teacher reads them.
    return { parameters, weights: 4 * parameters, step: teacher.memory + pixels.size * 4, flops };
  } finally {
    freeParameters(vision);
  }
}

/** A CLIP by its sizes alone; another tower by its weights. */
async function towerOf(device: Device, clip: TeacherSource): Promise<TeacherTower> {
  const { config } = clip;
  const isClip = 'activation' in config && 'text' in config;
  return isClip ? new ClipVision(emptyWeights(device), config as never) : clip.vision(device);
}

/** FLOP of a photo of that size that is segmented, names aside. */
export function segmentFlops(
  device: Device,
  config: ZeroSegConfig,
  [height, width]: readonly [number, number],
): number {
  const model = new ZeroSeg(emptyWeights(device), config);
  try {
    const image = variable(device, [1, config.chans, height, width]);
    return flopsOf(launchesOf(device, () => model.segment(image).rollout));
  } finally {
    freeParameters(model);
  }
}

/** Beyond so many images at once a pass fills any GPU. */
const ENOUGH = 256;

/**
 * The largest micro-batch, of those that divide a rank's share of the batch, that leaves a tenth of the memory free; and what it costs.
 *
 * @throws OutOfMemoryError when not even one image fits.
 */
export async function largestMicro(
  device: Device,
  config: ZeroSegConfig,
  settings: TrainSettings,
  memory: number,
): Promise<{ readonly micro: number; readonly cost: Cost }> {
  const { batch } = settings;
  const sizes = Array.from({ length: Math.min(ENOUGH, batch) }, (_, i) => i + 1).filter((micro) => batch % micro === 0);
  const costOf = (micro: number) => trainingCost(device, config, { ...settings, micro });
  const [one, few] = [await costOf(1), await costOf(sizes.find((micro) => micro > 1) ?? 1)];
  const more = sizes.find((micro) => micro > 1);
  // An image more takes the same again, nearly: so much fits, and then it is looked at.
  const slope = more ? (few.step - one.step) / (more - 1) : one.step;
  const room = 0.9 * memory - few.weights;
  for (const micro of sizes.toReversed()) {
    if (micro > 1 && one.step + (micro - 1) * slope > 1.02 * room) continue;
    try {
      const cost = await costOf(micro);
      if (cost.weights + cost.step <= 0.9 * memory) return { micro, cost };
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
    }
  }
  throw new OutOfMemoryError(
    `plan: one image of ${formatShape([config.chans, config.image, config.image])} takes more than the device has`,
    one.weights + one.step,
  );
}

/**
 * The largest micro-batch of a training on a device, by the bytes of its recorded steps and what a checkpoint copies, and these bytes.
 *
 * @throws ConfigError when processes cannot share a batch evenly; OutOfMemoryError when not even one image fits.
 */
export async function fittingMicro(
  { adapter, features, limits }: Device,
  {
    config,
    settings,
    ranks,
    memory,
  }: {
    readonly config: ZeroSegConfig;
    readonly settings: TrainSettings;
    readonly ranks: number;
    readonly memory: number;
  },
): Promise<{ readonly micro: number; readonly bytes: number }> {
  const { batch, ema } = settings;
  if (batch % ranks !== 0) {
    throw new ConfigError(
      `train: --micro auto: a batch of ${batch} cannot be shared evenly by ${ranks} processes; choose a multiple of ${ranks}, or give --micro`,
    );
  }
  const dry = dryDevice({ adapter, features, limits });
  try {
    const model = new ZeroSeg(emptyWeights(dry), config);
    // Weights, two means, and averages.
    const copy = 4 * countParameters(model) * (ema > 0 ? 4 : 3);
    freeParameters(model);
    const share = { ...settings, batch: batch / ranks };
    const { micro, cost } = await largestMicro(dry, config, share, Math.max(0, memory - copy / 0.9));
    return { micro, bytes: cost.weights + cost.step + copy };
  } finally {
    dry.dispose();
  }
}
