export { type BufferRange, bufferUsage } from './buffers.ts';
export type { CompiledKernel } from './compiler.ts';
export { Device } from './device.ts';
export { ArgumentError, DeviceError, formatBytes, KernelError, OutOfMemoryError, ZeroSegError } from './errors.ts';
export { heard } from './faults.ts';
export { jsonOrNothing, parseJson, shownValue } from './json.ts';
export {
  type Access,
  type Binding,
  type Element,
  type Kernel,
  type KernelSpec,
  kernel,
  type Piece,
  type Scalar,
  source,
  type WgslFeature,
} from './kernel.ts';
export { adapterNames, type DeviceOptions, openDevice, saveTuning } from './open-device.ts';
export { Outcome } from './outcome.ts';
export { ownValue } from './own-value.ts';
export { erf, expBelow, joinSum, notNumbers, threefry } from './prelude.ts';
export { type DeviceProfile, profileOf } from './profile.ts';
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
