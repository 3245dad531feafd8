/**
 * Runs one call at a time and, when it ends, the newest of those that were asked for meanwhile; the others are left out. So a
 * slider that moves faster than the GPU is followed, what is done on the way is shown, and nothing queues up.
 */
export function newest<Request, Result>(
  call: (request: Request) => Promise<Result>,
  done: (result: Result, request: Request) => void,
  failed: (error: unknown) => void,
): (request: Request) => void {
  let isBusy = false;
  let next: { readonly request: Request } | undefined;
  const run = async (request: Request): Promise<void> => {
    isBusy = true;
    try {
      const result = await call(request);
      done(result, request);
    } catch (error) {
      if (!next) failed(error);
    }
    isBusy = false;
    const waiting = next;
    next = undefined;
    if (waiting) await run(waiting.request);
  };
  return (request) => {
    if (isBusy) next = { request };
    else void run(request);
  };
}
