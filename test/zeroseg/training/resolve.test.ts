import { describe, expect, it } from 'vitest';
import { scenesConfig, tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { presets } from '../../../src/zeroseg/training/presets.ts';
import { type FeatureFacts, resolveTraining } from '../../../src/zeroseg/training/resolve.ts';
import { checkSettings } from '../../../src/zeroseg/training/settings.ts';

const features: FeatureFacts = { folder: 'F', length: 64, key: { teacher: 't', dim: 8, grids: [1, 2] } };

describe('resolveTraining', () => {
  it('takes width and grids from the features, and the rest from the preset', () => {
    const { config, settings, preset, notes } = resolveTraining({ preset: 'scenes' }, features);
    expect(config).toEqual({ ...scenesConfig, clip_dim: 8, grids: [1, 2] });
    expect(settings).toEqual(presets['scenes']?.settings);
    expect([preset, notes]).toEqual(['scenes', []]);
  });

  it('takes a smaller batch where there are fewer photos, unless a batch is chosen', () => {
    const { settings, notes } = resolveTraining({ preset: 'tiny' }, { ...features, length: 10 });
    expect([settings.batch, settings.micro]).toEqual([10, 10]);
    expect(notes).toEqual(['batch 10 instead of 32: the cache has no more photos']);
    expect(() => resolveTraining({ preset: 'tiny', settings: { batch: 32 } }, { ...features, length: 10 })).toThrow(
      "training: 'batch' (32) is larger than the data set (10 photos); choose a batch of at most 10",
    );
  });

  it('counts steps in epochs, and warms up in a quarter of them', () => {
    const { settings } = resolveTraining({ preset: 'tiny', steps: 6, settings: { batch: 16 } }, features);
    expect([settings.epochs, settings.warmup, settings.micro]).toEqual([1.5, 0.375, 16]);
  });

  it('lets settings by name come before values by key', () => {
    const { config, settings } = resolveTraining(
      { preset: 'tiny', set: { mask_ratio: 0.5, seed: 3, epochs: 2 }, settings: { seed: 4, epochs: undefined } },
      features,
    );
    expect([config.mask_ratio, settings.seed, settings.epochs]).toEqual([0.5, 4, 2]);
  });

  it('reads a flat file, and the description of a run', () => {
    const flat = resolveTraining({ preset: { name: 'a.json', content: { image: 32, patch: 8, batch: 8 } } }, features);
    expect([flat.preset, flat.config.image, flat.settings.batch]).toEqual(['a.json', 32, 8]);
    const content = { config: { ...tinyConfig, positions: undefined }, settings: { batch: 4 } };
    const ofRun = { ...content, config: Object.fromEntries(Object.entries(tinyConfig).filter(([k]) => k !== 'grids')) };
    const again = resolveTraining({ preset: { name: 'config.json', content: ofRun }, set: { clip_dim: 8 } }, features);
    expect([again.config.dim, again.config.positions, again.settings.batch]).toEqual([96, 'fixed', 4]);
    for (const wrong of [null, [], 'a', 1]) {
      expect(() => resolveTraining({ preset: { name: 'b.json', content: wrong } }, features)).toThrow(
        'configuration: b.json: it must be an object of keys and values',
      );
    }
  });

  it('goes on with what the run was begun with, longer if it is asked', () => {
    const run = { ...resolveTraining({ preset: 'tiny', set: { assign_scale: 2 }, steps: 4 }, features) };
    const same = resolveTraining({}, features, run);
    expect([same.config, same.settings]).toEqual([run.config, run.settings]);
    const longer = resolveTraining({ steps: 8 }, features, run);
    expect(longer.settings).toEqual({ ...run.settings, epochs: 2 * run.settings.epochs });
    expect(longer.isPositionsOpen).toBe(false);
  });

  it('refuses what there is not, and what does not fit the features', () => {
    const refused = (choices: Parameters<typeof resolveTraining>[0]) => {
      try {
        resolveTraining(choices, features);
        return 'nothing';
      } catch (error) {
        return String(error);
      }
    };
    expect([
      refused({ preset: 'toString' }),
      refused({ preset: 'tiny', set: { seed: 'one' } }),
      refused({ preset: 'tiny', set: { dimm: 1 } }),
      refused({ preset: 'tiny', set: { clip_dim: 16 } }),
      refused({ preset: 'tiny', set: { grids: [1] } }),
    ]).toMatchInlineSnapshot(`
      [
        "ConfigError: train: there is no configuration 'toString'; give base, scenes, tiny or a JSON file",
        "ConfigError: training: 'seed' must be a whole number from 0 to 4294967295; got "one"",
        "ConfigError: configuration: there is no key 'dimm'; did you mean 'dim'?",
        "ConfigError: configuration: 'clip_dim' is 16, and the features in F have 8 values (teacher 't'); leave clip_dim out, or use another cache",
        "ConfigError: configuration: 'grids' is [1], and the features in F are of [1, 2]; leave grids out, or make a cache of these (--grids 1)",
      ]
    `);
  });
});

it('settings are checked by their schema', () => {
  const tiny = presets['tiny']?.settings as NonNullable<(typeof presets)[string]>['settings'];
  const refused = (changes: object) => {
    try {
      checkSettings({ ...tiny, ...changes }, 64);
      return 'nothing';
    } catch (error) {
      return String(error);
    }
  };
  expect([
    refused({ beta1: 1 }),
    refused({ epochs: 0 }),
    refused({ seed: 0.5 }),
    refused({ precision: 'f8' }),
    refused({ checkpoint: 1 }),
    refused({ micro: 5 }),
  ]).toMatchInlineSnapshot(`
    [
      "ConfigError: training: 'beta1' must be a number from 0 to below 1; got 1",
      "ConfigError: training: 'epochs' must be a number above 0, up to 1000000; got 0",
      "ConfigError: training: 'seed' must be a whole number from 0 to 4294967295; got 0.5",
      "ConfigError: training: 'precision' must be one of f32, f16; got "f8"",
      "ConfigError: training: 'checkpoint' must be true or false; got 1",
      "ConfigError: training: 'batch' (32) must be a multiple of 'micro' (5)",
    ]
  `);
});
