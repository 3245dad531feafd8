import type { ProcessGroup } from '@zeroseg/core/nn';
import type { CFunction, Library } from 'koffi';
import { MpiError } from './errors.ts';

/** Where the system's library may be; `ZEROSEG_MPI` names another. 40 is the interface of Open MPI 4 and 5. */
const places = ['libmpi.so.40', 'libmpi.40.dylib', '/opt/homebrew/lib/libmpi.dylib', '/usr/local/lib/libmpi.dylib'];

const INSTALL =
  'install it (Debian, Ubuntu: apt install openmpi-bin; Fedora: dnf install openmpi; macOS: brew install open-mpi)';

/** `MPI_IN_PLACE` and the levels of threads in Open MPI's `mpi.h`. */
const IN_PLACE = 1n;
const THREAD_FUNNELED = 1;

/** What waits for other processes is looked at in every turn of the event loop at first, then every millisecond: one may write a checkpoint. */
const EAGER_MILLISECONDS = 50;

interface Pending {
  /** Hold the memory that MPI reads and writes. */
  readonly values: ArrayBufferView | readonly ArrayBufferView[];
  readonly request: BigUint64Array;
  readonly resolve: () => void;
}

/** The functions and the constants that are used. */
interface Binding {
  readonly call: (name: string, ...args: unknown[]) => void;
  readonly world: unknown;
  readonly float: unknown;
  readonly double: unknown;
  readonly byte: unknown;
  readonly sum: unknown;
}

const declarations = {
  MPI_Init_thread: 'int MPI_Init_thread(void *argc, void *argv, int required, void *provided)',
  MPI_Comm_rank: 'int MPI_Comm_rank(void *comm, void *rank)',
  MPI_Comm_size: 'int MPI_Comm_size(void *comm, void *size)',
  MPI_Iallreduce:
    'int MPI_Iallreduce(intptr_t send, void *receive, int count, void *type, void *op, void *comm, void *request)',
  MPI_Ialltoall:
    'int MPI_Ialltoall(void *send, int count, void *type, void *receive, int received, void *as, void *comm, void *request)',
  MPI_Iallgather:
    'int MPI_Iallgather(void *send, int count, void *type, void *receive, int received, void *as, void *comm, void *request)',
  MPI_Ibcast: 'int MPI_Ibcast(void *buffer, int count, void *type, int root, void *comm, void *request)',
  MPI_Ibarrier: 'int MPI_Ibarrier(void *comm, void *request)',
  MPI_Test: 'int MPI_Test(void *request, void *flag, void *status)',
  MPI_Abort: 'int MPI_Abort(void *comm, int code)',
  MPI_Finalize: 'int MPI_Finalize()',
} as const;

/**
 * The processes that `mpirun` has started, by the system's Open MPI. Its collective operations are begun (`MPI_Iallreduce`) and looked
 * after (`MPI_Test`) from Node's event loop, which they do not block.
 */
export class OpenMpi implements ProcessGroup {
  readonly rank: number;
  readonly size: number;
  readonly localRank: number;
  readonly #mpi: Binding;
  readonly #pending = new Set<Pending>();
  readonly #flag = new Int32Array(1);
  #isPolling = false;
  #waitingSince = 0;

  private constructor(mpi: Binding, localRank: number) {
    const [rank, size] = [new Int32Array(1), new Int32Array(1)];
    mpi.call('MPI_Comm_rank', mpi.world, rank);
    mpi.call('MPI_Comm_size', mpi.world, size);
    this.#mpi = mpi;
    this.rank = rank[0] as number;
    this.size = size[0] as number;
    this.localRank = localRank;
  }

  /** Joins the others: once in a process. @throws {MpiError} where there is no Open MPI, saying what to install. */
  static async join(localRank: number): Promise<OpenMpi> {
    const mpi = await bind();
    mpi.call('MPI_Init_thread', null, null, THREAD_FUNNELED, new Int32Array(1));
    return new OpenMpi(mpi, localRank);
  }

  allReduce(values: Float32Array | Float64Array): Promise<void> {
    const { float, double, sum, world } = this.#mpi;
    const type = values instanceof Float32Array ? float : double;
    return this.#begin(values, 'MPI_Iallreduce', IN_PLACE, values, values.length, type, sum, world);
  }

  allToAll(bytes: Uint8Array): Promise<Uint8Array> {
    return this.#gathered('MPI_Ialltoall', bytes, bytes.length / this.size);
  }

  allGather(bytes: Uint8Array): Promise<Uint8Array> {
    return this.#gathered('MPI_Iallgather', bytes, bytes.length);
  }

  broadcast(bytes: Uint8Array): Promise<void> {
    return this.#begin(bytes, 'MPI_Ibcast', bytes, bytes.length, this.#mpi.byte, 0, this.#mpi.world);
  }

  /** Waits until all processes are here. */
  barrier(): Promise<void> {
    return this.#begin(new Uint8Array(), 'MPI_Ibarrier', this.#mpi.world);
  }

  /** For how long something has waited for other processes. */
  get waitingSeconds(): number {
    return this.#pending.size > 0 ? (performance.now() - this.#waitingSince) / 1000 : 0;
  }

  /** Leaves the others: the last call. It waits for them. */
  finalize(): void {
    this.#mpi.call('MPI_Finalize');
  }

  /** Ends the processes of the whole job, this one among them. */
  abort(code: number): void {
    this.#mpi.call('MPI_Abort', this.#mpi.world, code);
  }

  /** What all processes send here, `count` bytes of each. */
  async #gathered(name: 'MPI_Ialltoall' | 'MPI_Iallgather', sent: Uint8Array, count: number): Promise<Uint8Array> {
    const { byte, world } = this.#mpi;
    const received = new Uint8Array(count * this.size);
    await this.#begin([sent, received], name, sent, count, byte, received, count, byte, world);
    return received;
  }

  #begin(
    values: ArrayBufferView | readonly ArrayBufferView[],
    name: keyof typeof declarations,
    ...args: unknown[]
  ): Promise<void> {
    const request = new BigUint64Array(1);
    this.#mpi.call(name, ...args, request);
    return new Promise((resolve) => {
      this.#pending.add({ values, request, resolve });
      this.#waitingSince = performance.now();
      if (this.#isPolling) return;
      this.#isPolling = true;
      setImmediate(() => this.#poll());
    });
  }

  #poll(): void {
    for (const one of this.#pending) {
      this.#mpi.call('MPI_Test', one.request, this.#flag, null);
      if (this.#flag[0] === 0) continue;
      this.#pending.delete(one);
      one.resolve();
      this.#waitingSince = performance.now();
    }
    this.#isPolling = this.#pending.size > 0;
    if (!this.#isPolling) return;
    if (performance.now() - this.#waitingSince < EAGER_MILLISECONDS) setImmediate(() => this.#poll());
    else setTimeout(() => this.#poll(), 1);
  }
}

async function bind(): Promise<Binding> {
  const library = await load();
  const functions = new Map<string, CFunction>();
  for (const [name, declaration] of Object.entries(declarations)) functions.set(name, library.func(declaration));
  const call = (name: string, ...args: unknown[]): void => {
    const code = (functions.get(name) as CFunction)(...args);
    if (code !== 0) throw new MpiError(`${name} failed with code ${code}`);
  };
  const address = (name: string): unknown => library.symbol(name, 'char');
  return {
    call,
    world: address('ompi_mpi_comm_world'),
    float: address('ompi_mpi_float'),
    double: address('ompi_mpi_double'),
    byte: address('ompi_mpi_byte'),
    sum: address('ompi_mpi_op_sum'),
  };
}

/** The system's library. */
async function load(): Promise<Library> {
  const named = process.env['ZEROSEG_MPI'];
  const { default: koffi } = await import('koffi').catch((cause) => {
    throw new MpiError("the npm package 'koffi', which calls Open MPI, did not load; run `npm install koffi`", {
      cause,
    });
  });
  let library: Library | undefined;
  let reason = '';
  for (const place of named ? [named] : places) {
    try {
      // Its parts, which it loads by itself, look for names of it.
      library = koffi.load(place, { global: true });
      break;
    } catch (error) {
      reason ||= (error as Error).message;
    }
  }
  if (!library) {
    throw new MpiError(
      named
        ? `ZEROSEG_MPI: ${named} is no library that loads: ${reason}`
        : `there is no Open MPI (libmpi) here; ${INSTALL}, or set ZEROSEG_MPI to its library`,
    );
  }
  const version = versionOf(library);
  if (!version.startsWith('Open MPI')) {
    throw new MpiError(`the MPI library is ${version || 'an unknown one'}; it must be Open MPI: ${INSTALL}`);
  }
  return library;
}

/** `Open MPI v4.1.4, package: …`. */
function versionOf(library: Library): string {
  // MPI_MAX_LIBRARY_VERSION_STRING is 256 in Open MPI, 8192 in MPICH.
  const [text, length] = [new Uint8Array(8192), new Int32Array(1)];
  try {
    library.func('int MPI_Get_library_version(void *version, void *length)')(text, length);
  } catch {
    return '';
  }
  return new TextDecoder().decode(text.subarray(0, length[0])).split(',')[0] ?? '';
}
