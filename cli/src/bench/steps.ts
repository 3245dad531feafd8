import { gradients, mean, randomUniform, square, type Tensor } from '@zeroseg/core';
import { formatShape } from '@zeroseg/core/internal';
import { AdamW, Block, newWeights, parameters, xavierUniform } from '@zeroseg/core/nn';
import { baseConfig, patchCount, tinyConfig, viewCount, ZeroSeg, type ZeroSegConfig } from '@zeroseg/core/zeroseg';
import type { Lend, Workload } from './workloads.ts';

export interface BlockSizes {
  readonly batch: number;
  readonly tokens: number;
  readonly dim: number;
  readonly heads: number;
  readonly hidden: number;
}

/** The group of {@link stepWorkloads}. */
export const WHOLE_STEPS = 'whole steps';

/** Whole steps: what kernels add up to. `full` adds a ViT-B/16 ZeroSeg, which takes minutes on a processor. */
export function stepWorkloads(quick: boolean, full: boolean): Workload[] {
  const sizes = quick
    ? { batch: 2, tokens: 65, dim: 96, heads: 4, hidden: 384 }
    : { batch: 4, tokens: 197, dim: 384, heads: 6, hidden: 1536 };
  return [
    blockForward(sizes),
    blockTraining(sizes),
    zeroSegTraining('ZeroSeg tiny', tinyConfig, quick ? 2 : 8),
    ...(quick ? [] : [zeroSegTraining('ZeroSeg tiny', tinyConfig, 1)]),
    // Of other proportions, so that the times of whole steps tell what products, attention and all else take: `zeroseg plan` learns from them.
    ...(quick ? [] : [zeroSegTraining('ZeroSeg tiny, 128 px', { ...tinyConfig, image: 128 }, 4)]),
    ...(quick ? [] : [zeroSegTraining('ZeroSeg tiny, width 192', { ...tinyConfig, dim: 192 }, 4)]),
    ...(full ? [zeroSegTraining('ZeroSeg ViT-B/16', baseConfig, 2)] : []),
  ];
}

function blockName({ batch, tokens, dim, heads, hidden }: BlockSizes): string {
  return `ViT block ${formatShape([batch, tokens, dim])}, ${heads} heads, MLP ${hidden}`;
}

/** FLOP of a block's products, forward. */
function blockFlops({ batch, tokens, dim, hidden }: BlockSizes): number {
  return 2 * batch * tokens * (4 * dim * dim + 2 * dim * hidden + 2 * tokens * dim);
}

function makeBlock(lend: Lend, sizes: BlockSizes): { block: Block; x: Tensor } {
  const { dim, heads, hidden } = sizes;
  const block = new Block(newWeights(lend.device, 0), { dim, heads, hidden, eps: 1e-6, init: xavierUniform });
  for (const t of parameters(block).values()) lend.keep(t);
  return { block, x: lend([sizes.batch, sizes.tokens, dim]) };
}

function blockForward(sizes: BlockSizes): Workload {
  return {
    name: `${blockName(sizes)}, forward`,
    group: WHOLE_STEPS,
    flops: blockFlops(sizes),
    prepare: (lend) => {
      const { block, x } = makeBlock(lend, sizes);
      return () => block.forward(x);
    },
  };
}

function blockTraining(sizes: BlockSizes): Workload {
  return {
    name: `${blockName(sizes)}, training step`,
    group: WHOLE_STEPS,
    // A gradient for each operand of each product.
    flops: 3 * blockFlops(sizes),
    prepare: (lend) => {
      const { block, x } = makeBlock(lend, sizes);
      const optimizer = lend.keep(new AdamW(lend.device, parameters(block)));
      const hyper = lend([optimizer.hyperparameterCount], optimizer.hyperparameters(1, 1e-5));
      return () => {
        const loss = mean(square(block.forward(x)));
        optimizer.update(gradients(loss, optimizer.parameters), hyper);
        return loss;
      };
    },
  };
}

function zeroSegTraining(name: string, config: ZeroSegConfig, batch: number): Workload {
  return {
    name: `${name}, batch ${batch}, training step`,
    group: WHOLE_STEPS,
    prepare: (lend) => trainingBody(lend, config, batch),
  };
}

/** A training step of ZeroSeg on random images: masked encoder, decoder, head, three losses, AdamW with clipping. */
export function trainingBody(lend: Lend, config: ZeroSegConfig, batch: number): () => Tensor {
  const { device } = lend;
  const model = new ZeroSeg(newWeights(device, 0), config);
  for (const t of parameters(model).values()) lend.keep(t);
  const optimizer = lend.keep(new AdamW(device, parameters(model), { maxNorm: 5 }));
  const image = lend([batch, config.chans, config.image, config.image]);
  const views = lend([batch, viewCount(config.grids), config.clip_dim]);
  const key = lend([2], Uint32Array.of(1, 2));
  const hyper = lend([optimizer.hyperparameterCount], optimizer.hyperparameters(1, 1e-5));
  return () => {
    const { total } = model.forward({
      image,
      views,
      maskNoise: randomUniform(key, [batch, patchCount(config)], 0),
      noises: [
        { key, stream: 1 },
        { key, stream: 2 },
      ],
    });
    optimizer.update(gradients(total, optimizer.parameters) as Tensor[], hyper);
    return total;
  };
}
