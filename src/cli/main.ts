#!/usr/bin/env node
import { commandLine } from './command-line.ts';

// Who reads may stop reading, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
process.exitCode = await commandLine(process.argv.slice(2));
