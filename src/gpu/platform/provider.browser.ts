import { DeviceError } from '../errors.ts';
import type { AdapterRequest, Provided, ReadTuning, WriteTuning } from './provider.ts';

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

/** The part of the Cache API that is used: the types of browsers are not there where this is compiled. */
interface Caches {
  match(address: string): Promise<Response | undefined>;
  open(name: string): Promise<{ put(address: string, response: Response): Promise<void> }>;
}

const kept = (): Caches => (globalThis as unknown as { caches: Caches }).caches;

/** Of an adapter: nothing is ever asked for there. */
const addressOf = (adapter: string): string => `https://tuning.invalid/${encodeURIComponent(adapter)}`;

/** The page's cache `zeroseg-tuning`. A browser that keeps nothing is as good as an empty one. */
export const readTuning: ReadTuning = async (adapter) => {
  try {
    return (await (await kept().match(addressOf(adapter)))?.json()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
};

export const writeTuning: WriteTuning = async (adapter, tuned) => {
  try {
    await (await kept().open('zeroseg-tuning')).put(addressOf(adapter), Response.json(tuned));
  } catch (cause) {
    throw new DeviceError('tune: this browser keeps nothing; use save: false', { cause });
  }
};
