// The public interface, in floor order: nothing else is exported. ZeroSeg itself is '@zeroseg/core/zeroseg', what needs
// Node's files is '@zeroseg/core/node'.

export { Device, type DeviceOptions, openDevice } from './gpu/device.ts';
export { ArgumentError, DeviceError, KernelError, OutOfMemoryError, ZeroSegError } from './gpu/errors.ts';
export { type Binding, type Kernel, type KernelSpec, kernel, type Piece } from './gpu/kernel.ts';
export * from './kernels/index.ts';
export * from './nn/index.ts';
export { fill } from './tensor/graph/fill.ts';
export { differentiable, differentiableAll, gradients } from './tensor/graph/grad.ts';
export { type CheckpointResults, checkpoint } from './tensor/graph/recompute.ts';
export { dispatch, empty, type Launch, label } from './tensor/graph/record.ts';
export { free, lasting, Tensor, tensor, write } from './tensor/graph/tensor.ts';
export type { MemoryUse } from './tensor/run/memory-layout.ts';
export { read, readAll, readU32 } from './tensor/run/read.ts';
export {
  type InputSpec,
  type InputValue,
  type Results,
  run,
  type Step,
  type StepOptions,
  step,
} from './tensor/run/step.ts';
export type { LaunchTime } from './tensor/run/timer.ts';
export type { DType, HostArray } from './tensor/values/dtype.ts';
export { NotFiniteError, StepError } from './tensor/values/errors.ts';
export type { HostValues, NumberArray, NumberList } from './tensor/values/host.ts';
export { type Shape, ShapeError } from './tensor/values/shape.ts';
