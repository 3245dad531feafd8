import { add, clamp, exp, mul, scale } from '../../kernels/elementwise/index.ts';
import { permute, reshape } from '../../kernels/layout/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { crossEntropy, l2Normalize } from '../../kernels/row-ops/index.ts';
import { type Tensor, tensor } from '../../tensor/graph/index.ts';
import { ShapeError } from '../../tensor/values/index.ts';

/** CLIP's bound on the factor that cosines are multiplied by. */
const LARGEST_SCALE = 100;
/** Added to logits that do not count: `exp` of it is 0. */
const NEVER = -1e4;

export interface ContrastiveOptions {
  /**
   * f32 `[B, B]`, 1 where text j says the same of image i as its own does, else 0; 0 on the diagonal: see {@link equalCaptions}.
   * Such a pair is no wrong answer, and is left out of the sums. Default: all other pairs are wrong.
   */
  readonly falseNegatives?: Tensor | undefined;
}

/**
 * CLIP's loss of B pairs of image features and text features `[B, C]`, with a learnt `logitScale`, `[]` or `[1]`
 * (Radford et al. 2021, https://arxiv.org/abs/2103.00020): with unit vectors I, T and the logits
 * `x = min(exp(logitScale), 100) · I·Tᵀ` the mean of the cross entropies of rows and columns, where pair i belongs to pair i.
 *
 * ```ts
 * const loss = contrastive(vision.forward(pixels), text.forward(embedded, ends), logitScale);
 * ```
 *
 * @throws ShapeError unless both are `[B, C]`.
 */
export function contrastive(image: Tensor, text: Tensor, logitScale: Tensor, options: ContrastiveOptions = {}): Tensor {
  return contrastiveLoss(contrastiveLogits(image, text, logitScale, options));
}

/** The logits of {@link contrastive}, `[B, B]`: a row for each image. */
export function contrastiveLogits(
  image: Tensor,
  text: Tensor,
  logitScale: Tensor,
  { falseNegatives: mask }: ContrastiveOptions = {},
): Tensor {
  const shapes = { image: image.shape, text: text.shape };
  const [pairs, width] = image.shape;
  if (image.shape.length !== 2 || text.shape.length !== 2 || text.shape[0] !== pairs || text.shape[1] !== width) {
    throw new ShapeError('contrastive', 'image and text must both be [B, C], a text for each image', shapes);
  }
  if (logitScale.size !== 1) {
    throw new ShapeError('contrastive', 'the scale must be one number', { ...shapes, logitScale: logitScale.shape });
  }
  const factor = clamp(exp(reshape(logitScale, [1, 1])), 0, LARGEST_SCALE);
  const logits = mul(matmul(l2Normalize(image), l2Normalize(text), { transposeB: true }), factor);
  if (!mask) return logits;
  if (mask.shape.length !== 2 || mask.shape[0] !== pairs || mask.shape[1] !== pairs) {
    throw new ShapeError('contrastive', 'falseNegatives must be [B, B]', { ...shapes, falseNegatives: mask.shape });
  }
  return add(logits, scale(mask, NEVER));
}

/** The mean of the cross entropies of rows and columns of logits `[B, B]`, where the diagonal is right. */
export function contrastiveLoss(logits: Tensor): Tensor {
  const pairs = logits.shape[0] as number;
  const own = tensor(
    logits.device,
    Uint32Array.from({ length: pairs }, (_, i) => i),
  );
  return scale(add(crossEntropy(logits, own), crossEntropy(permute(logits, [1, 0]), own)), 0.5);
}

/**
 * Which pairs say the same, `[B, B]` row by row, from what each says: 1 where two differ in place and not in words.
 *
 * ```ts
 * equalCaptions(['a cat', 'a dog', 'a cat']); // [0, 0, 1, 0, 0, 0, 1, 0, 0]
 * ```
 */
export function equalCaptions(captions: readonly string[]): Float32Array {
  const count = captions.length;
  const out = new Float32Array(count * count);
  const places = new Map<string, number[]>();
  captions.forEach((caption, i) => {
    const others = places.get(caption);
    if (!others) places.set(caption, [i]);
    else {
      for (const j of others) out[i * count + j] = out[j * count + i] = 1;
      others.push(i);
    }
  });
  return out;
}
