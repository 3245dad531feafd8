import type { Device } from '@zeroseg/core';

/** Limits by which buffers are planned. */
export const benchedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'minStorageBufferOffsetAlignment',
] as const;

/** What kernels choose their variants and plans their buffers by, as JSON can hold it. */
export interface BenchedDevice {
  readonly adapter: Readonly<Record<'vendor' | 'architecture' | 'device' | 'description', string>> & {
    readonly subgroupMinSize?: number | undefined;
    readonly subgroupMaxSize?: number | undefined;
    readonly isFallbackAdapter: boolean;
  };
  readonly limits: Readonly<Record<(typeof benchedLimits)[number], number>>;
}

export function benchedDevice({ adapter, limits }: Device): BenchedDevice {
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter } = adapter;
  return {
    adapter: { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter },
    limits: Object.fromEntries(benchedLimits.map((name) => [name, limits[name]])) as BenchedDevice['limits'],
  };
}
