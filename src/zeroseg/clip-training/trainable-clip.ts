import type { Device } from '../../gpu/index.ts';
import { embedding } from '../../kernels/layout/index.ts';
import { type Initializer, normal, random, type Weights, weightsFrom } from '../../nn/layers/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { read } from '../../tensor/run/index.ts';
import { ShapeError, size } from '../../tensor/values/index.ts';
import { type ClipConfig, ClipText, ClipVision } from '../clip/index.ts';
import { TokenTable } from '../text/index.ts';
import { contrastiveLogits } from './contrastive-loss.ts';

/** What a training step reads. */
export type ClipInput = 'pixels' | 'rows' | 'ends' | 'falseNegatives';

/**
 * Sizes of the CLIPs that this package trains itself, by name: `tiny` is the one that it brings; `small` has several times its
 * weights and sees twice the pixels along a side.
 */
export const teacherConfigs: Readonly<Record<'tiny' | 'small', ClipConfig>> = {
  tiny: {
    vision: { width: 96, heads: 4, layers: 2, patch: 8, image: 32, stem: 'conv' },
    text: { width: 64, heads: 4, layers: 2, vocab: 49408, context: 77 },
    projection: 64,
    activation: 'gelu',
    layer_norm_eps: 1e-5,
  },
  small: {
    vision: { width: 256, heads: 8, layers: 4, patch: 8, image: 64, stem: 'conv' },
    text: { width: 128, heads: 4, layers: 3, vocab: 49408, context: 77 },
    projection: 128,
    activation: 'quick_gelu',
    layer_norm_eps: 1e-5,
  },
};

/**
 * A CLIP in training: both towers, the rows of its tokens as a parameter on the GPU, and the learnt factor on cosines.
 *
 * ```ts
 * const clip = new TrainableClip(newClipWeights(device, 1), teacherConfigs.tiny, tokens);
 * ```
 */
export class TrainableClip {
  readonly vision: ClipVision;
  readonly text: ClipText;
  /** `[ids + 1, width]`: see {@link TokenTable}. */
  readonly token_embedding: Tensor;
  readonly logit_scale: Tensor;
  readonly config: ClipConfig;
  /** The rows on the host: those of the start, until {@link readTokens}. */
  readonly table: TokenTable;

  /** `ids`: the tokens that get a row of their own, ascending, the tokenizer's end token last. */
  constructor(weights: Weights, config: ClipConfig, ids: Uint32Array) {
    const { width, vocab } = config.text;
    if (ids.at(-1) !== vocab - 1) {
      const last = `its last token is ${ids.at(-1) ?? 'missing'}`;
      throw new ShapeError('clip', `the end token, ${vocab - 1}, must be the last of the vocabulary; ${last}`);
    }
    this.table = new TokenTable(new Float32Array((ids.length + 1) * width), width, ids);
    this.vision = new ClipVision(weights.in('vision'), config);
    this.text = new ClipText(weights.in('text'), config, this.table);
    this.token_embedding = weights.parameter('token_embedding', [ids.length + 1, width], normal(0.02));
    // CLIP begins with a temperature of 0.07.
    this.logit_scale = weights.parameter('logit_scale', [], () => Float32Array.of(Math.log(1 / 0.07)));
    this.config = config;
  }

  /** Reads the rows of the tokens, so that {@link text} embeds texts as they are now. */
  async readTokens(): Promise<void> {
    this.table.values.set(await read(this.token_embedding));
  }

  /** Logits `[B, B]` of pixels `[B, 3, S, S]` and rows of the table u32 `[B, L]`, which end at `ends` u32 `[B, 1]`. */
  logits({ falseNegatives: mask, ...pairs }: Record<ClipInput, Tensor>): Tensor {
    const { image, text } = this.features(pairs);
    return contrastiveLogits(image, text, this.logit_scale, { falseNegatives: mask });
  }

  /** Features `[B, C]` of both sides of {@link logits}, not yet of unit length. */
  features({ pixels, rows, ends }: Record<'pixels' | 'rows' | 'ends', Tensor>): { image: Tensor; text: Tensor } {
    const image = this.vision.forward(pixels);
    const text = this.text.forward(embedding(this.token_embedding, rows), ends);
    return { image, text };
  }
}

/**
 * New weights as CLIP's authors draw them, by the width of each layer's input: with 0.02 for all, towers of this width
 * hardly tell images apart at first.
 */
export function newClipWeights(device: Device, seed: number): Weights {
  return weightsFrom(device, (name, shape, init) => initializerOf(name, init)(shape, random(seed, name)));
}

function initializerOf(name: string, init: Initializer): Initializer {
  if (!name.endsWith('.weight') || /norm|stem/.test(name)) return init;
  return (shape, uniform) => normal(1 / Math.sqrt(size(shape.slice(1))))(shape, uniform);
}
