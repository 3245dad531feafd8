/** The ways that patch features are taken through the last block of CLIP's image tower, without any training. */

import { crossAttention } from '../../kernels/attention/index.ts';
import { add, scale } from '../../kernels/elementwise/index.ts';
import { permute, reshape, slice } from '../../kernels/layout/index.ts';
import { matmul } from '../../kernels/matmul/index.ts';
import { softmax } from '../../kernels/row-ops/index.ts';
import type { Block } from '../../nn/layers/index.ts';
import { type Tensor, tensor } from '../../tensor/graph/index.ts';

/**
 * How the last block treats patches, all others being CLIP's. With q, k, v of a head and s = d^(−½):
 *
 * | mode | attention | rest of the block |
 * |---|---|---|
 * | `plain` | softmax(s q kᵀ) v | residual and MLP |
 * | `maskclip` (Zhou et al., 2022) | v | residual and MLP |
 * | `maskclip_reduced` | v | neither |
 * | `sclip` (Wang et al., 2024) | (softmax(s q qᵀ) + softmax(s k kᵀ)) v, a sum | residual and MLP |
 * | `clearclip` (Lan et al., 2024) | softmax(s q qᵀ) v | neither |
 * | `naclip` (Hajimiri et al., 2025) | softmax(s k kᵀ + G) v, with a Gaussian G of the patches' distance | neither |
 * | `naclip_kk` | softmax(s k kᵀ) v | neither |
 */
export type DenseMode = (typeof denseModes)[number];

export const denseModes = [
  'plain',
  'maskclip',
  'maskclip_reduced',
  'sclip',
  'clearclip',
  'naclip',
  'naclip_kk',
] as const;

/** What a mode's own code does where nobody says otherwise. */
export interface DenseOptions {
  /** How positions are resampled: see `interpolatePositions`. Default: as the mode's authors do, `size` for `plain` and `maskclip`. */
  readonly positions?: 'size' | 'offset' | undefined;
  /** Of `naclip`: the deviation of G in patches. Default 5. */
  readonly sigma?: number | undefined;
}

/** Features of patches, of the whole image, and the last block's keys. */
export interface DenseFeatures {
  /** In the joint space, not normalised, row by row `[B, N, projection]`. */
  readonly patches: Tensor;
  /** As CLIP itself has it `[B, projection]`. */
  readonly image: Tensor;
  /** `out_proj(k_proj(h))` of the patches `[B, N, width]`: what {@link smoothByKeys} takes. */
  readonly keys: Tensor;
}

/** How the authors of a mode resample positions. */
export function positionRule(mode: DenseMode): 'size' | 'offset' {
  return mode === 'plain' || mode === 'maskclip' || mode === 'maskclip_reduced' ? 'size' : 'offset';
}

interface Grid {
  readonly rows: number;
  readonly cols: number;
}

/** Tokens behind the last block `[B, 1 + N, D]`; the class token's are of no use but in `plain`. */
export function lastBlock(mode: DenseMode, block: Block, x: Tensor, grid: Grid, sigma = 5): Tensor {
  if (mode === 'plain') return block.forward(x);
  const attended = attend(mode, block, x, grid, sigma);
  if (mode !== 'maskclip' && mode !== 'sclip') return block.attn.proj.forward(attended);
  const y = block.attn.proj.forward(attended, { residual: x });
  return block.mlp.forward(block.norm2.forward(y), y);
}

/** The last block's keys behind its output projection, without the class token's `[B, N, D]`, as MaskCLIP's code takes them. */
export function lastKeys(block: Block, x: Tensor): Tensor {
  const [, tokens = 0] = x.shape;
  const { k } = queriesKeysValues(block, slice(x, 1, 1, tokens));
  return block.attn.proj.forward(k);
}

function queriesKeysValues(block: Block, x: Tensor): Record<'q' | 'k' | 'v', Tensor> {
  const qkv = block.attn.qkv.forward(block.norm1.forward(x));
  const width = (qkv.shape[2] as number) / 3;
  const third = (n: number) => slice(qkv, 2, n * width, (n + 1) * width);
  return { q: third(0), k: third(1), v: third(2) };
}

function attend(mode: Exclude<DenseMode, 'plain'>, block: Block, x: Tensor, grid: Grid, sigma: number): Tensor {
  const { q, k, v } = queriesKeysValues(block, x);
  const { heads } = block.attn;
  switch (mode) {
    case 'maskclip':
    case 'maskclip_reduced':
      return v;
    case 'sclip':
      return add(crossAttention(q, q, v, heads), crossAttention(k, k, v, heads));
    case 'clearclip':
      return crossAttention(q, q, v, heads);
    case 'naclip_kk':
      return crossAttention(k, k, v, heads);
    case 'naclip':
      return neighbourAttention(k, v, heads, grid, sigma);
  }
}

/** softmax(s k kᵀ + G) v of each head: `k` and `v` `[B, 1 + N, D]`. */
function neighbourAttention(k: Tensor, v: Tensor, heads: number, grid: Grid, sigma: number): Tensor {
  const [batch = 0, tokens = 0, width = 0] = k.shape;
  const split = (t: Tensor) => permute(reshape(t, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
  const keys = split(k);
  const logits = scale(matmul(keys, keys, { transposeB: true }), (width / heads) ** -0.5);
  const bias = tensor(k.device, gaussianBias(grid, sigma), [1, 1, tokens, tokens]);
  const attended = matmul(softmax(add(logits, bias)), split(v));
  return reshape(permute(attended, [0, 2, 1, 3]), [batch, tokens, width]);
}

/**
 * NACLIP's G `[1 + N, 1 + N]`: `exp(−distance² / (2σ²))` between patches of a grid, 0 in the row and column of the class token,
 * which is the first. Added to scaled logits as it is.
 */
export function gaussianBias({ rows, cols }: Grid, sigma: number): Float32Array {
  const tokens = 1 + rows * cols;
  const out = new Float32Array(tokens * tokens);
  const along = (length: number) =>
    Float64Array.from({ length }, (_, distance) => Math.exp(-(distance ** 2) / (2 * sigma ** 2)));
  const [down, across] = [along(rows), along(cols)];
  for (let from = 0; from < rows * cols; from++) {
    const [y, x] = [Math.floor(from / cols), from % cols];
    for (let to = 0; to < rows * cols; to++) {
      const [dy, dx] = [Math.abs(y - Math.floor(to / cols)), Math.abs(x - (to % cols))];
      out[(1 + from) * tokens + 1 + to] = (down[dy] as number) * (across[dx] as number);
    }
  }
  return out;
}
