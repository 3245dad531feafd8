import { baseConfig, type NamingRule, scenesConfig, tinyConfig, type ZeroSegConfig } from '../model/index.ts';
import { defaultSettings, type TrainSettings } from './settings.ts';

/** A model and how it is trained. */
export interface Preset {
  readonly config: ZeroSegConfig;
  readonly settings: TrainSettings;
  /** How such a model's segments are best named; what is left out is as the paper has it. */
  readonly naming?: NamingRule;
}

/**
 * Settings for a small model on a processor. The peak rate, 1e-3, is what transformers of this width are trained with; the
 * paper's 1.5e-4 per 256 images would be 2e-5 at this batch.
 */
const tinySettings: TrainSettings = { ...defaultSettings, batch: 32, micro: 32, epochs: 30, warmup: 3, base_lr: 8e-3 };

/** The same for made-up scenes, with clipping: of small batches some gradients are far out. */
const scenesSettings: TrainSettings = { ...tinySettings, epochs: 20, warmup: 2, clip_grad: 1 };

/** Image embeddings of small models choose badly which classes come into question. */
const naming: NamingRule = { scoring: 'softmax' };

/** Presets by name: `base` is the paper's model and its training. */
export const presets: Readonly<Record<string, Preset>> = {
  base: { config: baseConfig, settings: defaultSettings },
  tiny: { config: tinyConfig, settings: tinySettings, naming },
  scenes: { config: scenesConfig, settings: scenesSettings, naming },
};
