/** What `zeroseg train` does once its options are settled. */
import { join } from 'node:path';
import type { Device } from '@zeroseg/core';
import { EventFile, lossLine, ownValue, sampleSheet, shortTeacher, teacherIdentity } from '@zeroseg/core/internal';
import type { Wire } from '@zeroseg/core/nn';
import {
  type CacheReader,
  ChromeTrace,
  type ClipSource,
  cachedData,
  type FileSystem,
  type OpenedRun,
  type Probe,
  presets,
  resizeImage,
  Segmenter,
  TrainingRun,
  type TrainingStart,
} from '@zeroseg/core/zeroseg';
import type { OpenMpi } from '../../mpi/index.ts';
import { encodePng } from '../../photos/index.ts';
import { describeTraining, LiveReport, validationWords, writeReport } from '../../reports/index.ts';
import { newModel, TraceFile } from '../../runs/index.ts';
import {
  type Context,
  count,
  formatDuration,
  formatRate,
  Interrupted,
  Progress,
  stoppedWords,
  type TrainOptions,
} from '../../shell/index.ts';
import { sceneValidation, type ValidationArguments } from '../../studies/index.ts';

/** Steps of a trace. */
const TRACED_STEPS = 20;

/** Photos on a sample sheet. */
const SAMPLES = 8;

export interface TrainArguments extends TrainOptions, ValidationArguments {
  readonly cache?: string;
  readonly photos?: string;
  readonly out: string;
  readonly resume?: boolean;
  readonly init?: string;
  readonly saveEvery?: number;
  readonly sampleEvery?: number;
  readonly watchEvery?: number;
  readonly log?: 'tensorboard';
  readonly wire?: Wire;
  readonly gpuMemory?: number;
  readonly trace?: string;
  readonly traceSteps?: number;
  readonly adapter?: string;
}

/** How often a run looks at what the head does. */
export const watchEvery = ({ watchEvery: steps = 10 }: TrainArguments): number => steps;

/** A run that begins or goes on, and what it reads. */
interface Training {
  readonly context: Context;
  readonly options: TrainArguments;
  readonly probe: Probe | undefined;
  readonly group: OpenMpi | undefined;
  readonly files: FileSystem;
  readonly before: OpenedRun | undefined;
  readonly cache: CacheReader;
  readonly description: TrainingStart['description'];
  /** Names what the scenes of a validation show. */
  readonly clip: ClipSource | undefined;
  readonly signal: AbortSignal;
}

/** Trains to the end of the run or until it is interrupted, and says what came of it. */
export async function trainRun(device: Device, training: Training): Promise<void> {
  const { context, options, probe, group, files, before, cache, description, clip } = training;
  const { config, settings, init, validation } = description;
  const { key } = description.cache;
  let begun: Awaited<ReturnType<typeof newModel>> | undefined;
  const trace = options.trace === undefined ? undefined : new ChromeTrace(options.traceSteps ?? TRACED_STEPS);
  const start: TrainingStart = {
    device,
    data: cachedData(cache, config.image),
    description,
    teacher: teacherIdentity(key.teacher, key.weights),
    naming: ownValue(presets, description.preset)?.naming,
    statisticsEvery: watchEvery(options),
    probe,
    group,
    wire: options.wire,
    trace,
    validateScenes: clip && (await sceneValidation(device, clip, description, validation?.scenes ?? 0)),
    newModel: async () => {
      begun = await newModel(device, config, settings.seed, init);
      return begun.model;
    },
  };
  const run = before ? await TrainingRun.resume(before, start) : await TrainingRun.begin(files, start);
  try {
    const words = begun?.words ?? `checkpoint of step ${run.trainer.done}`;
    if (group) {
      const wire = options.wire === 'f16' ? '; gradients go between them in f16' : '';
      context.terminal.log(`processes: ${group.size}, which share the micro-batches of a step${wire}`);
    }
    describeTraining(context.terminal, run, { words, notes: begun?.notes ?? [], out: options.out, device });
    await trainToTheEnd(device, run, { ...training, trace: trace && new TraceFile(trace, options.trace as string) });
  } finally {
    await run.close();
  }
}

async function trainToTheEnd(
  device: Device,
  run: TrainingRun,
  training: Training & { readonly trace: TraceFile | undefined },
): Promise<void> {
  const { trainer, metrics, description } = run;
  const { context, options, cache, signal, trace } = training;
  const { terminal } = context;
  const { model, settings } = trainer;
  using segmenter = new Segmenter(device, trainer.evaluated);
  const squares = await sampleSquares(cache, model.config.image);
  const report = (isLive = false) =>
    writeReport(run, { steps: trainer.steps, memory: trainer.memory, device: device.name, isLive });
  const live = new LiveReport(() => report(true));
  // A run that has event files goes on with them.
  const isLogged = options.log !== undefined || (await EventFile.isIn(run.store.files));
  const events = isLogged && (await EventFile.begin(run.store.files, Date.parse(description.started) / 1000, metrics));
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
        trace?.step(step.step, { log: (words) => progress.say(words), note: (words) => progress.say(words, 'error') });
        const line = metrics.at(-1);
        if (events && line) logged = logged.then(() => events.add(line));
        // Thrown where it is awaited.
        logged.catch(() => undefined);
        if (description.validation && step.probe) {
          progress.say(`validation after step ${step.step}: ${validationWords(step.probe)}`);
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
    terminal.log(`${stoppedWords(trainer)}; go on with: zeroseg train --out ${options.out} --resume`);
    throw error;
  } finally {
    progress.stop();
    await logged.catch(() => undefined);
    await trace?.end(terminal);
  }
  const seconds = (performance.now() - began) / 1000;
  const steps = trainer.done - first;
  await live.stop();
  await report();
  if (steps > 0) {
    // The report's clock counts steps only; validations, samples and checkpoints come on top.
    const inSteps = metrics.slice(first).reduce((sum, line) => sum + line.seconds, 0);
    const rate = formatRate((steps * settings.batch) / inSteps, 'photos');
    terminal.log(
      `trained ${count(steps, 'steps')} in ${formatDuration(inSteps)} (${rate}), ${formatDuration(seconds)} in all`,
    );
  }
  const [a, z] = [metrics[0], metrics.at(-1)];
  if (a && z) terminal.log(lossLine(model.config, [a, z]));
  const { key } = run.description.cache;
  const teacher = shortTeacher(teacherIdentity(key.teacher, key.weights));
  terminal.out(`model: ${join(options.out, 'model.safetensors')} (teacher ${teacher})`);
  if (run.best) {
    const { step, measure, value } = run.best;
    const words = validationWords({ [measure]: value });
    terminal.out(`best:  ${join(options.out, 'best.safetensors')} (step ${step}, validation ${words})`);
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
