export type Expected = Record<
  string,
  { count: number; indexes: Uint32Array; values: Float64Array; scale: number; tolerance: number }
>;

export interface Workload {
  readonly name: string;
  readonly kind: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  inputs(): Record<string, Float32Array>;
  expected(inputs: Record<string, Float32Array>): Expected[];
}

export const workloads: readonly Workload[];
