export { packHalves } from '../../kernels/optimizer/index.ts';
export { type AllReduceOptions, allReduce, broadcast, type Wire } from './all-reduce.ts';
export { gatherBytes } from './gather.ts';
export { gradientBuckets } from './gradient-buckets.ts';
export type { ProcessGroup } from './process-group.ts';
export { stopTogether } from './stop-together.ts';
