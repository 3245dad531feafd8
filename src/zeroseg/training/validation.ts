/// <reference lib="esnext.disposable" preserve="true" />

import { ArgumentError, type Device } from '../../gpu/index.ts';
import { permutation, random } from '../../nn/layers/index.ts';
import { readAll, type Step, step } from '../../tensor/run/index.ts';
import type { TrainingData } from '../features/index.ts';
import { lossTerms, type ZeroSeg } from '../model/index.ts';
import type { TrainSettings } from './settings.ts';
import { type Pass, passInputs, TERM, trainingPass } from './training-pass.ts';

/** What a run does not learn from, and looks at every so many steps: photos of its own, made-up scenes, or both. */
export interface Validation {
  /** Fraction of the photos that is held out, between 0 and 1. Which ones: drawn from the run's seed. Default: none. */
  readonly fraction?: number | undefined;
  /** Made scenes that the model names every pixel of. Default: none. */
  readonly scenes?: number | undefined;
  /** Steps between validations; the last step has one too. */
  readonly every: number;
}

/** Measures a model as it is, while it trains. Its numbers are called `validation …`. */
export interface Validator extends Disposable {
  measure(): Promise<Readonly<Record<string, number>>>;
}

/** What the best weights of a run are chosen by: the greatest share on scenes where there are any, else the least loss. */
export const VALIDATION_LOSS = 'validation loss';
export const VALIDATION_IOU = 'validation mean IoU';

/** The validation that the best weights are of. */
export interface BestValidation {
  readonly step: number;
  readonly measure: typeof VALIDATION_LOSS | typeof VALIDATION_IOU;
  readonly value: number;
}

/** Whether `found` is better than what was best before. */
export function isBetter({ measure, value }: BestValidation, before: BestValidation | undefined): boolean {
  if (!before) return true;
  return measure === VALIDATION_IOU ? value > before.value : value < before.value;
}

/** Masks and noise of a validation are those of this seed, each time: what changes is the model alone. */
const VALIDATION_KEY = 0x76616c69;

/** Photos that are held out of `length`: at least one, and at least one is left to learn from. Without a fraction: none. */
export function heldOutCount(length: number, fraction: number | undefined): number {
  if (fraction === undefined) return 0;
  if (!(fraction > 0 && fraction < 1) || length < 2) {
    throw new ArgumentError(
      `validation: the fraction must be between 0 and 1, of two photos or more; got ${fraction} of ${length}`,
    );
  }
  return Math.min(length - 1, Math.max(1, Math.round(fraction * length)));
}

/** The photos that are learnt from, in their order, and those that are held out. */
export function holdOut(
  data: TrainingData,
  fraction: number,
  seed: number,
): { readonly training: TrainingData; readonly heldOut: TrainingData } {
  const held = heldOutNumbers(data.length, fraction, seed);
  const isHeld = new Set(held);
  const rest = Array.from({ length: data.length }, (_, number) => number).filter((number) => !isHeld.has(number));
  const part = (numbers: readonly number[]): TrainingData => ({
    length: numbers.length,
    ...(data.fileOf && { fileOf: (number: number) => data.fileOf?.(numbers[number] as number) ?? 0 }),
    batch: (chosen, begin) =>
      data.batch(
        chosen.map((number) => numbers[number] as number),
        begin,
      ),
  });
  return { training: part(rest), heldOut: part(held) };
}

/** Which of `length` photos are held out, ascending. */
export function heldOutNumbers(length: number, fraction: number, seed: number): readonly number[] {
  const order = permutation(length, random(seed, 'held out'));
  return [...order.subarray(0, heldOutCount(length, fraction)).toSorted()];
}

/**
 * The loss and its terms on photos that are held out, in f32, without an update: means over whole batches of at most `micro` photos
 * (an incomplete last batch is left out, as in training). Nothing of the training is touched: no weight, no number of its random streams.
 *
 * ```ts
 * using validation = await HeldOutLoss.create(device, model, heldOut, settings);
 * await validation.measure(); // { 'validation loss': 4.1, 'validation rec': 0.2, … }
 * ```
 */
export class HeldOutLoss implements Validator {
  readonly #data: TrainingData;
  readonly #batch: number;
  readonly #pass: Step<'image' | 'views' | 'key', Pass>;

  private constructor(data: TrainingData, batch: number, pass: Step<'image' | 'views' | 'key', Pass>) {
    this.#data = data;
    this.#batch = batch;
    this.#pass = pass;
  }

  static async create(
    device: Device,
    model: ZeroSeg,
    data: TrainingData,
    settings: TrainSettings,
  ): Promise<HeldOutLoss> {
    const batch = Math.min(settings.micro, data.length);
    const { scale: _, ...inputs } = passInputs(model.config, batch);
    const pass = await step(device, inputs, (given) => trainingPass(model, settings, given, false), {
      name: 'validation',
    });
    return new HeldOutLoss(data, batch, pass);
  }

  async measure(): Promise<Readonly<Record<string, number>>> {
    const names = ['loss', ...lossTerms.map(({ name }) => name)];
    const sums = names.map(() => 0);
    const batches = Math.floor(this.#data.length / this.#batch);
    for (let at = 0; at < batches; at++) {
      const numbers = Array.from({ length: this.#batch }, (_, i) => at * this.#batch + i);
      const { images, views } = await this.#data.batch(numbers);
      const pass = this.#pass({ image: images, views, key: new Uint32Array([VALIDATION_KEY, at]) });
      const values = await readAll(
        names.map((name, i) => (i === 0 ? pass.loss : pass[`${TERM}${name}`])) as Pass['loss'][],
      );
      for (const [i, [value]] of values.entries()) sums[i] = (sums[i] as number) + (value as number);
    }
    return Object.fromEntries(names.map((name, i) => [`validation ${name}`, (sums[i] as number) / batches]));
  }

  dispose(): void {
    this.#pass.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
