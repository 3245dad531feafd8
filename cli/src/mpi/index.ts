export { MpiError } from './errors.ts';
export { type Launched, launchedBy } from './launcher.ts';
export type { OpenMpi } from './open-mpi.ts';
export {
  type Agreed,
  adapterOf,
  agree,
  agreedOf,
  bindingNote,
  endWithOthers,
  joinMpi,
  leaveMpi,
  rankWords,
  refuseOthers,
  refuseSeveral,
  shareJson,
  waitForAll,
} from './processes.ts';
