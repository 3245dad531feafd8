/** Jobs of several processes, by Open MPI. */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Ended } from './programs.ts';

/** Whether there is an `mpirun`; continuous integration must have one (`.ci/run` installs it). */
export const hasMpirun: boolean = spawnSync('mpirun', ['--version']).status === 0;

/** Runs a program in so many processes to the end. `begun` is given the process of `mpirun`, and what is on standard output so far. */
export async function mpirun(
  processes: number,
  args: readonly string[],
  { env = {}, begun }: { env?: Record<string, string>; begun?: (pid: number, said: () => string) => void } = {},
): Promise<Ended> {
  // As root, as in a container, and on a machine with fewer cores than processes.
  const root = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  // Those that are to end have a few seconds for it, on a busy machine.
  const options = [
    '--mca',
    'odls_base_sigkill_timeout',
    '5',
    '--oversubscribe',
    '--bind-to',
    'none',
    '-n',
    String(processes),
    process.execPath,
  ];
  const child = spawn('mpirun', [...options, ...args], { env: { ...process.env, ...root, ...env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  begun?.(child.pid as number, () => out);
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, out, err })));
}

/** The process of a rank, of a job. */
export function processOfRank(job: number, rank: number): number | undefined {
  return readdirSync('/proc')
    .map(Number)
    .find((pid) => {
      try {
        const [, parent] = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
        return (
          Number(parent) === job &&
          readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`OMPI_COMM_WORLD_RANK=${rank}`)
        );
      } catch {
        return false;
      }
    });
}
