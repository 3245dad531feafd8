import { ZeroSegError } from '../../gpu/index.ts';

/** A run that cannot be begun or continued. */
export class RunError extends ZeroSegError {
  override readonly name = 'RunError';
  readonly code = 'run';
}
