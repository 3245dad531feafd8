// The public interface, in floor order: nothing else is exported. ZeroSeg itself is '@zeroseg/core/zeroseg', what needs
// Node's files is '@zeroseg/core/node'.

export {
  ArgumentError,
  type Binding,
  Device,
  DeviceError,
  type DeviceOptions,
  type Kernel,
  KernelError,
  type KernelSpec,
  kernel,
  OutOfMemoryError,
  openDevice,
  type Piece,
  saveTuning,
  ZeroSegError,
} from './gpu/index.ts';
export { gradients } from './kernels/elementwise/index.ts';
export * from './kernels/index.ts';
export { useHalfSums, useSubgroupMatrices } from './kernels/matmul/index.ts';
export * from './nn/index.ts';
export {
  differentiable,
  differentiableAll,
  dispatch,
  empty,
  fill,
  free,
  type Launch,
  label,
  type RecomputeResults,
  recompute,
  type ScanOptions,
  type ScanTensors,
  scan,
  Tensor,
  tensor,
  variable,
  write,
} from './tensor/graph/index.ts';
export {
  type EarlyResults,
  evaluate,
  type InputSpec,
  type InputValue,
  type Jit,
  type JitOptions,
  jit,
  type LaunchTime,
  type MemoryUse,
  type NestedArray,
  type Results,
  read,
  readAll,
  readBool,
  readI32,
  readU32,
  run,
  type Step,
  type StepOptions,
  type StepOptionsOf,
  step,
  toArray,
  toText,
} from './tensor/run/index.ts';
export {
  type DType,
  type HostArray,
  type HostValues,
  NotFiniteError,
  type NumberArray,
  type NumberList,
  type Shape,
  ShapeError,
  StepError,
} from './tensor/values/index.ts';
