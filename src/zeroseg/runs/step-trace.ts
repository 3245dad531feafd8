/** What the time of a training goes into. */
export type TracePhase =
  /** Rows are read from the cache. */
  | 'read'
  /** They are made into a micro-batch. */
  | 'decode'
  /** Inputs go to the GPU's queue, with what is computed of them. */
  | 'upload'
  /** The GPU computes, from submission to done. */
  | 'compute'
  /** Losses come back. */
  | 'read back'
  /** A bucket of gradients comes from the GPU, is summed over all processes, and goes back. */
  | 'bucket read'
  | 'bucket sum'
  | 'bucket write'
  /** A checkpoint is copied on the GPU; it is read from there, hashed and written. */
  | 'copy'
  | 'checkpoint'
  | 'fetch'
  | 'write';

/** Which step something is for, and which of its micro-batches, or of its buckets of gradients. */
export interface TracePlace {
  readonly step: number;
  readonly part?: number;
  readonly bucket?: number;
}

/** Is told what a training does when. It changes nothing of what is computed. */
export interface StepTrace {
  /** Something begins; the function that comes back ends it. Undefined where this step is not traced. */
  begin(phase: TracePhase, place: TracePlace): (() => void) | undefined;
}
