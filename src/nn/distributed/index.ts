export { type AllReduceOptions, allReduce, broadcast } from './all-reduce.ts';
export type { ProcessGroup } from './process-group.ts';
