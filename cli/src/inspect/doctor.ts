import { openDevice } from '@zeroseg/core';
import { formatBytes } from '@zeroseg/core/internal';
import { type BrokenAdapter, inspectAdapters, inspectDevice, type OpenedAdapter, problemOf } from './adapters.ts';
import { withoutHome } from './hidden-home.ts';
import { inspectMachine, type Machine } from './machine.ts';

/** What `zeroseg doctor` finds. */
export interface Diagnosis {
  readonly machine: Machine;
  readonly adapters: readonly (OpenedAdapter | BrokenAdapter)[];
  /** The adapter that commands compute on, and why that one; null where none could be opened. */
  readonly taken: { readonly name: string; readonly because: string } | null;
  /** Why none could be opened. */
  readonly problem: string | null;
  /** How to compute faster; null on a GPU. */
  readonly faster: string | null;
}

/** Looks at the machine: every adapter is opened and computes a product of matrices. */
export async function diagnose(
  version: string,
  { folder, adapter }: { readonly folder: string; readonly adapter?: string | undefined },
): Promise<Diagnosis> {
  const adapters = await inspectAdapters().catch((error: unknown): BrokenAdapter[] => [
    { option: 'Dawn', problem: problemOf(error) },
  ]);
  const names = adapters.map((one) => ('name' in one ? one.name : ''));
  const machine = await inspectMachine(version, withoutHome(folder), names);
  const wanted = adapter ?? process.env['ZEROSEG_ADAPTER'];
  const by = adapter !== undefined ? '--adapter' : 'the variable ZEROSEG_ADAPTER';
  try {
    using device = await openDevice({ ...(adapter ? { adapter } : {}), notice: null });
    const because = wanted ? `${by} asks for '${wanted}'` : reasonOf(device.isSoftware, device.name);
    const taken = { name: device.name, because };
    const all = names.includes(device.name)
      ? adapters
      : [await inspectDevice(device, wanted ?? device.name), ...adapters];
    return { machine, adapters: all, taken, problem: null, faster: fasterThan(device.name, all) };
  } catch (error) {
    return { machine, adapters, taken: null, problem: problemOf(error), faster: fasterThan('', adapters) };
  }
}

function reasonOf(isSoftware: boolean, name: string): string {
  if (!isSoftware) return 'a GPU is the fastest kind';
  return isSwiftShader(name)
    ? 'there is no GPU with a driver, and no lavapipe that WebGPU accepts'
    : 'there is no GPU with a driver';
}

const isSwiftShader = (name: string): boolean => /swiftshader/i.test(name);

/** What would be faster than the adapter that is taken, if anything. */
function fasterThan(taken: string, adapters: Diagnosis['adapters']): string | null {
  const opened = adapters.filter((one): one is OpenedAdapter => 'name' in one);
  const gpu = opened.find(({ kind }) => kind === 'GPU');
  const lavapipe = opened.find(({ name }) => /llvmpipe|lavapipe/i.test(name));
  if (opened.find(({ name }) => name === taken)?.kind === 'GPU') return null;
  if (gpu) return `there is a GPU: leave --adapter and ZEROSEG_ADAPTER out, or give --adapter '${gpu.option}'`;
  const driver = {
    linux:
      'a GPU needs its Vulkan driver (vulkaninfo --summary lists what the system has; in a container it must be passed in)',
    darwin: 'a GPU is reached by Metal, which macOS brings',
    win32: 'a GPU is reached by Direct3D 12, with its current driver',
  }[process.platform as string];
  const hardware = driver ?? 'a GPU needs a driver for Vulkan';
  if (lavapipe && taken !== lavapipe.name) return `--adapter lavapipe is about 4 times as fast; ${hardware}`;
  if (lavapipe) return hardware;
  return process.platform === 'linux'
    ? `Mesa 24 or newer (package mesa-vulkan-drivers) is about 4 times as fast as SwiftShader; ${hardware}`
    : hardware;
}

/** Whether commands will work: an adapter could be opened, and computes what it should. */
export function isHealthy({ taken, adapters }: Diagnosis): boolean {
  return taken !== null && adapters.some((one) => 'name' in one && one.name === taken.name && one.check.passed);
}

/** A diagnosis as text, to be pasted into a report of a problem. */
export function diagnosisLines({ machine, adapters, taken, problem, faster }: Diagnosis): string[] {
  const { versions, mesa, system, processor, threads, memory, disk } = machine;
  const lines = [
    `zeroseg ${versions.zeroseg}, @zeroseg/core ${versions['@zeroseg/core']}, Node ${versions.node}, webgpu (Dawn) ${versions.webgpu}${mesa === null ? '' : `, Mesa ${mesa}`}`,
    `${system}; ${processor}, ${threads} ${threads === 1 ? 'thread' : 'threads'}; memory ${formatBytes(memory.total)}, ${formatBytes(memory.free)} free`,
    `free on the disk of ${disk.folder}: ${formatBytes(disk.free)}`,
    '',
    taken ? `computes on ${taken.name}: ${taken.because}` : `cannot compute: ${problem}`,
    ...(faster === null ? [] : [`faster: ${faster}`]),
  ];
  for (const one of adapters) lines.push('', ...adapterLines(one, 'name' in one && one.name === taken?.name));
  return lines;
}

function adapterLines(adapter: OpenedAdapter | BrokenAdapter, isTaken: boolean): string[] {
  if ('problem' in adapter) return [`adapter '${adapter.option}' could not be opened: ${adapter.problem}`];
  const { name, option, kind, features, subgroups, limits, check } = adapter;
  const has = Object.entries(features).map(([feature, isThere]) => `${feature} ${isThere ? 'yes' : 'no'}`);
  const threads = subgroups ? ` (${[...new Set([subgroups.min, subgroups.max])].join(' to ')} threads)` : '';
  const passed = `largest error ${check.error?.toExponential(1)}, ${Math.round(check.milliseconds)} ms with compiling`;
  return [
    `adapter ${name}${isTaken ? ' (taken)' : ''}`,
    `  computes on    the ${kind}; --adapter '${option}'`,
    `  features       ${has.join(', ').replace('subgroups yes', `subgroups yes${threads}`)}`,
    `  buffers        ${formatBytes(limits.maxBufferSize)}, ${formatBytes(limits.maxStorageBufferBindingSize)} of one bound, ${limits.maxStorageBuffersPerShaderStage} a kernel`,
    `  workgroups     ${limits.maxComputeInvocationsPerWorkgroup} threads with ${formatBytes(limits.maxComputeWorkgroupStorageSize)}, ${limits.maxComputeWorkgroupsPerDimension} along an axis`,
    `  self-check     ${check.passed ? `passed: ${passed}` : `FAILED: ${check.problem}`}`,
  ];
}
