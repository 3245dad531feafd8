import type { GPUBindGroup, GPUComputePassEncoder, GPUComputePipeline } from '../../gpu/index.ts';
import { type CompiledKernel, type Device, KernelError, source } from '../../gpu/index.ts';
import { type Launch, type Memory, memoryOf, type Storage } from '../graph/index.ts';
import { loopIn } from './lifetimes.ts';
import type { Laid, Place } from './memory-layout.ts';

/** One launch, ready to be replayed. */
export interface Bound {
  readonly launch: Launch;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

/** What a pass is told, again and again. It holds nothing of the launches, and laid flat: at 1000 a step every property that is looked up counts. */
export class Replay {
  readonly #pipelines: readonly GPUComputePipeline[];
  readonly #groups: readonly GPUBindGroup[];
  readonly #grids: readonly Launch['grid'][];

  constructor(listed: readonly Bound[]) {
    this.#pipelines = listed.map(({ pipeline }) => pipeline);
    this.#groups = listed.map(({ group }) => group);
    this.#grids = listed.map(({ launch }) => launch.grid);
  }

  /** Two or three calls a launch and nothing else: no objects are made here, on the host or on the GPU. Without `order`, each once. */
  encode(pass: GPUComputePassEncoder, order?: Uint32Array): void {
    const [pipelines, groups, grids] = [this.#pipelines, this.#groups, this.#grids];
    let set: GPUComputePipeline | undefined;
    for (const i of order ?? groups.keys()) {
      const pipeline = pipelines[i] as GPUComputePipeline;
      // A pipeline stays set until another one is.
      if (pipeline !== set) pass.setPipeline((set = pipeline));
      pass.setBindGroup(0, groups[i] as GPUBindGroup);
      const grid = grids[i] as Launch['grid'];
      pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    }
  }
}

/** Launches with memory: planned, compiled and bound once, encoded any number of times. */
export interface Program {
  /** Each launch once. */
  readonly listed: readonly Bound[];
  /** By their numbers, how they follow each other, where those of loops come again and again. */
  readonly order: Uint32Array | undefined;
  readonly replay: Replay;
}

/** Binds what was laid out; inside {@link Device.scoped}, which tells what the GPU says of it. */
export function bind(device: Device, { launches, places }: Laid, compiled: readonly CompiledKernel[]): Program {
  const listed = launches.map((launch, i): Bound => {
    const { pipeline, layout } = compiled[i] as CompiledKernel;
    const entries = (places[i] as readonly Place[]).map((resource, binding) => ({ binding, resource }));
    return { launch, pipeline, group: device.gpu.createBindGroup({ layout, entries, label: launch.label }) };
  });
  return { listed, order: loopIn(launches)?.order(launches), replay: new Replay(listed) };
}

/** Waits until it is known whether there is memory behind all that is bound; throws if not. */
export function allocated(device: Device, { places, own }: Laid): Promise<void> {
  return device.allocated([...places.flat().map(({ buffer }) => buffer), ...own]);
}

/** Where a storage lies: in what was laid out, or in memory of its own. */
export function memoryIn({ memories }: Pick<Laid, 'memories'>, storage: Storage): Memory | undefined {
  const own = memories.get(storage.root);
  return own ? { buffer: own.buffer, offset: own.offset + storage.rootOffset } : memoryOf(storage);
}

/** The kernels of launches, if all were compiled before. */
export function compiledNow(device: Device, launches: readonly Launch[]): CompiledKernel[] | undefined {
  const result: CompiledKernel[] = [];
  for (const { kernel, element, constants } of launches) {
    const compiled = device.compiled(kernel, element, constants);
    if (!compiled) return undefined;
    result.push(compiled);
  }
  return result;
}

export async function compileAll(device: Device, launches: readonly Launch[]): Promise<CompiledKernel[]> {
  const results = await Promise.allSettled(
    launches.map((launch) => device.compile(launch.kernel, launch.element, launch.constants)),
  );
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** What the GPU refused, with the launch that it names. */
export function refusedError(launches: readonly Launch[], { message }: { readonly message: string }): KernelError {
  const named = launches.filter(({ label }) => message.includes(label));
  // Of labels that hold each other, the longest is meant.
  const culprit = named.sort((a, b) => b.label.length - a.label.length)[0] ?? launches[0];
  return new KernelError(
    culprit?.kernel.name ?? 'step',
    `the GPU rejected the launch of ${culprit?.label}: ${message}`,
    culprit ? source(culprit.kernel, culprit.element) : '',
  );
}
