/**
 * Processes that train one model together, each on its share of every batch: what `joinMpi` of the package `zeroseg` gives, and what
 * {@link allReduce} and a trainer take. All processes make the same calls in the same order; several may be under way.
 */
export interface ProcessGroup {
  /** This process among them, from 0. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
  /** Replaces values by their sums over all processes: the same bits in each of them. */
  allReduce(values: Float32Array | Float64Array): Promise<void>;
  /** Sends each process its part of `bytes`, which are as many parts of one length as processes; gives the parts that all sent here, in order. */
  allToAll(bytes: Uint8Array): Promise<Uint8Array>;
  /** The bytes of all processes, as many of each, in order. */
  allGather(bytes: Uint8Array): Promise<Uint8Array>;
  /** Replaces bytes by those of process 0. */
  broadcast(bytes: Uint8Array): Promise<void>;
}
