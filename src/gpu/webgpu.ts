// The types of WebGPU as the surrounding program knows them. Declarations that name the global types themselves would need
// `@webgpu/types` in every program that uses this library, and beside TypeScript 6's and 7's `lib.dom`, which has these types
// too, that package does not compile. So they are looked up: a program with `lib.dom` or `@webgpu/types` gets its own, and one
// with neither an `object`, which it can pass on.

type Known<Name extends string> =
  typeof globalThis extends Readonly<Record<Name, { readonly prototype: infer Type }>> ? Type : object;

export type GPUAdapter = Known<'GPUAdapter'>;
export type GPUAdapterInfo = Known<'GPUAdapterInfo'>;
export type GPUBindGroup = Known<'GPUBindGroup'>;
export type GPUBindGroupLayout = Known<'GPUBindGroupLayout'>;
export type GPUBuffer = Known<'GPUBuffer'>;
export type GPUCommandEncoder = Known<'GPUCommandEncoder'>;
export type GPUComputePassEncoder = Known<'GPUComputePassEncoder'>;
export type GPUComputePipeline = Known<'GPUComputePipeline'>;
export type GPUDevice = Known<'GPUDevice'>;
export type GPUError = Known<'GPUError'>;
export type GPUSupportedLimits = Known<'GPUSupportedLimits'>;

export type GPUErrorFilter = 'validation' | 'out-of-memory' | 'internal';
