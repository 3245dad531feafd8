/** Commands that several processes cannot do together. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterEach, expect, test, vi } from 'vitest';
import { commandLine } from '../../../cli/src/command-line.ts';
import { commands } from '../../../cli/src/commands/index.ts';
import { startedAmong } from '../../../cli/src/mpi/launcher.ts';
import { printableTerminal } from '../../../cli/src/shell/index.ts';
import { temporaryFolder } from '../../support/made-up.ts';

const base = await temporaryFolder();
const nowhere = join(base, 'nowhere');
afterEach(() => vi.unstubAllEnvs());

const silent = printableTerminal({ out: () => undefined, note: () => undefined });
const all = commands.map(({ make, processes }) => ({ command: make({ terminal: silent }), processes }));
const named = (kind: string) => all.filter(({ processes }) => processes === kind).map(({ command }) => command.name());

/** What a command is started with, as one of two processes. */
async function run(rank: number, args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  vi.stubEnv('OMPI_COMM_WORLD_RANK', String(rank));
  vi.stubEnv('OMPI_COMM_WORLD_SIZE', '2');
  const [out, err]: [string[], string[]] = [[], []];
  const code = await commandLine(args, { out: (line) => void out.push(line), note: (line) => void err.push(line) });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

/** All that it must be given, and the places that it would write to. */
function leastOf(command: Command): string[] {
  const values = command.registeredArguments.filter(({ required }) => required);
  const options = command.options.filter(({ mandatory, long }) => mandatory || long === '--out');
  return [
    command.name(),
    ...values.map(({ argChoices }) => argChoices?.[0] ?? nowhere),
    ...options.flatMap(({ long, argChoices }) => [long as string, argChoices?.[0] ?? nowhere]),
  ];
}

test('every command has decided what several processes of it do', () => {
  // These share their work: test/cli/mpi has a test of each.
  expect(named('share')).toEqual(['cache', 'train', 'train-teacher', 'eval', 'score']);
  // These write no file.
  expect(named('each')).toEqual(['words', 'info', 'doctor', 'completion']);
});

test.each(all.filter(({ processes }) => processes === 'one').map(({ command }) => [command.name(), command] as const))(
  '%s is refused as one of several processes, before it touches a file',
  async (name, command) => {
    vi.stubEnv('XDG_CACHE_HOME', nowhere);
    const { code, out, err } = await run(0, leastOf(command));
    expect([code, out, err]).toEqual([
      1,
      '',
      `zeroseg: ${name}: 2 processes of it were started, each of which would do all of its work and write the same files; ` +
        'start it once, without mpirun or srun, which are for cache, train, train-teacher, eval and score; ' +
        `where each has files of its own: env -u OMPI_COMM_WORLD_RANK -u PMI_RANK -u SLURM_PROCID zeroseg ${name} …`,
    ]);
    expect(existsSync(nowhere)).toBe(false);
  },
);

test('beside the first process it says which one it is; help, and what only prints, is given to all', async () => {
  expect((await run(1, ['segment', nowhere, '--classes', 'cat', '--out', nowhere])).err).toMatch(
    /^zeroseg: rank 1: segment: 2 processes of it were started, /,
  );
  expect((await run(1, ['segment', '--help'])).code).toBe(0);
  expect((await run(1, ['completion', 'bash'])).code).toBe(0);
});

test('any launcher is noticed; a single process is alone', () => {
  expect(startedAmong({ OMPI_COMM_WORLD_RANK: '2', OMPI_COMM_WORLD_SIZE: '4' })).toEqual({ rank: 2, size: 4 });
  expect(startedAmong({ PMI_RANK: '1', PMI_SIZE: '3', SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '1' })).toEqual({
    ...{ rank: 1, size: 3 },
  });
  expect(startedAmong({ SLURM_PROCID: '5', SLURM_STEP_NUM_TASKS: '8', PMIX_RANK: '5' })).toEqual({ rank: 5, size: 8 });
  for (const alone of [
    {},
    { PMIX_RANK: '0' },
    { OMPI_COMM_WORLD_SIZE: '4' },
    { SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '1' },
  ])
    expect(startedAmong(alone)).toBeUndefined();
});
