/// <reference lib="esnext.disposable" preserve="true" />

import type { Device } from '../../gpu/index.ts';
import { argmax } from '../../kernels/axis/index.ts';
import { gradients } from '../../kernels/elementwise/index.ts';
import { broadcast, type ProcessGroup } from '../../nn/distributed/index.ts';
import { parameters, random } from '../../nn/layers/index.ts';
import { AdamW, learningRate } from '../../nn/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { readAll, readU32, type Step, step } from '../../tensor/run/index.ts';
import type { ClipConfig } from '../clip/index.ts';
import {
  ConfigError,
  defaultsOf,
  numberIn,
  type Schema,
  TrainingError,
  valueProblem,
  wholeNumber,
} from '../host/index.ts';
import { type IssuedStep, Prefetch, StepTrainer } from '../runs/index.ts';
import type { Tokenizer } from '../text/index.ts';
import { contrastiveLoss, equalCaptions } from './contrastive-loss.ts';
import { type ClipBatch, type ClipResults, pairsOf, type SharedClipStep, sharedClipStep } from './shared-step.ts';
import type { ClipInput, TrainableClip } from './trainable-clip.ts';

/** How a CLIP is trained. What a setting means and may be says {@link clipSettingsSchema}. */
export interface ClipSettings {
  readonly steps: number;
  readonly batch: number;
  readonly lr: number;
  readonly warmup: number;
  readonly weight_decay: number;
  readonly clip_grad: number;
  readonly seed: number;
  readonly length: number;
  readonly word_dropout: number;
}

export const clipSettingsSchema: Schema<ClipSettings> = {
  steps: { kind: wholeNumber(1, 1e9), default: 4000, about: 'Steps of the whole training.' },
  batch: { kind: wholeNumber(2, 2 ** 20), default: 128, about: 'Pairs of image and caption a step.' },
  lr: { kind: numberIn({ above: 0, to: 1e4 }), default: 1e-3, about: 'The highest learning rate.' },
  warmup: { kind: numberIn({ from: 0, to: 1e9 }), default: 200, about: 'Steps in which the rate grows from 0.' },
  weight_decay: { kind: numberIn({ from: 0, to: 1e4 }), default: 0.05, about: "AdamW's weight decay." },
  clip_grad: { kind: numberIn({ above: 0, to: 1e12 }), default: 1, about: 'Largest gradient norm.' },
  seed: { kind: wholeNumber(0, 2 ** 32 - 1), default: 1, about: 'Of weights, images, captions and dropped words.' },
  length: {
    kind: wholeNumber(3, 2 ** 20),
    default: 20,
    about: 'Tokens that are kept of a caption, start and end included; at most the context of the text tower.',
  },
  word_dropout: {
    kind: numberIn({ from: 0, below: 1 }),
    default: 0.05,
    about: 'Fraction of words that are taken for unknown ones, so that the row of unknown tokens means something.',
  },
};

export const defaultClipSettings: ClipSettings = defaultsOf(clipSettingsSchema);

/** Images with sentences. */
export interface CaptionedBatch {
  /** Normalised, `[B, 3, S, S]`. */
  readonly pixels: Float32Array;
  readonly captions: readonly string[];
  /** Pairs that are no wrong answers: see `ContrastiveOptions.falseNegatives`. Default: equal captions. */
  readonly falseNegatives?: Float32Array | undefined;
}

/** Images with sentences, made when they are asked for: the same for the same number. */
export interface CaptionedData {
  /** Batch `number`, from 0. The array of pixels may be used again for the next batch. */
  batch(number: number, pairs: number): CaptionedBatch;
}

/** What a step did. */
export interface ClipStepReport {
  /** Steps done, from 1. */
  readonly step: number;
  readonly steps: number;
  readonly lr: number;
  readonly loss: number;
  /** Fraction of images whose own caption is the nearest of the batch. */
  readonly accuracy: number;
  /** The factor on cosines. */
  readonly scale: number;
  readonly gradNorm: number;
  /** Of the whole step, and of making its images. */
  readonly seconds: number;
  readonly dataSeconds: number;
}

/** What measures nothing and changes nothing of what is learnt. */
export interface ClipTrainerOptions {
  /**
   * Processes that train it together, this one among them: each has as many pairs of a batch. Losses, weights and reports are those of one process
   * but for the order in which gradients are added up. All make the same calls.
   */
  readonly group?: ProcessGroup | undefined;
}

type ClipStep = Step<ClipInput | 'hyper', ClipResults>;

/** What is read of a step. */
interface ClipValues {
  readonly loss: number;
  readonly norm: number;
  readonly scale: number;
  readonly nearest: Uint32Array;
  readonly dataSeconds: number;
}

/**
 * Trains a CLIP on images and sentences by {@link contrastive}: AdamW, a warm-up and half a cosine, clipped gradients. Everything
 * that varies comes from the seed and the number of the step, so a run that is continued gives the numbers of one that was not
 * stopped. The next batch is made while the GPU works on this one. To resume, load the weights and the optimizer's state, and set
 * `done`.
 *
 * ```ts
 * using trainer = await ClipTrainer.create(device, clip, await Tokenizer.clip(), data, defaultClipSettings);
 * for await (const { step, loss } of trainer.run()) console.log(step, loss);
 * ```
 */
export class ClipTrainer extends StepTrainer<ClipBatch & { readonly seconds: number }, ClipValues, ClipStepReport> {
  readonly clip: TrainableClip;
  readonly settings: ClipSettings;
  readonly optimizer: AdamW;
  readonly steps: number;
  readonly #data: CaptionedData;
  readonly #tokens: Tokenizer;
  readonly #step: ClipStep | SharedClipStep;
  readonly #group: ProcessGroup | undefined;
  #isAskedToStop = false;

  private constructor(
    clip: TrainableClip,
    tokens: Tokenizer,
    data: CaptionedData,
    settings: ClipSettings,
    optimizer: AdamW,
    run: ClipStep | SharedClipStep,
    group: ProcessGroup | undefined,
  ) {
    super();
    this.clip = clip;
    this.#tokens = tokens;
    this.#data = data;
    this.settings = settings;
    this.steps = settings.steps;
    this.optimizer = optimizer;
    this.#step = run;
    this.#group = group;
  }

  /** Packs the parameters and records the step. Other steps that use the towers are to be made after this. */
  static async create(
    device: Device,
    clip: TrainableClip,
    tokens: Tokenizer,
    data: CaptionedData,
    settings: ClipSettings,
    { group: given }: ClipTrainerOptions = {},
  ): Promise<ClipTrainer> {
    checkClipSettings(settings, clip.config);
    const { batch, length } = settings;
    const group = given && given.size > 1 ? given : undefined;
    if (group) pairsOf(batch, group);
    const side = clip.config.vision.image;
    const optimizer = new AdamW(device, parameters(clip), {
      beta1: 0.9,
      beta2: 0.98,
      eps: 1e-6,
      weightDecay: settings.weight_decay,
      maxNorm: settings.clip_grad,
      // Rows and positions that no text has used yet stay as they are.
      decays: (name, { shape }) => shape.length > 1 && !/token_embedding|positions/.test(name),
    });
    if (group) {
      const shared = await sharedClipStep(device, clip, optimizer, settings, group);
      return new ClipTrainer(clip, tokens, data, settings, optimizer, shared, group);
    }
    const run = await step(
      device,
      {
        pixels: [batch, 3, side, side],
        rows: { shape: [batch, length], dtype: 'u32' },
        ends: { shape: [batch, 1], dtype: 'u32' },
        falseNegatives: [batch, batch],
        hyper: [optimizer.hyperparameterCount],
      },
      ({ hyper, ...inputs }) => {
        const logits = clip.logits(inputs);
        const loss = contrastiveLoss(logits);
        const { norm } = optimizer.update(gradients(loss, optimizer.parameters) as Tensor[], hyper);
        return { loss, norm, nearest: argmax(logits), scale: clip.logit_scale };
      },
      { name: 'train clip' },
    );
    return new ClipTrainer(clip, tokens, data, settings, optimizer, run, undefined);
  }

  /** Bytes on the GPU beside weights and optimizer. */
  get memory(): number {
    const { slots, own, uniforms } = this.#step.memory;
    return slots + own + uniforms;
  }

  /**
   * Takes over where process 0 is, its weights and the state of its optimizer: what a group's trainers begin with. Alone it does
   * nothing.
   */
  async synchronise(): Promise<void> {
    if (!this.#group) return;
    const done = new Float64Array([this.done]);
    await this.#group.broadcast(new Uint8Array(done.buffer));
    this.done = done[0] as number;
    await broadcast(this.#group, [...this.optimizer.parameters, ...this.optimizer.state().values()]);
  }

  /** Ends {@link run} after the steps that the GPU has been given; in a group, that of all its processes after the same step. */
  override stop(): void {
    if (this.#group) this.#isAskedToStop = true;
    else super.stop();
  }

  protected isExact(): boolean {
    // Processes of a group tell each other whether any is to stop before any goes on.
    return this.#group !== undefined;
  }

  protected source(done: number): Prefetch<ClipBatch & { readonly seconds: number }> {
    return new Prefetch(done, this.steps, (number) => this.#inputs(number), 1);
  }

  protected async issue(
    number: number,
    source: Prefetch<ClipBatch & { seconds: number }>,
  ): Promise<IssuedStep<ClipValues>> {
    const { seconds: dataSeconds, ...inputs } = await source.take();
    const hyper = this.optimizer.hyperparameters(number, this.#rate(number));
    const run = this.#step;
    const results = 'run' in run ? await run.run(inputs, hyper) : run({ ...inputs, hyper });
    const reading = Promise.all([readAll([results.loss, results.norm, results.scale]), readU32(results.nearest)]);
    const values = reading.then(([[loss, norm, scale], nearest]) => ({
      loss: loss?.[0] as number,
      norm: norm?.[0] as number,
      scale: scale?.[0] as number,
      nearest,
      dataSeconds,
    }));
    return { values };
  }

  protected async report(number: number, values: ClipValues, elapsed: () => number): Promise<ClipStepReport> {
    const { loss, norm, scale, nearest, dataSeconds } = values;
    if (this.#group) {
      const asked = Float64Array.of(Number(this.#isAskedToStop));
      await this.#group.allReduce(asked);
      if (asked[0]) super.stop();
    }
    if (!Number.isFinite(loss)) {
      throw new TrainingError(number, `training: step ${number}: the loss is ${loss}; try a lower learning rate`);
    }
    return {
      step: number,
      steps: this.steps,
      lr: this.#rate(number),
      loss,
      accuracy: nearest.reduce((sum, best, i) => sum + Number(best === i), 0) / this.settings.batch,
      scale: Math.min(100, Math.exp(scale)),
      gradNorm: norm,
      seconds: elapsed(),
      dataSeconds,
    };
  }

  /** The learning rate of a step. */
  #rate(number: number): number {
    const { steps, lr: base, warmup } = this.settings;
    // The schedule scales rates by images / 256; this one is for the batch as it is.
    return learningRate({ epoch: number, base, batch: 256, warmup, epochs: steps });
  }

  #inputs(number: number): ClipBatch & { readonly seconds: number } {
    const began = performance.now();
    const { batch, length, seed, word_dropout: dropped } = this.settings;
    const { pixels, captions, falseNegatives: mask = equalCaptions(captions) } = this.#data.batch(number, batch);
    const uniform = random(seed, `words ${number}`);
    const { table } = this.clip;
    const rows = new Uint32Array(batch * length);
    const ends = new Uint32Array(batch);
    captions.forEach((caption, i) => {
      const tokens = this.#tokens.row(caption, length);
      const end = tokens.indexOf(this.#tokens.end);
      ends[i] = end;
      // What follows the end is not seen; any row will do.
      for (let at = 0; at <= end; at++) {
        const isWord = at > 0 && at < end;
        rows[i * length + at] = isWord && uniform() < dropped ? table.length - 1 : table.row(tokens[at] as number);
      }
    });
    return { pixels, rows, ends, falseNegatives: mask, seconds: (performance.now() - began) / 1000 };
  }

  dispose(): void {
    this.#step[Symbol.dispose]();
    this.optimizer.dispose();
  }
}

/**
 * The tokens of texts, ascending, with the tokenizer's start and end: a sparse vocabulary.
 *
 * ```ts
 * textVocabulary(await Tokenizer.clip(), ['a cat']); // [320, 2368, 49406, 49407]
 * ```
 */
export function textVocabulary(tokens: Tokenizer, texts: Iterable<string>): Uint32Array {
  const ids = new Set([tokens.start, tokens.end]);
  for (const text of texts) for (const id of tokens.encode(text)) ids.add(id);
  return Uint32Array.from(ids).sort();
}

function checkClipSettings(settings: ClipSettings, { text }: ClipConfig): void {
  const problem = valueProblem(clipSettingsSchema, { ...settings });
  if (problem !== undefined) throw new ConfigError(`training: ${problem}`);
  if (settings.length > text.context) {
    throw new ConfigError(
      `training: 'length' must be from 3 to the context of the text tower, ${text.context}; got ${settings.length}`,
    );
  }
}
