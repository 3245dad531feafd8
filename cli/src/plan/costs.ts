/** Exact bytes, and the work of launches, of what a run does: from its recorded launches, on devices that hold nothing. */
import { type Device, OutOfMemoryError, variable } from '@zeroseg/core';
import {
  type CheckpointBytes,
  checkpointBytes,
  copyForCheckpoint,
  formatBytes,
  formatShape,
  fusedLaunchesOf,
  teacherIdentity,
} from '@zeroseg/core/internal';
import { countParameters, type ProcessGroup } from '@zeroseg/core/nn';
import {
  ClipVision,
  ConfigError,
  type NamingRule,
  Teacher,
  type TeacherSource,
  type TeacherTower,
  Trainer,
  type TrainSettings,
  ZeroSeg,
  type ZeroSegConfig,
} from '@zeroseg/core/zeroseg';
import { type Work, workOf } from '../bench/index.ts';
import { type DeviceFacts, dryDevice, emptyWeights } from './dry-device.ts';

/** What something takes on the GPU. */
export interface Cost {
  readonly parameters: number;
  /** Bytes of weights, of an optimizer's state and of sums of gradients. */
  readonly weights: number;
  /** Bytes of a pass: inputs, activations, gradients, results. */
  readonly step: number;
  /** Bytes of all buffers that are there meanwhile, those above among them: what `Device.bytes` says. */
  readonly device: number;
  /** Of everything that is in a batch. */
  readonly work: Work;
}

/** What training takes. */
export interface TrainingCost extends Cost {
  /** Of an update, where passes do not make it. */
  readonly update: Work;
  /** Bytes of the GPU's copy of what a checkpoint holds, while it is written. */
  readonly copy: number;
  /** Bytes of the files of weights and of all else that training goes on from, in a checkpoint: exactly, but for eight where f16 has changed its scale. */
  readonly files: CheckpointBytes;
}

/** A training as it is planned. */
export interface PlannedTraining {
  readonly config: ZeroSegConfig;
  readonly settings: TrainSettings;
  /** Processes that share the micro-batches of a step evenly. */
  readonly ranks: number;
  readonly about?: AboutRun | undefined;
}

/** What a model's files say beside its weights, as far as it is known before the run. */
export interface AboutRun {
  /** The teacher's name. */
  readonly teacher: string;
  readonly naming?: NamingRule | undefined;
  /** Steps of the run. */
  readonly steps: number;
}

/** Of a teacher's name and the SHA-256 of its weights, the latter is not known. */
const UNKNOWN_HASH = '0'.repeat(64);

/** A step of training: `settings.micro` images at once, and an update after `settings.batch`. `work` is that of a pass of `micro` images. */
export async function trainingCost(
  facts: DeviceFacts,
  { config, settings, ranks, about = { teacher: '', steps: 1 } }: PlannedTraining,
): Promise<TrainingCost> {
  // Of its own: what others have used, and would be used again, is not there when a run begins.
  const device = dryDevice(facts);
  try {
    const model = new ZeroSeg(emptyWeights(device), config);
    const data = { length: settings.batch, batch: () => Promise.reject(new Error('internal: nothing is read')) };
    // There are no files whose order could be asked for.
    const planned = { ...settings, order: 'shuffled' } as const;
    using trainer = await Trainer.create(device, model, data, planned, { group: groupOf(ranks) });
    // As after the last step, of which the file tells.
    const { teacher, naming, steps } = about;
    trainer.resume(steps, { value: trainer.scale.value, good: steps, updates: steps });
    const identity = teacherIdentity(teacher, UNKNOWN_HASH);
    const { step, weights } = trainer.memory;
    const { bytes } = device;
    const copy = await copyForCheckpoint(trainer, steps, undefined);
    const copied = device.bytes - bytes;
    copy?.dispose();
    return {
      ...{ parameters: countParameters(model), weights, step, device: bytes, copy: copied },
      ...{ work: workOf(trainer.launches), update: workOf(trainer.updateLaunches) },
      files: checkpointBytes(trainer, { step: steps, teacher: identity, naming, ema: settings.ema }),
    };
  } finally {
    device.dispose();
  }
}

/** Processes that say nothing. */
function groupOf(size: number): ProcessGroup {
  const never = () => Promise.reject(new Error('internal: nothing is sent'));
  return { rank: 0, size, allReduce: never, broadcast: never, allToAll: never, allGather: never };
}

/** The teacher's passes over so many views. */
export async function teacherCost(facts: DeviceFacts, clip: TeacherSource, views: number): Promise<Cost> {
  const device = dryDevice(facts);
  try {
    const vision = await towerOf(device, clip);
    using teacher = await Teacher.create(device, vision, { batch: views });
    const pixels = variable(device, [views, 3, teacher.size, teacher.size]);
    const work = workOf(await fusedLaunchesOf(device, () => vision.forward(pixels)));
    const parameters = countParameters(vision);
    // The views are cut into a batch of their own before they are copied to where the teacher reads them.
    const step = teacher.memory + pixels.size * 4;
    return { parameters, weights: 4 * parameters, step, device: device.bytes, work };
  } finally {
    device.dispose();
  }
}

/** A CLIP by its sizes alone; another tower by its weights. */
async function towerOf(device: Device, clip: TeacherSource): Promise<TeacherTower> {
  const { config } = clip;
  const isClip = 'activation' in config && 'text' in config;
  return isClip ? new ClipVision(emptyWeights(device), config as never) : clip.vision(device);
}

/** A photo of that size that is segmented, names aside. */
export async function segmentWork(
  facts: DeviceFacts,
  config: ZeroSegConfig,
  [height, width]: readonly [number, number],
): Promise<Work> {
  const device = dryDevice(facts);
  try {
    const model = new ZeroSeg(emptyWeights(device), config);
    const image = variable(device, [1, config.chans, height, width]);
    return workOf(await fusedLaunchesOf(device, () => model.segment(image).rollout));
  } finally {
    device.dispose();
  }
}

/** Beyond so many images at once a pass fills any GPU. */
const ENOUGH = 256;
/** What training may fill of a device's memory, with what a checkpoint copies. */
const FILLED = 0.9;

/**
 * The largest micro-batch, of those that divide a rank's share of the batch, that leaves a tenth of the memory free while a checkpoint is copied; and
 * what it costs.
 *
 * @throws OutOfMemoryError when not even one image fits.
 */
export async function largestMicro(
  facts: DeviceFacts,
  planned: PlannedTraining,
  memory: number,
): Promise<{ readonly micro: number; readonly cost: TrainingCost }> {
  const { config, settings, ranks } = planned;
  const share = settings.batch / ranks;
  const sizes = Array.from({ length: Math.min(ENOUGH, share) }, (_, i) => i + 1).filter((micro) => share % micro === 0);
  const costOf = (micro: number) => trainingCost(facts, { ...planned, settings: { ...settings, micro } });
  const one = await costOf(1);
  if (!fits(one, memory)) {
    throw new OutOfMemoryError(
      `one image of ${formatShape([config.chans, config.image, config.image])} at a time takes ${formatBytes(filled(one))} with weights, optimizer and a checkpoint's copy, ` +
        `and nine tenths of ${formatBytes(memory)} are there; give --checkpoint, a smaller model (--config, --set image=…), or --gpu-memory if the device has more`,
      filled(one),
    );
  }
  const more = sizes.find((micro) => micro > 1);
  // An image more takes the same again, nearly: so much fits, and then it is looked at.
  const slope = more ? ((await costOf(more)).step - one.step) / (more - 1) : 0;
  for (const micro of sizes.filter((micro) => micro > 1).toReversed()) {
    if (filled(one) + (micro - 1) * slope > 1.02 * FILLED * memory) continue;
    try {
      const cost = await costOf(micro);
      if (fits(cost, memory)) return { micro, cost };
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
    }
  }
  return { micro: 1, cost: one };
}

/** Bytes that a training fills at most: while a checkpoint is copied. */
function filled({ device, copy }: TrainingCost): number {
  return device + copy;
}

/** Whether a device with so many bytes holds a training, and has something to spare. */
export function fits(cost: TrainingCost, memory: number): boolean {
  return filled(cost) <= FILLED * memory;
}

/**
 * The largest micro-batch of a training on a device, by the bytes of its recorded steps and what a checkpoint copies, and these bytes.
 *
 * @throws ConfigError when processes cannot share a batch evenly; OutOfMemoryError when not even one image fits.
 */
export async function fittingMicro(
  facts: DeviceFacts,
  { memory, ...planned }: PlannedTraining & { readonly memory: number },
): Promise<{ readonly micro: number; readonly bytes: number }> {
  const { ranks } = planned;
  const { batch } = planned.settings;
  if (batch % ranks !== 0) {
    throw new ConfigError(
      `train: --micro auto: a batch of ${batch} cannot be shared evenly by ${ranks} processes; choose a multiple of ${ranks}, or give --micro`,
    );
  }
  const { micro, cost } = await largestMicro(facts, planned, memory);
  return { micro, bytes: filled(cost) };
}
