import { join } from 'node:path';
import { readCache } from '@zeroseg/core/zeroseg';
import { afterEach, expect, it, vi } from 'vitest';
import { nodeFileSystem } from '../../../cli/src/files/node-file-system.ts';
import { launchedBy } from '../../../cli/src/mpi/launcher.ts';
import { OpenMpi } from '../../../cli/src/mpi/open-mpi.ts';
import { adapterOf, agreedOf, leaveMpi, refuseOtherInputs, refuseOthers } from '../../../cli/src/mpi/processes.ts';
import { temporaryFolder, useCommandLine, writeClip, writePhotos } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);
afterEach(() => vi.unstubAllEnvs());

it('knows its place by mpirun and by srun with PMIx, and that it is alone', () => {
  const ompi = { OMPI_COMM_WORLD_RANK: '2', OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_LOCAL_RANK: '1' };
  expect(launchedBy(ompi)).toEqual({ rank: 2, size: 4, localRank: 1 });
  // mpirun inside of an allocation of Slurm.
  expect(launchedBy({ ...ompi, SLURM_STEP_NUM_TASKS: '2', SLURM_PROCID: '0', PMIX_RANK: '2' })).toEqual({
    ...{ rank: 2, size: 4, localRank: 1 },
  });
  const slurm = { SLURM_STEP_NUM_TASKS: '8', SLURM_PROCID: '5', SLURM_LOCALID: '3' };
  expect(launchedBy({ ...slurm, PMIX_RANK: '5' })).toEqual({ rank: 5, size: 8, localRank: 3 });
  for (const alone of [
    {},
    { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1' },
    { SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0' },
    { SLURM_STEP_NUM_TASKS: '1', SLURM_PROCID: '0', PMIX_RANK: '0' },
    { PMI_SIZE: '1' },
  ])
    expect(launchedBy(alone)).toBeUndefined();
  expect(() => launchedBy(slurm)).toThrowErrorMatchingInlineSnapshot(
    `[MpiError: srun started several processes that cannot find each other; add --mpi=pmix]`,
  );
  expect(() => launchedBy({ PMIX_RANK: '1' })).toThrowErrorMatchingInlineSnapshot(
    `[MpiError: this process was started by PMIx, which does not say of how many it is one; start it by Open MPI's mpirun, or by srun --mpi=pmix]`,
  );
  expect(() => launchedBy({ PMI_SIZE: '2', PMI_RANK: '0' })).toThrowErrorMatchingInlineSnapshot(
    `[MpiError: this process was started by another MPI's mpirun, or by srun without PMIx; it needs that of Open MPI, or srun --mpi=pmix]`,
  );
});

it('takes the adapter of its number on the machine', () => {
  expect(adapterOf('one, two', { localRank: 0 })).toBe('one');
  expect(adapterOf('one, two', { localRank: 3 })).toBe('two');
  expect(adapterOf('one, two', undefined)).toBe('one, two');
  expect(adapterOf(undefined, { localRank: 1 })).toBeUndefined();
});

it('refuses processes of another version, or with other options', () => {
  const first = agreedOf('1.0.0', { steps: 5, cache: 'here', adapter: 'a', wire: 'f16' });
  refuseOthers('train', agreedOf('1.0.0', { steps: 5, cache: 'there', wire: 'f16' }), first);
  expect(() => refuseOthers('train', agreedOf('1.1.0', { steps: 5 }), first)).toThrowErrorMatchingInlineSnapshot(
    `[MpiError: train: this is version 1.1.0 of zeroseg, and the first process has 1.0.0; install the same on all machines]`,
  );
  const own = agreedOf('1.0.0', { steps: 5, wire: 'f16', baseLr: 0.1 });
  expect(() => refuseOthers('train', own, first)).toThrowErrorMatchingInlineSnapshot(
    `[MpiError: train: --base-lr is 0.1 here and not given in the first process; start all of them with the same options]`,
  );
});

it('refuses processes that have read other files, in all of them', () => {
  const first = { '--model out/run': 'a1', '--clip built-in': 'b2' };
  refuseOtherInputs('score', [first, { ...first }]);
  expect(() =>
    refuseOtherInputs('score', [first, { ...first, '--clip built-in': 'c3' }]),
  ).toThrowErrorMatchingInlineSnapshot(
    `[MpiError: score: --clip built-in: rank 1 has another file of that name than rank 0; copy that of rank 0 to all machines]`,
  );
  const other = { ...first, '--model out/run': 'd4' };
  expect(() => refuseOtherInputs('eval', [first, other, first, other])).toThrowErrorMatchingInlineSnapshot(
    `[MpiError: eval: --model out/run: ranks 1, 3 have another file of that name than rank 0; copy that of rank 0 to all machines]`,
  );
});

it('says which library is missing, and leaves nothing where it has not joined', async () => {
  vi.stubEnv('ZEROSEG_MPI', at('libmpi.so'));
  await expect(OpenMpi.join(0)).rejects.toThrow(/^ZEROSEG_MPI: \S+libmpi\.so is no library that loads: /);
  vi.stubEnv('ZEROSEG_MPI', 'libc.so.6');
  await expect(OpenMpi.join(0)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[MpiError: the MPI library is an unknown one; it must be Open MPI: install it (Debian, Ubuntu: apt install openmpi-bin; Fedora: dnf install openmpi; macOS: brew install open-mpi)]`,
  );
  leaveMpi(1);
});

it('processes that mpirun has started make a cache in parts', async () => {
  await writePhotos(at('photos'), 5);
  await writeClip(at('clip'));
  const args = ['cache', at('photos'), '--clip', at('clip'), '--out', at('cache'), '--grids', '1,2'];
  for (const rank of ['1', '0']) {
    vi.stubEnv('OMPI_COMM_WORLD_RANK', rank);
    vi.stubEnv('OMPI_COMM_WORLD_SIZE', '2');
    const { code, err, out } = await zeroseg(...args, '--image-size', '16');
    expect(code, err).toBe(0);
    expect(out.split('\n').at(-1)).toMatch(/cache\/\S+: [23] photos/);
    // Only the first tells how it goes.
    expect(out.includes('to do')).toBe(rank === '0');
  }
  const length = async (): Promise<number> => {
    const cache = await readCache(nodeFileSystem(at('cache')));
    await cache.close();
    return cache.length;
  };
  expect(await length()).toBe(5);

  // Whatever number of processes goes on, the parts stay.
  await writePhotos(at('photos'), 9);
  vi.stubEnv('OMPI_COMM_WORLD_SIZE', '3');
  const said: string[] = [];
  for (const rank of ['2', '0']) {
    vi.stubEnv('OMPI_COMM_WORLD_RANK', rank);
    const { code, err, out } = await zeroseg(...args, '--image-size', '16');
    expect(code, err).toBe(0);
    said.push(
      out
        .split('\n')
        .at(-1)
        ?.replace(/^.*(1-of-2: \d) photos.*$/, '$1') ?? '',
      err.split('\n').at(-1) ?? '',
    );
  }
  expect(said).toEqual([
    '',
    '',
    expect.stringMatching(/^1-of-2: \d$/),
    `${at('cache')} is made in 2 parts: 1 of 3 processes has nothing to do`,
  ]);
  vi.unstubAllEnvs();
  const { code, err, out } = await zeroseg(...args, '--image-size', '16');
  expect(code, err).toBe(0);
  expect(out.match(/[12]-of-2: \d photos/g)).toHaveLength(2);
  expect(await length()).toBe(9);
});
