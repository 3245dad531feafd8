import type { Tensor } from '../../tensor/graph/index.ts';
/** Sees every activation by name, in order of computation. What it does not keep is never computed for it. */
export type Trace = (name: string, activation: Tensor) => void;

/** The trace of a forward pass at which nobody looks. */
export const noTrace: Trace = () => {};
