/** What an ablation would train, how long it would take, and what it would write: measured on a study of a few scenes. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import {
  formatBytes,
  planRuns,
  RunArchive,
  type Setting,
  type StudyContext,
  scoreRun,
  studyState,
  timeSteps,
} from '@zeroseg/core/internal';
import { buildModule, freeParameters } from '@zeroseg/core/nn';
import { modelFile, ZeroSeg } from '@zeroseg/core/zeroseg';
import { nodeFileSystem } from '../../files/index.ts';
import { type Context, count, countIn, formatDuration } from '../../shell/index.ts';
import { planStudy, prepareStudy, type StudyOptions } from '../../studies/index.ts';
import type { Sizes } from './ablation-run.ts';

/** What is timed: steps of every row after a first one, which compiles; and unseen scenes, in the same way. */
const TIMED = { steps: 3, scenes: 4 };

export interface PlanOptions extends StudyOptions, Pick<Sizes, 'seeds' | 'steps'> {
  /** The rows that are trained. */
  readonly rows: readonly Setting[];
  /** Unseen scenes that each run is scored on, of all kinds together. */
  readonly scoredScenes: number;
  /** Rounds in which every row makes a step only to be timed. */
  readonly timedRounds: number;
}

/** Seconds and bytes of the parts, on this device. */
interface Costs {
  /** Of a scene: to paint it, and to ask the teacher. */
  readonly scene: { readonly seconds: number; readonly bytes: number };
  /** Of a step, by the row's key. */
  readonly step: Readonly<Record<string, number>>;
  readonly run: { readonly bytes: number };
  /** Of an unseen scene that is scored. */
  readonly score: number;
}

/** `zeroseg experiment table3|table4|table5|beyond|fig3 --plan`. Nothing is written but for a folder that is removed again. */
export async function tellAblationPlan(context: Context, device: Device, options: PlanOptions): Promise<void> {
  const { terminal } = context;
  const { rows, seeds, scenes, steps } = options;
  const study = await planStudy(options);
  const runs = new RunArchive(nodeFileSystem(options.out).folder('runs'));
  const planned = planRuns(study, rows, seeds);
  const { ended, missing } = await studyState({ runs }, planned);
  // Rows that come to the same settings are one training.
  const names = await Promise.all(missing.map(({ identity }) => runs.name(identity)));
  const trained = missing.filter((_, i) => names.indexOf(names[i]!) === i);
  if (trained.length === 0) {
    terminal.out(`${countIn(ended.length, planned.length, 'runs')} done: nothing is left to train`);
    return;
  }
  const costs = await measureCosts(context, device, options);
  let total = 0;
  for (const row of rows) {
    const own = trained.filter(({ setting }) => setting.key === row.key);
    const done = ended.filter(({ setting }) => setting.key === row.key).length;
    const shared = seeds.length - own.length - done;
    const seconds = own.length * steps * costs.step[row.key]!;
    total += seconds;
    const notes = [
      done > 0 && `${countIn(done, seeds.length, 'runs')} done`,
      shared > 0 && `${count(shared, 'runs')} shared with another row`,
      own.length > 0 &&
        `${count(own.length, 'runs')} of ${count(steps, 'steps')}, about ${formatDuration(seconds)} (${costs.step[row.key]!.toFixed(2)} s a step)`,
    ];
    terminal.out(`${row.name}: ${notes.filter(Boolean).join(', ')}`);
  }
  const isMade = (await nodeFileSystem(study.views).list()).some((name) => !name.startsWith('.'));
  const data = isMade ? 0 : scenes * costs.scene.seconds;
  const scored = trained.length * options.scoredScenes * costs.score;
  const timed = options.timedRounds * Object.values(costs.step).reduce((sum, seconds) => sum + seconds, 0);
  const bytes = (isMade ? 0 : scenes * costs.scene.bytes) + trained.length * costs.run.bytes;
  terminal.out(
    isMade
      ? `${count(scenes, 'scenes')} and what the teacher sees in them: there, or begun`
      : `${count(scenes, 'scenes')} and what the teacher sees in them: about ${formatDuration(data)}, ${formatBytes(scenes * costs.scene.bytes)}`,
  );
  terminal.out(
    `scores of ${count(trained.length, 'runs')} on unseen scenes: about ${formatDuration(scored)}${timed > 0 ? `; times of steps: about ${formatDuration(timed)}` : ''}`,
  );
  terminal.out(
    `${count(trained.length, 'runs')}, about ${formatDuration(total + data + scored + timed)} in all on ${device.name}; ${formatBytes(bytes)} on the disk`,
  );
}

async function measureCosts(context: Context, device: Device, options: PlanOptions): Promise<Costs> {
  const { base, rows, signal } = options;
  const silent = { ...context.terminal, out: () => {}, log: () => {}, note: () => {}, bar: undefined };
  const folder = await mkdtemp(join(tmpdir(), 'zeroseg-plan-'));
  const scenes = base.settings.batch;
  const prepare = (name: string) => {
    const out = join(folder, name);
    const small = { ...options, out, files: nodeFileSystem(out), scenes, unseen: TIMED.scenes };
    return prepareStudy({ ...context, terminal: silent }, device, small);
  };
  try {
    // The first time kernels are compiled.
    await (await prepare('first')).close();
    const began = performance.now();
    const { study, close } = await prepare('timed');
    try {
      const scene = {
        seconds: (performance.now() - began) / 1000 / scenes,
        bytes: (await bytesIn(join(folder, 'timed'))) / scenes,
      };
      const files = nodeFileSystem(folder).folder('times');
      const rounds = { before: 1, timed: TIMED.steps };
      const step = (await timeSteps(study, { settings: rows }, { files, rounds, signal })).seconds;
      return { scene, step, ...(await costsOfModel(study)) };
    } finally {
      await close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bytes of a trained model's file, and seconds of an unseen scene. */
async function costsOfModel({ device, base, weights, unseen, scoring, teacher, vocabulary }: StudyContext) {
  const model = await buildModule(await weights(1, true), (from) => new ZeroSeg(from, base.config));
  try {
    const { byteLength: bytes } = await modelFile(model, { step: 1, teacher });
    const options = { scenes: unseen, seed: scoring.seed, vocabulary: await vocabulary() };
    await scoreRun(device, model, { ...options, count: 1 });
    const began = performance.now();
    await scoreRun(device, model, { ...options, count: TIMED.scenes });
    return { run: { bytes }, score: (performance.now() - began) / 1000 / TIMED.scenes };
  } finally {
    freeParameters(model);
  }
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
