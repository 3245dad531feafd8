/** What a training says and writes as it goes: what it begins with, progress, samples, the report, and where everything is at the end. */
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import {
  EventFile,
  formatBytes,
  heldOutCount,
  lossLine,
  sampleSheet,
  shortTeacher,
  teacherIdentity,
} from '@zeroseg/core/internal';
import { countParameters } from '@zeroseg/core/nn';
import {
  type CacheReader,
  type FileSystem,
  type OpenedRun,
  type Probe,
  resizeImage,
  Segmenter,
  type TrainingRun,
  type TrainingStart,
} from '@zeroseg/core/zeroseg';
import { encodePng } from '../photos/index.ts';
import { type Context, count, formatDuration, formatRate, Interrupted, Progress } from '../shell/index.ts';
import { LiveReport } from './live-report.ts';
import { writeReport } from './training-report.ts';

/** Photos on a sample sheet. */
const SAMPLES = 8;

/** Where a training writes, and how often. */
export interface TrainingOutput {
  readonly out: string;
  readonly saveEvery?: number;
  readonly sampleEvery?: number;
  readonly log?: 'tensorboard';
}

export interface Training {
  readonly context: Context;
  readonly options: TrainingOutput;
  readonly probe: Probe | undefined;
  readonly files: FileSystem;
  readonly before: OpenedRun | undefined;
  readonly cache: CacheReader;
  readonly description: TrainingStart['description'];
  readonly signal: AbortSignal;
}

/** Says what is trained, and from where. */
export function describeRun(
  { terminal }: Context,
  { trainer, resumed, description }: TrainingRun,
  { words, notes, out, device }: { words: string; notes: readonly string[]; out: string; device: Device },
): void {
  const { settings, model } = trainer;
  if (resumed) {
    const { damaged, was } = resumed;
    const place = trainer.done > 0 ? `the checkpoint of step ${trainer.done}` : 'the beginning';
    for (const reason of damaged) terminal.note(`${reason}; going on from ${place}`);
    if (was.adapter !== device.name) {
      terminal.note(
        `this run was begun on '${was.adapter}'; on '${device.name}' its numbers may differ in the last digits`,
      );
    }
    if (settings.epochs !== was.settings.epochs) {
      terminal.log(
        `made longer: ${settings.epochs} epochs instead of ${was.settings.epochs}; from here on, the learning rate is that of the longer training`,
      );
    }
  }
  for (const note of notes) terminal.log(note);
  const { step, slots, weights } = trainer.memory;
  const { photos, key } = description.cache;
  terminal.log(
    `${(countParameters(model) / 1e6).toFixed(2)} M parameters (${words}), ${count(photos, 'photos')}, teacher ${key.teacher}, on ${device.name}`,
  );
  terminal.log(
    `a step of ${settings.batch} photos${settings.micro < settings.batch ? ` in parts of ${settings.micro}` : ''}: ` +
      `${formatBytes(step)} planned, ${formatBytes(slots)} allocated; weights and optimizer ${formatBytes(weights)}`,
  );
  const { validation } = description;
  if (validation) {
    const held = heldOutCount(photos, validation.fraction);
    terminal.log(`${count(held, 'photos')} held out, looked at every ${count(validation.every, 'steps')}`);
  }
  const from = trainer.done > 0 ? `, going on after step ${trainer.done}` : '';
  terminal.log(`${count(trainer.steps, 'steps')}, ${trainer.stepsPerEpoch} an epoch${from}; run folder ${out}`);
}

export async function trainToTheEnd(device: Device, run: TrainingRun, training: Training): Promise<void> {
  const { trainer, metrics, description } = run;
  const { context, options, cache, signal } = training;
  const { terminal } = context;
  const { model, settings } = trainer;
  using segmenter = new Segmenter(device, model);
  const squares = await sampleSquares(cache, model.config.image);
  const report = (isLive = false) =>
    writeReport(run, { steps: trainer.steps, memory: trainer.memory, device: device.name, isLive });
  const live = new LiveReport(() => report(true));
  const events =
    options.log && (await EventFile.begin(run.store.files, Date.parse(description.started) / 1000, metrics));
  let logged = Promise.resolve();

  const progress = new Progress(terminal, 'training', trainer.steps, 'steps', trainer.done);
  const began = performance.now();
  const first = trainer.done;
  let groups = '';
  try {
    await run.train({
      saveEvery: options.saveEvery ?? 100,
      sampleEvery: options.sampleEvery,
      sample: async () => encodePng(await sampleSheet(segmenter, squares, model.config.patch)),
      signal,
      onProgress: (step) => {
        live.step();
        const line = metrics.at(-1);
        if (events && line) logged = logged.then(() => events.add(line));
        // Thrown where it is awaited.
        logged.catch(() => undefined);
        const loss = step.probe?.['validation loss'];
        if (loss !== undefined && description.validation) {
          progress.say(`validation after step ${step.step}: loss ${loss.toPrecision(4)}`);
        }
        if (step.grouping) groups = `, ${step.grouping.groups.toFixed(1)} groups`;
        progress.at(step.step, `${lossLine(model.config, [step])}${groups}`);
      },
    });
    await logged;
  } catch (error) {
    progress.stop();
    await live.stop();
    if (!(error instanceof Interrupted)) {
      // The last checkpoint stays; the report shows where it went wrong, if it can still be written.
      await report().catch(() => undefined);
      throw error;
    }
    await report();
    terminal.log(
      `stopped after step ${trainer.done} of ${trainer.steps}, saved; go on with: zeroseg train --out ${options.out} --resume`,
    );
    throw error;
  } finally {
    progress.stop();
    await logged.catch(() => undefined);
  }
  const seconds = (performance.now() - began) / 1000;
  const steps = trainer.done - first;
  await live.stop();
  await report();
  if (steps > 0) {
    const rate = formatRate((steps * settings.batch) / seconds, 'photos');
    terminal.log(`trained ${count(steps, 'steps')} in ${formatDuration(seconds)} (${rate})`);
  }
  const [a, z] = [metrics[0], metrics.at(-1)];
  if (a && z) terminal.log(lossLine(model.config, [a, z]));
  const { key } = run.description.cache;
  const teacher = shortTeacher(teacherIdentity(key.teacher, key.weights));
  terminal.out(`model: ${join(options.out, 'model.safetensors')} (teacher ${teacher})`);
  if (run.best) {
    const { step, loss } = run.best;
    terminal.out(
      `best:  ${join(options.out, 'best.safetensors')} (step ${step}, validation loss ${loss.toPrecision(4)})`,
    );
  }
  terminal.out(`report: ${join(options.out, 'report.html')}`);
}

/** A few photos from all over the cache, the same in every picture of a run. */
async function sampleSquares(cache: CacheReader, side: number) {
  const count = Math.min(SAMPLES, cache.length);
  const numbers = Array.from({ length: count }, (_, i) => Math.floor((i * cache.length) / count));
  const squares = await Promise.all(numbers.map((number) => cache.image(number)));
  return squares.map((square) => (square.width === side ? square : resizeImage(square, side, side, 'bicubic')));
}
