import type { GPUAdapter } from '../webgpu.ts';

/** What a platform is asked for: see `DeviceOptions.adapter`. */
export interface AdapterRequest {
  readonly adapter?: string;
}

/** What a platform gives. */
export interface Provided {
  readonly adapter: GPUAdapter;
  /** One line for the user, when a slow adapter had to be taken. */
  readonly notice?: string;
}

/** Where tuning outlives a process or a page: by the adapter's name, class of work → kernel variant. */
export interface TuningStore {
  /** What was kept, if anything: whoever loads it checks it. */
  load(adapter: string): Promise<Readonly<Record<string, unknown>> | null | undefined>;
  save(adapter: string, tuned: Readonly<Record<string, string>>): Promise<void>;
}
