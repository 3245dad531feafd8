import { describe, expect, it } from 'vitest';
import { tinyConfig } from '../../../src/zeroseg/model/config.ts';
import { memoryFileSystem } from '../../../src/zeroseg/storage/memory-file-system.ts';
import {
  hashOf,
  parseScore,
  RunArchive,
  type RunIdentity,
  type ScoringIdentity,
} from '../../../src/zeroseg/studies/run-archive.ts';
import type { RunScore } from '../../../src/zeroseg/studies/score-run.ts';
import { defaultSettings } from '../../../src/zeroseg/training/settings.ts';

const score = (objects: number): RunScore => ({
  all: objects / 4,
  objects,
  ground: objects / 2,
  accuracy: 0.4,
  groupsUsed: 4.5,
  namesPresent: 0.6,
  chance: 0.012,
});

describe('runs', () => {
  const identity: RunIdentity = {
    config: tinyConfig,
    settings: { ...defaultSettings, seed: 2 },
    init: null,
    data: { scenes: { size: 128 }, seed: 1, count: 10, teacher: 'abc' },
  };
  const scoring: ScoringIdentity = { scenes: { size: 128 }, seed: 5, count: 3, teacher: 'abc', templates: 'full' };
  const run = { identity, setting: 'both', steps: 3, seconds: 1, adapter: 'a GPU', version: '1.2.3' };
  const files = { model: new Uint8Array(3), metrics: [] };

  const store = new RunArchive(memoryFileSystem());

  it('are found again by all their settings, whatever the order of keys', async () => {
    expect(await store.find(identity)).toBe(undefined);
    await store.save(run, files);
    expect(await store.find(identity)).toMatchObject({ setting: 'both', steps: 3 });
    const { data, ...rest } = identity;
    expect(await store.find({ data, ...rest })).toMatchObject({ steps: 3 });
    expect(await hashOf({ a: 1, b: { c: 2, d: [3] } })).toBe(await hashOf({ b: { d: [3], c: 2 }, a: 1 }));
    expect(await hashOf('abc')).toBe('6cc43f858fbb');
    expect(await store.find({ ...identity, config: { ...tinyConfig, tau: 2 } })).toBe(undefined);
    expect(await store.find({ ...identity, settings: { ...identity.settings, seed: 3 } })).toBe(undefined);
  });

  it('that were stopped are trained again: run.json comes last', async () => {
    const runs = new RunArchive(memoryFileSystem());
    await runs.save(run, files);
    expect(await runs.files.list(await runs.name(identity))).toEqual([
      'metrics.jsonl',
      'model.safetensors',
      'run.json',
    ]);
    await runs.files.remove(`${await runs.name(identity)}/run.json`);
    expect(await runs.find(identity)).toBe(undefined);
    expect(await runs.differences('both', identity)).toEqual([]);
  });

  it('say what a changed setting was, of the same row and seed only', async () => {
    const changed = { ...identity, config: { ...tinyConfig, tau: 2 }, data: { ...identity.data, count: 20 } };
    expect(await store.differences('both', changed)).toEqual([
      'config.tau was 1, is 2 now',
      'data.count was 10, is 20 now',
    ]);
    expect(await store.differences('base', changed)).toEqual([]);
    expect(await store.differences('both', { ...changed, settings: { ...changed.settings, seed: 9 } })).toEqual([]);
  });

  it('are scored once for each way of scoring', async () => {
    let computed = 0;
    const known = {
      parse: parseScore,
      compute: async () => {
        computed++;
        return score(0.5);
      },
    };
    expect(await store.score(identity, scoring, known)).toEqual(score(0.5));
    expect(await store.score(identity, scoring, known)).toEqual(score(0.5));
    expect(computed).toBe(1);
    await store.score(identity, { ...scoring, count: 4 }, known);
    expect(computed).toBe(2);
  });
});
