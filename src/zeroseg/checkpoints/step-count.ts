import { shownValue } from '../../gpu/index.ts';
import { CheckpointError } from '../../nn/safetensors/index.ts';
/** A number of steps as metadata says it. */
export function stepOf(text: string | undefined, file: string): number {
  const step = Number(text);
  if (/^\d+$/.test(text ?? '') && Number.isSafeInteger(step)) return step;
  throw new CheckpointError(file, `its number of steps must be a whole one; got ${shownValue(text)}`);
}
