/** Training by several processes: what `@zeroseg/core` has of it, under a name of its own. */
export { type AllReduceOptions, allReduce, broadcast, type ProcessGroup, type Wire } from './nn/distributed/index.ts';
