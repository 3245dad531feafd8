import { ZeroSegError } from '@zeroseg/core';
/** An error of a system call, as Node throws it: `code` is its name, such as ENOENT. */
export interface SystemError extends Error {
  readonly code: string;
  readonly path?: string;
  readonly syscall?: string;
}

/** Whether the file system, or another part of the operating system, refused what Node asked of it. */
export function isSystemError(error: unknown): error is SystemError {
  // Node's own complaints about arguments (ERR_INVALID_ARG_TYPE) are mistakes of this program.
  return (
    error instanceof Error &&
    !(error instanceof ZeroSegError) &&
    /^E[A-Z0-9]+$/.test(String(Reflect.get(error, 'code')))
  );
}
