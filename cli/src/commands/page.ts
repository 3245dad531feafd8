import { Command } from 'commander';
import { isSystemError } from '../files/index.ts';
import { servePage } from '../page/index.ts';
import { type Context, catchInterruption, Interrupted, UsageError, wholeNumber } from '../shell/index.ts';

interface PageArguments {
  readonly port?: number;
  readonly host: string;
}

/** Where the page is served unless another port is asked for, or this one is taken. */
const USUAL_PORT = 4860;

/** `zeroseg page`: the page in a browser, served from this machine. */
export function pageCommand(context: Context): Command {
  return new Command('page')
    .description('serve the page that segments photos in a browser, on its GPU')
    .option('--port <n>', `where it listens (default: ${USUAL_PORT}, or any that is free)`, wholeNumber(0, 65_535))
    .option('--host <name>', 'whom it listens to; 0.0.0.0: all machines of the network', 'localhost')
    .addHelpText('after', '\nExample:\n  zeroseg page --port 8080')
    .action(async (options: PageArguments) => {
      await page(context, options);
    });
}

async function page({ terminal }: Context, { host, port }: PageArguments): Promise<void> {
  const served = await servePage({ host, port: port ?? USUAL_PORT }).catch((error: unknown) => {
    if (!isSystemError(error)) throw error;
    if (error.code === 'EADDRINUSE' && port === undefined) return servePage({ host });
    const reason = error.code === 'EADDRINUSE' ? 'another program listens there; give another --port' : error.message;
    throw new UsageError(`page: port ${port ?? USUAL_PORT} of ${host} cannot be used: ${reason}`);
  });
  terminal.out(`${served.url}  (Ctrl-C ends it)`);
  const interruption = catchInterruption();
  try {
    await new Promise<void>((stop) => interruption.onStop(stop));
  } finally {
    interruption.release();
    await served.close();
  }
  throw new Interrupted(interruption.signal ?? 'SIGINT');
}
