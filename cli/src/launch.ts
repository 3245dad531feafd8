#!/usr/bin/env node
/**
 * Runs the command in a process of its own, which has a thread for each core to decode photos in. The lines are taken out that drivers of
 * GPUs write past it to standard error; what the command says itself goes by another descriptor straight to where it is meant, so nothing
 * comes late or in another order; what a crash leaves behind passes through.
 */
import { spawn } from 'node:child_process';
import { availableParallelism, constants } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The descriptor of the user's standard error in the process of the command. */
export const NOTES = 4;

/** What no user can do anything about: limits that Dawn lowers, and a software driver that calls itself one. */
const noise =
  /^(?:Warning: max\w+ artificially reduced|WARNING: lavapipe is not a conformant|(?:error|warning): XDG_RUNTIME_DIR |MESA(?:-\w+)?: (?:warning|info|debug):)/;

const program = fileURLToPath(new URL('./main.js', import.meta.url));

/**
 * Whether the command gets a process of its own, with more of libuv's threads: not on Windows, where a signal that is passed on ends a process
 * at once. Drivers that talk are those of Vulkan on Linux; `DEBUG=zeroseg` shows what they say.
 */
function isNeeded(): boolean {
  const isDebugged =
    /\bzeroseg\b/.test(process.env['DEBUG'] ?? '') || process.execArgv.some((arg) => arg.startsWith('--inspect'));
  const isHelp =
    process.argv.length < 3 ||
    process.argv.some((arg) => arg === '--help' || arg === '-h' || arg === '--version' || arg === '-V');
  return process.platform !== 'win32' && !isDebugged && !isHelp;
}

function launch(): void {
  const child = spawn(process.execPath, [...process.execArgv, program, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'pipe', 'ipc', 2],
    // Photos are decoded in libuv's threads, of which Node has four; a process cannot have more once it runs.
    env: {
      UV_THREADPOOL_SIZE: String(Math.max(4, availableParallelism())),
      ...process.env,
      ZEROSEG_NOTES: String(NOTES),
    },
  });
  child.once('error', (error) => {
    process.stderr.write(`zeroseg: the command could not be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream });
  lines.on('line', (line) => {
    if (!noise.test(line)) process.stderr.write(`${line}\n`);
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  for (const signal of signals) process.on(signal, pass);
  // After its last line.
  child.once('close', (code, signal) => {
    for (const one of signals) process.off(one, pass);
    if (signal === 'SIGSEGV' || signal === 'SIGABRT' || signal === 'SIGBUS' || signal === 'SIGILL') {
      process.stderr.write(
        `zeroseg: the process was ended by ${signal}, most likely by the driver of the GPU; try another --adapter, such as swiftshader\n`,
      );
    }
    if (signal === null) process.exitCode = code ?? 1;
    else if ((signals as readonly string[]).includes(signal)) process.kill(process.pid, signal);
    else process.exitCode = 128 + constants.signals[signal];
  });
}

if (isNeeded()) launch();
else await import('./main.ts');
