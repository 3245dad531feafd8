import { bufferUsage, kernel } from '../../gpu/index.ts';
import { formatShape, NotFiniteError, StepError } from '../values/index.ts';
import { slotBytes, writes } from './lifetimes.ts';
import { refusedError } from './program.ts';
import { hostArray } from './read.ts';

/**
 * What check mode, timers and early reads use of the rest. They are loaded on demand, and import no values: bundlers put what two scripts
 * share into a third, which costs every page a kilobyte, and a page that awaits at its top level must not wait for itself.
 */
export interface Shared {
  readonly bufferUsage: typeof bufferUsage;
  readonly formatShape: typeof formatShape;
  readonly hostArray: typeof hostArray;
  readonly kernel: typeof kernel;
  readonly NotFiniteError: typeof NotFiniteError;
  readonly refusedError: typeof refusedError;
  readonly slotBytes: typeof slotBytes;
  readonly StepError: typeof StepError;
  readonly writes: typeof writes;
}

export const shared: Shared = {
  bufferUsage,
  formatShape,
  hostArray,
  kernel,
  NotFiniteError,
  refusedError,
  slotBytes,
  StepError,
  writes,
};
