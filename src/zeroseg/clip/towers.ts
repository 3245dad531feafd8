import { type Activation, add } from '../../kernels/elementwise/index.ts';
import { broadcastTo, concat, interpolatePositions, reshape, slice, takeRows } from '../../kernels/layout/index.ts';
import {
  Block,
  ConvStem,
  LayerNorm,
  Linear,
  normal,
  noTrace,
  PatchEmbed,
  type Trace,
  type Weights,
} from '../../nn/layers/index.ts';
import { label, type Tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';
import { clipMean, clipStd, type Rgb } from '../image/index.ts';
import type { TokenTable } from '../text/index.ts';
import {
  type DenseFeatures,
  type DenseMode,
  type DenseOptions,
  lastBlock,
  lastKeys,
  positionRule,
} from './dense-modes.ts';

/** Activations of the MLPs: the sigmoid form of OpenAI's models, GELU with erf, GELU with tanh, and ReLU. */
export type ClipActivation = 'quick_gelu' | 'gelu' | 'gelu_tanh' | 'relu';

/** What a tower may have of its own, where it is not what the whole checkpoint has. */
export interface ClipTowerOptions {
  /** Width of the MLPs; 4 times the tower's. */
  readonly hidden?: number;
  readonly activation?: ClipActivation;
  readonly layer_norm_eps?: number;
}

/** Sizes of a CLIP checkpoint. */
export interface ClipConfig {
  readonly vision: ClipTowerOptions & {
    readonly width: number;
    readonly heads: number;
    readonly layers: number;
    readonly patch: number;
    readonly image: number;
    /** Tokens by convolutions ({@link ConvStem}) instead of patches: our own teachers, none of those published. */
    readonly stem?: 'conv';
    /** What pixels are normalised with: {@link clipPixels} gives these, or OpenAI's. */
    readonly mean?: Rgb;
    readonly std?: Rgb;
  };
  readonly text: ClipTowerOptions & {
    readonly width: number;
    readonly heads: number;
    readonly layers: number;
    readonly vocab: number;
    readonly context: number;
    /** The token at which texts are read, where the settings name one: the tokenizer must end texts with it. */
    readonly end?: number;
  };
  /** Width of the joint space. */
  readonly projection: number;
  readonly activation: ClipActivation;
  readonly layer_norm_eps: number;
}

/** The constants that a tower's pixels are normalised with. */
export function clipPixels({ vision }: { readonly vision: Pick<ClipConfig['vision'], 'mean' | 'std'> }): {
  readonly mean: Rgb;
  readonly std: Rgb;
} {
  return { mean: vision.mean ?? clipMean, std: vision.std ?? clipStd };
}

const init = normal(0.02);

const activationOf: Readonly<Record<ClipActivation, Activation>> = {
  quick_gelu: 'quick-gelu',
  gelu: 'gelu',
  gelu_tanh: 'gelu-tanh',
  relu: 'relu',
};

function towerBlocks(weights: Weights, tower: ClipConfig['vision' | 'text'], config: ClipConfig): Block[] {
  const { width: dim, heads, layers, hidden = 4 * dim } = tower;
  const eps = epsOf(tower, config);
  const activation = activationOf[tower.activation ?? config.activation];
  return Array.from(
    { length: layers },
    (_, i) => new Block(weights.in('blocks').in(i), { dim, heads, hidden, eps, init, activation }),
  );
}

function epsOf(tower: ClipTowerOptions, config: ClipConfig): number {
  return tower.layer_norm_eps ?? config.layer_norm_eps;
}

/** CLIP's image tower: a ViT with a class token and a norm in front of the blocks (spec §16.1). */
export class ClipVision {
  readonly class_embedding: Tensor;
  /** One of them makes the tokens. */
  readonly patch_embed: PatchEmbed | undefined;
  readonly stem: ConvStem | undefined;
  readonly positions: Tensor;
  readonly norm_pre: LayerNorm;
  readonly blocks: readonly Block[];
  readonly norm_post: LayerNorm;
  readonly projection: Linear;
  readonly config: ClipConfig;

  constructor(weights: Weights, config: ClipConfig) {
    const { width, patch, image, stem } = config.vision;
    this.class_embedding = weights.parameter('class_embedding', [width], init);
    const sizes = { channels: 3, patch, dim: width };
    this.patch_embed = stem ? undefined : new PatchEmbed(weights.in('patch_embed'), { ...sizes, bias: false });
    const eps = epsOf(config.vision, config);
    this.stem = stem && new ConvStem(weights.in('stem'), { ...sizes, eps });
    this.positions = weights.parameter('positions', [(image / patch) ** 2 + 1, width], init);
    this.norm_pre = new LayerNorm(weights.in('norm_pre'), width, eps);
    this.blocks = towerBlocks(weights, config.vision, config);
    this.norm_post = new LayerNorm(weights.in('norm_post'), width, eps);
    this.projection = new Linear(weights.in('projection'), width, config.projection, { init, bias: false });
    this.config = config;
  }

  /** Image features, not normalised: `[B, 3, H, W]` → `[B, projection]`. Positions are resampled for other sizes. */
  forward(pixels: Tensor, trace: Trace = noTrace): Tensor {
    const x = this.#run(pixels, this.blocks, trace);
    const [batch = 0, , width = 0] = x.shape;
    const first = reshape(slice(x, 1, 0, 1), [batch, width]);
    const features = this.projection.forward(this.norm_post.forward(first));
    trace('image_features', features);
    return features;
  }

  /** Features of every patch, row by row: `[B, 3, H, W]` → `[B, N, projection]`. Pixels that do not fill a patch are dropped. */
  dense(pixels: Tensor, mode: DenseMode, options: DenseOptions = {}): Tensor {
    return this.denseFeatures(pixels, mode, options).patches;
  }

  /** As {@link dense}, with what shares all blocks but the last. What is not read is not computed. */
  denseFeatures(pixels: Tensor, mode: DenseMode, options: DenseOptions = {}): DenseFeatures {
    const { positions = positionRule(mode), sigma } = options;
    const { width, patch } = this.config.vision;
    const [batch = 0, , height = 0, columns = 0] = pixels.shape;
    const grid = { rows: Math.floor(height / patch), cols: Math.floor(columns / patch) };
    const last = this.blocks.at(-1) as Block;
    const before = this.#run(pixels, this.blocks.slice(0, -1), noTrace, positions);
    const name = `clip.vision.${this.blocks.length - 1}`;
    const whole = label(name, () => last.forward(before));
    const dense = mode === 'plain' ? whole : label(name, () => lastBlock(mode, last, before, grid, sigma));
    const project = (x: Tensor) => this.projection.forward(this.norm_post.forward(x));
    return {
      patches: project(slice(dense, 1, 1, dense.shape[1] as number)),
      image: project(reshape(slice(whole, 1, 0, 1), [batch, width])),
      keys: lastKeys(last, before),
    };
  }

  #run(pixels: Tensor, blocks: readonly Block[], trace: Trace, rule: 'size' | 'offset' = 'size'): Tensor {
    const { width, patch, image } = this.config.vision;
    const [batch = 0, , height = 0, columns = 0] = pixels.shape;
    const embedded = (this.stem ?? (this.patch_embed as PatchEmbed)).forward(pixels);
    const cls = broadcastTo(reshape(this.class_embedding, [1, 1, width]), [batch, 1, width]);
    const [rows, cols] = [Math.floor(height / patch), Math.floor(columns / patch)];
    let positions = reshape(this.positions, [1, (image / patch) ** 2 + 1, width]);
    if (rows !== image / patch || cols !== image / patch) {
      const table = slice(positions, 1, 1, positions.shape[1] as number);
      positions = concat([slice(positions, 1, 0, 1), interpolatePositions(table, rows, cols, rule)], 1);
    }
    let x = add(concat([cls, embedded], 1), positions);
    trace('vision.embedded', x);
    x = this.norm_pre.forward(x);
    trace('vision.pre_ln', x);
    blocks.forEach((block, i) => {
      x = label(`clip.vision.${i}`, () => block.forward(x));
      trace(`vision.layer${i}`, x);
    });
    return x;
  }
}

/** CLIP's text tower: a causal transformer, read at the end token (spec §16.1). */
export class ClipText {
  readonly positions: Tensor;
  readonly blocks: readonly Block[];
  readonly norm: LayerNorm;
  readonly projection: Linear | undefined;
  readonly config: ClipConfig;
  /** Token embeddings, on the host. */
  readonly #table: TokenTable;

  constructor(weights: Weights, config: ClipConfig, table: TokenTable, projected = true) {
    const { width, context } = config.text;
    this.positions = weights.parameter('positions', [context, width], init);
    this.blocks = towerBlocks(weights, config.text, config);
    this.norm = new LayerNorm(weights.in('norm'), width, epsOf(config.text, config));
    this.projection = projected
      ? new Linear(weights.in('projection'), width, config.projection, { init, bias: false })
      : undefined;
    this.config = config;
    this.#table = table;
  }

  /** Rows of token ids, all of one length, as embeddings `[T, L, width]` on the host. */
  embed(rows: readonly ArrayLike<number>[]): Float32Array {
    const { width, vocab } = this.config.text;
    const length = rows[0]?.length ?? 0;
    const out = new Float32Array(rows.length * length * width);
    rows.forEach((row, r) => {
      for (let i = 0; i < length; i++) {
        const id = row[i] as number;
        if (!(id >= 0 && id < vocab)) {
          throw new ShapeError(
            'clip text',
            `token ${id} is not in the vocabulary of ${vocab}; use the checkpoint's tokenizer`,
          );
        }
        const at = this.#table.row(id) * width;
        out.set(this.#table.values.subarray(at, at + width), (r * length + i) * width);
      }
    });
    return out;
  }

  /** `embedded` `[T, L, width]` with L ≤ context, and the position of each end token, u32 `[T, 1]` → `[T, projection]`. */
  forward(embedded: Tensor, ends: Tensor, trace: Trace = noTrace): Tensor {
    const [texts = 0, length = 0, width = 0] = embedded.shape;
    const positions = slice(reshape(this.positions, [1, ...this.positions.shape]), 1, 0, length);
    let x = add(embedded, positions);
    trace('text.embedded', x);
    this.blocks.forEach((block, i) => {
      x = label(`clip.text.${i}`, () => block.forward(x, true));
      trace(`text.layer${i}`, x);
    });
    const last = reshape(takeRows(this.norm.forward(x), ends), [texts, width]);
    const features = this.projection ? this.projection.forward(last) : last;
    trace('text_features', features);
    return features;
  }
}

/** Where a row's text ends: the first position of its largest id (the end token has the largest of all). */
export function endPosition(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if ((row[i] as number) > (row[best] as number)) best = i;
  return best;
}
