/// <reference lib="esnext.disposable" preserve="true" />

import type { Device } from '../../gpu/index.ts';
import { gradients } from '../../kernels/elementwise/index.ts';
import { parameters, permutation, random } from '../../nn/layers/index.ts';
import { AdamW } from '../../nn/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import { ignoreLabel, type Labelled } from '../evaluation/index.ts';
import { ConfigError, TrainingError, valueProblem } from '../host/index.ts';
import { type IssuedStep, Prefetch, StepTrainer } from '../runs/index.ts';
import { labelledCrop } from './crops.ts';
import type { SegmentationNetwork } from './network.ts';
import { type FinetuneSettings, finetuneRate, finetuneSettingsSchema } from './settings.ts';

/** What a step did. */
export interface FinetuneReport {
  /** Steps done, from 1. */
  readonly step: number;
  readonly lr: number;
  /** Mean cross entropy of the pixels that count, in nats. */
  readonly loss: number;
  readonly gradNorm: number;
  /** Of the whole step, and of reading and cutting its photos. */
  readonly seconds: number;
  readonly dataSeconds: number;
}

interface FinetuneBatch {
  readonly image: Float32Array;
  readonly labels: Uint32Array;
  readonly inverse: Float32Array;
  readonly seconds: number;
}

interface FinetuneValues {
  readonly loss: number;
  readonly norm: number;
  readonly dataSeconds: number;
}

type FinetuneStep = Step<'image' | 'labels' | 'inverse' | 'hyper', { loss: Tensor; norm: Tensor }>;

/**
 * Trains a {@link SegmentationNetwork} on labelled photos by the cross entropy of pixels: AdamW with betas 0.9 and 0.999, a linear
 * warm-up, random crops. All chance comes from the seed and the number of the step, so that a run which is continued gives the numbers of
 * one that was not stopped. To resume, load weights and the optimizer's state, and set `done`.
 *
 * ```ts
 * using trainer = await FinetuneTrainer.create(device, network, photos, { ...defaultFinetuneSettings, steps: 500 });
 * for await (const { step, loss } of trainer.run()) console.log(step, loss);
 * ```
 */
export class FinetuneTrainer extends StepTrainer<FinetuneBatch, FinetuneValues, FinetuneReport> {
  readonly network: SegmentationNetwork;
  readonly settings: FinetuneSettings;
  readonly optimizer: AdamW;
  readonly steps: number;
  readonly #photos: readonly Labelled[];
  readonly #step: FinetuneStep;
  #order: { readonly epoch: number; readonly photos: Uint32Array } | undefined;

  private constructor(
    network: SegmentationNetwork,
    photos: readonly Labelled[],
    settings: FinetuneSettings,
    optimizer: AdamW,
    run: FinetuneStep,
  ) {
    super();
    this.network = network;
    this.#photos = photos;
    this.settings = settings;
    this.steps = settings.steps;
    this.optimizer = optimizer;
    this.#step = run;
  }

  /** Packs the parameters and records the step. Other steps that use the network are to be made after this. */
  static async create(
    device: Device,
    network: SegmentationNetwork,
    photos: readonly Labelled[],
    settings: FinetuneSettings,
  ): Promise<FinetuneTrainer> {
    checkFinetuneSettings(settings);
    if (photos.length === 0) throw new ConfigError('finetune: there are no photos to learn from');
    const { batch, crop } = settings;
    if (crop !== network.config.image) {
      throw new ConfigError(`finetune: 'crop' is ${crop}, and the network takes squares of ${network.config.image}`);
    }
    const named = [...parameters(network)].filter(([name]) => !settings.frozen || name.startsWith('classifier.'));
    const optimizer = new AdamW(device, named, {
      beta1: 0.9,
      beta2: 0.999,
      weightDecay: settings.weight_decay,
    });
    const run = await step(
      device,
      {
        image: [batch, 3, crop, crop],
        labels: { shape: [batch, crop * crop], dtype: 'u32' },
        inverse: [],
        hyper: [optimizer.hyperparameterCount],
      },
      ({ image, labels, inverse, hyper }) => {
        const loss = network.loss(image, labels, inverse);
        const { norm } = optimizer.update(gradients(loss, optimizer.parameters) as Tensor[], hyper);
        return { loss, norm };
      },
      { name: 'fine-tune' },
    );
    return new FinetuneTrainer(network, photos, settings, optimizer, run);
  }

  protected isExact(): boolean {
    return false;
  }

  protected source(done: number): Prefetch<FinetuneBatch> {
    return new Prefetch(done, this.steps, (number) => this.#batch(number), 1);
  }

  protected async issue(number: number, source: Prefetch<FinetuneBatch>): Promise<IssuedStep<FinetuneValues>> {
    const { seconds: dataSeconds, ...inputs } = await source.take();
    const hyper = this.optimizer.hyperparameters(number, finetuneRate(number, this.settings));
    const { loss, norm } = this.#step({ ...inputs, hyper });
    const values = readAll([loss, norm]).then(([l, n]) => ({
      loss: l?.[0] as number,
      norm: n?.[0] as number,
      dataSeconds,
    }));
    return { values };
  }

  protected async report(
    number: number,
    { loss, norm, dataSeconds }: FinetuneValues,
    elapsed: () => number,
  ): Promise<FinetuneReport> {
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      throw new TrainingError(
        number,
        `finetune: step ${number}: the loss is ${loss}, the norm of the gradients ${norm}; try a lower learning rate`,
      );
    }
    const lr = finetuneRate(number, this.settings);
    return { step: number, lr, loss, gradNorm: norm, seconds: elapsed(), dataSeconds };
  }

  async #batch(number: number): Promise<FinetuneBatch> {
    const began = performance.now();
    const { batch, crop, seed } = this.settings;
    const image = new Float32Array(batch * 3 * crop * crop);
    const labels = new Uint32Array(batch * crop * crop);
    let counted = 0;
    for (let i = 0; i < batch; i++) {
      const photo = this.#photo(number * batch + i);
      const loaded = await photo.load();
      const cut = labelledCrop(loaded.image, loaded.labels, this.settings, random(seed, `crop ${number} ${i}`));
      refuseStrange(photo.id, cut.labels, this.network.classes);
      image.set(cut.pixels, i * cut.pixels.length);
      labels.set(cut.labels, i * cut.labels.length);
      for (const label of cut.labels) counted += Number(label !== ignoreLabel);
    }
    const inverse = Float32Array.of(1 / Math.max(1, counted));
    return { image, labels, inverse, seconds: (performance.now() - began) / 1000 };
  }

  /** Each epoch takes every photo once, in an order of its own. */
  #photo(index: number): Labelled {
    const epoch = Math.floor(index / this.#photos.length);
    if (this.#order?.epoch !== epoch) {
      this.#order = { epoch, photos: permutation(this.#photos.length, random(this.settings.seed, `order ${epoch}`)) };
    }
    return this.#photos[this.#order.photos[index % this.#photos.length] as number] as Labelled;
  }

  dispose(): void {
    this.#step.dispose();
    this.optimizer.dispose();
  }
}

/** @throws ConfigError that names the setting. */
export function checkFinetuneSettings(settings: FinetuneSettings): void {
  const problem = valueProblem(finetuneSettingsSchema, { ...settings });
  if (problem !== undefined) throw new ConfigError(`finetune: ${problem}`);
  if (settings.scale_min > settings.scale_max) {
    throw new ConfigError(
      `finetune: 'scale_min' must be at most 'scale_max'; got ${settings.scale_min} and ${settings.scale_max}`,
    );
  }
}

function refuseStrange(id: string, labels: Uint32Array, classes: number): void {
  const strange = labels.find((label) => label >= classes && label !== ignoreLabel);
  if (strange === undefined) return;
  throw new ConfigError(
    `finetune: ${id}: its label map has label ${strange}; classes are numbered 0 to ${classes - 1}, and 255 does not count`,
  );
}
