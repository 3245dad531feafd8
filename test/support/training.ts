import type { TrainingData } from '../../src/zeroseg/features/training-data.ts';
import { viewCount } from '../../src/zeroseg/image/grid-views.ts';
import type { ZeroSegConfig } from '../../src/zeroseg/model/config-groups.ts';
import { seeded } from './check-op.ts';

/** A model that trains in a moment: what it is given beside the paper's configuration. */
export const smallModel: Partial<ZeroSegConfig> = {
  image: 32,
  patch: 8,
  dim: 16,
  depth: 3,
  heads: 2,
  dec_dim: 16,
  dec_depth: 2,
  dec_heads: 2,
  group_tokens: [4, 2],
  output_groups: [4, 2],
  seg_heads: 2,
  proj_hidden: 16,
  clip_dim: 8,
  grids: [1, 2],
};

/** Eight images of noise, with features of noise. */
export function noiseData({ image, grids, clip_dim }: ZeroSegConfig): TrainingData {
  const [pixels, features] = [3 * image * image, viewCount(grids) * clip_dim];
  const draw = (seed: number, n: number) => {
    const random = seeded(seed);
    return Array.from({ length: n }, () => 2 * random() - 1);
  };
  return {
    length: 8,
    batch: async (numbers) => ({
      images: Float32Array.from(numbers.flatMap((number) => draw(number + 1, pixels))),
      views: Float32Array.from(numbers.flatMap((number) => draw(number + 100, features))),
    }),
  };
}
