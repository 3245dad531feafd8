/** `mpirun -n 2 zeroseg …`, in processes of their own. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder, useCommandLine, writeCache, writeConfig } from '../../support/made-up.ts';
import { hasMpirun, mpirun, processOfRank } from '../../support/mpirun.ts';
import { buildProgram } from '../../support/programs.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
const program = await buildProgram({ file: fileURLToPath(new URL('../../../cli/src/main.ts', import.meta.url)) });
const args = ['train', '--cache', at('cache'), '--config', at('small.json'), '--save-every', '2'];
const untuned = { XDG_CACHE_HOME: at('no-tuning') };

beforeAll(async () => {
  await writeConfig(at('small.json'));
  await writeCache(at('cache'));
});

interface Line {
  readonly loss: number;
  readonly gradNorm: number;
}

async function metrics(run: string): Promise<readonly Line[]> {
  const text = await readFile(at(run, 'metrics.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

test('continuous integration has an mpirun', () => {
  if (process.env['CI']) expect(hasMpirun, 'install openmpi-bin').toBe(true);
});

test.skipIf(!hasMpirun)('processes train as one; when one is killed all end, and one process goes on', async () => {
  const steps = ['--steps', '6'];
  const whole = await zeroseg(...args, ...steps, '--out', at('whole'));
  expect(whole.code, whole.err).toBe(0);

  let [killed, first] = [0, 0];
  const job = await mpirun(2, [program, ...args, ...steps, '--out', at('shared')], {
    env: untuned,
    begun: async (pid) => {
      while ((await metrics('shared')).length < 3) await new Promise((next) => setTimeout(next, 2));
      first = processOfRank(pid, 0) as number;
      killed = performance.now();
      process.kill(processOfRank(pid, 1) as number, 'SIGKILL');
    },
  });
  expect(performance.now() - killed).toBeLessThan(20_000);
  expect(job.code, job.err).not.toBe(0);
  expect(job.err).toContain('zeroseg: train: stopped while waiting for the other processes: rank 1 has ended');
  expect(job.out.match(/^processes: 2, which share the micro-batches of a step$/gm), job.out).toHaveLength(1);
  expect((await metrics('shared')).length).toBeLessThan(6);

  // A process that was ended by force may be there for a moment, and hold the lock of the folder.
  while (existsSync(`/proc/${first}`)) await new Promise((next) => setTimeout(next, 20));
  const resumed = await zeroseg(...args, ...steps, '--out', at('shared'), '--resume');
  expect(resumed.code, resumed.err).toBe(0);
  expect(resumed.out).toMatch(/going on after step [24]\b/);
  const [shared, alone] = [await metrics('shared'), await metrics('whole')];
  expect(shared).toHaveLength(6);
  for (const [i, { loss, gradNorm }] of shared.entries()) {
    const wanted = alone[i] as Line;
    expect(Math.abs(loss / wanted.loss - 1), `loss of step ${i + 1}`).toBeLessThan(1e-6);
    expect(Math.abs(gradNorm / wanted.gradNorm - 1), `gradient of step ${i + 1}`).toBeLessThan(1e-5);
  }
});

test.skipIf(!hasMpirun)('what goes wrong is said once', async () => {
  const { code, err, out } = await mpirun(2, [program, ...args, '--micro', '4', '--steps', '1', '--out', at('wrong')]);
  expect(code).toBe(1);
  expect(`${out}${err}`.match(/zeroseg: .*/g)).toEqual([
    "zeroseg: training: a batch of 4 in micro-batches of 4 is no work for 2 processes; choose a 'micro' that divides the batch, of at most 2, or a larger batch",
  ]);
});

test.skipIf(!hasMpirun)('gradients in f16 train nearly the same, and every process is told so alike', async () => {
  const steps = ['--steps', '6', '--out'];
  const job = await mpirun(2, [program, ...args, ...steps, at('half'), '--wire', 'f16'], { env: untuned });
  expect(job.code, job.err).toBe(0);
  expect(job.out).toContain('processes: 2, which share the micro-batches of a step; gradients go between them in f16');
  const [half, alone] = [await metrics('half'), await metrics('whole')];
  const off = half.map(({ loss }, i) => Math.abs(loss / (alone[i] as Line).loss - 1));
  expect(off).toHaveLength(6);
  expect(Math.max(...off)).toBeLessThan(1e-3);
  expect(Math.max(...off)).toBeGreaterThan(0);
});

test.skipIf(!hasMpirun)('a process with other options, another cache or another version is refused', async () => {
  await writeCache(at('other'), 7);
  const command = [...args, '--steps', '2', '--out', at('refused')];
  const words = async (others: readonly string[]) => {
    const { code, err } = await mpirun(1, [program, ...command, ':', '-n', '1', process.execPath, program, ...others]);
    expect(code).toBe(1);
    // The first process may come to say that it waits in vain, before it is ended.
    return err.match(/zeroseg: rank 1.*/g)?.map((line) => line.replaceAll(base, 'BASE'));
  };
  expect(await words(command.with(-3, '3'))).toMatchInlineSnapshot(`
    [
      "zeroseg: rank 1: train: --steps is 3 here and 2 in the first process; start all of them with the same options",
    ]
  `);
  expect(await words(command.with(2, at('other')))).toMatchInlineSnapshot(`
    [
      "zeroseg: rank 1: train: --cache BASE/other: it is not the cache that the first process trains on (7 photos here, 8 there); copy that one to this machine",
    ]
  `);
  expect(await readdir(at('refused')).catch(() => [])).toEqual([]);
});
