import { join } from 'node:path';
import { chooseGrids, type Experiment } from '@zeroseg/core/internal';
import { freeParameters } from '@zeroseg/core/nn';
import { patchCount, resolveConfig, Trainer, type ZeroSeg } from '@zeroseg/core/zeroseg';
import { median } from '../bench/index.ts';
import { brokenField, FileError, isNumber, isTableOf, readJson, writeFileAtomic } from '../files/index.ts';
import { newModel } from '../runs/index.ts';
import { Interrupted, Progress, version } from '../shell/index.ts';
import { kindOfPath } from '../weights/index.ts';
import { GRIDS, type Lab } from './experiment-lab.ts';
import { hashOf } from './experiment-runs.ts';

/** How long a step takes. */
export interface StepTimes {
  readonly clock: 'wall' | 'processor';
  /** By the settings' keys, and of no masking with a decoder as `decoder`. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Rounds in which every mask ratio makes a step, after those in which the GPU's programs are made. */
const ROUNDS = { timed: 12, before: 2 };

/**
 * Seconds of a step for every mask ratio: they take turns, so that what disturbs disturbs all alike, and the median of each
 * counts. Without masking there is nothing to rebuild, and no decoder; `decoder` is the step that hides a single patch. On a
 * software adapter processor time counts: other programs on the machine do not disturb it.
 */
export async function timeSteps(lab: Lab, { settings }: Experiment): Promise<StepTimes> {
  const { context, device, base, data, options, interruption } = lab;
  const one = { key: 'decoder', config: { mask_ratio: 0.5 / patchCount(base.config) } };
  const rows = [one, ...settings.map(({ key, config }) => ({ key, config }))];
  const configured = rows.map(({ key, config }) => ({ key, config: resolveConfig(config, base.config) }));
  // Of no effect on a step: how many there are.
  const { epochs: _, warmup: __, ...perStep } = base.settings;
  const measured = { configured, settings: perStep, device: device.name, version, ROUNDS };
  const file = join(options.out, 'times', `${hashOf(measured)}.json`);
  if ((await kindOfPath(file)) === 'file') return parseTimes(await readJson(file), file);
  const rounds = ROUNDS.timed + ROUNDS.before;
  const progress = new Progress(context.terminal, 'timing', rounds * rows.length, 'steps');
  const open: { key: string; trainer: Trainer; model: ZeroSeg; times: number[] }[] = [];
  try {
    for (const { key, config } of configured) {
      const { model } = await newModel(device, config, 0, null);
      const settings = { ...base.settings, epochs: Math.max(base.settings.epochs, rounds) };
      const trainer = await Trainer.create(device, model, chooseGrids(data, GRIDS, config.grids), settings, {
        statisticsEvery: 0,
      });
      open.push({ key, trainer, model, times: [] });
    }
    const steps = open.map(({ trainer }) => trainer.run());
    for (let round = 0; round < rounds; round++) {
      for (const [i, row] of open.entries()) {
        if (interruption.signal) throw new Interrupted(interruption.signal);
        const before = process.cpuUsage();
        const { value } = await (steps[i] as (typeof steps)[number]).next();
        const { user, system } = process.cpuUsage(before);
        const seconds = device.isSoftware ? (user + system) / 1e6 : (value?.seconds ?? 0);
        if (round >= ROUNDS.before) row.times.push(seconds);
        progress.at(round * open.length + i + 1);
      }
    }
  } finally {
    progress.stop();
    for (const { trainer, model } of open) {
      trainer.dispose();
      freeParameters(model);
    }
  }
  const found: StepTimes = {
    clock: device.isSoftware ? 'processor' : 'wall',
    seconds: Object.fromEntries(open.map(({ key, times }) => [key, median(times)])),
  };
  await writeFileAtomic(file, `${JSON.stringify(found, undefined, 2)}\n`, lab);
  return found;
}

/** What a file of measured times says. */
export function parseTimes(found: unknown, file: string): StepTimes {
  const isClock = (value: unknown) => value === 'wall' || value === 'processor';
  const broken = brokenField(found, { clock: isClock, seconds: isTableOf(isNumber) });
  if (broken === undefined) return found as StepTimes;
  throw new FileError('experiment', file, `the times are damaged (${broken}); delete it, and they are measured again`);
}
