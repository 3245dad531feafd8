#!/usr/bin/env node
import { commandLine } from './command-line.ts';
import { followLauncher, systemReason, writeError } from './files/index.ts';
import { processTerminal, signalExitCodes } from './shell/index.ts';
import { WordCache } from './weights/index.ts';

// Who reads may stop reading, as `head` does, and the disk that the output goes to may be full: the command ends there, done or not.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  writeError(`zeroseg: standard output: ${systemReason(error)}\n`);
  process.exit(error.code === 'EPIPE' ? signalExitCodes.SIGPIPE : 1);
});
// Nobody can be told that nobody listens: the exit code says how it went.
process.stderr.on('error', () => undefined);
followLauncher();
process.exitCode = await commandLine(process.argv.slice(2), processTerminal, undefined, new WordCache());
