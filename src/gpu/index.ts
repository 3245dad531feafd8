export type { CompiledKernel } from './compiler.ts';
export { type BufferRange, bufferUsage, Device, type DeviceOptions, openDevice } from './device.ts';
export { ArgumentError, DeviceError, formatBytes, KernelError, OutOfMemoryError, ZeroSegError } from './errors.ts';
export { parseJson, shownValue } from './json.ts';
export {
  type Binding,
  type Element,
  type Kernel,
  type KernelSpec,
  kernel,
  type Piece,
  type Scalar,
  source,
} from './kernel.ts';
export { heard, Outcome } from './outcome.ts';
export { ownValue } from './own-value.ts';
export { erf, expBelow, joinSum, notNumbers, threefry } from './prelude.ts';
export type { Slot } from './slots.ts';
export type {
  GPUAdapter,
  GPUAdapterInfo,
  GPUBindGroup,
  GPUBindGroupLayout,
  GPUBuffer,
  GPUCommandEncoder,
  GPUComputePassEncoder,
  GPUComputePipeline,
  GPUDevice,
  GPUError,
  GPUSupportedLimits,
} from './webgpu.ts';
