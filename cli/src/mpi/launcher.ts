import { MpiError } from './errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What the launcher of several processes says to each. */
export interface Launched {
  readonly rank: number;
  readonly size: number;
  /** This process among those of its machine: it takes the GPU of that number. */
  readonly localRank: number;
}

/**
 * What started this process with others: `mpirun` of Open MPI, or `srun --mpi=pmix`. Undefined where nothing did, and where it is
 * alone.
 *
 * @throws {MpiError} where another launcher did, whose processes would all train by themselves.
 */
export function launchedBy(env: Environment): Launched | undefined {
  const number = (name: string): number | undefined => (env[name] === undefined ? undefined : Number(env[name]));
  const [rank, size] = [number('OMPI_COMM_WORLD_RANK'), number('OMPI_COMM_WORLD_SIZE')];
  if (rank !== undefined && size !== undefined) {
    return size > 1 ? { rank, size, localRank: number('OMPI_COMM_WORLD_LOCAL_RANK') ?? 0 } : undefined;
  }
  const tasks = number('SLURM_STEP_NUM_TASKS');
  const pmix = number('PMIX_RANK');
  if (pmix !== undefined && tasks !== undefined) {
    return tasks > 1 ? { rank: pmix, size: tasks, localRank: number('SLURM_LOCALID') ?? 0 } : undefined;
  }
  if (pmix !== undefined) {
    throw new MpiError(
      "this process was started by PMIx, which does not say of how many it is one; start it by Open MPI's mpirun, or by srun --mpi=pmix",
    );
  }
  if ((number('PMI_SIZE') ?? 1) > 1) {
    throw new MpiError(
      "this process was started by another MPI's mpirun, or by srun without PMIx; it needs that of Open MPI, or srun --mpi=pmix",
    );
  }
  if ((tasks ?? 1) > 1 && env['SLURM_PROCID'] !== undefined) {
    throw new MpiError('srun started several processes that cannot find each other; add --mpi=pmix');
  }
  return undefined;
}

/** Variables of a process' rank and of their number: of Open MPI, of MPICH and its kin, and of Slurm, inside of which the others may be. */
const variables = [
  ['OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'],
  ['PMI_RANK', 'PMI_SIZE'],
  ['SLURM_PROCID', 'SLURM_STEP_NUM_TASKS'],
] as const;

/** How a process that a launcher started is started as one alone. */
export const ALONE: string = `env ${variables.map(([rank]) => `-u ${rank}`).join(' ')} zeroseg`;

/** The place of this process among those that were started with it, whether they can find each other or not; undefined where it is alone. */
export function startedAmong(env: Environment): Pick<Launched, 'rank' | 'size'> | undefined {
  const found = variables.find((names) => names.every((name) => env[name] !== undefined));
  if (!found) return undefined;
  const [rank, size] = found.map((name) => Number(env[name])) as [number, number];
  return size > 1 ? { rank, size } : undefined;
}
