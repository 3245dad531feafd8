import { nodeFileSystem } from '../../cli/src/files/node-file-system.ts';
import { tinyConfig } from '../../src/zeroseg/model/config.ts';
import { RunStore } from '../../src/zeroseg/runs/run-store.ts';
import type { Metrics } from '../../src/zeroseg/training/metrics.ts';
import { trainingRunFormat } from '../../src/zeroseg/training/run.ts';
import { type RunDescription, writeDescription } from '../../src/zeroseg/training/run-description.ts';
import { defaultSettings } from '../../src/zeroseg/training/settings.ts';

const key = {
  ...{ teacher: 't', weights: 'w', grids: [1, 2], viewSource: 'native' as const, teacherSize: 8, mean: [0, 0, 0] },
  ...{ std: [1, 1, 1], views: 5, dim: 64, studentSize: 64 },
};

/** What the `config.json` of a run says, for tests of what lies beside it. */
export const description: RunDescription = {
  ...{ version: '1', adapter: 'a', started: 's', preset: 'tiny', init: null },
  ...{ cache: { folder: 'f', photos: 4, paths: 'p', key }, config: tinyConfig, settings: defaultSettings },
};

/** Begins a run of {@link description} on disk. */
export async function createRun(folder: string): Promise<RunStore<Metrics>> {
  return RunStore.create(nodeFileSystem(folder), trainingRunFormat, (files) => writeDescription(files, description));
}
