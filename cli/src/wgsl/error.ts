import { ZeroSegError } from '@zeroseg/core';

/** A shader that is no WGSL, or that says things in a way that is not followed. */
export class WgslError extends ZeroSegError {
  override readonly name = 'WgslError';
  readonly code = 'wgsl';
}
