import { bufferUsage, kernel } from '../../gpu/index.ts';
import { dispatch, empty, over } from '../graph/index.ts';
import { formatShape, NotFiniteError, StepError } from '../values/index.ts';
import { slotBytes, writes } from './lifetimes.ts';
import { refusedError } from './program.ts';
import { hostArray } from './read.ts';
import { mapResults } from './results.ts';

/**
 * What check mode, timers, early reads and copies of old values use of the rest. They are loaded on demand, and import no values: bundlers put what two scripts
 * share into a third, which costs every page a kilobyte, and a page that awaits at its top level must not wait for itself.
 */
export interface Shared {
  readonly bufferUsage: typeof bufferUsage;
  readonly dispatch: typeof dispatch;
  readonly empty: typeof empty;
  readonly formatShape: typeof formatShape;
  readonly hostArray: typeof hostArray;
  readonly kernel: typeof kernel;
  readonly mapResults: typeof mapResults;
  readonly NotFiniteError: typeof NotFiniteError;
  readonly over: typeof over;
  readonly refusedError: typeof refusedError;
  readonly slotBytes: typeof slotBytes;
  readonly StepError: typeof StepError;
  readonly writes: typeof writes;
}

export const shared: Shared = {
  bufferUsage,
  dispatch,
  empty,
  formatShape,
  hostArray,
  kernel,
  mapResults,
  NotFiniteError,
  over,
  refusedError,
  slotBytes,
  StepError,
  writes,
};
