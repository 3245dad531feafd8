import { permutation, random } from '../../nn/layers/index.ts';
import { fileNumbers, type TrainingData } from '../features/index.ts';
import { ConfigError } from '../host/index.ts';
import type { StepTrace } from '../runs/index.ts';
import { mirror, mirroredViews } from './mirror.ts';
import { windowedOrder } from './order.ts';
import type { TrainSettings } from './settings.ts';
import type { Batch } from './trainer-steps.ts';

/** Makes the micro-batches of a training. What is in one follows from the seed and its number alone, whoever makes it and when. */
export class Batches {
  /** Steps of an epoch: incomplete batches are dropped. */
  readonly stepsPerEpoch: number;
  readonly #data: TrainingData;
  readonly #settings: TrainSettings;
  readonly #trace: StepTrace | undefined;
  /** For each view the one that a mirrored photo has in its place; undefined where none is mirrored. */
  readonly #mirrored: readonly number[] | undefined;
  /** The file of the cache that each image is in, where the order goes by them. */
  readonly #files: Uint32Array | undefined;
  /** The images of the epoch that batches are made of, in their order. */
  #order: { readonly epoch: number; readonly images: Uint32Array } | undefined;

  constructor(data: TrainingData, settings: TrainSettings, grids: readonly number[], trace?: StepTrace) {
    this.#trace = trace;
    this.#data = data;
    this.#settings = settings;
    this.#mirrored = settings.mirror ? mirroredViews(grids) : undefined;
    this.#files = settings.order === 'windowed' ? filesOf(data) : undefined;
    this.stepsPerEpoch = Math.floor(data.length / settings.batch);
  }

  /** Micro-batch `part` of step `step`, from 1. An epoch is a permutation of all images, drawn from the seed. */
  async make(step: number, part: number): Promise<Batch> {
    const { batch, micro, seed } = this.#settings;
    const done = step - 1;
    const epoch = Math.floor(done / this.stepsPerEpoch);
    const at = (done % this.stepsPerEpoch) * batch + part * micro;
    if (this.#order?.epoch !== epoch) {
      this.#order = { epoch, images: this.#draw(epoch) };
    }
    const number = done * (batch / micro) + part;
    const { images, views } = await this.#data.batch([...this.#order.images.subarray(at, at + micro)], (phase) =>
      this.#trace?.begin(phase, { step, part }),
    );
    if (this.#mirrored) this.#mirrorHalf(number, images, views, this.#mirrored);
    return { image: images, views, key: new Uint32Array([seed, number]) };
  }

  #draw(epoch: number): Uint32Array {
    const { seed, window } = this.#settings;
    const uniform = random(seed, `epoch ${epoch}`);
    return this.#files ? windowedOrder(this.#files, window, uniform) : permutation(this.#data.length, uniform);
  }

  /** Mirrors each photo of micro-batch `number` with probability 1/2. */
  #mirrorHalf(number: number, images: Float32Array, views: Float32Array, order: readonly number[]): void {
    const { micro, seed } = this.#settings;
    const draw = random(seed, `mirror ${number}`);
    const [pixels, features] = [images.length / micro, views.length / micro];
    for (let i = 0; i < micro; i++) {
      if (draw() >= 0.5) continue;
      mirror(images.subarray(i * pixels, (i + 1) * pixels), views.subarray(i * features, (i + 1) * features), order);
    }
  }
}

function filesOf(data: TrainingData): Uint32Array {
  const files = fileNumbers(data);
  if (files) return files;
  throw new ConfigError(
    "training: 'order' windowed goes by the files of a cache, and this data has none; leave it out",
  );
}
