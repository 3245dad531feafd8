import { Device, type Tensor, variable } from '@zeroseg/core';
import type { Weights } from '@zeroseg/core/nn';

/** What kernels choose their variants and plans their buffers by. */
export type DeviceFacts = Pick<Device, 'adapter' | 'features'> & {
  readonly limits: { readonly [name: string]: number } | Device['limits'];
  /** What `tune` found there. */
  readonly tuned?: ReadonlyMap<string, string>;
};

/** A GPU as browsers and Dawn offer it: f16, subgroups of 32 threads, bindings up to 2 GiB. */
export function gpuFacts(name: string): DeviceFacts {
  return {
    adapter: {
      ...{ vendor: '', architecture: '', device: '', description: name },
      ...{ subgroupMinSize: 32, subgroupMaxSize: 32, isFallbackAdapter: false },
    } as Device['adapter'],
    features: new Set(['shader-f16', 'subgroups']),
    limits: {
      maxBufferSize: 2 ** 31,
      maxStorageBufferBindingSize: 2 ** 31 - 4,
      minStorageBufferOffsetAlignment: 256,
    },
  };
}

/**
 * A device without a GPU: what is made on it is recorded, planned and counted as on one with these limits, and neither compiled nor run. So
 * the bytes of a model that fits no memory here are known exactly, in seconds. Nothing can be read from it.
 *
 * ```ts
 * const device = dryDevice(gpuFacts('H100'));
 * const model = new ZeroSeg(emptyWeights(device), baseConfig);
 * device.bytes; // 721 MB that are nowhere
 * ```
 */
export function dryDevice({ adapter, features, limits, tuned = new Map() }: DeviceFacts): Device {
  const nothing = () => undefined;
  const pass = { setPipeline: nothing, setBindGroup: nothing, dispatchWorkgroups: nothing, end: nothing };
  const encoder = {
    beginComputePass: () => pass,
    copyBufferToBuffer: nothing,
    clearBuffer: nothing,
    finish: () => ({}),
  };
  const gpu = {
    ...{ limits, features, lost: new Promise(nothing) },
    queue: { writeBuffer: nothing, submit: nothing, onSubmittedWorkDone: async () => undefined },
    ...{ pushErrorScope: nothing, popErrorScope: async () => null },
    ...{ addEventListener: nothing, removeEventListener: nothing, destroy: nothing },
    createBuffer: ({ size }: { readonly size: number }) => ({ size, destroy: nothing }),
    createCommandEncoder: () => encoder,
    createShaderModule: () => ({ getCompilationInfo: async () => ({ messages: [] }) }),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createComputePipelineAsync: async () => ({}),
    createBindGroup: () => ({}),
  };
  const device = new Device(gpu as unknown as Device['gpu'], adapter);
  for (const [work, variant] of tuned) device.tuned.set(work, variant);
  return device;
}

/** Weights of which only the shapes are known. */
export function emptyWeights(device: Device): Weights {
  const weights: Weights = {
    device,
    parameter: (_, shape): Tensor => variable(device, shape),
    in: () => weights,
    build: async (make) => make(weights),
  };
  return weights;
}
