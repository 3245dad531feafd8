import { gradients, randomUniform } from '../../kernels/elementwise/index.ts';
import { type AdamW, HalfPrecision } from '../../nn/optimizer/index.ts';
import type { Tensor } from '../../tensor/graph/index.ts';
import { viewCount } from '../image/index.ts';
import { patchCount, type ZeroSeg, type ZeroSegConfig } from '../model/index.ts';
import { type GroupingTensors, groupingTensors } from './grouping-statistics.ts';
import type { TrainSettings } from './settings.ts';

/** What a pass computes: the loss, its terms by their names with {@link TERM} before, and what grouping statistics are made of. */
export type Pass = Partial<GroupingTensors> & {
  readonly loss: Tensor;
  readonly norm?: Tensor;
  readonly [term: `${typeof TERM}${string}`]: Tensor;
  /** Gradients as they go to other processes: see `trainer-steps.ts`. */
  readonly [packed: `packed.${string}`]: Tensor;
};
export const TERM = 'term.';

/** Inputs of a pass over `batch` images: `image` `[B, C, S, S]`, `views` `[B, V, clip_dim]`, `key` u32 `[2]`, `scale` of the loss. */
export function passInputs(
  config: ZeroSegConfig,
  batch: number,
): {
  readonly image: readonly number[];
  readonly views: readonly number[];
  readonly key: { readonly shape: readonly number[]; readonly dtype: 'u32' };
  readonly scale: readonly number[];
} {
  return {
    image: [batch, config.chans, config.image, config.image],
    views: [batch, viewCount(config.grids), config.clip_dim],
    key: { shape: [2], dtype: 'u32' },
    scale: [],
  };
}

/** How a pass is differentiated, in either precision: its terms, and the gradients of its loss. */
export function differentiate(
  { precision }: TrainSettings,
  model: ZeroSeg,
  optimizer: AdamW,
): <R extends Pass>(scale: Tensor, body: () => R) => R & { gradients: Tensor[] } {
  if (precision === 'f16') {
    const half = new HalfPrecision(model, optimizer);
    return (scale, body) => half.backward(scale, body);
  }
  return (_, body) => {
    const terms = body();
    return { ...terms, gradients: gradients(terms.loss, optimizer.parameters) as Tensor[] };
  };
}

/** One pass with masks and noise made from `key`: stream 0 masks, streams 1 and 2 the two grouping blocks. */
export function trainingPass(
  model: ZeroSeg,
  { checkpoint }: TrainSettings,
  { image, views, key }: { readonly image: Tensor; readonly views: Tensor; readonly key: Tensor },
  isMeasured: boolean,
): Pass {
  const maskNoise = randomUniform(key, [image.shape[0] as number, patchCount(model.config)], 0);
  const noises = [
    { key, stream: 1 },
    { key, stream: 2 },
  ];
  const { total, terms, softMaps, matchIndex } = model.forward({ image, views, maskNoise, noises, checkpoint });
  const named = Object.fromEntries(Object.entries(terms).map(([name, term]) => [`${TERM}${name}`, term]));
  return { loss: total, ...named, ...(isMeasured ? groupingTensors({ softMaps, matchIndex }) : {}) };
}
