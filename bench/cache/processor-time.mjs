import { readFileSync } from 'node:fs';

/** Milliseconds of processor time so far: of the process, all its threads together, and of the main thread where that can be told (Linux). */
export function processorTime() {
  const { user, system } = process.cpuUsage();
  let main = 0;
  if (process.platform === 'linux')
    main = Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);
  return { all: (user + system) / 1000, main: main / 1e6 };
}
