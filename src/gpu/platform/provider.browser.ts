import { DeviceError } from '../errors.ts';
import type { AdapterRequest, Provided, TuningStore } from './provider.ts';

/** The GPU of a browser. `adapter: 'software'` asks for the browser's fallback adapter. */
export async function provide(request: AdapterRequest): Promise<Provided> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (!gpu) {
    throw new DeviceError('openDevice: no WebGPU here; use a current browser, over https or localhost');
  }
  const forceFallbackAdapter = ['software', 'swiftshader'].includes(request.adapter ?? '');
  const ask = () => gpu.requestAdapter({ powerPreference: 'high-performance', forceFallbackAdapter });
  // None is given where the GPU process starts anew meanwhile, as it may when a page opens.
  const adapter = (await ask()) ?? (await ask());
  if (!adapter) throw new DeviceError('openDevice: no GPU here; see chrome://gpu');
  return { adapter };
}

/** A browser shows the adapter that it gives, and no other; '' is the one that `openDevice` takes. */
export async function adapterNames(): Promise<string[]> {
  return [''];
}

/** A browser waits for its GPU without help. */
export function awaitWithBackoff<T>(promise: Promise<T>): Promise<T> {
  return promise;
}

const DATABASE = 'zeroseg';
const TABLE = 'tuning';

/** The part of IndexedDB that is used: the types of browsers are not there where this is compiled. */
interface Request<T> {
  readonly result: T;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
  onupgradeneeded?: (() => void) | null;
}
interface Table {
  get(key: string): Request<Record<string, string> | undefined>;
  put(value: Readonly<Record<string, string>>, key: string): Request<unknown>;
}
interface Database {
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: 'readonly' | 'readwrite'): { objectStore(name: string): Table };
  close(): void;
}

/** The table `tuning` of the page's IndexedDB `zeroseg`. A browser that keeps nothing is as good as an empty one. */
export const tuningStore: TuningStore = {
  async load(adapter) {
    try {
      return await inTable('readonly', (table) => table.get(adapter));
    } catch {
      return undefined;
    }
  },
  async save(adapter, tuned) {
    try {
      await inTable('readwrite', (table) => table.put(tuned, adapter));
    } catch (cause) {
      throw new DeviceError('tune: this browser keeps nothing; use save: false', { cause });
    }
  },
};

async function inTable<T>(mode: 'readonly' | 'readwrite', use: (table: Table) => Request<T>): Promise<T> {
  const { indexedDB } = globalThis as unknown as {
    indexedDB: { open(name: string, version: number): Request<Database> };
  };
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE);
  const database = await settled(opening);
  try {
    return await settled(use(database.transaction(TABLE, mode).objectStore(TABLE)));
  } finally {
    database.close();
  }
}

function settled<T>(request: Request<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
