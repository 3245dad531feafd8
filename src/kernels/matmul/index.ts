export { einsum } from './einsum.ts';
export { useHalfSums } from './half-sums.ts';
export { linear, type MatmulOptions, matmul } from './matmul.ts';
export { type MlpOptions, type MlpWeights, mlp } from './mlp.ts';
export { outer, trace } from './outer.ts';
export { patchEmbed, patchify, unpatchify } from './patchify.ts';
export type { MatmulEpilogue } from './product.ts';
export { useSubgroupMatrices } from './subgroup-matrices.ts';
export { type Tuned, type TuneOptions, tune } from './tune.ts';
