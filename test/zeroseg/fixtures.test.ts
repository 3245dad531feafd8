import { describe, expect, it } from 'vitest';
import { kindOf, verifyFixture } from '../../cli/src/verify/index.ts';
import { useDevice } from '../support/device.ts';
import { failuresOf, fixtureLoader, manifestOf } from '../support/reference-fixtures.ts';

// open_clip_config.json lies beside a checkpoint, as open_clip has it, and is no manifest; nor are COCO's masks and the measures of evaluations.
const names = Object.keys(
  import.meta.glob([
    '../fixtures/**/*.json',
    '!../fixtures/**/open_clip_config.json',
    '!../fixtures/coco-masks/*',
    '!../fixtures/evaluation/*',
  ]),
)
  .map((path) => path.slice('../fixtures/'.length, -'.json'.length))
  .sort();

/** In Node alone: ops, each of which has its own tests in both, and models of these ops that ZeroSeg is compared with. */
const nodeOnly = /^(ops|clip-dense|groupvit|segclip|siglip|vit|open-clip)/;
const isBrowser = 'document' in globalThis;

describe('reference fixtures', () => {
  const device = useDevice();

  it('are all of the kinds that are known', async () => {
    const kinds = await Promise.all(names.map(async (name) => kindOf((await manifestOf(name)).json)));
    expect(new Set(kinds)).toEqual(
      new Set(['ops', 'rules', 'training', 'clip', 'clip-dense', 'groupvit', 'segclip', 'tokenizer', 'vit', 'siglip']),
    );
  });

  it.each(names.filter((name) => !(isBrowser && nodeOnly.test(name))))('%s', { timeout: 600_000 }, async (name) => {
    const { rows } = await verifyFixture(device.current, await manifestOf(name), fixtureLoader(name));
    expect(failuresOf(rows)).toEqual([]);
    expect(rows.length).toBeGreaterThan(0);
  });
});
