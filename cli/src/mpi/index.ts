export { MpiError } from './errors.ts';
export { launchedBy } from './launcher.ts';
export type { OpenMpi } from './open-mpi.ts';
export { adapterOf, bindingNote, endWithOthers, joinMpi, leaveMpi, rankWords, shareJson } from './processes.ts';
