#!/usr/bin/env node
import { commandLine } from './command-line.ts';
import { signalExitCodes } from './interruption.ts';

// Who reads may stop reading, as `head` does: the command ends there, done or not.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(signalExitCodes.SIGPIPE);
});
process.exitCode = await commandLine(process.argv.slice(2));
