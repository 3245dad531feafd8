import { hostname } from 'node:os';
import { gatherBytes } from '@zeroseg/core/internal';
import type { ProcessGroup } from '@zeroseg/core/nn';

/**
 * The processes of a job that are on this machine, and which of them have ended: MPI does not say that of one that was killed. Those of
 * other machines are not seen.
 */
export class Neighbours {
  /** Their processes, by rank. */
  readonly #here: ReadonlyMap<number, number>;

  private constructor(here: ReadonlyMap<number, number>) {
    this.#here = here;
  }

  /** Called by all processes of the group. */
  static async meet(group: ProcessGroup): Promise<Neighbours> {
    const own = { host: hostname(), id: process.pid };
    const all = await gatherBytes(group, new TextEncoder().encode(JSON.stringify(own)));
    const told = all.map((bytes) => JSON.parse(new TextDecoder().decode(bytes)) as typeof own);
    const here = [...told.entries()].filter(
      // Containers may be called alike and not see each other's processes.
      ([rank, { host, id }]) => rank !== group.rank && host === own.host && isThere(id),
    );
    return new Neighbours(new Map(here.map(([rank, { id }]) => [rank, id])));
  }

  /** Ranks of those that have ended. */
  ended(): number[] {
    return [...this.#here].filter(([, id]) => !isThere(id)).map(([rank]) => rank);
  }
}

function isThere(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    // It is there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
