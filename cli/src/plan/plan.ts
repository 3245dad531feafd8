import { featureBytes, squareBytes } from '@zeroseg/core/internal';
import { cacheBytes, type ResolvedTraining, runBytes, type TeacherSource, viewCount } from '@zeroseg/core/zeroseg';
import { type Cost, largestMicro, segmentFlops, teacherCost, trainingCost } from './costs.ts';
import { type DeviceFacts, dryDevice } from './dry-device.ts';
import { efficiency, type Link, networkBytes, type StepParts, stepSeconds } from './ranks.ts';

/** What is known of a GPU. */
export interface PlanDevice {
  readonly name: string;
  /** Sums and products of f32 a second that this library's steps reach there, or are taken to. */
  readonly flops: number;
  /** Bytes a second of its memory. */
  readonly bandwidth: number;
  /** Bytes of memory; undefined where nobody said. */
  readonly memory: number | undefined;
  readonly facts: DeviceFacts;
  /** Where the figures are from. */
  readonly source: string;
}

/** What squares of a cache are kept as. */
export const squareKinds = ['raw', 'jpeg', 'lossless', 'none'] as const;
type SquareKind = (typeof squareKinds)[number];

export interface PlanOptions {
  readonly training: ResolvedTraining;
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

/** Hours, or seconds of what the host and the device do at the same time: the longer one counts. */
export interface Duration {
  readonly device: number;
  readonly host: number;
  readonly total: number;
  /** Which of both it waits for. */
  readonly limit: string;
}

export interface Plan {
  readonly parameters: number;
  readonly teacherParameters: number;
  readonly micro: number;
  readonly steps: number;
  /** FLOP of a photo's views, of an image each time that it is trained on, of a photo that is segmented. */
  readonly flops: { readonly photo: number; readonly image: number; readonly segment: number };
  /** Bytes of GPU memory of each rank. */
  readonly memory: { readonly teacher: Cost; readonly training: Cost };
  /** Bytes on disk. */
  readonly disk: {
    readonly features: number;
    /** Of the squares alone, by what they are kept as. Pixels are in `features` too. */
    readonly squares: Readonly<Record<SquareKind, number>>;
    readonly index: number;
    readonly run: number;
  };
  /** Seconds. */
  readonly cache: Duration;
  readonly training: Duration;
  readonly evaluation: number;
  readonly step: StepParts;
  readonly stepSeconds: number;
  readonly efficiency: number;
  /** Bytes that each rank sends in a step, and in the whole run. */
  readonly network: { readonly step: number; readonly run: number };
}

/** Seconds of a thread: a JPEG of 500 × 375 pixels decoded, made ready for the device, hashed and written; and a row read and normalised. */
const HOST = { decode: 0.005, photo: 0.0075, row: 0.002 };
/** VOC 2012's validation, at a shorter side of 448. */
const EVALUATION = { photos: 1449, size: [448, 592] } as const;
/** Bytes that the update of a parameter reads and writes: itself, two means and the sum of its gradients, which it clears. */
const UPDATE_BYTES = 4 * (4 + 4);
/** Of gradients that are summed in one piece. */
const BUCKET = 16 * 2 ** 20;

/**
 * What a run takes before it is begun: bytes from the recorded steps, exactly; times from their FLOP, by the rate of the device.
 *
 * @throws OutOfMemoryError when the device does not hold it.
 */
export async function planRun(options: PlanOptions): Promise<Plan> {
  const { training, clip, images, ranks, link, device, threads } = options;
  const { config } = training;
  const dry = dryDevice(device.facts);
  const share = { ...training.settings, batch: training.settings.batch / ranks };
  const { micro, cost } =
    options.isMicroChosen || device.memory === undefined
      ? { micro: share.micro, cost: await trainingCost(dry, config, share) }
      : await largestMicro(dry, config, share, device.memory);
  const views = viewCount(config.grids);
  const teacher = await teacherCost(dry, clip, views);
  const flops = {
    photo: teacher.flops,
    image: cost.flops / micro,
    segment: segmentFlops(dry, config, EVALUATION.size),
  };
  dry.dispose();

  const { epochs, batch } = training.settings;
  const steps = Math.max(1, Math.round(epochs * Math.floor(images / batch)));
  const parts: StepParts = {
    passes: batch / micro,
    pass: cost.flops / device.flops,
    update: (UPDATE_BYTES * cost.parameters) / device.bandwidth,
    gradients: 4 * cost.parameters,
    bucket: Math.min(BUCKET, 4 * cost.parameters),
  };
  const seconds = stepSeconds(parts, ranks, link);
  const shape = { views, dim: clip.config.projection, studentSize: config.image };
  const features = featureBytes(shape, images);
  return {
    ...{ parameters: cost.parameters, teacherParameters: teacher.parameters, micro, steps, flops },
    memory: { teacher, training: cost },
    disk: {
      features,
      squares: Object.fromEntries(
        squareKinds.map((kind) => [kind, squareBytes(kind, shape, images)]),
      ) as unknown as Plan['disk']['squares'],
      index: cacheBytes(shape, images) - features,
      run: runBytes(cost.parameters, steps),
    },
    cache: duration(
      (images / ranks) * (flops.photo / device.flops),
      ((images / ranks) * (HOST.decode + HOST.photo)) / threads,
    ),
    training: duration(steps * seconds, (steps * (batch / ranks) * HOST.row) / threads),
    evaluation: (EVALUATION.photos * flops.segment) / device.flops,
    step: parts,
    stepSeconds: seconds,
    efficiency: efficiency(parts, ranks, link),
    network: { step: networkBytes(ranks, parts.gradients), run: steps * networkBytes(ranks, parts.gradients) },
  };
}

function duration(device: number, host: number): Duration {
  return { device, host, total: Math.max(device, host), limit: device >= host ? 'the device' : "the host's threads" };
}
