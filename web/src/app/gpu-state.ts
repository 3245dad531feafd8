import { type Signal, signal } from '@preact/signals';
import { engine } from '../engine/client.ts';
import type { GpuFacts } from '../engine/gpu.ts';
import { findSupport, type Support } from './support.ts';

/** Whether there is a GPU; undefined until that is known. */
export const support: Signal<Support | undefined> = signal(undefined);
/** Which one; undefined until it is open. */
export const gpu: Signal<GpuFacts | undefined> = signal(undefined);

export async function findGpu(): Promise<void> {
  const found = await findSupport();
  support.value = found;
  if (!found.isThere) return;
  try {
    gpu.value = await engine.gpu.facts();
  } catch (error) {
    support.value = {
      isThere: false,
      why: (error as Error).message,
      remedy: 'Reload the page, or restart the browser.',
    };
  }
}
