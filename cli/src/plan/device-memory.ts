import { freemem, totalmem } from 'node:os';
import type { Device } from '@zeroseg/core';

/** Bytes of a GPU's memory, and how they are known. */
export interface DeviceMemory {
  readonly bytes: number;
  /** Such as `of 80 GB that an H100 has`. */
  readonly words: string;
}

/** Memory of GPUs as they are sold, in GB; of those sold with several, the least. The first that a name fits counts. */
const sold: readonly (readonly [RegExp, number])[] = [
  [/\bB200\b/, 180],
  [/\bH200\b/, 141],
  [/\bMI300X\b/, 192],
  [/\bH100\b|\bA100\b.*\b80 ?GB\b|\bA800\b/, 80],
  [/\bL40S?\b|\bA40\b|\bRTX (A6000|6000 Ada)\b/, 48],
  [/\bA100\b/, 40],
  [/\bRTX 5090\b/, 32],
  [/\bRTX (4090|3090)\b|\bL4\b|\bA10G?\b|\bRX 7900 XTX\b/, 24],
  [/\bV100\b|\bT4\b|\bRTX (5080|4080|5070 Ti)\b|\bArc A770\b/, 16],
  [/\bRTX (4070|3060|5070)\b/, 12],
];

/** Bytes of the memory of a GPU of that name; undefined where nothing is known of it. */
export function soldMemory(name: string): number | undefined {
  const gigabytes = sold.find(([known]) => known.test(name))?.[1];
  return gigabytes === undefined ? undefined : gigabytes * 1e9;
}

/** Where nothing is known of a GPU with memory of its own. */
const UNKNOWN = 8e9;

/** WebGPU does not tell how much memory a device has: an estimate by its name, or by the host's memory where it shares that. */
export function estimatedMemory(device: Pick<Device, 'name' | 'adapter' | 'isSoftware'>): DeviceMemory {
  const { vendor, architecture } = device.adapter;
  const bytes = soldMemory(device.name);
  if (device.isSoftware) return { bytes: freemem() / 2, words: "half of the host's free memory" };
  if (bytes !== undefined) return { bytes, words: `${bytes / 1e9} GB that a device of this name has` };
  if (/apple/i.test(vendor))
    return { bytes: totalmem() / 2, words: "half of the host's memory, which the device shares" };
  return {
    bytes: UNKNOWN,
    words: `8 GB, as nothing is known of ${device.name} (${architecture || vendor || 'no vendor'}): --gpu-memory says it`,
  };
}
