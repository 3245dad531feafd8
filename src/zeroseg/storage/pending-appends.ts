/** A browser copies the whole file to add to its end: so bytes are gathered until there are so many, or for so long. */
const MAX_BYTES = 2 ** 16;
const MAX_MILLISECONDS = 1000;

interface Pending {
  parts: Uint8Array[];
  bytes: number;
  since: number;
}

/** What was appended to files and is not in them yet, by path. */
export class PendingAppends {
  readonly #files = new Map<string, Pending>();
  #written: Promise<unknown> = Promise.resolve();

  has(path: string): boolean {
    return this.#files.has(path);
  }

  /** Adds bytes, and calls `flush` when it is time to write them. */
  async add(path: string, bytes: Uint8Array, flush: () => Promise<unknown>): Promise<void> {
    const pending = this.#files.get(path) ?? { parts: [], bytes: 0, since: Date.now() };
    this.#files.set(path, pending);
    pending.parts.push(bytes);
    pending.bytes += bytes.length;
    if (pending.bytes >= MAX_BYTES || Date.now() - pending.since >= MAX_MILLISECONDS) await flush();
  }

  /** Hands out what there is of a file; whoever takes it writes it. */
  take(path: string): Uint8Array<ArrayBuffer> | undefined {
    const pending = this.#files.get(path);
    this.#files.delete(path);
    if (!pending) return undefined;
    const all = new Uint8Array(pending.bytes);
    let at = 0;
    for (const part of pending.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  /** Writes one after the other: each copies the file as the one before left it. */
  async inOrder<T>(write: () => Promise<T>): Promise<T> {
    const written = this.#written.then(write);
    this.#written = written.catch(() => undefined);
    return written;
  }

  /** Forgets what was appended to a file that is replaced or removed, and to the files of a folder of that path. */
  drop(path: string): void {
    for (const one of this.#files.keys()) if (one === path || one.startsWith(`${path}/`)) this.#files.delete(one);
  }
}
