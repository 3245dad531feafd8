import { availableParallelism, cpus } from 'node:os';
import { gatherBytes } from '@zeroseg/core/internal';
import { MpiError } from './errors.ts';
import { ALONE, launchedBy, startedAmong } from './launcher.ts';
import { Neighbours } from './neighbours.ts';
import { OpenMpi } from './open-mpi.ts';

let joined: OpenMpi | undefined;
let neighbours: Neighbours | undefined;
/** The rank of this process, once it has joined the others or was refused among them. */
let ownRank = 0;

/**
 * Joins the processes that `mpirun` or `srun --mpi=pmix` has started with this one: a group for `allReduce`, `broadcast` and trainers.
 * Undefined where this process is alone.
 *
 * ```ts
 * const group = await joinMpi();
 * console.log(`process ${group?.rank ?? 0} of ${group?.size ?? 1}`);
 * leaveMpi();
 * ```
 *
 * @throws {MpiError} where there are others and no Open MPI, saying what to install.
 */
export async function joinMpi(): Promise<OpenMpi | undefined> {
  if (joined) return joined;
  const launched = launchedBy(process.env);
  if (!launched) return undefined;
  joined = await OpenMpi.join(launched.localRank);
  ownRank = joined.rank;
  neighbours = await Neighbours.meet(joined);
  return joined;
}

/** The last call of MPI in a process. With an exit code of an error all processes of the job end; else it waits for the others. */
export function leaveMpi(code = 0): void {
  const group = joined;
  joined = undefined;
  ownRank = 0;
  // What a signal ended (128 and its number) has ended in order in all of them.
  if (code > 0 && code < 128) group?.abort(code);
  else group?.finalize();
}

/** An error that all processes have is said once: those beside the first wait until it has ended the job. */
const HESITATION_MILLISECONDS = 1000;

/** What an error begins with: `rank 1: ` in a process beside the first. */
export async function rankWords(): Promise<string> {
  if (ownRank === 0) return '';
  await new Promise((next) => setTimeout(next, HESITATION_MILLISECONDS));
  return `rank ${ownRank}: `;
}

/**
 * Refuses to be one of several processes of a command that shares no work; `sharing` are those that do.
 *
 * @throws {MpiError} where a launcher has started it with others.
 */
export function refuseSeveral(command: string, sharing: readonly string[]): void {
  const started = startedAmong(process.env);
  if (!started) return;
  ownRank = started.rank;
  throw new MpiError(
    `${command}: ${started.size} processes of it were started, each of which would do all of its work and write the same files; ` +
      `start it once, without mpirun or srun, which are for ${sharing.slice(0, -1).join(', ')} and ${sharing.at(-1)}; ` +
      `where each has files of its own: ${ALONE} ${command} …`,
  );
}

/** How long a job is given to end in order, in seconds: Open MPI's own setting. */
function graceSeconds(): number {
  const given = Number(process.env['OMPI_MCA_odls_base_sigkill_timeout']);
  return given > 0 ? given : 1;
}

/**
 * Ends the job once a signal has asked this process to stop and others have not answered for a quarter of the time that there is: when one is
 * killed, `mpirun` ends the others by such a signal, and soon by force. The first of them says so in the name of `command`; where it is the
 * one that was killed, the next that sees that it is gone.
 */
export function endWithOthers(
  group: OpenMpi,
  signal: AbortSignal,
  command: string,
  terminal: { error(line: string): void },
): void {
  const watch = (): void => {
    // Later those that end by themselves would be among them.
    const ended = neighbours?.ended() ?? [];
    const isToSay = Array.from({ length: group.rank }, (_, rank) => rank).every((rank) => ended.includes(rank));
    const share = graceSeconds() / 4;
    const timer = setInterval(() => {
      if (group.waitingSeconds < share) return;
      clearInterval(timer);
      const end = (): never => process.exit(1);
      // The job ends already: MPI would wait for it.
      if (!isToSay) return end();
      const who = group.rank === 0 ? '' : `rank ${group.rank}: `;
      terminal.error(`zeroseg: ${who}${command}: stopped while waiting for the other processes: ${endedWords(ended)}`);
      // Not before the others have looked who is gone.
      setTimeout(end, 1000 * share);
    }, 20);
    timer.unref();
  };
  if (signal.aborted) watch();
  else signal.addEventListener('abort', watch, { once: true });
}

function endedWords(ranks: readonly number[]): string {
  const [one] = ranks;
  if (one === undefined) return 'one of them has ended, or a step takes longer than a job is given to end';
  return ranks.length === 1 ? `rank ${one} has ended` : `ranks ${ranks.join(', ')} have ended`;
}

/** What is to be said where `mpirun` holds a process to a part of the processor, as it does when nothing else is asked for. */
export function bindingNote(): string | undefined {
  const [own, all] = [availableParallelism(), cpus().length];
  if (process.env['OMPI_COMM_WORLD_RANK'] === undefined || own >= all) return undefined;
  return `mpirun holds each process to ${own} of ${all} threads of the processor; add --bind-to none`;
}

/** The adapter of this process, of those that `--adapter` names with commas between: by its number on its machine. */
export function adapterOf(
  adapter: string | undefined,
  group: { readonly localRank: number } | undefined,
): string | undefined {
  if (adapter === undefined || !group) return adapter;
  const names = adapter.split(',').map((name) => name.trim());
  return names[group.localRank % names.length];
}

/** Any JSON of the first process, in all. */
export async function shareJson<T>(group: OpenMpi, value: T | undefined): Promise<T> {
  const own = new TextEncoder().encode(value === undefined ? '' : JSON.stringify(value));
  const length = new Float64Array([own.length]);
  await group.broadcast(new Uint8Array(length.buffer));
  const bytes = group.rank === 0 ? own : new Uint8Array(length[0] as number);
  await group.broadcast(bytes);
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}

/** What a process beside the first goes by: the version of this package, and what the command line says of the work. */
export interface Agreed {
  readonly version: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What it found, such as the number of photos. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** What must be the same in all processes; where a cache lies and which GPU there is may differ from machine to machine. */
export function agreedOf(version: string, options: object): Agreed {
  const { cache: _, photos: __, adapter: ___, ...rest } = options as Record<string, unknown>;
  return { version, options: rest };
}

/** @throws {MpiError} where a process has another version, or other options, than the first. */
export function refuseOthers(command: string, own: Agreed, first: Agreed): void {
  if (own.version !== first.version) {
    throw new MpiError(
      `${command}: this is version ${own.version} of zeroseg, and the first process has ${first.version}; install the same on all machines`,
    );
  }
  const words = (value: unknown): string => (value === undefined ? 'not given' : JSON.stringify(value));
  for (const name of new Set([...Object.keys(first.options), ...Object.keys(own.options)])) {
    const [here, there] = [words(own.options[name]), words(first.options[name])];
    if (here === there) continue;
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new MpiError(
      `${command}: ${option} is ${here} here and ${there} in the first process; start all of them with the same options`,
    );
  }
  for (const [name, there] of Object.entries(first.facts ?? {})) {
    const here = own.facts?.[name];
    if (here === there) continue;
    throw new MpiError(
      `${command}: there are ${words(here)} ${name} here and ${words(there)} for the first process; copy its to this machine`,
    );
  }
}

/** Waits until all processes have come here: one that refuses the work ends the job before anything is begun. */
export async function waitForAll(group: OpenMpi): Promise<void> {
  await group.allReduce(new Float64Array(1));
}

/** What a process found, which all must have found alike. */
export interface Found {
  /** Such as how many photos there are. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Hashes of files, each by the option that names it, with what it was given. */
  readonly inputs?: () => Promise<Readonly<Record<string, string>>>;
}

/** Checks, in all processes of a group, that they were started alike (see {@link refuseOthers}), and read the same files. */
export async function agree(
  group: OpenMpi | undefined,
  command: string,
  version: string,
  options: object,
  { facts = {}, inputs }: Found = {},
): Promise<void> {
  if (!group) return;
  const own = { ...agreedOf(version, options), facts };
  refuseOthers(command, own, await shareJson(group, own));
  refuseOtherInputs(command, await gatherJson(group, (await inputs?.()) ?? {}));
}

/** @throws {MpiError} in all processes alike, where one has another file than the first. */
export function refuseOtherInputs(command: string, inputs: readonly Readonly<Record<string, string>>[]): void {
  for (const [option, first] of Object.entries(inputs[0] ?? {})) {
    const others = [...inputs.keys()].filter((rank) => inputs[rank]?.[option] !== first);
    if (others.length === 0) continue;
    const [who, whose] = others.length === 1 ? ['rank', 'has'] : ['ranks', 'have'];
    throw new MpiError(
      `${command}: ${option}: ${who} ${others.join(', ')} ${whose} another file of that name than rank 0; copy that of rank 0 to all machines`,
    );
  }
}

/** Any JSON of each process, by rank, in all. It waits for them all. */
async function gatherJson<T>(group: OpenMpi, value: T): Promise<T[]> {
  const all = await gatherBytes(group, new TextEncoder().encode(JSON.stringify(value)));
  return all.map((bytes) => JSON.parse(new TextDecoder().decode(bytes)) as T);
}
