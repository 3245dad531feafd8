/// <reference lib="esnext.disposable" preserve="true" />

import { type Device, heard } from '../../gpu/index.ts';
import { type AllReduceOptions, broadcast, type ProcessGroup } from '../../nn/distributed/index.ts';
import { parameters } from '../../nn/layers/index.ts';
import { type AdamW, LossScale, type LossScaleState, learningRate } from '../../nn/optimizer/index.ts';
import type { Launch, Tensor } from '../../tensor/graph/index.ts';
import { readAll } from '../../tensor/run/index.ts';
import type { TrainingData } from '../features/index.ts';
import { lossTerms, type ZeroSeg } from '../model/index.ts';
import { type IssuedStep, Prefetch, type StepTrace, StepTrainer, type TracePlace } from '../runs/index.ts';
import { Batches } from './batches.ts';
import { explainNotFinite, SMALLEST_SCALE } from './explain.ts';
import { type GroupingTensors, type GroupingValues, groupingStatistics } from './grouping-statistics.ts';
import { checkSettings, plannedSteps, type TrainSettings } from './settings.ts';
import { groupOf, partsOf, type StepFindings, shareFindings } from './share.ts';
import type { Probe, RateChange, StepReport, TrainerOptions } from './trainer-options.ts';
import {
  type Apply,
  type Batch,
  type Compiled,
  compile,
  groupingSizes,
  lastPass,
  readGrouping,
} from './trainer-steps.ts';
import { TERM } from './training-pass.ts';

/** What is read of a step: the loss and its terms of each micro-batch, the norm of the gradients, and what statistics are made of. */
interface StepValues {
  readonly losses: readonly (readonly number[])[];
  readonly gradNorm: number;
  readonly grouping: readonly GroupingValues[];
}

/** Steps between grouping statistics, where nothing is said. */
const STATISTICS_EVERY = 10;
/** Micro-batches that are made ahead, and that the GPU may have of a step before values of one are awaited. */
const AHEAD = 2;

/**
 * Trains a model on images with cached teacher features.
 *
 * Everything that varies is derived from the seed and the number of the step: the order of images, the masks and the
 * Gumbel noise (made on the GPU by counter). So a run that is stopped after any step and continued gives the same numbers
 * as one that was not.
 *
 * In f16 a step begins when the one before was read: its loss scale depends on what that found.
 *
 * ```ts
 * const trainer = await Trainer.create(device, model, data, settings);
 * for await (const report of trainer.run()) console.log(report.step, report.loss);
 * ```
 */
export class Trainer extends StepTrainer<Batch, StepValues, StepReport> {
  readonly model: ZeroSeg;
  /** The model that training is for: `model`, or with the setting `ema` one of its averaged weights. It goes with the trainer. */
  readonly evaluated: ZeroSeg;
  readonly optimizer: AdamW;
  readonly settings: TrainSettings;
  /** Of training in f16; in f32 it is 1. To be restored with the optimizer's state. */
  readonly scale: LossScale;
  /** Steps of the whole run, and of an epoch (incomplete batches are dropped). */
  readonly steps: number;
  readonly stepsPerEpoch: number;
  readonly #device: Device;
  readonly #data: TrainingData;
  readonly #batches: Batches;
  readonly #options: TrainerOptions;
  readonly #compiled: Compiled;
  readonly #group: ProcessGroup | undefined;
  /** The micro-batches of a step that this process computes. */
  readonly #parts: readonly number[];
  #isAskedToStop = false;
  #rates: readonly RateChange[];
  #probe: Probe | undefined;

  private constructor(device: Device, data: TrainingData, compiled: Compiled, options: TrainerOptions) {
    super();
    const { model, settings, optimizer } = compiled;
    this.#device = device;
    this.#data = data;
    this.#options = options;
    this.#rates = options.rates ?? [];
    this.#probe = options.probe;
    this.#compiled = compiled;
    this.#group = groupOf(options);
    this.#parts = partsOf(settings, this.#group);
    this.model = model;
    this.evaluated = compiled.evaluated;
    this.settings = settings;
    this.optimizer = optimizer;
    this.scale = new LossScale(settings.precision === 'f16' ? {} : { initial: 1, interval: Number.POSITIVE_INFINITY });
    this.#batches = new Batches(data, settings, model.config.grids, options.trace);
    this.stepsPerEpoch = this.#batches.stepsPerEpoch;
    this.steps = plannedSteps(settings, data.length);
  }

  /** Packs the model's parameters, records and plans the steps. To resume, load the optimizer's state, and call {@link resume}. */
  static async create(
    device: Device,
    model: ZeroSeg,
    data: TrainingData,
    settings: TrainSettings,
    options: TrainerOptions = {},
  ): Promise<Trainer> {
    checkSettings(settings, data.length);
    const isMeasured = (options.statisticsEvery ?? STATISTICS_EVERY) > 0;
    const group = groupOf(options);
    partsOf(settings, group);
    const compiled = await compile(device, model, settings, {
      ...{ isMeasured, isShared: group !== undefined },
      wire: options.wire,
    });
    return new Trainer(device, data, compiled, options);
  }

  /** Goes on after step `done`, whose weights and optimizer state were loaded, with the loss scale that was saved there. */
  resume(done: number, scale: LossScaleState = { value: this.scale.value, good: 0, updates: done }): void {
    this.done = done;
    this.scale.restore(scale);
  }

  /**
   * Takes over where process 0 is, its weights and the state of its optimizer: what a group's trainers begin with. Alone it does
   * nothing.
   */
  async synchronise(): Promise<void> {
    if (!this.#group) return;
    const { value, good, updates } = this.scale.state();
    const numbers = new Float64Array([this.done, value, good, updates]);
    await this.#group.broadcast(new Uint8Array(numbers.buffer));
    const [done, ...scale] = numbers as unknown as [number, number, number, number];
    this.resume(done, { value: scale[0], good: scale[1], updates: scale[2] });
    const averages = this.#compiled.average?.state().values() ?? [];
    await broadcast(this.#group, [...this.optimizer.parameters, ...this.optimizer.state().values(), ...averages]);
  }

  /** Ends {@link run} after the steps that the GPU has been given; in a group, that of all its processes after the same step. */
  override stop(): void {
    if (this.#group) this.#isAskedToStop = true;
    else super.stop();
  }

  /** Asks another probe from here on, in the stead of that of its options: one that was made after the trainer. */
  askProbe(probe: Probe): void {
    this.#probe = probe;
  }

  /**
   * Goes on with another learning rate (`base_lr`) after the steps that are done. Not while {@link run} runs: steps that the GPU
   * already has were given theirs. Returns all changes, for a trainer that goes on from here to be made with.
   */
  changeRate(baseLr: number): readonly RateChange[] {
    const { done } = this;
    checkSettings({ ...this.settings, base_lr: baseLr }, this.#data.length);
    return (this.#rates = [...this.#rates.filter(({ after }) => after < done), { after: done, base_lr: baseLr }]);
  }

  /**
   * Bytes on the GPU: planned for the step, the least that any plan needs, what is allocated for it, and weights with optimizer
   * state.
   */
  get memory(): { step: number; needed: number; slots: number; weights: number } {
    const { planned, needed, slots, own, uniforms } = this.#compiled.forward.memory;
    const rest = own + uniforms;
    const weights = this.optimizer.bytes + (this.#compiled.average ? bytesOf(this.optimizer) : 0);
    return { step: planned + rest, needed: needed + rest, slots: slots + rest, weights };
  }

  /**
   * What training goes on from beside the weights of {@link evaluated}: the optimizer's state, and with the setting `ema` also the weights
   * that are averaged, under `weights.` and their names.
   */
  state(): Map<string, Tensor> {
    const state = this.optimizer.state();
    if (!this.#compiled.average) return state;
    for (const [name, weight] of parameters(this.model)) state.set(`weights.${name}`, weight);
    return state;
  }

  /** What a pass of a micro-batch launches. */
  get launches(): readonly Launch[] {
    return this.#compiled.forward.launches;
  }

  /** What an update launches after the last micro-batch of a step; nothing where the pass makes it. */
  get updateLaunches(): readonly Launch[] {
    return this.#compiled.apply?.launches ?? [];
  }

  /** The step's launches, planned bytes and slots as a table. */
  describe(): string {
    return String(this.#compiled.forward);
  }

  protected isExact(step: number): boolean {
    // Processes of a group tell each other what they found before any goes on.
    return this.settings.precision === 'f16' || this.#group !== undefined || this.#due(this.#probe?.every ?? 0, step);
  }

  protected source(done: number): Prefetch<Batch> {
    const parts = this.#parts;
    const make = (i: number) => this.#batches.make(Math.floor(i / parts.length) + 1, parts[i % parts.length] as number);
    return new Prefetch(done * parts.length, this.steps * parts.length, make, AHEAD);
  }

  protected async issue(number: number, source: Prefetch<Batch>): Promise<IssuedStep<StepValues>> {
    const { forward, apply, average } = this.#compiled;
    const scale = this.scale.value;
    // Steps that are not read yet have made their updates too: in f32 all do.
    const updates = this.scale.updates + number - this.done;
    const hyper = this.optimizer.hyperparameters(updates, this.#rate(number), 1 / scale);
    // The average follows early training: a thousand steps of warm-up would be most of a short run.
    const rest = average ? { rest: average.rest(updates, true) } : undefined;
    const isMeasured = this.#isMeasured(number);
    const { trace } = this.#options;
    const losses: Promise<number[]>[] = [];
    const grouping: Promise<GroupingValues>[] = [];
    let norm: Tensor | undefined;
    let summed: Promise<void> | undefined;
    for (let part = 0; part < this.#parts.length; part++) {
      await losses[part - AHEAD];
      const inputs = { ...(await source.take()), scale, hyper, ...(apply ? undefined : rest) } as ForwardInputs;
      const place = { step: number, part: this.#parts[part] as number };
      const uploaded = trace?.begin('upload', place);
      const isLast = part === this.#parts.length - 1;
      const ofBuckets = trace && bucketTrace(trace, number);
      const last = this.#group && isLast && lastPass(this.#compiled, this.#group, inputs, ofBuckets);
      const pass = last ? last.pass : forward(inputs);
      if (last) summed = last.summed;
      uploaded?.();
      if (trace) traceWork(this.#device, trace, place);
      source.fill();
      norm = pass.norm;
      const scalars = [pass.loss, ...lossTerms.map(({ name }) => pass[`${TERM}${name}`] as Tensor)];
      const read = readAll(scalars).finally(trace?.begin('read back', place));
      losses.push(heard(read.then((all) => all.map((v) => v[0] as number))));
      // The maps are a hundred times what the losses are: they are read only where they are due.
      if (isMeasured) grouping.push(heard(readGrouping(pass as GroupingTensors)));
    }
    await summed;
    if (apply) {
      norm = apply({ hyper, ...rest } as ApplyInputs).norm;
      if (trace) traceWork(this.#device, trace, { step: number });
    }
    const read = async (gradNorm: Promise<ArrayLike<number>[]>): Promise<StepValues> => ({
      losses: await Promise.all(losses),
      grouping: await Promise.all(grouping),
      gradNorm: (await gradNorm)[0]?.[0] as number,
    });
    return { values: read(heard(readAll([norm as Tensor]))) };
  }

  protected async report(number: number, values: StepValues, elapsed: () => number): Promise<StepReport> {
    const { losses, gradNorm, statistics } = await this.#shared(number, values);
    const mean = (i: number) => losses.reduce((sum, part) => sum + (part[i] as number), 0) / losses.length;
    const loss = mean(0);
    const terms = Object.fromEntries(lossTerms.map(({ name }, i) => [name, mean(i + 1)]));
    const made = this.scale.adjust(gradNorm);
    if (!Number.isFinite(loss) || (!made && this.scale.value < SMALLEST_SCALE)) {
      const bad = losses.findIndex((part) => !part.every(Number.isFinite));
      const again = () => this.#batches.make(number, Math.max(0, bad));
      throw await explainNotFinite(this.#device, this.#compiled, number, again, { loss, ...terms, gradNorm });
    }
    const seconds = elapsed();
    const probe = this.#group && this.#group.rank > 0 ? undefined : this.#probe;
    const measured = this.#due(probe?.every ?? 0, number) ? await probe?.measure(this.evaluated, number) : undefined;
    return {
      step: number,
      steps: this.steps,
      epoch: number / this.stepsPerEpoch,
      lr: this.#rate(number),
      loss,
      terms,
      gradNorm,
      seconds,
      ...(statistics ? { grouping: statistics } : {}),
      ...(measured ? { probe: measured } : {}),
    };
  }

  /** What a step found, of all its micro-batches. */
  async #shared(number: number, { losses, gradNorm, grouping }: StepValues): Promise<StepFindings> {
    const statistics = this.#isMeasured(number)
      ? groupingStatistics(grouping, groupingSizes(this.model.config))
      : undefined;
    const group = this.#group;
    if (!group) return { losses, gradNorm, statistics };
    const found = await shareFindings(group, this.#parts, this.settings.batch / this.settings.micro, {
      losses,
      gradNorm,
      statistics,
      isAskedToStop: this.#isAskedToStop,
    });
    if (found.isAskedToStop) super.stop();
    return found;
  }

  /** The learning rate of a step. */
  #rate(number: number): number {
    const { batch, warmup, epochs, min_lr: min } = this.settings;
    const base = this.#rates.findLast(({ after }) => after < number)?.base_lr ?? this.settings.base_lr;
    return learningRate({ epoch: (number - 1) / this.stepsPerEpoch, base, batch, warmup, epochs, min });
  }

  #isMeasured(number: number): boolean {
    const { statisticsEvery: every = STATISTICS_EVERY } = this.#options;
    return this.#due(every, number) || (every > 0 && number === 1);
  }

  /** Whether what happens every so many steps happens after this one. By the number of the step alone, so that resuming is exact. */
  #due(every: number, number: number): boolean {
    return every > 0 && (number % every === 0 || number === this.steps);
  }

  dispose(): void {
    this.#compiled.forward.dispose();
    this.#compiled.apply?.dispose();
    this.#compiled.average?.dispose();
    this.optimizer.dispose();
  }
}

type ForwardInputs = Parameters<Compiled['forward']>[0];
type ApplyInputs = Parameters<Apply>[0];

/** Tells when buckets of gradients are read, summed and written. */
function bucketTrace(trace: StepTrace, step: number): AllReduceOptions['trace'] {
  return (phase, bucket) => trace.begin(`bucket ${phase}`, { step, bucket });
}

/** Tells when the GPU is done with what it has been given. */
function traceWork(device: Device, trace: StepTrace, place: TracePlace): void {
  const end = trace.begin('compute', place);
  // What goes wrong is told to those who read what was computed.
  if (end) void device.gpu.queue.onSubmittedWorkDone().then(end, end);
}

/** Of the parameters alone. */
function bytesOf({ flat }: AdamW): number {
  return flat.buffers.reduce((sum, buffer) => sum + buffer.parameters.storage.bytes, 0);
}
