import { StepError } from '../../tensor/values/index.ts';
import type { ProcessGroup } from './process-group.ts';

/**
 * Throws in all processes once the signal of any of them is aborted, so that none waits for one that has stopped. All call it before the
 * same part of their work.
 *
 * @throws the reason of the own signal; StepError where only another's was aborted.
 */
export async function stopTogether(group: ProcessGroup | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (!group) return signal?.throwIfAborted();
  const stopped = Float64Array.of(signal?.aborted ? 1 : 0);
  await group.allReduce(stopped);
  if (stopped[0] === 0) return;
  signal?.throwIfAborted();
  throw new StepError('another of the processes was stopped');
}
