/** MaskCLIP's refinements of what patches score (Zhou et al., 2022, section 3.3), as its code computes them. */
import { max } from '../../kernels/axis/index.ts';
import { addScalar, neg, relu, scale, where } from '../../kernels/elementwise/index.ts';
import { permute } from '../../kernels/layout/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { l2Normalize, softmax } from '../../kernels/row-ops/index.ts';
import { fill, type Tensor } from '../../tensor/graph/index.ts';

/** The factor on cosines before the softmax, in both refinements. */
const SCALE = 100;

/** What a class scores that is taken for absent. */
const ABSENT = -100;

/**
 * Prompt denoising: a class whose probability is below `threshold` (0.5 in the paper) at every patch is taken for absent, and scores
 * −100 everywhere. `cosines` `[B, N, K]` → `[B, N, K]`; probabilities are the softmax of 100 · cosines over the classes.
 */
export function denoisePrompts(cosines: Tensor, threshold: number): Tensor {
  const best = max(probabilities(cosines), { axes: [1], keepDims: true });
  return where(below(best, threshold), fill(cosines.device, [], ABSENT), cosines);
}

/**
 * Key smoothing: a patch whose largest probability is below `threshold` (1 in the published configurations) takes over those of the
 * patches with similar keys, `Σ_j w_ij P_j` with `w = κ κᵀ`; all others get their own probabilities P. `cosines` `[B, N, K]`, `keys`
 * `[B, N, D]` of {@link DenseFeatures} → `[B, N, K]`, which are no cosines any more and may be negative.
 *
 * Keys κ have unit length along the patches, channel by channel, as in the authors' code.
 */
export function smoothByKeys(cosines: Tensor, keys: Tensor, threshold: number): Tensor {
  const p = probabilities(cosines);
  const channels = l2Normalize(permute(keys, [0, 2, 1]));
  const smooth = matmul(matmul(channels, channels, { transposeA: true }), p);
  return where(below(max(p, { axes: [2], keepDims: true }), threshold), smooth, p);
}

function probabilities(cosines: Tensor): Tensor {
  return softmax(scale(cosines, SCALE));
}

/** Above 0 where x is below the limit, else 0. */
function below(x: Tensor, limit: number): Tensor {
  return relu(addScalar(neg(x), limit));
}
