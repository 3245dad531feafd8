import { defaultsOf, flag, numberIn, oneOf, type Schema, wholeNumber } from '../host/index.ts';

/** How a backbone is fine-tuned on labelled photos. What a setting means and may be says {@link finetuneSettingsSchema}. */
export interface FinetuneSettings {
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  readonly schedule: 'constant' | 'poly' | 'cosine';
  readonly warmup: number;
  readonly weight_decay: number;
  readonly crop: number;
  readonly short: number;
  readonly scale_min: number;
  readonly scale_max: number;
  readonly flip: boolean;
  readonly frozen: boolean;
  readonly seed: number;
}

/**
 * Defaults: the transfer protocol of GroupViT's appendix A.2 (ViT, one linear layer on the patch tokens, the whole network trained), and
 * where it is silent, what `docs/finetuning.md` says.
 */
export const finetuneSettingsSchema: Schema<FinetuneSettings> = {
  steps: { kind: wholeNumber(1, 1e9), default: 4000, about: 'Steps of the whole training.' },
  batch: { kind: wholeNumber(1, 65_536), default: 16, about: 'Crops a step.' },
  lr: { kind: numberIn({ above: 0, to: 1e4 }), default: 1e-3, about: 'The highest learning rate.' },
  schedule: {
    kind: oneOf('constant', 'poly', 'cosine'),
    default: 'constant',
    about: 'After the warm-up: constant, poly (falls as (1 - t)^0.9), or cosine (half of one).',
  },
  warmup: {
    kind: numberIn({ from: 0, to: 1 }),
    default: 0.05,
    about: 'Fraction of the steps in which the rate rises from 0, in a line.',
  },
  weight_decay: { kind: numberIn({ from: 0, to: 1e4 }), default: 0.05, about: "AdamW's weight decay." },
  crop: {
    kind: wholeNumber(1, 16_384),
    default: 224,
    about: "Side of crops and of the windows of evaluation, in pixels; a multiple of the backbone's patch.",
  },
  short: {
    kind: wholeNumber(1, 16_384),
    default: 448,
    about: 'Shorter side that photos are resized to: before the random scale in training, and in evaluation.',
  },
  scale_min: { kind: numberIn({ above: 0, to: 64 }), default: 0.5, about: 'Lowest random scale of a photo.' },
  scale_max: { kind: numberIn({ above: 0, to: 64 }), default: 2, about: 'Highest random scale of a photo.' },
  flip: { kind: flag, default: true, about: 'Half of the crops are mirrored.' },
  frozen: { kind: flag, default: false, about: 'Only the classifier learns; the backbone stays as it is.' },
  seed: {
    kind: wholeNumber(0, 2 ** 32 - 1),
    default: 1,
    about: 'Of the classifier, the order of photos and the crops.',
  },
};

export const defaultFinetuneSettings: FinetuneSettings = defaultsOf(finetuneSettingsSchema);

const POLY_POWER = 0.9;

/** The learning rate of step 1, 2, … */
export function finetuneRate(step: number, { steps, lr, warmup, schedule }: FinetuneSettings): number {
  const rising = warmup * steps;
  if (step < rising) return (lr * step) / rising;
  if (schedule === 'constant') return lr;
  const done = Math.min(1, (step - rising) / Math.max(1, steps - rising));
  return schedule === 'poly' ? lr * (1 - done) ** POLY_POWER : (lr * (1 + Math.cos(Math.PI * done))) / 2;
}
