// 'zeroseg/gpu-model': what a kernel would do on a GPU, found without one. Nothing here may use what only Node or only browsers have.

export type { Counts, SiteCounts } from './counts.ts';
export type { Bound, Estimate } from './estimate.ts';
export type { Fault, FaultKind } from './faults.ts';
export { type Figure, type Gpu, type GpuFigures, type GpuName, gpuNames, gpus } from './gpus.ts';
export { type GpuModelOptions, gpuModel, type ModelledGpu, type ModelledLaunch } from './model.ts';
export { figureTable, modelTable } from './tables.ts';
