import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { FileError, type Image, studentImage } from '@zeroseg/core/zeroseg';
import { decodePhoto } from '../photos/index.ts';

/** A thread cuts a hundred photos a second, and what is left to do here allows three hundred. Each takes 40 MB, and a second to begin. */
const THREADS = Math.min(4, availableParallelism());

/** Photos that a thread has at once: sharp decodes one in a thread of its own while another is cut. */
const PHOTOS = 2;

/** Built: Node 20 runs no TypeScript, so from the source too. */
const program = new URL('../../dist/features/cut-squares.js', import.meta.url);

/** What a thread is asked for. */
export interface AskedSquare {
  readonly number: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly path: string;
  readonly side: number;
}

/** What it answers; nothing where it failed. */
export interface CutSquare {
  readonly number: number;
  readonly data?: Uint8Array<ArrayBuffer>;
}

/**
 * Worker threads that decode photos and cut the student's squares, so that who trains has its thread to itself. They begin when they are
 * needed. So many photos as they have at once are in memory, however many squares are asked for.
 */
export class SquareThreads {
  readonly #threads: Thread[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #isClosed = false;

  /** The square of `side` pixels of a photo, that of {@link studentImage} to the bit. The photo is read when there is a thread for it. */
  async cut(read: () => Promise<Uint8Array<ArrayBuffer>>, path: string, side: number): Promise<Image> {
    if (this.#running === THREADS * PHOTOS) await new Promise<void>((next) => this.#waiting.push(next));
    else this.#running++;
    try {
      if (this.#isClosed) throw closed();
      const bytes = await read();
      const data = await this.#thread().cut(bytes, path, side);
      if (data) return { width: side, height: side, data };
      // Once more, here: what is wrong with it is said by an error with its class.
      return studentImage(await decodePhoto(bytes, path), side);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  /** Ends the threads; what they were asked for is refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }

  /** That with the least to do; a new one while all have something. */
  #thread(): Thread {
    if (this.#isClosed) throw closed();
    const [least] = this.#threads.filter(({ isThere }) => isThere).toSorted((a, b) => a.asked - b.asked);
    if (least && (least.asked === 0 || this.#threads.length >= THREADS)) return least;
    const thread = new Thread();
    this.#threads.push(thread);
    return thread;
  }
}

interface Waiting {
  readonly resolve: (data: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

class Thread {
  readonly #worker = new Worker(program);
  readonly #waiting = new Map<number, Waiting>();
  #number = 0;
  /** Why it is no more. */
  #ended: Error | undefined;

  constructor() {
    this.#worker.on('message', ({ number, data }: CutSquare) => {
      this.#waiting.get(number)?.resolve(data);
      this.#forget(number);
    });
    this.#worker.on('error', (error) => this.#refuse(error as Error));
    this.#worker.on('exit', () => this.#refuse(this.#ended ?? closed()));
  }

  get isThere(): boolean {
    return !this.#ended;
  }

  get asked(): number {
    return this.#waiting.size;
  }

  cut(bytes: Uint8Array<ArrayBuffer>, path: string, side: number): Promise<Uint8Array | undefined> {
    const asked: AskedSquare = { number: this.#number++, bytes, path, side };
    return new Promise((resolve, reject) => {
      if (this.#ended) throw this.#ended;
      this.#waiting.set(asked.number, { resolve, reject });
      // A process ends though nobody has closed the cache, but not while it waits for a square.
      this.#worker.ref();
      this.#worker.postMessage(asked);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
    this.#refuse(closed());
  }

  #refuse(error: Error): void {
    this.#ended = error;
    for (const [number, { reject }] of this.#waiting) {
      reject(error);
      this.#forget(number);
    }
  }

  #forget(number: number): void {
    this.#waiting.delete(number);
    if (this.#waiting.size === 0) this.#worker.unref();
  }
}

const closed = (): FileError => new FileError('readPhoto', 'the photos of a cache', 'the cache has been closed');
