/** The user's standard error, which is not this process's own where `launch.ts` sorts out what drivers write to that. */
import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';

/** The descriptor that the launcher gave. */
const given = process.connected === true ? Number(process.env['ZEROSEG_NOTES'] ?? Number.NaN) : Number.NaN;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Writes to the user's standard error. Nobody can be told that nobody listens: the exit code says how it went. */
export function writeError(text: string | Uint8Array): void {
  if (Number.isNaN(given)) {
    process.stderr.write(text);
    return;
  }
  let bytes = Buffer.from(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(given, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      // A full pipe that does not wait by itself.
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

/** The same as a stream. */
export function errorStream(): NodeJS.WritableStream {
  if (Number.isNaN(given)) return process.stderr;
  return new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      writeError(chunk);
      done();
    },
  });
}

/** Ends this process with its launcher: nobody would know of it any more. */
export function followLauncher(): void {
  if (Number.isNaN(given)) return;
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.channel?.unref();
}
