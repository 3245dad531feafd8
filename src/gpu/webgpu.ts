/**
 * WebGPU's types, from where a project has them: the library `dom` of TypeScript 6 and later, or `@webgpu/types`. Declarations of this
 * package that named the global types would not compile in a project that has neither, and a reference to `@webgpu/types` would
 * declare them twice in one that has `dom`. Where there are none, they are `unknown`.
 */
type Instance<Name extends string> = typeof globalThis extends { readonly [name in Name]: { prototype: infer T } }
  ? T
  : unknown;

export type GPUAdapter = Instance<'GPUAdapter'>;
export type GPUAdapterInfo = Instance<'GPUAdapterInfo'>;
export type GPUBindGroup = Instance<'GPUBindGroup'>;
export type GPUBindGroupLayout = Instance<'GPUBindGroupLayout'>;
export type GPUBuffer = Instance<'GPUBuffer'>;
export type GPUCommandEncoder = Instance<'GPUCommandEncoder'>;
export type GPUComputePassEncoder = Instance<'GPUComputePassEncoder'>;
export type GPUComputePipeline = Instance<'GPUComputePipeline'>;
export type GPUDevice = Instance<'GPUDevice'>;
export type GPUError = Instance<'GPUError'>;
export type GPUSupportedLimits = Instance<'GPUSupportedLimits'>;
