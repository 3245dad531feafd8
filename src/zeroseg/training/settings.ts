import { shownValue } from '../../gpu/index.ts';
import { ConfigError } from '../host/index.ts';
/** How a model is trained (section 10). Defaults are the paper's; `epochs` and `warmup` may be fractions. */
export interface TrainSettings {
  /** Images per step; gradients of several micro-batches are added up. */
  readonly batch: number;
  /** Images that go through the GPU at once. */
  readonly micro: number;
  readonly epochs: number;
  /** Epochs in which the rate grows from 0 to its peak, `base_lr · batch / 256`. */
  readonly warmup: number;
  readonly base_lr: number;
  readonly min_lr: number;
  readonly weight_decay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly adam_eps: number;
  /** Largest gradient norm; 0 does not clip. */
  readonly clip_grad: number;
  /** Of weights, masks, noise and the order of images. */
  readonly seed: number;
  /** What activations and their gradients are computed in. Weights and optimizer are f32. */
  readonly precision: 'f32' | 'f16';
  /** Whether the insides of transformer blocks are computed again for their gradients: less memory, a third more time. */
  readonly checkpoint: boolean;
}

/** The paper's settings. */
export const defaultSettings: TrainSettings = {
  batch: 4096,
  micro: 8,
  epochs: 80,
  warmup: 20,
  base_lr: 1.5e-4,
  min_lr: 0,
  weight_decay: 0.05,
  beta1: 0.9,
  beta2: 0.95,
  adam_eps: 1e-8,
  clip_grad: 0,
  seed: 0,
  precision: 'f32',
  checkpoint: false,
};

interface Bounds {
  readonly least: number;
  readonly most: number;
  readonly whole?: boolean;
  /** Whether the value must be above `least`. */
  readonly open?: boolean;
}

/** Beyond these nobody ever trained: what lies there is a slip of the keyboard. */
const bounds = {
  batch: { least: 1, most: 2 ** 24, whole: true },
  micro: { least: 1, most: 2 ** 20, whole: true },
  epochs: { least: 0, most: 1e6, open: true },
  warmup: { least: 0, most: 1e6 },
  base_lr: { least: 0, most: 1e4, open: true },
  min_lr: { least: 0, most: 1e4 },
  weight_decay: { least: 0, most: 1e4 },
  adam_eps: { least: 0, most: 1, open: true },
  clip_grad: { least: 0, most: 1e12 },
  seed: { least: 0, most: 2 ** 32 - 1, whole: true },
} satisfies Partial<Record<keyof TrainSettings, Bounds>> as Readonly<Record<string, Bounds>>;

/**
 * Checks settings against the number of images.
 *
 * @throws ConfigError that names the setting and the remedy.
 */
export function checkSettings(settings: TrainSettings, images: number): TrainSettings {
  const fail = (rule: string): never => {
    throw new ConfigError(`training: ${rule}`);
  };
  for (const [key, { least, most, whole, open }] of Object.entries(bounds)) {
    const value: unknown = settings[key as keyof TrainSettings];
    const fits = typeof value === 'number' && (open ? value > least : value >= least) && value <= most;
    if (fits && (!whole || Number.isInteger(value))) continue;
    const from = open ? `above ${least}, up to ${most}` : `from ${least} to ${most}`;
    fail(`'${key}' must be a ${whole ? 'whole ' : ''}number ${from}; got ${shownValue(value)}`);
  }
  for (const key of ['beta1', 'beta2'] as const) {
    if (!(settings[key] >= 0 && settings[key] < 1))
      fail(`'${key}' must be a number from 0 to below 1; got ${shownValue(settings[key])}`);
  }
  if (settings.precision !== 'f32' && settings.precision !== 'f16') {
    fail(`'precision' must be f32 or f16; got ${shownValue(settings.precision)}`);
  }
  if (typeof settings.checkpoint !== 'boolean') {
    fail(`'checkpoint' must be true or false; got ${shownValue(settings.checkpoint)}`);
  }
  if (settings.batch % settings.micro !== 0) {
    fail(`'batch' (${settings.batch}) must be a multiple of 'micro' (${settings.micro})`);
  }
  if (images < settings.batch) {
    fail(
      `'batch' (${settings.batch}) is larger than the data set (${images} images); choose a batch of at most ${images}`,
    );
  }
  return settings;
}
