import {
  ConfigError,
  defaultsOf,
  flag,
  numberIn,
  oneOf,
  type Schema,
  valueProblem,
  wholeNumber,
} from '../host/index.ts';

/** How a model is trained. What a setting means, what it may be and what it is by default says {@link settingsSchema}. */
export interface TrainSettings {
  readonly batch: number;
  readonly micro: number;
  readonly epochs: number;
  readonly warmup: number;
  readonly base_lr: number;
  readonly min_lr: number;
  readonly weight_decay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly adam_eps: number;
  readonly clip_grad: number;
  readonly ema: number;
  readonly mirror: boolean;
  readonly order: 'shuffled' | 'windowed';
  readonly window: number;
  readonly seed: number;
  readonly precision: 'f32' | 'f16';
  readonly checkpoint: boolean;
}

const rate = { from: 0, to: 1e4 } as const;
const decayRate = numberIn({ from: 0, below: 1 });

/** Every setting of a training: what it means, what it may be, and what it is in the paper. Beyond the bounds nobody ever trained. */
export const settingsSchema: Schema<TrainSettings> = {
  batch: {
    kind: wholeNumber(1, 2 ** 24),
    default: 4096,
    about: 'Images per step; gradients of several micro-batches are added up.',
  },
  micro: {
    kind: wholeNumber(1, 2 ** 20),
    default: 8,
    about: 'Images that go through the GPU at once; divides the batch.',
  },
  epochs: { kind: numberIn({ above: 0, to: 1e6 }), default: 80, about: 'Passes over the images; may be a fraction.' },
  warmup: {
    kind: numberIn({ from: 0, to: 1e6 }),
    default: 20,
    about: 'Epochs in which the learning rate grows from 0 to its peak, base_lr · batch / 256; may be a fraction.',
  },
  base_lr: { kind: numberIn({ above: 0, to: 1e4 }), default: 1.5e-4, about: 'Learning rate for 256 images a step.' },
  min_lr: { kind: numberIn(rate), default: 0, about: 'Learning rate at the end.' },
  weight_decay: { kind: numberIn(rate), default: 0.05, about: "AdamW's weight decay." },
  beta1: { kind: decayRate, default: 0.9, about: 'Decay of the mean of the gradients.' },
  beta2: { kind: decayRate, default: 0.95, about: 'Decay of the mean of the squared gradients.' },
  adam_eps: { kind: numberIn({ above: 0, to: 1 }), default: 1e-8, about: "AdamW's epsilon." },
  clip_grad: { kind: numberIn({ from: 0, to: 1e12 }), default: 0, about: 'Largest gradient norm; 0 does not clip.' },
  ema: {
    kind: decayRate,
    default: 0,
    about:
      'Decay of an exponential moving average of the weights, such as 0.999, which then is the model; 0 keeps none. Early steps take less: (1 + t) / (10 + t).',
  },
  mirror: {
    kind: flag,
    default: false,
    about:
      "Whether half of the photos are mirrored; their views' features are those of the cache in mirrored order, an approximation.",
  },
  order: {
    kind: oneOf('shuffled', 'windowed'),
    default: 'shuffled',
    about:
      'Order of an epoch: all photos shuffled; or the files of the cache shuffled, and the photos of `window` files at a time, which suits disks that read on better than here and there.',
  },
  window: {
    kind: wholeNumber(1, 2 ** 20),
    default: 16,
    about: 'Files of the cache whose photos are shuffled together, where the order is windowed.',
  },
  seed: { kind: wholeNumber(0, 2 ** 32 - 1), default: 0, about: 'Of weights, masks, noise and the order of images.' },
  precision: {
    kind: oneOf('f32', 'f16'),
    default: 'f32',
    about: 'What activations and their gradients are computed in. Weights and optimizer are f32.',
  },
  checkpoint: {
    kind: flag,
    default: false,
    about:
      'Whether the insides of transformer blocks are computed again for their gradients: less memory, a third more time.',
  },
};

/** The paper's settings. */
export const defaultSettings: TrainSettings = defaultsOf(settingsSchema);

/**
 * Checks settings against the number of images.
 *
 * @throws ConfigError that names the setting and the remedy.
 */
export function checkSettings(settings: TrainSettings, images: number): TrainSettings {
  const { batch, micro } = settings;
  const problem = valueProblem(settingsSchema, { ...settings });
  if (problem !== undefined) throw new ConfigError(`training: ${problem}`);
  if (batch % micro !== 0)
    throw new ConfigError(`training: 'batch' (${batch}) must be a multiple of 'micro' (${micro})`);
  if (images < batch) {
    throw new ConfigError(
      `training: 'batch' (${batch}) is larger than the data set (${images} photos); choose a batch of at most ${images}`,
    );
  }
  return settings;
}

/** Steps of a training on so many images: whole batches, and at least one. */
export function plannedSteps({ epochs, batch }: Pick<TrainSettings, 'epochs' | 'batch'>, images: number): number {
  return Math.max(1, Math.round(epochs * Math.floor(images / batch)));
}
