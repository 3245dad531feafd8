/// <reference lib="esnext.disposable" preserve="true" />

import { type Device, heard } from '../../gpu/index.ts';
import { randomUniform } from '../../kernels/elementwise/index.ts';
import { parameters, permutation, random } from '../../nn/layers/index.ts';
import { AdamW, HalfPrecision, LossScale, type LossScaleState, learningRate } from '../../nn/optimizer/index.ts';
import { gradients, type Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import type { TrainingData } from '../features/index.ts';
import { TrainingError } from '../host/index.ts';
import { viewCount } from '../image/index.ts';
import { keptPatches, lossTerms, patchCount, type ZeroSeg, type ZeroSegConfig } from '../model/index.ts';
import {
  type GroupingSizes,
  type GroupingStatistics,
  type GroupingTensors,
  type GroupingValues,
  groupingStatistics,
  groupingTensors,
} from './grouping-statistics.ts';
import { checkSettings, type TrainSettings } from './settings.ts';

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
}

export interface Probe {
  readonly every: number;
  measure(model: ZeroSeg, step: number): Promise<Readonly<Record<string, number>>>;
}

type BatchInput = 'image' | 'views' | 'key';
type Forward = Step<BatchInput | 'rates' | 'scale', Pass>;
/** What a pass computes: the loss, the terms by their names with {@link TERM} before, and what the head is watched by. */
type Pass = Partial<GroupingTensors> & {
  readonly loss: Tensor;
  readonly norm?: Tensor;
  readonly [term: `${typeof TERM}${string}`]: Tensor;
};
const TERM = 'term.';

/** Steps between grouping statistics, where nothing is said. */
const STATISTICS_EVERY = 10;
/** Below this the loss scale cannot be the reason for gradients that are not finite. */
const SMALLEST_SCALE = 1;

/**
 * Trains a model on images with cached teacher features (section 10).
 *
 * Everything that varies is derived from the seed and the number of the step: the order of images, the masks and the
 * Gumbel noise (made on the GPU by counter). So a run that is stopped after any step and continued gives the same numbers
 * as one that was not.
 *
 * ```ts
 * const trainer = await Trainer.create(device, model, data, settings);
 * for await (const report of trainer.run()) console.log(report.step, report.loss);
 * ```
 */
export class Trainer implements Disposable {
  readonly model: ZeroSeg;
  readonly optimizer: AdamW;
  readonly settings: TrainSettings;
  /** Of training in f16; in f32 it is 1. To be restored with the optimizer's state. */
  readonly scale: LossScale;
  /** Steps of the whole run, and of an epoch (incomplete batches are dropped). */
  readonly steps: number;
  readonly stepsPerEpoch: number;
  /** Steps done. */
  done = 0;
  readonly #device: Device;
  readonly #data: TrainingData;
  readonly #statisticsEvery: number;
  readonly #probe: Probe | undefined;
  /** Forward, backward and update of a whole batch; or of a micro-batch, then the update apart. */
  readonly #forward: Forward;
  readonly #apply: Step<'rates', { norm: Tensor }> | undefined;
  #stopping = false;

  private constructor(
    device: Device,
    model: ZeroSeg,
    data: TrainingData,
    settings: TrainSettings,
    optimizer: AdamW,
    forward: Forward,
    apply: Step<'rates', { norm: Tensor }> | undefined,
    { statisticsEvery = STATISTICS_EVERY, probe }: TrainerOptions,
  ) {
    this.#device = device;
    this.model = model;
    this.#data = data;
    this.settings = settings;
    this.optimizer = optimizer;
    this.scale = new LossScale(settings.precision === 'f16' ? {} : { initial: 1, interval: Number.POSITIVE_INFINITY });
    this.#forward = forward;
    this.#apply = apply;
    this.#statisticsEvery = statisticsEvery;
    this.#probe = probe;
    this.stepsPerEpoch = Math.floor(data.length / settings.batch);
    this.steps = Math.max(1, Math.round(settings.epochs * this.stepsPerEpoch));
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
    const named = parameters(model);
    const optimizer = new AdamW(device, named, {
      beta1: settings.beta1,
      beta2: settings.beta2,
      eps: settings.adam_eps,
      weightDecay: settings.weight_decay,
      ...(settings.clip_grad > 0 ? { maxNorm: settings.clip_grad } : {}),
    });
    const whole = settings.micro === settings.batch;
    const share = settings.micro / settings.batch;
    const backward = differentiate(settings, model, optimizer);
    let forward: Forward | undefined;
    try {
      forward = await step(
        device,
        { ...batchInputs(model.config, settings.micro), rates: [optimizer.rateCount] },
        ({ image, views, key, scale, rates }) => {
          const { gradients, ...terms } = backward(scale, () =>
            trainingPass(model, settings, image, views, key, isMeasured),
          );
          if (whole) return { ...terms, norm: optimizer.update(gradients, rates).norm };
          optimizer.accumulate(gradients, share);
          return terms;
        },
        { name: 'train' },
      );
      const apply = whole
        ? undefined
        : await step(device, { rates: [optimizer.rateCount] }, ({ rates }) => ({ norm: optimizer.apply(rates).norm }), {
            name: 'update',
          });
      return new Trainer(device, model, data, settings, optimizer, forward, apply, options);
    } catch (error) {
      forward?.dispose();
      optimizer.dispose();
      throw error;
    }
  }

  /** Goes on after step `done`, whose weights and optimizer state were loaded, with the loss scale that was saved there. */
  resume(done: number, scale: LossScaleState = { value: this.scale.value, good: 0, updates: done }): void {
    this.done = done;
    this.scale.restore(scale);
  }

  /**
   * Bytes on the GPU: planned for the step, the least that any plan needs, what is allocated for it, and weights with optimizer
   * state.
   */
  get memory(): { step: number; needed: number; slots: number; weights: number } {
    const { planned, needed, slots, own, uniforms } = this.#forward.memory;
    const rest = own + uniforms;
    return { step: planned + rest, needed: needed + rest, slots: slots + rest, weights: this.optimizer.bytes };
  }

  /** The step's launches, planned bytes and slots as a table. */
  describe(): string {
    return String(this.#forward);
  }

  /** Ends {@link run} after the step that is going on. */
  stop(): void {
    this.#stopping = true;
  }

  /**
   * Runs to the last step, or to {@link stop}. After each report the weights are those after that step.
   *
   * @throws TrainingError at a loss that is not finite: the update was not made, and the message names its origin.
   */
  async *run(): AsyncGenerator<StepReport, void, undefined> {
    this.#stopping = false;
    const { batch, micro } = this.settings;
    const parts = batch / micro;
    const names = lossTerms.map(({ name }) => name);
    while (this.done < this.steps && !this.#stopping) {
      const began = performance.now();
      const number = this.done + 1;
      const epoch = this.done / this.stepsPerEpoch;
      const lr = learningRate({
        epoch,
        base: this.settings.base_lr,
        batch,
        warmup: this.settings.warmup,
        epochs: this.settings.epochs,
        min: this.settings.min_lr,
      });
      const scale = this.scale.value;
      const rates = this.optimizer.rates(this.scale.updates + 1, lr, 1 / scale);
      const order = this.#order(this.done);
      const isMeasured = this.#due(this.#statisticsEvery, number) || (this.#statisticsEvery > 0 && number === 1);
      const readings: Promise<number[]>[] = [];
      const watched: Promise<GroupingValues>[] = [];
      let norm: Tensor | undefined;
      for (let part = 0; part < parts; part++) {
        const inputs = await this.#inputs(order.slice(part * micro, (part + 1) * micro), this.done * parts + part);
        const terms = this.#forward({ ...inputs, scale, rates });
        norm = terms.norm;
        const scalars = [terms.loss, ...names.map((name) => terms[`${TERM}${name}`] as Tensor)];
        readings.push(heard(readAll(scalars).then((all) => all.map((v) => v[0] as number))));
        // The maps are a hundred times what the losses are: they are read only where they are due.
        if (isMeasured) watched.push(heard(readGrouping(terms as GroupingTensors)));
      }
      norm ??= (this.#apply as Step<'rates', { norm: Tensor }>)({ rates }).norm;
      const [normValue] = await readAll([norm]);
      const [all, seen] = await Promise.all([Promise.all(readings), Promise.all(watched)]);
      const mean = (i: number) => all.reduce((sum, values) => sum + (values[i] as number), 0) / parts;
      const loss = mean(0);
      const terms = Object.fromEntries(names.map((name, i) => [name, mean(i + 1)]));
      const gradNorm = normValue?.[0] as number;
      const made = this.scale.adjust(gradNorm);
      if (!Number.isFinite(loss) || (!made && this.scale.value < SMALLEST_SCALE)) {
        const bad = all.findIndex((values) => !values.every(Number.isFinite));
        throw await this.#explain(number, order, Math.max(0, bad), { loss, ...terms, gradNorm });
      }
      const seconds = (performance.now() - began) / 1000;
      const grouping = isMeasured ? groupingStatistics(seen, groupingSizes(this.model.config)) : undefined;
      this.done = number;
      const probe = this.#due(this.#probe?.every ?? 0, number)
        ? await this.#probe?.measure(this.model, number)
        : undefined;
      yield {
        step: number,
        steps: this.steps,
        epoch: number / this.stepsPerEpoch,
        lr,
        loss,
        terms,
        gradNorm,
        seconds,
        ...(grouping ? { grouping } : {}),
        ...(probe ? { probe } : {}),
      };
    }
  }

  /** Whether what happens every so many steps happens after this one. By the number of the step alone, so that resuming is exact. */
  #due(every: number, number: number): boolean {
    return every > 0 && (number % every === 0 || number === this.steps);
  }

  /** The images of a step: an epoch is a permutation of all, drawn from the seed. */
  #order(done: number): number[] {
    const { batch, seed } = this.settings;
    const epoch = Math.floor(done / this.stepsPerEpoch);
    const at = (done % this.stepsPerEpoch) * batch;
    return [...permutation(this.#data.length, random(seed, `epoch ${epoch}`)).subarray(at, at + batch)];
  }

  async #inputs(numbers: readonly number[], counter: number): Promise<Record<BatchInput, Float32Array | Uint32Array>> {
    const { images, views } = await this.#data.batch(numbers);
    return { image: images, views, key: new Uint32Array([this.settings.seed, counter]) };
  }

  /** Runs the same micro-batch again in check mode, to name the launch that wrote the first value that is not finite. */
  async #explain(
    number: number,
    order: readonly number[],
    part: number,
    values: Readonly<Record<string, number>>,
  ): Promise<TrainingError> {
    const { micro, batch } = this.settings;
    const bad = Object.entries(values)
      .filter(([, value]) => !Number.isFinite(value))
      .map(([name, value]) => `${name} is ${value}`)
      .join(', ');
    const inputs = await this.#inputs(
      order.slice(part * micro, (part + 1) * micro),
      (number - 1) * (batch / micro) + part,
    );
    let cause: unknown;
    try {
      using checked = await step(
        this.#device,
        batchInputs(this.model.config, micro),
        ({ image, views, key, scale }) => {
          const backward = differentiate(this.settings, this.model, this.optimizer);
          const { loss, gradients } = backward(scale, () => trainingPass(this.model, this.settings, image, views, key));
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
    return new TrainingError(
      number,
      `training: step ${number}: ${bad}${origin}; the weights were not changed by this step; try a lower learning rate or clip_grad${this.settings.precision === 'f16' ? ', or precision f32' : ''}`,
      { cause },
    );
  }

  dispose(): void {
    this.#forward.dispose();
    this.#apply?.dispose();
    this.optimizer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function batchInputs(config: ZeroSegConfig, batch: number) {
  return {
    image: [batch, config.chans, config.image, config.image],
    views: [batch, viewCount(config.grids), config.clip_dim],
    key: { shape: [2], dtype: 'u32' as const },
    scale: [],
  } as const;
}

/** How a pass is differentiated, in either precision: its terms, and the gradients of its loss. */
function differentiate({ precision }: TrainSettings, model: ZeroSeg, optimizer: AdamW) {
  if (precision === 'f16') {
    const half = new HalfPrecision(model, optimizer);
    return <R extends Pass>(scale: Tensor, body: () => R): R & { gradients: Tensor[] } => half.backward(scale, body);
  }
  return <R extends Pass>(_: Tensor, body: () => R): R & { gradients: Tensor[] } => {
    const terms = body();
    return { ...terms, gradients: gradients(terms.loss, optimizer.parameters) as Tensor[] };
  };
}

/** One pass with masks and noise made from `key`: stream 0 masks, streams 1 and 2 the two grouping blocks. */
function trainingPass(
  model: ZeroSeg,
  { checkpoint }: TrainSettings,
  image: Tensor,
  views: Tensor,
  key: Tensor,
  isMeasured = false,
): Pass {
  const maskNoise = randomUniform(key, [image.shape[0] as number, patchCount(model.config)], 0);
  const { total, terms, softMaps, matchIndex } = model.forward({
    image,
    views,
    maskNoise,
    noises: [
      { key, stream: 1 },
      { key, stream: 2 },
    ],
    checkpoint,
  });
  const named = Object.fromEntries(Object.entries(terms).map(([name, term]) => [`${TERM}${name}`, term]));
  return { loss: total, ...named, ...(isMeasured ? groupingTensors({ softMaps, matchIndex }) : {}) };
}

function groupingSizes(config: ZeroSegConfig): GroupingSizes {
  const { output_groups, seg_input, seg_use_cls: withCls, grids } = config;
  const patches = seg_input === 'full' ? patchCount(config) : keptPatches(config);
  return { groups: output_groups as [number, number], members: patches + (withCls ? 1 : 0), withCls, grids };
}

async function readGrouping({ first, second, nearest }: GroupingTensors): Promise<GroupingValues> {
  const [one, two, views] = await readAll(nearest ? [first, second, nearest] : [first, second]);
  return { first: one as Float32Array, second: two as Float32Array, nearest: views };
}
