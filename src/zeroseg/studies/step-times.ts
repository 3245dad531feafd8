import { buildModule, freeParameters } from '../../nn/layers/index.ts';
import { median } from '../../tensor/values/index.ts';
import type { Progress, WorkOptions } from '../host/index.ts';
import { patchCount, resolveConfig, ZeroSeg } from '../model/index.ts';
import { brokenField, FileError, type FileSystem, isNumber, isTableOf, readJsonFile } from '../storage/index.ts';
import { Trainer } from '../training/index.ts';
import type { Experiment } from './ablations.ts';
import { chooseGrids } from './choose-grids.ts';
import { hashOf } from './run-archive.ts';
import type { StudyContext } from './run-study.ts';

/** How long a step takes. */
export interface StepTimes {
  readonly clock: 'wall' | 'processor';
  /** By the settings' keys, and of no masking with a decoder as `decoder`. */
  readonly seconds: Readonly<Record<string, number>>;
}

export interface TimeStepsOptions extends WorkOptions<Progress> {
  /** Where times are kept, to be measured once. */
  readonly files: FileSystem;
  /** Processor time of this process in seconds, which counts on a software adapter. Default: there is none, and wall time counts. */
  readonly processorTime?: (() => number) | undefined;
  /** Rounds in which every setting makes a step, after those in which the GPU's programs are made. */
  readonly rounds?: Rounds;
}

interface Rounds {
  readonly timed: number;
  readonly before: number;
}

/** Rounds of {@link timeSteps}, those before included, where nothing is said. */
export const STEP_ROUNDS: number = 14;
const ROUNDS: Rounds = { timed: STEP_ROUNDS - 2, before: 2 };

/**
 * Seconds of a step of every setting: they take turns, so that what disturbs disturbs all alike, and the median of each
 * counts. Without masking there is nothing to rebuild, and no decoder; `decoder` is the step that hides a single patch. On a
 * software adapter processor time counts: other programs on the machine do not disturb it.
 */
export async function timeSteps(
  { device, base, data, grids, weights, version }: StudyContext,
  { settings }: Pick<Experiment, 'settings'>,
  { files, processorTime, rounds: { timed, before } = ROUNDS, signal, onProgress }: TimeStepsOptions,
): Promise<StepTimes> {
  const one = { key: 'decoder', config: { mask_ratio: 0.5 / patchCount(base.config) } };
  const rows = [one, ...settings.map(({ key, config }) => ({ key, config }))];
  const configured = rows.map(({ key, config }) => ({ key, config: resolveConfig(config, base.config) }));
  // Of no effect on a step: how many there are.
  const { epochs: _, warmup: __, ...perStep } = base.settings;
  const measured = { configured, settings: perStep, device: device.name, version, ROUNDS: { timed, before } };
  const path = `${await hashOf(measured)}.json`;
  if ((await files.status(path))?.kind === 'file') {
    return parseTimes(await readJsonFile(files, path), files.describe(path));
  }
  const processor = device.isSoftware ? processorTime : undefined;
  const rounds = timed + before;
  const open: { key: string; trainer: Trainer; model: ZeroSeg; times: number[] }[] = [];
  try {
    for (const { key, config } of configured) {
      const model = await buildModule(await weights(0, true), (from) => new ZeroSeg(from, config));
      const settings = { ...base.settings, epochs: Math.max(base.settings.epochs, rounds) };
      const trainer = await Trainer.create(device, model, chooseGrids(data, grids, config.grids), settings, {
        statisticsEvery: 0,
      });
      open.push({ key, trainer, model, times: [] });
    }
    const steps = open.map(({ trainer }) => trainer.run());
    for (let round = 0; round < rounds; round++) {
      for (const [i, row] of open.entries()) {
        signal?.throwIfAborted();
        const from = processor?.() ?? 0;
        const { value } = await (steps[i] as (typeof steps)[number]).next();
        const seconds = processor ? processor() - from : (value?.seconds ?? 0);
        if (round >= before) row.times.push(seconds);
        onProgress?.({ done: round * open.length + i + 1, total: rounds * open.length });
      }
    }
  } finally {
    for (const { trainer, model } of open) {
      trainer.dispose();
      freeParameters(model);
    }
  }
  const found: StepTimes = {
    clock: processor ? 'processor' : 'wall',
    seconds: Object.fromEntries(open.map(({ key, times }) => [key, median(times)])),
  };
  await files.write(path, `${JSON.stringify(found, undefined, 2)}\n`);
  return found;
}

/** The content of a file of measured times. @throws FileError when it is damaged. */
export function parseTimes(found: unknown, file: string): StepTimes {
  const isClock = (value: unknown) => value === 'wall' || value === 'processor';
  const broken = brokenField(found, { clock: isClock, seconds: isTableOf(isNumber) });
  if (broken === undefined) return found as StepTimes;
  throw new FileError('experiment', file, `the times are damaged (${broken}); delete it, and they are measured again`);
}
