export { MpiError } from './errors.ts';
export type { OpenMpi } from './open-mpi.ts';
export { adapterOf, endWithOthers, joinMpi, leaveMpi, rankWords, shareJson } from './processes.ts';
