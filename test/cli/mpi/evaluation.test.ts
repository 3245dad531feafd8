/** `mpirun -n 2 zeroseg eval` and `score`, in processes of their own. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { student } from '@zeroseg/pretrained';
import { expect, test } from 'vitest';
import { temporaryFolder, useCommandLine, writeClip, writeVoc } from '../../support/made-up.ts';
import { hasMpirun, mpirun, processOfRank } from '../../support/mpirun.ts';
import { buildProgram } from '../../support/programs.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
const program = await buildProgram({ file: fileURLToPath(new URL('../../../cli/src/main.ts', import.meta.url)) });
const untuned = { XDG_CACHE_HOME: at('no-tuning') };
const score = ['score', '--classes', '3', '--size', '64', '--templates', 'identity', '--scenes'];

test.skipIf(!hasMpirun)('eval in two processes writes the file of one', async () => {
  await writeVoc(at('voc'), 3);
  await writeClip(at('clip'));
  const evaluation = [
    'eval',
    '--data',
    'voc',
    '--root',
    at('voc'),
    '--model',
    `clip:${at('clip')}:sclip`,
    '--tokenizer',
    'hash',
  ];
  const rest = ['--templates', 'identity', '--resamples', '20', '--sweep', '0.2,0.5', '--out'];
  const alone = await zeroseg(...evaluation, ...rest, at('one.json'));
  expect(alone.code, alone.err).toBe(0);
  const both = await mpirun(2, [program, ...evaluation, ...rest, at('two.json')], { env: untuned });
  expect(both.code, both.err).toBe(0);
  expect(both.err + both.out).toContain('shared by 2 processes');
  expect(await readFile(at('two.json'), 'utf8')).toBe(await readFile(at('one.json'), 'utf8'));
});

test.skipIf(!hasMpirun)('score in two processes prints and writes the figures of one', async () => {
  // The last round has a scene for one process only.
  const scoring = [...score, '3', '--json', '--out'];
  const alone = await zeroseg(...scoring, at('alone.json'));
  expect(alone.code, alone.err).toBe(0);
  const both = await mpirun(2, [program, ...scoring, at('both.json')], { env: untuned });
  expect(both.code, both.err).toBe(0);
  expect(both.err).toContain('3 scenes of seed 1, 3 objects and 14 kinds of ground');
  expect(both.err).toContain('shared by 2 processes');
  expect(both.out.trimEnd()).toBe(alone.out);
  expect(await readFile(at('both.json'), 'utf8')).toBe(await readFile(at('alone.json'), 'utf8'));
});

test.skipIf(!hasMpirun)(
  'a process that is killed while they score ends all, with a sentence and no result',
  async () => {
    const job = await mpirun(2, [program, ...score, '100000', '--out', at('none.json')], {
      env: untuned,
      begun: async (pid, said) => {
        while (!/ [1-9]\d*\/100000 scenes/.test(said()) && existsSync(`/proc/${pid}`))
          await new Promise((next) => setTimeout(next, 10));
        process.kill(processOfRank(pid, 0) as number, 'SIGKILL');
      },
    });
    expect(job.code).not.toBe(0);
    expect(job.err).toContain(
      'zeroseg: rank 1: score: stopped while waiting for the other processes: rank 0 has ended',
    );
    expect(existsSync(at('none.json'))).toBe(false);
  },
);

test.skipIf(!hasMpirun)('two processes that would segment the same are refused, before they do', async () => {
  const segment = ['segment', at('photo.png'), '--classes', 'cat', '--out', at('segments')];
  const { code, err } = await mpirun(2, [program, ...segment]);
  expect(code).toBe(1);
  // The second says it too where the first takes a second longer to begin.
  const said = err.match(/zeroseg: .*/g) ?? [];
  expect(said).toContainEqual(expect.stringMatching(/^zeroseg: (rank 1: )?segment: 2 processes of it were started, /));
  expect(said.length).toBeLessThanOrEqual(2);
  expect(existsSync(at('segments'))).toBe(false);
});

test.skipIf(!hasMpirun)('a process that scores otherwise is refused', async () => {
  const { code, err } = await mpirun(1, [
    program,
    ...score,
    '2',
    ':',
    '-n',
    '1',
    process.execPath,
    program,
    ...score,
    '3',
  ]);
  expect(code).toBe(1);
  expect(err.match(/zeroseg: rank 1.*/g)).toEqual([
    'zeroseg: rank 1: score: --scenes is 3 here and 2 in the first process; start all of them with the same options',
  ]);
});

test.skipIf(!hasMpirun)(
  'a model, or a teacher, that is another file in one process is refused in all of them',
  async () => {
    const weights = await readFile(fileURLToPath(student.weights));
    for (const rank of [0, 1]) {
      await writeClip(at(`rank-${rank}`, 'clip'), 1 + rank);
      // The last value of the last tensor.
      await writeFile(at(`rank-${rank}`, 'model.safetensors'), weights.with(weights.length - 1, rank));
    }
    // Each where its own files are.
    const inOwn = `process.chdir(${JSON.stringify(at('rank-'))} + process.env.OMPI_COMM_WORLD_RANK); await import(${JSON.stringify(program)})`;
    const job = async (...args: string[]) => {
      const { code, err } = await mpirun(2, ['--input-type=module', '-e', inOwn, 'zeroseg', ...args]);
      expect(code).toBe(1);
      // The second says the same where the first takes a second to end the job.
      return [...new Set(err.match(/zeroseg: .*/g)?.map((line) => line.replace('zeroseg: rank 1: ', 'zeroseg: ')))];
    };
    await writeVoc(at('voc'), 3);
    expect(await job(...score, '2', '--model', 'model.safetensors', '--clip', 'built-in')).toEqual([
      'zeroseg: score: --model model.safetensors: rank 1 has another file of that name than rank 0; copy that of rank 0 to all machines',
    ]);
    expect(
      await job('eval', '--data', 'voc', '--root', at('voc'), '--model', 'clip:clip', '--tokenizer', 'hash'),
    ).toEqual([
      'zeroseg: eval: --model clip:clip: rank 1 has another file of that name than rank 0; copy that of rank 0 to all machines',
    ]);
  },
);
