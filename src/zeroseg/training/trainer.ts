/// <reference lib="esnext.disposable" preserve="true" />

import { type Device, heard } from '../../gpu/index.ts';
import { allReduce, broadcast, type ProcessGroup } from '../../nn/distributed/index.ts';
import { permutation, random } from '../../nn/layers/index.ts';
import { type AdamW, LossScale, type LossScaleState, learningRate } from '../../nn/optimizer/index.ts';
import type { Launch, Tensor } from '../../tensor/graph/index.ts';
import { readAll, step } from '../../tensor/run/index.ts';
import type { TrainingData } from '../features/index.ts';
import { TrainingError } from '../host/index.ts';
import { lossTerms, type ZeroSeg } from '../model/index.ts';
import { type IssuedStep, Prefetch, StepTrainer } from '../runs/index.ts';
import {
  type GroupingStatistics,
  type GroupingTensors,
  type GroupingValues,
  groupingStatistics,
} from './grouping-statistics.ts';
import { checkSettings, plannedSteps, type TrainSettings } from './settings.ts';
import { groupOf, partsOf, type StepFindings, shareFindings } from './share.ts';
import { type Apply, type Batch, type Compiled, compile, groupingSizes, readGrouping } from './trainer-steps.ts';
import { differentiate, passInputs, TERM, trainingPass } from './training-pass.ts';

/** What one step of training did. */
export interface StepReport {
  /** Steps done, from 1. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly lr: number;
  readonly loss: number;
  /** The terms of the loss by name, before they are weighted: `weightedTerms` sums to the loss. */
  readonly terms: Readonly<Record<string, number>>;
  /** Infinite where gradients overflowed f16: the step then left the weights as they were. */
  readonly gradNorm: number;
  readonly seconds: number;
  /** What the head did with this step's images, in the steps of `TrainerOptions.statisticsEvery`. */
  readonly grouping?: GroupingStatistics;
  /** What the probe measured after this step, in those in which it is asked. */
  readonly probe?: Readonly<Record<string, number>>;
}

/** What a trainer measures beside the losses. None of it changes what is learnt. */
export interface TrainerOptions {
  /** Steps between grouping statistics; the first step and the last always have them. 0: never. Default: 10. */
  readonly statisticsEvery?: number;
  /** Measures the model as it is after every so many steps, and after the last; such as how well it does on other images. */
  readonly probe?: Probe | undefined;
  /** Learning rates that took the place of the setting `base_lr` on the way, by step ascending. */
  readonly rates?: readonly RateChange[] | undefined;
  /**
   * Processes that train the model together, this one among them. Each computes its share of the micro-batches of a step; losses, weights
   * and reports are those of one process but for the order in which gradients are added up. All make the same calls.
   */
  readonly group?: ProcessGroup | undefined;
}

/** From the step after `after` on, the learning rate follows its schedule from another peak. */
export interface RateChange {
  readonly after: number;
  /** As the setting of this name: learning rate for 256 images a step. */
  readonly base_lr: number;
}

export interface Probe {
  readonly every: number;
  measure(model: ZeroSeg, step: number): Promise<Readonly<Record<string, number>>>;
}

/** What is read of a step: the loss and its terms of each micro-batch, the norm of the gradients, and what statistics are made of. */
interface StepValues {
  readonly losses: readonly (readonly number[])[];
  readonly gradNorm: number;
  readonly grouping: readonly GroupingValues[];
}

/** Steps between grouping statistics, where nothing is said. */
const STATISTICS_EVERY = 10;
/** Below this the loss scale cannot be the reason for gradients that are not finite. */
const SMALLEST_SCALE = 1;
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
  readonly optimizer: AdamW;
  readonly settings: TrainSettings;
  /** Of training in f16; in f32 it is 1. To be restored with the optimizer's state. */
  readonly scale: LossScale;
  /** Steps of the whole run, and of an epoch (incomplete batches are dropped). */
  readonly steps: number;
  readonly stepsPerEpoch: number;
  readonly #device: Device;
  readonly #data: TrainingData;
  readonly #options: TrainerOptions;
  readonly #compiled: Compiled;
  readonly #group: ProcessGroup | undefined;
  /** The micro-batches of a step that this process computes. */
  readonly #parts: readonly number[];
  #isAskedToStop = false;
  #rates: readonly RateChange[];
  #probe: Probe | undefined;
  /** The images of the epoch that batches are made of, in their order. */
  #order: { readonly epoch: number; readonly images: Uint32Array } | undefined;

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
    this.settings = settings;
    this.optimizer = optimizer;
    this.scale = new LossScale(settings.precision === 'f16' ? {} : { initial: 1, interval: Number.POSITIVE_INFINITY });
    this.stepsPerEpoch = Math.floor(data.length / settings.batch);
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
    const compiled = await compile(device, model, settings, { isMeasured, isShared: group !== undefined });
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
    await broadcast(this.#group, [...this.optimizer.parameters, ...this.optimizer.state().values()]);
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
    return { step: planned + rest, needed: needed + rest, slots: slots + rest, weights: this.optimizer.bytes };
  }

  /** What a pass of a micro-batch launches. */
  get launches(): readonly Launch[] {
    return this.#compiled.forward.launches;
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
    const make = (i: number) => this.#batch(Math.floor(i / parts.length) + 1, parts[i % parts.length] as number);
    return new Prefetch(done * parts.length, this.steps * parts.length, make, AHEAD);
  }

  protected async issue(number: number, source: Prefetch<Batch>): Promise<IssuedStep<StepValues>> {
    const { forward, apply } = this.#compiled;
    const scale = this.scale.value;
    // Steps that are not read yet have made their updates too: in f32 all do.
    const updates = this.scale.updates + number - this.done;
    const hyper = this.optimizer.hyperparameters(updates, this.#rate(number), 1 / scale);
    const isMeasured = this.#isMeasured(number);
    const losses: Promise<number[]>[] = [];
    const grouping: Promise<GroupingValues>[] = [];
    let norm: Tensor | undefined;
    for (let part = 0; part < this.#parts.length; part++) {
      await losses[part - AHEAD];
      const pass = forward({ ...(await source.take()), scale, hyper });
      source.fill();
      norm = pass.norm;
      const scalars = [pass.loss, ...lossTerms.map(({ name }) => pass[`${TERM}${name}`] as Tensor)];
      losses.push(heard(readAll(scalars).then((all) => all.map((v) => v[0] as number))));
      // The maps are a hundred times what the losses are: they are read only where they are due.
      if (isMeasured) grouping.push(heard(readGrouping(pass as GroupingTensors)));
    }
    if (this.#group) await allReduce(this.#group, this.optimizer.gradientSums());
    norm ??= (apply as Apply)({ hyper }).norm;
    const read = async (gradNorm: Promise<ArrayLike<number>[]>): Promise<StepValues> => ({
      losses: await Promise.all(losses),
      grouping: await Promise.all(grouping),
      gradNorm: (await gradNorm)[0]?.[0] as number,
    });
    return { values: read(heard(readAll([norm]))) };
  }

  protected async report(number: number, values: StepValues, elapsed: () => number): Promise<StepReport> {
    const { losses, gradNorm, statistics } = await this.#shared(number, values);
    const mean = (i: number) => losses.reduce((sum, part) => sum + (part[i] as number), 0) / losses.length;
    const loss = mean(0);
    const terms = Object.fromEntries(lossTerms.map(({ name }, i) => [name, mean(i + 1)]));
    const made = this.scale.adjust(gradNorm);
    if (!Number.isFinite(loss) || (!made && this.scale.value < SMALLEST_SCALE)) {
      const bad = losses.findIndex((part) => !part.every(Number.isFinite));
      throw await this.#explain(number, Math.max(0, bad), { loss, ...terms, gradNorm });
    }
    const seconds = elapsed();
    const probe = this.#group && this.#group.rank > 0 ? undefined : this.#probe;
    const measured = this.#due(probe?.every ?? 0, number) ? await probe?.measure(this.model, number) : undefined;
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

  /** A micro-batch of a step. An epoch is a permutation of all images, drawn from the seed. */
  async #batch(number: number, part: number): Promise<Batch> {
    const { batch, micro, seed } = this.settings;
    const done = number - 1;
    const epoch = Math.floor(done / this.stepsPerEpoch);
    const at = (done % this.stepsPerEpoch) * batch + part * micro;
    if (this.#order?.epoch !== epoch) {
      this.#order = { epoch, images: permutation(this.#data.length, random(seed, `epoch ${epoch}`)) };
    }
    const { images, views } = await this.#data.batch([...this.#order.images.subarray(at, at + micro)]);
    return { image: images, views, key: new Uint32Array([seed, done * (batch / micro) + part]) };
  }

  /** Runs the same micro-batch again in check mode, to name the launch that wrote the first value that is not finite. */
  async #explain(number: number, part: number, values: Readonly<Record<string, number>>): Promise<TrainingError> {
    const { model, settings, optimizer } = this;
    const bad = Object.entries(values)
      .filter(([, value]) => !Number.isFinite(value))
      .map(([name, value]) => `${name} is ${value}`)
      .join(', ');
    let cause: unknown;
    try {
      const inputs = await this.#batch(number, part);
      using checked = await step(
        this.#device,
        passInputs(model.config, settings.micro),
        ({ scale, ...batch }) => {
          const backward = differentiate(settings, model, optimizer);
          const { loss, gradients } = backward(scale, () => trainingPass(model, settings, batch, false));
          return [loss, ...gradients];
        },
        { name: 'train', check: true },
      );
      const [loss] = checked({ ...inputs, scale: SMALLEST_SCALE });
      await readAll([loss as Tensor]);
    } catch (error) {
      cause = error;
    }
    const origin = cause instanceof Error ? `; it comes from ${cause.message}` : '';
    const remedy = `try a lower learning rate or clip_grad${settings.precision === 'f16' ? ', or precision f32' : ''}`;
    const said = `training: step ${number}: ${bad}${origin}; the weights were not changed by this step; ${remedy}`;
    return new TrainingError(number, said, { cause });
  }

  dispose(): void {
    this.#compiled.forward.dispose();
    this.#compiled.apply?.dispose();
    this.optimizer.dispose();
  }
}
