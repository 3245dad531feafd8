import type { Library } from '../peer.mjs';

/** What a workload is made of: see `workloads.mjs`. */
interface Made {
  readonly kind: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly sizes?: object;
}

interface Prepared {
  run(): object;
  read(results: object): Promise<Record<string, Float32Array>>;
}

export function open(options: {
  adapter?: string;
  zeroseg: object;
}): Promise<Library & { prepare(workload: Made, inputs: Readonly<Record<string, Float32Array>>): Promise<Prepared> }>;
