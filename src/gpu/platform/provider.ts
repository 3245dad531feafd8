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

// Tuning outlives a process or a page: by the adapter's name, class of work → kernel variant.

/** What was kept, if anything: whoever reads it checks it. */
export type ReadTuning = (adapter: string) => Promise<Readonly<Record<string, unknown>> | null | undefined>;
export type WriteTuning = (adapter: string, tuned: Readonly<Record<string, string>>) => Promise<void>;
