import { add, mul } from '../../kernels/elementwise/index.ts';
import { interpolate, reshape, slice } from '../../kernels/layout/index.ts';
import { crossEntropy } from '../../kernels/row-ops/index.ts';
import { Linear, normal, noTrace, type Weights } from '../../nn/layers/index.ts';
import { recompute, type Tensor } from '../../tensor/graph/index.ts';
import { ignoreLabel } from '../evaluation/index.ts';
import { Encoder, type EncoderConfig } from '../model/index.ts';

/** Logits of pixels that are in memory at once, in values: 32 MiB of f32. */
const LOGITS = 2 ** 23;

/**
 * A ViT with a linear classifier on every patch token (a 1 × 1 convolution), whose logits are enlarged bilinearly to the image:
 *
 *     logits = upsample(W · norm(encoder(image)) + b)   [B, 3, H, W] → [B, H, W, K]
 *
 * The class token takes part in the attention and is dropped behind it.
 */
export class SegmentationNetwork {
  readonly encoder: Encoder;
  readonly classifier: Linear;
  readonly config: EncoderConfig;
  readonly classes: number;

  constructor(weights: Weights, config: EncoderConfig, classes: number) {
    this.encoder = new Encoder(weights.in('encoder'), config);
    this.classifier = new Linear(weights.in('classifier'), config.dim, classes, normal(0.02));
    this.config = config;
    this.classes = classes;
  }

  /** `[B, 3, S, S]` of the side of the configuration → logits of the patches `[B, S/patch, S/patch, K]`. */
  patchLogits(image: Tensor): Tensor {
    const tokens = this.encoder.forward(image, noTrace);
    const [batch = 0, count = 0] = tokens.shape;
    const side = Math.round(Math.sqrt(count - 1));
    return reshape(this.classifier.forward(slice(tokens, 1, 1, count)), [batch, side, side, this.classes]);
  }

  /** Logits of every pixel, `[B, S, S, K]`. */
  pixelLogits(image: Tensor): Tensor {
    return enlarge(this.patchLogits(image), this.config.image);
  }

  /**
   * Mean cross entropy over the pixels that count. `labels` u32 `[B, S²]`, 255 where nothing counts; `inverse` is one over how many
   * do, a scalar. Logits are enlarged a few images at a time, and again for their gradients: of ADE20K's 150 classes, a batch of 16
   * crops would take 480 MB at every point on the way.
   */
  loss(image: Tensor, labels: Tensor, inverse: Tensor): Tensor {
    const logits = this.patchLogits(image);
    const [batch = 0] = logits.shape;
    const side = this.config.image;
    const at = Math.max(1, Math.floor(LOGITS / (side * side * this.classes)));
    let sum: Tensor | undefined;
    for (let from = 0; from < batch; from += at) {
      const to = Math.min(batch, from + at);
      const known = reshape(slice(labels, 0, from, to), [(to - from) * side * side]);
      const part = recompute(
        (few) =>
          crossEntropy(reshape(enlarge(few, side), [(to - from) * side * side, this.classes]), known, {
            ignoreIndex: ignoreLabel,
            reduction: 'sum',
          }),
        slice(logits, 0, from, to),
      );
      sum = sum ? add(sum, part) : part;
    }
    return mul(sum as Tensor, inverse);
  }
}

/** `[B, h, w, K]` → `[B, S, S, K]`: bilinear, with half-pixel centres. */
function enlarge(x: Tensor, side: number): Tensor {
  const [batch = 0, rows = 0, cols = 0, classes = 0] = x.shape;
  // One axis after the other, as rows: the classes stay beside each other.
  const tall = interpolate(reshape(x, [batch, 1, rows, cols * classes]), side, cols * classes, {
    mode: 'bilinear',
    channels: 'first',
  });
  const wide = interpolate(reshape(tall, [batch * side, 1, cols, classes]), side, classes, {
    mode: 'bilinear',
    channels: 'first',
  });
  return reshape(wide, [batch, side, side, classes]);
}
