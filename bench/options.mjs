import { existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';

// The command lines of what runs from a checkout: a wrong option is one sentence, before anything is installed or measured.

/** Ends the process with one sentence. */
export function refuse(command, sentence) {
  console.error(`${command}: ${sentence}`);
  process.exit(1);
}

export function readOptions(command, options) {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse(command, error.message.replaceAll('\n', ' '));
  }
}

/** The value of an option that counts something. */
export function countOf(command, name, text) {
  const count = Number(text);
  return Number.isInteger(count) && count > 0
    ? count
    : refuse(command, `--${name} must be a whole number of at least 1; it is '${text}'`);
}

/** Refuses a file that could not be written in the end. */
export function checkTarget(command, name, file) {
  const folder = dirname(resolve(file));
  if (!existsSync(folder)) refuse(command, `--${name}: there is no folder '${folder}'`);
  if (existsSync(file) && statSync(file).isDirectory()) refuse(command, `--${name}: '${file}' is a folder`);
}
