import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where this machine keeps what can be made again: `~/.cache/zeroseg`, or in the folder that `XDG_CACHE_HOME` names. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'zeroseg');
}
