import { ZeroSegError } from '@zeroseg/core';

/** Several processes were started, and cannot work together; or one of them has ended. */
export class MpiError extends ZeroSegError {
  override readonly name = 'MpiError';
  readonly code = 'mpi';
}
